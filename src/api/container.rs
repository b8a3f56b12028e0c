//! A container of the template, its processes, and the pools in each of them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inject::Inject;
use super::{DNS_LABEL, IDENTIFIER, rules};

/// What the name of a container looks like; empty is the template's only one.
pub(super) const CONTAINER_NAME: &str = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$";

/// One container and what each of its processes opens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Name of the container. Default: empty, the only container of the template.
    #[serde(default)]
    #[schemars(length(max = 63), regex(pattern = CONTAINER_NAME))]
    pub name: String,
    /// OS processes, each with its own engines. Default: read from the template, else the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<Count>,
    /// Threads of each process; clients that open one connection per thread hold min(threads, limit). Default: read from
    /// the template, else the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<Count>,
    /// Connections outside the engines: LISTEN, a heartbeat, migrations at start. Default: the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Extra>,
    /// Pools of each process.
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub engines: Vec<Engine>,
}

/// A number of processes or threads. Exactly one of count and env.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one(&["count", "env"]))]
pub struct Count {
    /// The number itself. 1 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub count: Option<i32>,
    /// The environment variable of the container that holds it, such as `WEB_CONCURRENCY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = IDENTIFIER))]
    #[x_kube(validation = rules::no_loader(""))]
    pub env: Option<String>,
}

/// Connections outside the engines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Extra {
    /// Of each process. Default: the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub per_process: Option<i32>,
    /// Of the pod as a whole. Default: the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub per_pod: Option<i32>,
}

/// One client-side pool of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::client_or_numbers())]
#[x_kube(validation = rules::min_to_max())]
pub struct Engine {
    /// Name of the engine: a DNS label of at most 12 characters. Default `default`.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1, max = 12), regex(pattern = DNS_LABEL))]
    pub name: String,
    /// The client software that opens it: a preset (`dbbudget clients` lists them) or an entry of the budget's clients.
    /// Default: none; then min, max and inject say everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub client: Option<String>,
    /// Pools of this sort in each process. Default: the preset's, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub count: Option<i32>,
    /// Smallest limit of one pool, in connections. Default: the preset's floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub min: Option<i32>,
    /// Largest limit of one pool, in connections. Default: what it takes today; sharing never raises it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: Option<i32>,
    /// Share of the limit that is overflow: overflow = floor(limit × percent ÷ 100), and the pool is at least 1. 0 to 99,
    /// default: the preset's. Overflow is closed and opened again under load, and a server that is still ending one
    /// connection has one more meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 99))]
    pub overflow_percent: Option<i32>,
    /// Replace (default): a listed or preset name that the template sets is overridden. Keep: the template's number counts
    /// as the limit.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// Settings to inject, in addition to the preset's; the same name replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<Inject>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            name: default_name(),
            client: None,
            count: None,
            min: None,
            max: None,
            overflow_percent: None,
            on_conflict: OnConflict::default(),
            inject: None,
        }
    }
}

fn default_name() -> String {
    "default".to_owned()
}

/// Who wins where the template sets a name that dbbudget would inject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnConflict {
    /// The template's value is overridden.
    #[default]
    Replace,
    /// The template's number counts as the limit.
    Keep,
}
