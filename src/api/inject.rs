//! Settings that carry a share into a container: environment variables, URL parameters, flags.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{IDENTIFIER, rules};
use crate::catalogue::{Quantity, Query};

/// What the name of a URL parameter looks like.
pub(super) const PARAMETER: &str = "^[A-Za-z][A-Za-z0-9_.-]*$";
/// What a flag looks like.
pub(super) const FLAG: &str = "^--?[A-Za-z][A-Za-z0-9._-]*$";

/// Settings of one engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inject {
    /// Environment variables to set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<Setting>,
    /// Connection URLs to extend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["env".into()]))]
    pub url: Vec<Url>,
    /// Command-line flags to set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["flag".into()]))]
    pub args: Vec<Flag>,
}

/// An environment variable and what it is set to. Exactly one of quantity and value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::no_loader("name"))]
#[x_kube(validation = rules::looks_like_setting())]
#[x_kube(validation = rules::exactly_one(&["quantity", "value"]))]
#[x_kube(validation = rules::plain_value())]
pub struct Setting {
    /// Name of the variable. It must look like a pool or worker setting.
    #[schemars(length(min = 1, max = 63), regex(pattern = IDENTIFIER))]
    pub name: String,
    /// The number of the share it gets: Pool, Overflow, Limit, Processes, Threads or Connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Quantity")]
    pub quantity: Option<Quantity>,
    /// A fixed value instead: a number, a duration such as `30s`, or a boolean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    pub value: Option<String>,
}

/// A connection URL in an environment variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::no_loader("env"))]
pub struct Url {
    /// The variable that holds the URL.
    #[schemars(length(min = 1, max = 63), regex(pattern = IDENTIFIER))]
    pub env: String,
    /// Whether the URL already has a query (`?name=value`). Unknown (default): a URL that dbbudget cannot see is left alone,
    /// with a finding. Absent, Present: taken on your word.
    #[serde(default)]
    pub query: Query,
    /// Parameters to append.
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parameters: Vec<Parameter>,
}

/// A URL parameter and what it is set to. Exactly one of quantity and value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::no_redirection())]
#[x_kube(validation = rules::exactly_one(&["quantity", "value"]))]
#[x_kube(validation = rules::plain_value())]
pub struct Parameter {
    /// Name of the parameter. Those that say where and as whom to connect are refused.
    #[schemars(length(min = 1, max = 32), regex(pattern = PARAMETER))]
    pub name: String,
    /// The number of the share it gets: Pool, Overflow, Limit, Processes, Threads or Connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Quantity")]
    pub quantity: Option<Quantity>,
    /// A fixed value instead: a number, a duration such as `30s`, or a boolean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    pub value: Option<String>,
}

/// A command-line flag and what it is set to. Exactly one of quantity and value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::exactly_one(&["quantity", "value"]))]
#[x_kube(validation = rules::plain_value())]
pub struct Flag {
    /// The flag with its dashes, such as `--postgres-max-open-conns`.
    #[schemars(length(min = 2, max = 63), regex(pattern = FLAG))]
    pub flag: String,
    /// The number of the share it gets: Pool, Overflow, Limit, Processes, Threads or Connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Quantity")]
    pub quantity: Option<Quantity>,
    /// A fixed value instead: a number, a duration such as `30s`, or a boolean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    pub value: Option<String>,
}
