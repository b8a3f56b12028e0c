//! How far the replacement of a workload's pods has come, as `kubectl rollout status` sees it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Replicas;
use super::read::{StrategyField, part};
use crate::budget::rollout::{Portion, Strategy};

/// How a workload stands between two templates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far it is.
    pub state: State,
    /// Pods that may be missing at a time while it replaces them.
    pub missing: u32,
    /// Labels of its pods.
    pub labels: BTreeMap<String, String>,
    /// The revision that all pods of a `StatefulSet` are to have, where it replaces nobody who is not Ready.
    pub newest: Option<String>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nobody replaces its pods for a new template: of its kind, or because it says so (`OnDelete`, a partition).
    #[default]
    ByHand,
    /// It waits for somebody to resume it.
    Paused,
    /// Pods are being replaced.
    UnderWay,
    /// The replacement does not get on (`ProgressDeadlineExceeded`).
    Stuck,
    /// All its pods are of the newest template, and available.
    Settled,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Meta {
    generation: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    paused: bool,
    template: Template,
    pod_management_policy: Option<String>,
}

impl Spec {
    fn is_parallel(&self) -> bool {
        self.pod_management_policy.as_deref() == Some("Parallel")
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Template {
    metadata: TemplateMeta,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TemplateMeta {
    labels: Option<BTreeMap<String, String>>,
}

/// The fields of all kinds together; each kind uses its own.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    replicas: u32,
    updated_replicas: u32,
    available_replicas: u32,
    current_revision: Option<String>,
    update_revision: Option<String>,
    desired_number_scheduled: u32,
    updated_number_scheduled: u32,
    number_available: u32,
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    reason: Option<String>,
}

/// Reads how far a workload is. What cannot be read of it never keeps its numbers from counting.
pub(super) fn progress(
    object: &Value,
    kind: &str,
    (replicas, strategy): (Replicas, Strategy),
    update: Option<&StrategyField>,
) -> Progress {
    if !matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet") {
        return Progress::default();
    }
    let meta: Meta = part(object, "metadata").unwrap_or_default();
    let spec: Spec = part(object, "spec").unwrap_or_default();
    let status: Status = part(object, "status").unwrap_or_default();
    let wanted = match replicas {
        Replicas::Count(n) => n,
        Replicas::PerNode => status.desired_number_scheduled,
    };
    let state = match () {
        () if update.is_some_and(is_by_hand) => State::ByHand,
        () if spec.paused => State::Paused,
        () if status.observed_generation >= meta.generation && status.is_done(kind, wanted) => State::Settled,
        () if status.is_stuck() => State::Stuck,
        () => State::UnderWay,
    };
    let missing = missing(strategy, update, wanted);
    let replaces_none = kind == "StatefulSet" && !spec.is_parallel() && !update.is_some_and(has_partition);
    let newest = status.update_revision.filter(|_| replaces_none);
    Progress { state, missing, labels: spec.template.metadata.labels.unwrap_or_default(), newest }
}

fn is_by_hand(update: &StrategyField) -> bool {
    update.r#type.as_deref() == Some("OnDelete") || has_partition(update)
}

fn has_partition(update: &StrategyField) -> bool {
    update.rolling_update.as_ref().and_then(|r| r.partition.as_ref()?.as_i64()).is_some_and(|p| p > 0)
}

impl Status {
    fn is_done(&self, kind: &str, wanted: u32) -> bool {
        match kind {
            "DaemonSet" => self.updated_number_scheduled == wanted && self.number_available == wanted,
            "StatefulSet" if self.current_revision != self.update_revision => false,
            _ => [self.replicas, self.updated_replicas, self.available_replicas] == [wanted; 3],
        }
    }

