//! `DatabaseBudget`: one connection cap, and everyone who shares it.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::capacity::Capacity;
use super::house::HouseClient;
use super::policy::{Enforcement, FailurePolicy, Headroom, Restart, Thresholds, WhenExceeded};
use super::rules;
use super::sharing::{Namespace, Outside};
use super::status::BudgetStatus;
use super::workload::Workload;

/// What is shared, by whom, and what to do about it.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "dbbudget.dev",
    version = "v1alpha1",
    kind = "DatabaseBudget",
    namespaced,
    status = "BudgetStatus",
    shortname = "dbb",
    category = "dbbudget",
    derive = "PartialEq",
    printcolumn(
        name = "Allocatable",
        type_ = "integer",
        json_path = ".status.capacity.allocatable",
        description = "Connections there are for workloads."
    ),
    printcolumn(
        name = "Peak",
        type_ = "integer",
        json_path = ".status.peak",
        description = "Connections that can be held at the same time."
    ),
    printcolumn(
        name = "Held",
        type_ = "integer",
        json_path = ".status.held",
        description = "Connections that pods can hold now."
    ),
    printcolumn(
        name = "Fit",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"WithinCapacity\")].reason",
        description = "Whether everything fits."
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.enforcement",
        description = "How far dbbudget goes: Observe, Inject or Lease."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the spec was understood and shares are published."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since when it exists."
    ),
    printcolumn(
        name = "Capacity",
        type_ = "integer",
        json_path = ".status.capacity.hard",
        priority = 1,
        description = "Connections the database gives."
    ),
    printcolumn(
        name = "Reserve",
        type_ = "integer",
        json_path = ".status.capacity.reserve",
        priority = 1,
        description = "Connections kept for people."
    ),
    printcolumn(
        name = "Outside",
        type_ = "integer",
        json_path = ".status.capacity.outside",
        priority = 1,
        description = "Connections taken by what is not a pod."
    ),
    printcolumn(
        name = "Free",
        type_ = "integer",
        json_path = ".status.free",
        priority = 1,
        description = "Allocatable less held."
    ),
    printcolumn(
        name = "Waiting",
        type_ = "integer",
        json_path = ".status.waiting",
        priority = 1,
        description = "Connections that waiting pods ask for."
    ),
    validation = rules::budget_name(),
    validation = rules::not_its_own_outside(),
    doc = "Keeps the workloads that share one database under its connection cap. Owned by whoever owns the database."
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::reserve_below(&rules::STATIC))]
#[x_kube(validation = rules::reserve_below(&rules::EXPECTED))]
#[x_kube(validation = rules::reserve_below(&rules::SESSION))]
#[x_kube(validation = rules::reserve_below(&rules::TRANSACTION))]
#[x_kube(validation = rules::reserve_below(&rules::DIRECT))]
pub struct DatabaseBudgetSpec {
    /// Identity of the pool that is shared, such as `project/role`, for people and to find two budgets for one database:
    /// the same in two budgets is a conflict. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub database: Option<String>,
    /// What the database gives. Exactly one of supabase, static and postgres.
    pub capacity: Capacity,
    /// Connections kept for people: psql, migrations, monitoring. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reserve: i32,
    /// Consumers that are not pods of this cluster. At most 50. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub outside: Vec<Outside>,
    /// Other namespaces whose claims this budget accepts. At most 100. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub namespaces: Vec<Namespace>,
    /// Presets of the house's own, beside those that `dbbudget clients` lists. At most 50. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub clients: Vec<HouseClient>,
    /// Observe: compute and report. Inject (default): size pods as they start. Lease: pods also wait until their
    /// connections are free.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// Ignore (default): an outage of dbbudget blocks no pod. Fail: in this budget's namespaces all new pods are refused
    /// until it is back.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// What shares leave room for. None: nothing. SharedSurge: the largest single surging pod, at its minimum. Surge: every
    /// workload's surge. SurgeAndTerminating: every old pod still closing, too. Default: SharedSurge with enforcement
    /// Lease, otherwise Surge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Headroom")]
    pub headroom: Option<Headroom>,
    /// Alert (default): condition, event, metric. ScaleDown: also stop the growth of autoscalers, and lower the replicas
    /// of workloads that have minReplicas, where no GitOps tool owns them; no effect with enforcement Observe.
    #[serde(default)]
    pub when_exceeded: WhenExceeded,
    /// Never (default): new shares reach pods as they turn over. Rolling: one workload at a time is restarted; see status.restarts.
    #[serde(default)]
    pub restart: Restart,
    /// Where Healthy ends, in percent of held ÷ allocatable. Default: warning 70, critical 90.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// Seconds that a grant outlives a killed container: a backend finishes its query first. 0 to 3600, default 10.
    #[serde(default = "drain_seconds")]
    #[schemars(range(min = 0, max = 3_600))]
    pub drain_seconds: i32,
    /// Seconds that a grant outlives a pod that vanished with its node. 0 to 86400, default 900.
    #[serde(default = "quarantine_seconds")]
    #[schemars(range(min = 0, max = 86_400))]
    pub quarantine_seconds: i32,
    /// Workloads of this namespace that share the capacity. At most 200; more, or those of other namespaces, come as
    /// DatabaseClaim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub workloads: Vec<Workload>,
}

fn drain_seconds() -> i32 {
    10
}

fn quarantine_seconds() -> i32 {
    900
}
