//! What watches have told, each change with its revision. The API server numbers the changes of all kinds in one order, so that
//! what was true at a moment can be told later, whichever watch was slower.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dbbudget::api::DatabaseLedger;
use dbbudget::api::ledger::DatabaseLedgerSpec;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use tokio::time::sleep;

/// A watch that ended begins anew this soon, so that little is missed.
const AGAIN: Duration = Duration::from_millis(100);

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    Pod(Box<Pod>),
    /// The last state of a pod comes with its deletion.
    PodGone(Box<Pod>),
    /// A watch began anew and a pod was not there any more; how it ended was missed.
    PodMissed(String),
    Ledger(String, Box<DatabaseLedgerSpec>),
    /// The same, where versions since the last one may have been missed.
    LedgerAfterGap(String, Box<DatabaseLedgerSpec>),
}

/// All of them.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Seen>>);

#[derive(Default)]
pub struct Seen {
    pub changes: Vec<(u64, Change)>,
    /// Pods as they are now.
    pub pods: BTreeMap<String, Pod>,
    /// Ledgers as they are now.
    pub ledgers: BTreeMap<String, DatabaseLedgerSpec>,
}

impl Record {
    /// Watches until the runtime ends.
    pub fn start(pods: Api<Pod>, ledgers: Api<DatabaseLedger>) -> Self {
        let record = Self::default();
        tokio::spawn(record.clone().follow_pods(pods));
        tokio::spawn(record.clone().follow_ledgers(ledgers));
        record
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow_pods(self, api: Api<Pod>) {
        let mut events = pin!(watcher(api, watcher::Config::default()));
        let mut listed: Option<Vec<String>> = None;
        while let Some(event) = events.next().await {
            let mut seen = self.seen();
            match event {
                Ok(Event::Init) => listed = Some(Vec::new()),
                Ok(Event::InitApply(pod)) => {
                    listed.get_or_insert_default().push(pod.uid().unwrap_or_default());
                    seen.pod(pod);
                }
                Ok(Event::InitDone) => seen.missed(&listed.take().unwrap_or_default()),
                Ok(Event::Apply(pod)) => seen.pod(pod),
                Ok(Event::Delete(pod)) => {
                    seen.pods.remove(&pod.uid().unwrap_or_default());
                    seen.changes.push((revision(&pod), Change::PodGone(Box::new(pod))));
                }
                Err(_) => {
                    drop(seen);
                    sleep(AGAIN).await; // the API server is away
                }
            }
        }
    }

    async fn follow_ledgers(self, api: Api<DatabaseLedger>) {
        let mut events = pin!(watcher(api, watcher::Config::default()));
        while let Some(event) = events.next().await {
            let (ledger, gap) = match event {
                Ok(Event::InitApply(ledger)) => (ledger, true),
                Ok(Event::Apply(ledger)) => (ledger, false),
                Err(_) => {
                    sleep(AGAIN).await;
                    continue;
                }
                _ => continue,
            };
            let (at, name) = (revision(&ledger), ledger.name_any());
            let mut seen = self.seen();
            let same = seen.ledgers.get(&name) == Some(&ledger.spec);
            seen.ledgers.insert(name.clone(), ledger.spec.clone());
            let spec = Box::new(ledger.spec);
            if !same {
                let change = if gap { Change::LedgerAfterGap(name, spec) } else { Change::Ledger(name, spec) };
                seen.changes.push((at, change));
            }
        }
    }
}

impl Seen {
    fn pod(&mut self, pod: Pod) {
        let (at, uid) = (revision(&pod), pod.uid().unwrap_or_default());
        let known = self.pods.insert(uid, pod.clone());
        if known.is_none_or(|known| revision(&known) != at) {
            self.changes.push((at, Change::Pod(Box::new(pod))));
        }
    }

    /// Pods that a list no longer had.
    fn missed(&mut self, listed: &[String]) {
        let gone: Vec<(String, u64)> = self.pods.iter().map(|(uid, pod)| (uid.clone(), revision(pod))).collect();
        for (uid, last) in gone.into_iter().filter(|(uid, _)| !listed.contains(uid)) {
            self.pods.remove(&uid);
            self.changes.push((last, Change::PodMissed(uid)));
        }
    }
}

fn revision(object: &impl ResourceExt) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).expect("etcd's revision")
}
