//! What the API server shows of the pods, by the time it arrives here: the same watch for both sides.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

/// Longer than any step of this bench takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// One pod.
struct One {
    seen: Instant,
    open: Option<Instant>,
    running: bool,
    ended: Option<Instant>,
}

/// The pods of one namespace.
#[derive(Default)]
pub struct Pods {
    all: HashMap<String, One>,
    opened: usize,
    last_open: Option<Instant>,
    deleted: Vec<(Instant, Instant)>,
}

/// All of them.
#[derive(Clone)]
pub struct Seen {
    all: Arc<Mutex<HashMap<String, Pods>>>,
    changed: watch::Receiver<()>,
}

impl Seen {
    pub fn watch(client: &Client) -> Self {
        let (tell, changed) = watch::channel(());
        let seen = Self { all: Arc::default(), changed };
        let (told, api) = (seen.clone(), Api::<Pod>::all(client.clone()));
        tokio::spawn(async move {
            let config = watcher::Config::default().labels("bench=granting");
            let mut events = pin!(watcher(api, config).default_backoff());
            while let Some(event) = events.next().await {
                let now = Instant::now();
                match event {
                    Ok(Event::Apply(pod) | Event::InitApply(pod)) => told.of(&pod, |of| of.apply(&pod, now)),
                    Ok(Event::Delete(pod)) => told.of(&pod, |of| of.delete(&pod, now)),
                    _ => {}
                }
                tell.send_replace(());
            }
        });
        seen
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pods>> {
        self.all.lock().expect("no panic")
    }

    fn of(&self, pod: &Pod, note: impl FnOnce(&mut Pods)) {
        note(self.lock().entry(pod.namespace().unwrap_or_default()).or_default());
    }

    pub fn read<T>(&self, namespace: &str, read: impl FnOnce(&Pods) -> T) -> T {
        read(self.lock().entry(namespace.to_owned()).or_default())
    }

    pub fn forget(&self, namespace: &str) {
        self.lock().remove(namespace);
    }

    pub async fn until(&self, namespace: &str, what: &str, is: impl Fn(&Pods) -> bool) {
        let mut changed = self.changed.clone();
        let waited = tokio::time::timeout(PATIENCE, changed.wait_for(|()| self.read(namespace, &is))).await;
        assert!(waited.is_ok(), "{namespace}: never was it so that {what}");
    }
}

impl Pods {
    fn apply(&mut self, pod: &Pod, now: Instant) {
        let gated = pod.spec.as_ref().is_some_and(|spec| spec.scheduling_gates.iter().flatten().next().is_some());
        let status = pod.status.clone().unwrap_or_default();
        let statuses = status.container_statuses.unwrap_or_default();
        let has_ended = statuses.iter().any(|s| s.state.as_ref().is_some_and(|state| state.terminated.is_some()));
        let first = One { seen: now, open: None, running: false, ended: None };
        let one = self.all.entry(pod.uid().unwrap_or_default()).or_insert(first);
        one.running = status.phase.as_deref() == Some("Running");
        if has_ended {
            one.ended.get_or_insert(now);
        }
        if !gated && one.open.is_none() {
            one.open = Some(now);
            self.opened += 1;
            self.last_open = Some(now);
        }
    }

    fn delete(&mut self, pod: &Pod, now: Instant) {
        if let Some(one) = self.all.remove(&pod.uid().unwrap_or_default()) {
            self.deleted.push((one.ended.unwrap_or(now), now));
        }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn running(&self) -> usize {
        self.all.values().filter(|one| one.running).count()
    }

    pub fn waiting(&self) -> usize {
        self.all.values().filter(|one| one.open.is_none()).count()
    }

    /// Gates that went, ever.
    pub const fn open(&self) -> usize {
        self.opened
    }

    pub fn last_open(&self) -> Instant {
        self.last_open.expect("a gate is gone")
    }

    /// When the containers of each pod that went had ended, and when it went, in that order.
    pub fn deleted(&self) -> &[(Instant, Instant)] {
        &self.deleted
    }

    pub fn latencies(&self) -> Vec<Duration> {
        self.all.values().filter_map(|one| Some(one.open? - one.seen)).collect()
    }

    pub fn first_to_last(&self) -> Duration {
        let first = self.all.values().map(|one| one.seen).min().expect("pods");
        self.last_open() - first
    }
}

/// The median and the 99th percentile, in ms.
pub fn quantiles(mut all: Vec<Duration>) -> (f64, f64) {
    all.sort();
    let at = |percent: usize| all[(all.len() * percent / 100).min(all.len() - 1)].as_secs_f64() * 1_000.0;
    (at(50), at(99))
}
