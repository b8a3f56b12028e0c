//! Pods that were granted what they wait for are let go, many at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
/// What is refused for this long is no passing matter.
const TO_BE_TOLD: Duration = Duration::from_secs(5);

/// Lets pods go.
#[derive(Clone)]
pub struct Executor {
    writer: Writer,
    metrics: Arc<Metrics>,
    permits: Arc<Semaphore>,
    /// When each pod was let go; nothing: that is under way.
    sent: Arc<Mutex<BTreeMap<Uid, Option<Instant>>>>,
    refused: Arc<Mutex<Refusals>>,
    failed: mpsc::UnboundedSender<Name>,
}

impl Executor {
    /// Nobody has been let go yet. Budgets whose pods could not be are told by `failed`.
    #[must_use]
    pub fn new(writer: Writer, metrics: Arc<Metrics>, failed: mpsc::UnboundedSender<Name>) -> Self {
        let (sent, refused) = Default::default();
        Self { writer, metrics, permits: Arc::new(Semaphore::new(AT_ONCE)), sent, refused, failed }
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
                Ok(()) => {
                    this.sent().insert(pod.uid.clone(), Some(Instant::now()));
                    let why = locked(&this.refused).ended(&budget, Instant::now(), |uid| *uid == pod.uid);
                    ledgers.stall(&budget, Unwritten::Pods, why);
                }
                Err(error) => {
                    tracing::debug!(pod = %pod.name, "{error}");
                    if error.needs_help() {
                        let why = locked(&this.refused).note(&budget, &pod.uid, &error, Instant::now());
                        ledgers.stall(&budget, Unwritten::Pods, why);
                    }
                    this.sent().remove(&pod.uid);
                    let _ = this.failed.send(budget); // nobody receives any more: this is stopping
                }
            }
        });
    }

    /// Only these pods are to be let go now. What is refused to others matters no longer.
    pub fn only(&self, ledgers: &Ledgers, budget: &Name, pods: &[Arc<Pod>]) {
        let why = locked(&self.refused).ended(budget, Instant::now(), |uid| !pods.iter().any(|pod| pod.uid == *uid));
        ledgers.stall(budget, Unwritten::Pods, why);
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

    fn sent(&self) -> MutexGuard<'_, BTreeMap<Uid, Option<Instant>>> {
        locked(&self.sent)
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pods that were granted their connections and may not be patched: since when people have to be told, and why.
#[derive(Debug, Default)]
struct Refusals(BTreeMap<(Name, Uid), (Instant, String)>);

impl Refusals {
    /// A pod was refused. Answers what people are to be told of this budget: the pod may as well be one that somebody else
    /// has let go, or that took another's name, which the watch tells soon.
    fn note(&mut self, budget: &Name, pod: &Uid, error: &WriteError, now: Instant) -> Option<String> {
        let lasts = if matches!(error, WriteError::Forbidden(_)) { Duration::ZERO } else { TO_BE_TOLD };
        let refusal = self.0.entry((budget.clone(), pod.clone())).or_insert((now + lasts, String::new()));
        *refusal = (refusal.0.min(now + lasts), error.to_string());
        self.ended(budget, now, |_| false)
    }

    /// Forgets those of a budget of which that is true. Answers what people are to be told of the others.
    fn ended(&mut self, budget: &Name, now: Instant, is: impl Fn(&Uid) -> bool) -> Option<String> {
        self.0.retain(|(of, pod), _| of != budget || !is(pod));
        let told = self.0.iter().find(|((of, _), (since, _))| of == budget && *since <= now);
        told.map(|(_, (_, why))| why.clone())
    }
}

/// What a pod is told: the values of its entries. Nothing: it still waits for one.
fn values(ledgers: &Ledgers, pod: &Pod) -> Option<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for budget in pod.awaited() {
        let kept = budget_name(budget).and_then(|name| ledgers.of(&name))?;
        match kept.ledger.entries().get(&pod.uid) {
            Some(entry) => values.extend(entry.values.as_ref().clone()),
            None if kept.let_go.contains(&pod.uid) => {}
            None => return None,
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_lasts_is_told_until_its_pod_is_let_go() {
        let (mut refused, shop, now) = (Refusals::default(), Name::new("shop", "db"), Instant::now());
        let refusal = WriteError::Refused { what: "the Pod shop/b".into(), why: "a policy says no".into() };
        assert_eq!(refused.note(&shop, &"b".into(), &refusal, now), None);
        let told = refused.note(&shop, &"b".into(), &refusal, now + TO_BE_TOLD);
        assert!(told.as_ref().is_some_and(|why| why.contains("a policy says no")));
        let forbidden = WriteError::Forbidden("grant it patch on pods".into());
        assert_eq!(refused.note(&shop, &"c".into(), &forbidden, now + TO_BE_TOLD), told, "one after the other");
        let mut ended = |budget: &Name, pod: &str| refused.ended(budget, now + TO_BE_TOLD, |uid| &**uid == pod);
        assert!(ended(&Name::new("shop", "other"), "b").is_none());
        assert!(ended(&shop, "b").is_some_and(|why| why.contains("patch on pods")), "that does not pass by itself");
        assert!(ended(&shop, "c").is_none());
    }
}
