//! Pods: what they may hold, whether they wait, and whether they have ended.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::object::Object;
use serde::Deserialize;
use serde_json::Value;

use super::{Item, Pod, id};
use crate::api::parse::Name;
use crate::budget::ledger::Moment;
use crate::budget::ledger::ended::PodSeen;
use crate::cluster::view::pods::{Crash, Gate};
use crate::pod::keys::{self, GATE};
use crate::pod::pinned::Pinned;
use crate::workload::owner::{controller, owners};

/// A pod, as far as it is read.
pub type RawPod = Object<PodSpec, PodStatus>;

/// A pod's spec, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    node_name: Option<String>,
    scheduling_gates: Option<Vec<Named>>,
    termination_grace_period_seconds: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

/// A pod's status, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    phase: Option<String>,
    conditions: Option<Vec<Condition>>,
    container_statuses: Option<Vec<ContainerStatus>>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: Option<String>,
    message: Option<String>,
    last_transition_time: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    restart_count: u32,
    state: Option<State>,
    last_state: Option<State>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    running: Option<Value>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i32,
    finished_at: Option<Time>,
}

/// Reads a pod.
#[must_use]
pub fn pod(object: &RawPod) -> Item {
    let meta = &object.metadata;
    let Name { namespace, name } = id(meta);
    let empty = PodStatus::default();
    let status = object.status.as_ref().unwrap_or(&empty);
    let gates = object.spec.scheduling_gates.as_deref().unwrap_or_default();
    let gate = gates.iter().position(|gate| gate.name == GATE).map(|place| Gate {
        place,
        keys: meta.annotations.iter().flatten().map(|(key, _)| key).filter(|key| keys::is_ours(key)).cloned().collect(),
    });
    Item::Pod(Pod {
        uid: meta.uid.clone().unwrap_or_default().into(),
        owners: owners(meta, &namespace),
        revision: revision(meta),
        created: moment(meta.creation_timestamp.as_ref()),
        holds: status.holds(),
        ready: status.condition("Ready").is_some_and(|ready| ready.status == "True"),
        seen: seen(object),
        node: object.spec.node_name.as_deref().filter(|node| !node.is_empty()).map(Arc::from),
        grace: grace(object),
        unschedulable: status.unschedulable(),
        crashes: status.crashes(),
        gate,
        pinned: meta.annotations.as_ref().and_then(Pinned::read).map(Arc::new),
        namespace,
        name,
    })
}

/// A pod as far as its end goes.
#[must_use]
pub fn seen(object: &RawPod) -> PodSeen {
    let empty = PodStatus::default();
    let status = object.status.as_ref().unwrap_or(&empty);
    let bound = object.spec.node_name.as_ref().is_some_and(|node| !node.is_empty());
    PodSeen {
        terminal: status.is_terminal(),
        running: if status.is_terminal() { status.runs() } else { bound && !status.all_terminated() },
        bound,
        deleting: object.metadata.deletion_timestamp.is_some(),
        collected: status.condition("DisruptionTarget").is_some_and(|c| c.reason.as_deref() == Some("DeletionByPodGC")),
        last: false,
    }
}

/// What tells pods of one template from those of another.
fn revision(meta: &ObjectMeta) -> Arc<str> {
    let of_label = || meta.labels.as_ref()?.get("controller-revision-hash").cloned();
    let of_owner = || controller(meta).map(|owner| owner.name.clone());
    of_label().or_else(of_owner).unwrap_or_default().into()
}

/// Seconds that a kubelet gives it to end.
fn grace(object: &RawPod) -> u32 {
    let seconds = object.metadata.deletion_grace_period_seconds.max(object.spec.termination_grace_period_seconds);
    u32::try_from(seconds.unwrap_or(30).max(0)).unwrap_or(u32::MAX)
}

fn moment(time: Option<&Time>) -> Moment {
    Moment(time.map_or(Timestamp::UNIX_EPOCH, |time| time.0).as_second())
}

impl PodStatus {
    /// Whether a container has started and the pod has not ended. The pod garbage collector marks pods of vanished nodes
    /// Failed while their containers run; a container that crashed holds again as soon as it restarts.
    pub(super) fn holds(&self) -> bool {
        if self.is_terminal() {
            return self.runs();
        }
        let started = |s: &Option<State>| s.as_ref().is_some_and(|s| s.running.is_some() || s.terminated.is_some());
        self.containers().any(|c| started(&c.state) || started(&c.last_state))
    }

    fn is_terminal(&self) -> bool {
        matches!(self.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    fn containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.container_statuses.iter().chain(&self.init_container_statuses).flatten()
    }

    fn runs(&self) -> bool {
        self.containers().any(|c| c.state.as_ref().is_some_and(|s| s.running.is_some()))
    }

    /// Whether every container is known to have ended. A kubelet that ends a pod says so of those, too, that never began.
    fn all_terminated(&self) -> bool {
        let ended = |c: &ContainerStatus| c.state.as_ref().is_some_and(|s| s.terminated.is_some());
        self.container_statuses.as_ref().is_some_and(|all| !all.is_empty()) && self.containers().all(ended)
    }

    fn condition(&self, name: &str) -> Option<&Condition> {
        self.conditions.iter().flatten().find(|c| c.type_ == name)
    }

    fn unschedulable(&self) -> Option<(Moment, String)> {
        let scheduled = self.condition("PodScheduled").filter(|c| c.status == "False")?;
        let why = scheduled.message.clone().unwrap_or_default();
        let is_gated = scheduled.reason.as_deref() == Some("SchedulingGated");
        (!is_gated).then(|| (moment(scheduled.last_transition_time.as_ref()), why))
    }

    /// Containers that ended with anything but 0: the last time of each.
    fn crashes(&self) -> Vec<Crash> {
        let of = |c: &ContainerStatus| {
            let ended = |state: &Option<State>| state.as_ref()?.terminated.clone();
            let (ended, count) = match (ended(&c.state), ended(&c.last_state)) {
                (Some(ended), _) => (ended, c.restart_count),
                (None, Some(ended)) => (ended, c.restart_count.saturating_sub(1)),
                (None, None) => return None,
            };
            let at = moment(ended.finished_at.as_ref());
            (ended.exit_code != 0).then(|| Crash { container: c.name.clone(), count, at })
        };
        self.containers().filter_map(of).collect()
    }
}
