//! Which workload objects an entry or claim is about.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// Kinds that need no `apiVersion`, each with the one it has.
pub const KNOWN_KINDS: [(&str, &str); 7] = [
    ("Deployment", "apps/v1"),
    ("StatefulSet", "apps/v1"),
    ("DaemonSet", "apps/v1"),
    ("ReplicaSet", "apps/v1"),
    ("Job", "batch/v1"),
    ("CronJob", "batch/v1"),
    ("Rollout", "argoproj.io/v1alpha1"),
];

/// What a kind looks like.
pub(super) const KIND: &str = "^[A-Z][A-Za-z0-9]*$";

/// One workload by name, or every workload that a selector matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::kind_known())]
#[x_kube(validation = rules::name_or_selector())]
pub struct Target {
    /// API version of the kind, such as `apps/v1`. Default: that of Deployment, StatefulSet, DaemonSet, ReplicaSet, Job,
    /// CronJob and Rollout; any other kind needs it and must have a /scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub api_version: Option<String>,
    /// Kind of the workload: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Rollout, or any kind with /scale
    /// if apiVersion is given.
    #[schemars(length(min = 1, max = 63), regex(pattern = KIND))]
    pub kind: String,
    /// Name of the workload. Default: the entry's name, or the claim's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// Instead of a name: labels of the workload object (not of its pods). Each match is a claim of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
}

/// A label selector as everywhere in Kubernetes, not empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::selector_selects())]
pub struct Selector {
    /// Labels that must be there with these values. At most 20.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements that must all hold. At most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub match_expressions: Vec<Requirement>,
}

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::operator_values())]
pub struct Requirement {
    /// Key of the label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// In, NotIn (both with values), Exists or DoesNotExist (both without).
    pub operator: Operator,
    /// Values for In and NotIn. At most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// It has none of them, or is not there.
    NotIn,
    /// The label is there.
    Exists,
    /// It is not.
    DoesNotExist,
}
