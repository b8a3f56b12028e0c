//! Tells a pod why it waits, once: as an event, where people look first.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::facts::now;
use super::ledgers::Kept;
use crate::budget::ledger::Uid;
use crate::cluster::write::{Note, Writer};

/// Who waits for less is not worth an event: a burst of pods that fit would cost one each.
const WORTH_TELLING: u32 = 5;
/// A thousand pods that wait for the same are told by the status.
const AT_MOST: usize = 20;

/// Pods that have been told.
#[derive(Debug, Default)]
pub struct Told(BTreeSet<Uid>);

impl Told {
    /// Tells the first of those who wait for long. Answers whether somebody will have to be told later.
    pub fn tell(&mut self, writer: &Writer, budget: &str, kept: &Arc<Kept>) -> bool {
        let waits = |uid: &Uid| kept.waiting.iter().any(|waiting| waiting.pod.uid == *uid);
        if self.0.len() > AT_MOST * 50 {
            self.0.retain(waits);
        }
        let mut later = false;
        for waiting in kept.waiting.iter().take(AT_MOST) {
            if waiting.pod.created.after(WORTH_TELLING) > now() {
                later = true;
            } else if self.0.insert(waiting.pod.uid.clone()) {
                let (why, frees) = kept.reason(waiting);
                let text =
                    format!("It waits for connections of the DatabaseBudget {budget}. {why} What frees it: {frees}");
                let note = Note { warning: false, reason: "WaitsForConnections".into(), text };
                let (writer, pod) = (writer.clone(), waiting.pod.clone());
                tokio::spawn(async move {
                    if let Err(error) = writer.event_of(&pod, &note).await {
                        tracing::debug!("{error}"); // the status says the same
                    }
                });
            }
        }
        later
    }
}
