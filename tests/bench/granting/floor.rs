//! The floor: whoever takes a gate off does at least this.

use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{from_value, json};
use tokio::sync::Semaphore;

const AT_ONCE: usize = 16;

/// Takes the gate off every pod of a namespace as it comes.
pub fn run(client: &Client, namespace: &str) {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    tokio::spawn(async move {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut events = pin!(watcher(api.clone(), watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            let Ok(Event::Apply(pod) | Event::InitApply(pod)) = event else { continue };
            let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
            if gates.is_none_or(Vec::is_empty) {
                continue;
            }
            let (api, permits, name) = (api.clone(), permits.clone(), pod.name_any());
            tokio::spawn(async move {
                let _permit = permits.acquire().await;
                let patch = from_value(json!([{"op": "remove", "path": "/spec/schedulingGates/0"}])).expect("a patch");
                let patch: Patch<()> = Patch::Json(patch);
                let _ = api.patch_metadata(&name, &PatchParams::default(), &patch).await; // seen twice, it is refused
            });
        }
    });
}
