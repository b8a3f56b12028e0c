//! What a pod may hold, and whether it can hold anything.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// A pod, as far as connections go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Holder {
    pub name: String,
    pub app: String,
    /// It has our gate.
    pub waits: bool,
    /// Its containers have ended.
    pub ended: bool,
    /// It has a node.
    pub bound: bool,
    /// By the numbers that its container reads.
    pub holds: i32,
    /// It was asked to wait when it was created.
    pub sized: bool,
}

impl Holder {
    pub fn of(pod: &Pod) -> Self {
        let spec = pod.spec.as_ref();
        let waits = spec.is_some_and(|s| s.scheduling_gates.iter().flatten().any(|g| g.name == "dbbudget.dev/lease"));
        Self {
            name: pod.name_any(),
            app: pod.labels().get("app").cloned().unwrap_or_default(),
            waits,
            ended: has_ended(pod),
            bound: spec.is_some_and(|s| s.node_name.is_some()),
            holds: holds(pod),
            sized: pod.annotations().contains_key("dbbudget.dev/shape"),
        }
    }

    /// Whether it may have connections.
    pub fn may_hold(&self) -> bool {
        !self.waits && !self.ended
    }
}

fn has_ended(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let stopped = containers.iter().all(|c| c.state.as_ref().is_some_and(|state| state.terminated.is_some()));
    let terminal = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let deleted = pod.metadata.deletion_timestamp.is_some();
    // Where the kubelet never started a container, it says so by a phase.
    (terminal || deleted) && stopped && (terminal || !containers.is_empty())
}

fn holds(pod: &Pod) -> i32 {
    let number = |end: &str| -> i32 {
        let of = pod.annotations().iter().filter(|(key, _)| key.contains(".dbbudget.dev/") && key.ends_with(end));
        of.map(|(_, value)| value.parse::<i32>().expect("a number")).sum()
    };
    number(".limit").max(number(".pool") + number(".overflow"))
}
