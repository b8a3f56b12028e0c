//! `spec.clients`: the house's own presets, beside those of the catalogue.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::container::Extra;
use super::inject::{Flag, Parameter, Setting};
use super::{DNS_LABEL, IDENTIFIER, rules};
use crate::catalogue::Query;

/// A preset of the house's own. What is left out is that of the preset it extends; names are written as in a claim's
/// inject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HouseClient {
    /// The name that `client` refers to; a name of the catalogue is replaced in this budget.
    #[schemars(length(min = 1, max = 63), regex(pattern = DNS_LABEL))]
    pub name: String,
    /// The preset it is built on: one of the catalogue (`dbbudget clients` lists them), or another entry here. Where no
    /// other is near, name a plain one: pg, psycopg-pool, pgxpool, hikari.
    #[schemars(length(min = 1, max = 63))]
    pub extends: String,
    /// Each of its engines when nothing is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<HouseEngine>,
    /// Variables it obeys; the same name replaces the extended preset's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<Setting>,
    /// Variables that hold its connection URL, with the parameters it obeys there; the same variable replaces the extended
    /// preset's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["env".into()]))]
    pub url: Vec<HouseUrl>,
    /// Flags it obeys; the same flag replaces the extended preset's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["flag".into()]))]
    pub args: Vec<Flag>,
    /// Processes of a container when the template's command tells none: 1 for runtimes that never fork. Default: the
    /// extended preset's, else unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub processes: Option<i32>,
    /// Connections outside the engines. Default: the extended preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Extra>,
}

/// One client-side pool as the client opens it when nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HouseEngine {
    /// Engines of each process. Default: the extended preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub count: Option<i32>,
    /// Connections one engine keeps by default. Default: the extended preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub pool: Option<i32>,
    /// Connections it opens on top by default. Default: the extended preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub overflow: Option<i32>,
    /// Smallest limit that is safe. Default: the extended preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub min: Option<i32>,
    /// Share of a limit that is overflow, in percent. Default: the extended preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 99))]
    pub overflow_percent: Option<i32>,
}

/// A variable that holds the connection URL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::no_loader("env"))]
pub struct HouseUrl {
    /// The variable.
    #[schemars(length(min = 1, max = 63), regex(pattern = IDENTIFIER))]
    pub env: String,
    /// Whether the URL already has a query (`?name=value`). Unknown (default): a URL that dbbudget cannot see is left alone,
    /// with a finding. Absent, Present: taken on your word.
    #[serde(default)]
    pub query: Query,
    /// Parameters of this URL alone, beside those of the extended preset. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parameters: Vec<Parameter>,
}
