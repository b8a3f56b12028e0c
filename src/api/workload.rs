//! One workload's claim, as a budget lists it. A `DatabaseClaim` has the same fields.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::Container;
use super::target::Target;
use super::{DNS_LABEL, rules};

/// One workload of the budget's namespace. Exactly one of client and containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::client_or_containers())]
#[x_kube(validation = rules::containers_named())]
pub struct Workload {
    /// Name of this entry.
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub name: String,
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

/// What a claim draws from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Source {
    /// What is left for workloads.
    #[default]
    Allocatable,
    /// What is kept for people, migrations and monitoring.
    Reserve,
}

pub(super) fn weight() -> i32 {
    1
}
