//! What dbbudget reports on budgets and claims. All numbers are connections unless they say otherwise.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::Headroom;

/// Status of a budget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    /// Generation of the spec that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What there is to share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityStatus>,
    /// What shares leave room for: the headroom in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Headroom")]
    pub headroom: Option<Headroom>,
    /// All that can be held at the same time: the sum of what is allocated, and surgeReserve. Absent: unbounded or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<i64>,
    /// Room that headroom SharedSurge keeps for one surging pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surge_reserve: Option<i64>,
    /// What started, unended pods can hold now; with enforcement Lease, what the ledger holds of what is allocatable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<i64>,
    /// What waiting pods ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<i64>,
    /// allocatable − held; below zero when more is held than there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<i64>,
    /// Claims on this budget, also those that workloads does not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<i64>,
    /// Pods that wait, also those that queue does not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_pods: Option<i64>,
    /// One row per claim, the largest first where the list is cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadStatus>,
    /// What ScaleDown reduced, so that it can be restored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scaled: Vec<Scaled>,
    /// With restart Rolling: workloads whose pods are replaced, or are to be, so that they get their share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<Restart>,
    /// The first 100 waiting pods, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<Waiting>,
    /// Ready, WithinCapacity, Injected and Observed always; others while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What there is to share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityStatus {
    /// What clients can open at all.
    pub hard: i64,
    /// Kept for people.
    pub reserve: i64,
    /// Taken by consumers that are not pods.
    pub outside: i64,
    /// hard − reserve − outside, at least 0.
    pub allocatable: i64,
    /// Where the number comes from, in words.
    pub source: String,
}

/// One claim on the budget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadStatus {
    /// Name of the claim or of the budget's entry.
    pub name: String,
    /// Namespace of the workload.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The workload.
    pub target: TargetStatus,
    /// Pods that hold connections now, terminating ones included.
    pub pods: i64,
    /// Pods there can be at the same time.
    pub peak_pods: i64,
    /// OS processes of one pod. Absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<i64>,
    /// Containers whose processes are lowered, as even the smallest pools would not fit otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lowered: Vec<LoweredStatus>,
    /// Variables, parameters and flags of its template that the share replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// Limits of its engines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<EngineStatus>,
    /// What one pod holds with its share. Absent: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_pod: Option<i64>,
    /// What all its pods may hold together. Absent: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated: Option<i64>,
    /// What its pods would hold as written, at the peak. Absent: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<i64>,
    /// What its pods can hold now. Absent: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<i64>,
    /// What its waiting pods ask for.
    #[serde(default)]
    pub waiting: i64,
    /// What one should know about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// The workload of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// Its API version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A container whose processes are lowered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoweredStatus {
    /// Its name.
    pub container: String,
    /// Processes that are left.
    pub processes: i64,
}

/// Limits of one engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineStatus {
    /// Name of its container.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// Its name.
    pub name: String,
    /// Connections it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<i64>,
    /// Connections it opens on top under load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<i64>,
    /// pool + overflow. Absent: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What ScaleDown changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ScaledField {
    /// A workload's replicas.
    Replicas,
    /// A HorizontalPodAutoscaler's maxReplicas.
    MaxReplicas,
    /// A ScaledObject's scale-out, paused.
    ScaleOut,
}

/// One number that ScaleDown reduced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scaled {
    /// Namespace of the object.
    pub namespace: String,
    /// The object.
    pub target: TargetStatus,
    /// What was changed: Replicas, MaxReplicas or ScaleOut.
    pub field: ScaledField,
    /// The number before, to be restored. Of ScaleOut: 0, it may scale out.
    pub from: i64,
    /// The number that it is lowered to, or on its way back. Of ScaleOut: 1, it is paused.
    pub to: i64,
    /// When that was decided.
    pub at: Time,
    /// Whether the object has had that number: another one is somebody else's since then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// How often somebody else set it back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undone: i64,
    /// Since when more would fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fits_since: Option<Time>,
    /// Generation of the budget for which it is left alone, as somebody else undid it twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<i64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// A workload whose pods do not have their share yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restart {
    /// Namespace of the workload.
    pub namespace: String,
    /// The workload.
    pub target: TargetStatus,
    /// The share that it is restarted for, once: limits of its engines, and processes where they are lowered.
    pub share: String,
    /// Since when that is its share.
    pub since: Time,
    /// When it was restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// What happens, or what it waits for.
    pub message: String,
}

/// A pod that waits for its connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// What it asks for.
    pub connections: i64,
    /// Since when it waits.
    pub since: Time,
    /// Why it waits.
    pub why: String,
    /// What frees it.
    pub frees: String,
}

/// Status of a claim: its own rows, and the budget's conditions as far as they concern it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimStatus {
    /// Generation of the spec that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What all its pods may hold together. Absent: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated: Option<i64>,
    /// What its pods would hold as written, at the peak. Absent: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<i64>,
    /// What its pods can hold now. Absent: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<i64>,
    /// What its waiting pods ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<i64>,
    /// Its rows of the budget's status: one, or one per match of its selector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadStatus>,
    /// Ready, WithinCapacity, Injected and Observed always; others while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
