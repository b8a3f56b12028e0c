//! `DatabaseClaim`: one workload's claim on a budget, shipped with that workload, in its own namespace.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::container::Container;
use super::status::ClaimStatus;
use super::target::Target;
use super::workload::{Source, Workload, weight};
use super::{DNS_LABEL, rules};

// Beside `budget_ref` the fields are those of `Workload`, whose name is the claim's own. They are spelt out, and not
// flattened, because a flattened field loses its path in the parser's errors; a test keeps the two alike.
/// What one workload asks of a budget. Exactly one of client and containers.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "dbbudget.dev",
    version = "v1alpha1",
    kind = "DatabaseClaim",
    namespaced,
    status = "ClaimStatus",
    shortname = "dbc",
    category = "dbbudget",
    derive = "PartialEq",
    printcolumn(
        name = "Budget",
        type_ = "string",
        json_path = ".spec.budgetRef.name",
        description = "The budget it draws from."
    ),
    printcolumn(
        name = "Allocated",
        type_ = "integer",
        json_path = ".status.allocated",
        description = "Connections that all its pods may hold together."
    ),
    printcolumn(
        name = "Held",
        type_ = "integer",
        json_path = ".status.held",
        description = "Connections that its pods can hold now."
    ),
    printcolumn(
        name = "Fit",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"WithinCapacity\")].reason",
        description = "Whether everything in the budget fits."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the claim was understood and its shares are published."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since when it exists."
    ),
    printcolumn(
        name = "In",
        type_ = "string",
        json_path = ".spec.budgetRef.namespace",
        priority = 1,
        description = "Namespace of the budget, where it is another."
    ),
    printcolumn(
        name = "Kind",
        type_ = "string",
        json_path = ".spec.target.kind",
        priority = 1,
        description = "Kind of its workload."
    ),
    printcolumn(
        name = "Wanted",
        type_ = "integer",
        json_path = ".status.wanted",
        priority = 1,
        description = "Connections that its pods would hold as written, at the peak."
    ),
    printcolumn(
        name = "Waiting",
        type_ = "integer",
        json_path = ".status.waiting",
        priority = 1,
        description = "Connections that its waiting pods ask for."
    ),
    printcolumn(
        name = "Priority",
        type_ = "integer",
        json_path = ".spec.priority",
        priority = 1,
        description = "Who keeps connections when they run short."
    ),
    doc = "One workload's claim on a DatabaseBudget, shipped with that workload, in its own namespace."
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::client_or_containers())]
#[x_kube(validation = rules::containers_named())]
pub struct DatabaseClaimSpec {
    /// The budget to draw from. It must let this namespace in, unless it is in this one.
    pub budget_ref: BudgetRef,
    /// The workload, or workloads, it is about.
    pub target: Target,
    /// Shorthand for the template's only container with one engine and the preset's numbers: the name of a preset
    /// (`dbbudget clients` lists them) or of an entry of the budget's clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub client: Option<String>,
    /// Who keeps connections when they run short: higher first. Default 0.
    #[serde(default)]
    pub priority: i32,
    /// Who gets more of what is left after the minimums. 1 to 1000, default 1.
    #[serde(default = "weight")]
    #[schemars(range(min = 1, max = 1_000))]
    pub weight: i32,
    /// ScaleDown stops at this many replicas. Default: unset, never scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub min_replicas: Option<i32>,
    /// Pods that shares are computed for. Default: the pods there can be at the peak, under the budget's headroom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub size_for: Option<i32>,
    /// Allocatable (default), or Reserve: migrations and hooks draw from what is kept for people.
    #[serde(default)]
    pub source: Source,
    /// Containers of the template that hold connections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub containers: Vec<Container>,
}

impl DatabaseClaimSpec {
    /// The claim as a budget would list it, under the claim's own name.
    #[must_use]
    pub fn workload(&self, name: &str) -> Workload {
        let Self { budget_ref: _, target, client, priority, weight, min_replicas, size_for, source, containers } =
            self.clone();
        Workload { name: name.to_owned(), target, client, priority, weight, min_replicas, size_for, source, containers }
    }
}

/// A budget, here or in another namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetRef {
    /// Namespace of the budget. Default: the claim's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub namespace: Option<String>,
    /// Name of the budget: a DNS label of at most 40 characters.
    #[schemars(length(min = 1, max = 40), regex(pattern = DNS_LABEL))]
    pub name: String,
}
