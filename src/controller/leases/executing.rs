//! Pods that were granted what they wait for are let go, many at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};

use super::ledgers::{Ledgers, budget_name};
use super::stalls::Unwritten;
use crate::api::parse::Name;
use crate::budget::ledger::Uid;
use crate::cluster::view::pods::Pod;
use crate::cluster::write::{WriteError, Writer};
use crate::serve::metrics::Metrics;

/// Patches under way at the same time.
const AT_ONCE: usize = 24;
/// The watch brings back what was written within this time; after it, it is written again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets pods go.
#[derive(Clone)]
pub struct Executor {
    writer: Writer,
    metrics: Arc<Metrics>,
    permits: Arc<Semaphore>,
    /// When each pod was let go; nothing: that is under way.
    sent: Arc<Mutex<BTreeMap<Uid, Option<Instant>>>>,
    failed: mpsc::UnboundedSender<Name>,
}

impl Executor {
    /// Nobody has been let go yet. Budgets whose pods could not be are told by `failed`.
    #[must_use]
    pub fn new(writer: Writer, metrics: Arc<Metrics>, failed: mpsc::UnboundedSender<Name>) -> Self {
        Self { writer, metrics, permits: Arc::new(Semaphore::new(AT_ONCE)), sent: Arc::default(), failed }
    }

    /// Lets a pod go, if every budget that it waits for has an entry for it, or keeps it from nothing any more.
    pub fn execute(&self, ledgers: &Arc<Ledgers>, budget: &Name, pod: Arc<Pod>) {
        let Some(values) = values(ledgers, &pod) else { return };
        if !self.is_due(&pod.uid) {
            return;
        }
        let (this, budget, ledgers) = (self.clone(), budget.clone(), ledgers.clone());
        tokio::spawn(async move {
            let Ok(_permit) = this.permits.acquire().await else { return };
            let Some(gate) = &pod.gate else { return };
            let written = this.writer.ungate(&pod, gate, &values).await;
            this.metrics.written("pod", written.as_ref().map_or_else(WriteError::kind, |()| "ok"));
            match written {
                Ok(()) => drop(this.sent().insert(pod.uid.clone(), Some(Instant::now()))),
                Err(error) => {
                    tracing::debug!(pod = %pod.name, "{error}");
                    // Any other refusal may be that of a pod which somebody else has let go, or which took another's name.
                    if let WriteError::Forbidden(sentence) = &error {
                        tracing::warn!("{sentence}");
                        ledgers.stall(&budget, Unwritten::Pods, Some(sentence.clone()));
                    }
                    this.sent().remove(&pod.uid);
                    let _ = this.failed.send(budget); // nobody receives any more: this is stopping
                }
            }
        });
    }

    /// Whether nobody has been sent to let a pod go, or nothing came of it. Notes that somebody is.
    fn is_due(&self, uid: &Uid) -> bool {
        let now = Instant::now();
        let mut sent = self.sent();
        let is_recent = |at: &Option<Instant>| at.is_none_or(|at| now < at + PATIENCE);
        if sent.get(uid).is_some_and(is_recent) {
            return false;
        }
        if sent.len() > 1_000 {
            sent.retain(|_, at| is_recent(at));
        }
        sent.insert(uid.clone(), None);
        true
    }

    fn sent(&self) -> std::sync::MutexGuard<'_, BTreeMap<Uid, Option<Instant>>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a pod is told: the values of its entries. Nothing: it still waits for one.
fn values(ledgers: &Ledgers, pod: &Pod) -> Option<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for budget in pod.awaited() {
        let kept = budget_name(budget).and_then(|name| ledgers.of(&name))?;
        match kept.ledger.entries().get(&pod.uid) {
            Some(entry) => values.extend(entry.values.clone()),
            None if kept.let_go.contains(&pod.uid) => {}
            None => return None,
        }
    }
    Some(values)
}
