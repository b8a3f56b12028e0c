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
/// Refusals in a row that are no passing matter.
const TO_BE_TOLD: u32 = 5;

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
                    let why = locked(&this.refused).ended(&budget, |uid| *uid == pod.uid);
                    ledgers.stall(&budget, Unwritten::Pods, why);
                }
                Err(error) => {
                    tracing::debug!(pod = %pod.name, "{error}");
                    if error.needs_help()
                        && let Some(why) = locked(&this.refused).note(&budget, &pod.uid, &error)
                    {
                        tracing::warn!("{why}");
                        ledgers.stall(&budget, Unwritten::Pods, Some(why));
                    }
                    this.sent().remove(&pod.uid);
                    let _ = this.failed.send(budget); // nobody receives any more: this is stopping
                }
            }
        });
    }

    /// Only these pods are to be let go now. What is refused to others matters no longer.
    pub fn only(&self, ledgers: &Ledgers, budget: &Name, pods: &[Arc<Pod>]) {
        let why = locked(&self.refused).ended(budget, |uid| !pods.iter().any(|pod| pod.uid == *uid));
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

/// Pods that were granted their connections and may not be patched.
#[derive(Debug, Default)]
struct Refusals(BTreeMap<(Name, Uid), (u32, String)>);

impl Refusals {
    /// One more. Answers why, if people have to be told: the pod may as well be one that somebody else has let go, or that
    /// took another's name, which the watch tells soon.
    fn note(&mut self, budget: &Name, pod: &Uid, error: &WriteError) -> Option<String> {
        let (times, why) = self.0.entry((budget.clone(), pod.clone())).or_default();
        *times = if matches!(error, WriteError::Forbidden(_)) { TO_BE_TOLD } else { times.saturating_add(1) };
        *why = error.to_string();
        (*times >= TO_BE_TOLD).then(|| why.clone())
    }

    /// Forgets those of a budget of which that is true. Answers what people are still to be told of the others.
    fn ended(&mut self, budget: &Name, is: impl Fn(&Uid) -> bool) -> Option<String> {
        self.0.retain(|(of, pod), _| of != budget || !is(pod));
        let left = self.0.iter().filter(|((of, _), (times, _))| of == budget && *times >= TO_BE_TOLD);
        left.map(|(_, (_, why))| why.clone()).next()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_lasts_is_told_until_its_pod_is_let_go() {
        let (mut refused, shop) = (Refusals::default(), Name::new("shop", "db"));
        let refusal = WriteError::Refused { what: "the Pod shop/a".into(), why: "a policy says no".into() };
        let told = |refused: &mut Refusals| refused.note(&shop, &"a".into(), &refusal);
        assert!((1..TO_BE_TOLD).all(|_| told(&mut refused).is_none()));
        assert!(told(&mut refused).is_some_and(|why| why.contains("a policy says no")));
        let forbidden = WriteError::Forbidden("grant it patch on pods".into());
        assert!(refused.note(&shop, &"b".into(), &forbidden).is_some(), "that does not pass by itself");
        assert!(refused.ended(&Name::new("shop", "other"), |_| true).is_none());
        assert!(refused.ended(&shop, |uid| &**uid == "b").is_some(), "the other one still waits");
        assert!(refused.ended(&shop, |uid| &**uid == "a").is_none());
    }
}
