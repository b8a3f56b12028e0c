//! `DatabaseLedger`: who holds what. Written by dbbudget alone, for anyone to read.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
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
    // Written by one owner alone, so that nobody needs the API server to keep who owns each field of each entry: that
    // would be as large again, and is computed anew at every write.
    /// Grants and facts, by the UID of the pod, or by the entry's own key where no pod is behind it. An entry never
    /// changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub entries: BTreeMap<String, Entry>,
    /// Entries whose pods are gone without proof that they ended, by the UID of the pod.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub quarantine: BTreeMap<String, Quarantined>,
    /// The node of each pod that has an entry, as far as it has been noted. A dbbudget that was not there when a pod
    /// vanished asks that node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, Place>,
}

/// Where a pod runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Name of the node.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Seconds that its kubelet gives the pod to end.
    #[schemars(range(min = 0))]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Namespace of the pod.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Name of the pod, or of what holds the connections instead.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Connections it may hold.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub connections: i32,
    /// Why the entry is there: Granted, Adopted, Escaped, Freed, Drain, Reserved or Budget.
    #[serde(default)]
    pub origin: Origin,
    /// What it counts against: Allocatable or Reserve.
    #[serde(default)]
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

/// An entry whose pod is gone without proof that it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// The entry as it was.
    pub entry: Entry,
    /// What was seen, in a sentence.
    #[schemars(length(max = 500))]
    pub why: String,
    /// The node that it ran on, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub node: Option<String>,
    /// Since when it is here.
    pub since: Time,
    /// Seconds after which a kubelet that renews its node's Lease without a gap has ended it.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub killed_after: i32,
    /// When it leaves, unless the pod is seen alive.
    pub until: Time,
}
