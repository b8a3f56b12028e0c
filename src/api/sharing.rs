//! Who draws from a budget beside its own workloads: consumers that are not pods, and other namespaces.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{DNS_LABEL, rules};

/// A consumer that is not a pod of this cluster. Exactly one of connections and budgetRef.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one(&["connections", "budgetRef"]))]
pub struct Outside {
    /// What people call it.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Connections it may hold at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub connections: Option<i32>,
    /// Another budget of this namespace, whose pooler connects to this database: what it may open on the server is taken
    /// from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_ref: Option<LocalBudgetRef>,
}

/// A budget of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalBudgetRef {
    /// Name of the budget: a DNS label of at most 40 characters.
    #[schemars(length(min = 1, max = 40), regex(pattern = DNS_LABEL))]
    pub name: String,
}

/// A namespace whose claims this budget accepts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Namespace {
    /// Name of the namespace.
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub name: String,
    /// Connections that all claims of this namespace may be given together. Default: no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Option<i32>,
    /// Highest priority that claims of this namespace count with; a higher one counts as this. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_priority: Option<i32>,
}
