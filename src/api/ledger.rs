//! `DatabaseLedger`: who holds what. Written by dbbudget alone, for anyone to read.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::workload::Source;

// Everything is in the spec: entries and the number that bounds them change in one write or not at all.
/// All grants of the budget of the same name and namespace.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "dbbudget.dev",
    version = "v1alpha1",
    kind = "DatabaseLedger",
    namespaced,
    shortname = "dbl",
    category = "dbbudget",
    derive = "PartialEq",
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".spec.phase",
        description = "Adopting: pods that run are being entered. Leasing: grants are added."
    ),
    printcolumn(
        name = "Allocatable",
        type_ = "integer",
        json_path = ".spec.allocatable",
        description = "Connections there are for workloads."
    ),
    printcolumn(
        name = "Held",
        type_ = "integer",
        json_path = ".spec.held",
        description = "Connections that entries and quarantine hold."
    ),
    printcolumn(
        name = "Reserve",
        type_ = "integer",
        json_path = ".spec.reserve",
        priority = 1,
        description = "Connections kept for people."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since when it exists."
    ),
    doc = "Who holds which connections of the DatabaseBudget of the same name. Written by dbbudget alone; reading it is welcome."
)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseLedgerSpec {
    /// Adopting: pods that run already are being entered, nothing is granted. Leasing: grants are added.
    pub phase: Phase,
    /// Connections that entries of source Allocatable may have together, as computed from budgetGeneration.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub allocatable: i32,
    /// Connections that entries of source Reserve may have together, as computed from budgetGeneration.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reserve: i32,
    /// Generation of the budget that allocatable and reserve come from; a write based on an older one is refused.
    pub budget_generation: i64,
    /// UID of that budget: another one of its name begins by adopting.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub budget_uid: String,
    /// Sum of the connections of all entries and of the quarantine, both sources.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub held: i64,
    /// Grants and facts, by the UID of the pod, or by the entry's own key where no pod is behind it. An entry never
    /// changes. Each has the namespace and name of its pod, connections, since when, the values that are written as
    /// annotations when the gate is removed, until when if it ends by itself, source if that is not Allocatable, and
    /// origin if that is not Granted: Adopted, Escaped, Freed, Drain, Reserved or Budget.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "written_by_dbbudget_alone")]
    pub entries: BTreeMap<String, Entry>,
    /// Entries whose pods are gone without proof that they ended, by the UID of the pod: the entry, why and since when
    /// it is here, its node, the seconds after which a kubelet has killed the pod, and until when it stays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "written_by_dbbudget_alone")]
    pub quarantine: BTreeMap<String, Quarantined>,
    /// Name of the node of each pod that has an entry, and the seconds that its kubelet gives the pod to end, as far as
    /// they have been noted. A dbbudget that was not there when a pod vanished asks that node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "written_by_dbbudget_alone")]
    pub nodes: BTreeMap<String, Place>,
}

/// Nobody else may write it, so that the API server need not check every field of every entry, nor keep who owns it, at
/// every write: of a ledger of 100 entries that is three quarters of what a write costs.
fn written_by_dbbudget_alone(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// Where a pod runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Name of the node.
    pub name: String,
    /// Seconds that its kubelet gives the pod to end.
    pub grace_seconds: i64,
}

/// Where a ledger is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Pods that run already are being entered; nothing is granted.
    #[default]
    Adopting,
    /// Grants are added.
    Leasing,
}

/// Why an entry is there. Only a grant had to fit; the others are facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A waiting pod was given its connections.
    #[default]
    Granted,
    /// The pod ran before the ledger began.
    Adopted,
    /// The pod started without being sized or gated.
    Escaped,
    /// The gate was removed without a grant: the budget was deleted, or dbbudget turned off.
    Freed,
    /// A container was killed, and its backends may finish a query.
    Drain,
    /// `dbbudget reserve` keeps them until the entry ends.
    Reserved,
    /// Another budget draws from this one.
    Budget,
}

/// Connections given to one pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod, or of what holds the connections instead.
    pub name: String,
    /// Connections it may hold.
    pub connections: i32,
    /// Why the entry is there: Granted, Adopted, Escaped, Freed, Drain, Reserved or Budget.
    #[serde(default, skip_serializing_if = "is_default")]
    pub origin: Origin,
    /// What it counts against: Allocatable or Reserve.
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Source,
    /// Annotations to write when the gate is removed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// When the entry was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When the entry ends by itself (Drain, Reserved).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An entry whose pod is gone without proof that it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// The entry as it was.
    pub entry: Entry,
    /// What was seen, in a sentence.
    pub why: String,
    /// The node that it ran on, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Since when it is here.
    pub since: Time,
    /// Seconds after which a kubelet that renews its node's Lease without a gap has ended it.
    #[serde(default)]
    pub killed_after: i32,
    /// When it leaves, unless the pod is seen alive.
    pub until: Time,
}
