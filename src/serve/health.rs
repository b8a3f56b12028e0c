//! Whether this replica can do its work, and if not, what is missing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// What is missing until this replica can do its work. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<watch::Sender<Missing>>);

#[derive(Debug, Default)]
struct Missing {
    /// By the order in which they were announced.
    pending: BTreeMap<u64, String>,
    announced: u64,
    problems: BTreeMap<String, String>,
}

impl Readiness {
    /// Not ready until the guard that is returned is done or dropped. `what` completes "waiting for".
    pub fn waiting_for(&self, what: impl Into<String>) -> Pending {
        let mut number = 0;
        self.0.send_modify(|missing| {
            missing.announced += 1;
            number = missing.announced;
            missing.pending.insert(number, what.into());
        });
        Pending { readiness: self.clone(), number }
    }

    /// Not ready until the problem of this key is cleared.
    pub fn problem(&self, key: impl Into<String>, sentence: impl Into<String>) {
        let (key, sentence) = (key.into(), sentence.into());
        self.0.send_if_modified(|missing| missing.problems.insert(key, sentence.clone()) != Some(sentence));
    }

    /// The problem of this key is gone.
    pub fn clear(&self, key: &str) {
        self.0.send_if_modified(|missing| missing.problems.remove(key).is_some());
    }

    /// What is missing, one line each. Nothing: ready.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let missing = self.0.borrow();
        let pending = missing.pending.values().map(|what| format!("waiting for {what}"));
        pending.chain(missing.problems.values().cloned()).collect()
    }

    /// Writes to the log when this replica becomes ready, and what is missing when it is not. Never ends.
    pub async fn log_changes(self) {
        let mut changes = self.0.subscribe();
        let mut told = None;
        loop {
            let missing = self.missing();
            if told.as_ref() != Some(&missing) {
                match missing.as_slice() {
                    [] => tracing::info!("ready"),
                    missing => tracing::info!(missing = missing.join("; "), "not ready"),
                }
                told = Some(missing);
            }
            // A start announces a dozen things at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
            if changes.changed().await.is_err() {
                // The sender is `self`.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Something that is waited for.
#[must_use = "waiting ends when this is dropped"]
#[derive(Debug)]
pub struct Pending {
    readiness: Readiness,
    number: u64,
}

impl Pending {
    /// It is there.
    pub fn done(self) {}
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.readiness.0.send_modify(|missing| drop(missing.pending.remove(&self.number)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_when_nothing_is_missing() {
        let readiness = Readiness::default();
        assert!(readiness.missing().is_empty());
        let budgets = readiness.waiting_for("the list of budgets");
        let pods = readiness.waiting_for("the list of pods");
        readiness.clone().problem("pods", "may not list pods");
        let expected = ["waiting for the list of budgets", "waiting for the list of pods", "may not list pods"];
        assert_eq!(readiness.missing(), expected);
        budgets.done();
        drop(pods);
        readiness.problem("pods", "may not watch pods");
        assert_eq!(readiness.missing(), ["may not watch pods"]);
        readiness.clear("pods");
        assert!(readiness.missing().is_empty());
    }
}