    fn is_stuck(&self) -> bool {
        let reasons = self.conditions.iter().flatten().map(|c| c.reason.as_deref());
        reasons.into_iter().any(|reason| reason == Some("ProgressDeadlineExceeded"))
    }
}

/// Pods that a rollout may take away before their successors are available, by Kubernetes' own rounding.
fn missing(strategy: Strategy, update: Option<&StrategyField>, wanted: u32) -> u32 {
    match strategy {
        Strategy::Rolling { surge, unavailable } => match (surge.up(wanted), unavailable.down(wanted)) {
            (0, 0) => 1,
            (_, unavailable) => unavailable.min(wanted),
        },
        Strategy::Recreate => wanted,
        _ => {
            let rolling = update.and_then(|u| u.rolling_update.as_ref());
            let surges = rolling.and_then(|r| r.max_surge).is_some_and(|s| s.0.up(wanted) > 0);
            let unavailable = rolling.and_then(|r| r.max_unavailable).map_or(Portion::Pods(1), |p| p.0);
            if surges { 0 } else { unavailable.up(wanted).clamp(1, wanted.max(1)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::workload::read::workload;

    fn deployment(spec: &Value, status: &Value) -> Progress {
        of("Deployment", spec, status)
    }

    fn of(kind: &str, spec: &Value, status: &Value) -> Progress {
        let metadata = json!({"name": "api", "namespace": "shop", "generation": 3});
        let object =
            json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec, "status": status});
        workload(&object, "").unwrap().progress
    }

    fn status(observed: i64, [replicas, updated, available]: [u32; 3]) -> Value {
        json!({
            "observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated,
            "availableReplicas": available,
        })
    }

    #[test]
    fn a_deployment_has_settled_when_all_its_pods_are_new_and_available() {
        let spec = json!({"replicas": 4});
        let state = |observed, numbers| deployment(&spec, &status(observed, numbers)).state;
        assert_eq!(state(3, [4, 4, 4]), State::Settled);
        assert_eq!(state(2, [4, 4, 4]), State::UnderWay, "the controller has not seen the newest template");
        assert_eq!(state(3, [5, 4, 4]), State::UnderWay, "an old pod is left");
        assert_eq!(state(3, [4, 4, 3]), State::UnderWay, "a new one is not available");
        assert_eq!(state(3, [3, 3, 3]), State::UnderWay, "one is missing");
        assert_eq!(deployment(&json!({"paused": true}), &status(3, [1, 1, 1])).state, State::Paused);
        let stuck =
            json!({"observedGeneration": 3, "replicas": 2, "conditions": [{"reason": "ProgressDeadlineExceeded"}]});
        assert_eq!(deployment(&json!({}), &stuck).state, State::Stuck);
    }

    #[test]
    fn other_kinds_as_their_controllers_do() {
        let mut set = status(3, [2, 2, 2]);
        assert_eq!(of("StatefulSet", &json!({"replicas": 2}), &set).state, State::Settled);
        set["updateRevision"] = json!("b");
        assert_eq!(of("StatefulSet", &json!({"replicas": 2}), &set).state, State::UnderWay);
        assert_eq!(of("StatefulSet", &json!({"replicas": 2}), &set).newest.as_deref(), Some("b"));
        assert_eq!(of("StatefulSet", &json!({"podManagementPolicy": "Parallel"}), &set).newest, None);
        for by_hand in [json!({"type": "OnDelete"}), json!({"rollingUpdate": {"partition": 1}})] {
            assert_eq!(of("StatefulSet", &json!({"updateStrategy": by_hand}), &set).state, State::ByHand);
        }
        let nodes = |updated| json!({"observedGeneration": 3, "desiredNumberScheduled": 3, "updatedNumberScheduled": updated, "numberAvailable": 3});
        assert_eq!(of("DaemonSet", &json!({}), &nodes(3)).state, State::Settled);
        assert_eq!(of("DaemonSet", &json!({}), &nodes(2)).state, State::UnderWay);
        assert_eq!(of("ReplicaSet", &json!({}), &json!({})).state, State::ByHand);
    }

    #[test]
    fn pods_that_may_be_missing_are_rounded_as_kubernetes_does() {
        let missing = |strategy: Value| {
            let rolling = json!({"replicas": 10, "strategy": strategy});
            deployment(&rolling, &json!({})).missing
        };
        assert_eq!(missing(json!({})), 2, "25 % of 10, rounded down");
        assert_eq!(missing(json!({"type": "Recreate"})), 10);
        assert_eq!(missing(json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})), 0);
        assert_eq!(missing(json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})), 1);
        assert_eq!(of("StatefulSet", &json!({"replicas": 3}), &json!({})).missing, 1);
        let daemon = |rolling: Value| {
            let spec = json!({"updateStrategy": {"rollingUpdate": rolling}});
            of("DaemonSet", &spec, &json!({"desiredNumberScheduled": 10})).missing
        };
        assert_eq!(daemon(json!({})), 1);
        assert_eq!(daemon(json!({"maxUnavailable": "25%"})), 3);
        assert_eq!(daemon(json!({"maxSurge": 1, "maxUnavailable": 0})), 0);
    }
}
