//! Counts by the pods alone what they may hold together.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, ResourceExt};

use crate::world::World;

/// Whether a pod waits for its connections.
pub fn waits(pod: &Pod) -> bool {
    pod.spec
        .iter()
        .flat_map(|spec| spec.scheduling_gates.iter().flatten())
        .any(|gate| gate.name == "dbbudget.dev/lease")
}

/// What a pod may hold by the numbers that its container reads; nothing while it waits, and when its containers ended.
pub fn holds(pod: &Pod) -> u32 {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut ended =
        statuses.map(|status| status.state.as_ref().is_some_and(|state| state.terminated.is_some())).peekable();
    if waits(pod) || (ended.peek().is_some() && ended.all(|ended| ended)) {
        return 0;
    }
    let of_engine = |key: &str| matches!(key.rsplit('.').next(), Some("pool" | "overflow"));
    let numbers = pod.annotations().iter().filter(|(key, _)| of_engine(key));
    numbers.map(|(_, value)| value.parse::<u32>().expect("a number")).sum()
}

/// Counts what the pods of a namespace may hold together, at every change of any of them.
pub struct Judge(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    now: BTreeMap<String, u32>,
    most: u32,
}

impl Judge {
    pub fn of(world: &World) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (told, api): (_, Api<Pod>) = (seen.clone(), world.api());
        tokio::spawn(async move {
            let mut events = pin!(watcher(api, watcher::Config::default()).default_backoff());
            while let Some(event) = events.next().await {
                let mut seen = told.lock().expect("no panic");
                match event {
                    Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => {
                        seen.now.insert(pod.uid().unwrap_or_default(), holds(&pod));
                    }
                    Ok(watcher::Event::Delete(pod)) => drop(seen.now.remove(&pod.uid().unwrap_or_default())),
                    _ => {}
                }
                let sum = seen.now.values().sum();
                seen.most = seen.most.max(sum);
            }
        });
        Self(seen)
    }

    /// The most at any instant.
    pub fn most(&self) -> u32 {
        self.0.lock().expect("no panic").most
    }
}
