//! `DatabaseLedger`: who holds what. Written by dbbudget alone, for anyone to read.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::workload::Source;

pub mod entry;

pub use entry::{Entry, Origin};

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
    /// Generation of the budget that allocatable and reserve come from; nothing is granted by an older one.
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
    /// changes. Each is a line: namespace and name of its pod, connections, since when; origin= if that is not Granted but
    /// Adopted, Escaped, Freed, Drain, Reserved or Budget; source= if that is not Allocatable; values= the key of what is
    /// written when the gate is removed; until= if it ends by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "written_by_dbbudget_alone")]
    pub entries: BTreeMap<String, Entry>,
    /// What is written to pods when their gates are removed, by the key that their entries name: values by annotation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "written_by_dbbudget_alone")]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    /// Entries whose pods are gone without proof that they ended, by the UID of the pod: the entry, why and since when
    /// it is here, its node, the seconds after which a kubelet has killed the pod, and until when it stays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "written_by_dbbudget_alone")]
    pub quarantine: BTreeMap<String, Quarantined>,
    /// Where pods run that have an entry, as far as that has been noted: by the name of the node, and by the seconds that
    /// its kubelet gives them to end, their UIDs. A dbbudget that was not there when a pod vanished asks that node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "written_by_dbbudget_alone")]
    pub nodes: BTreeMap<String, BTreeMap<u32, String>>,
}

impl DatabaseLedgerSpec {
    /// Entries and those of the quarantine, by their keys.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter().chain(self.quarantine.iter().map(|(uid, kept)| (uid, &kept.entry)))
    }

    /// What all of them hold of one source.
    #[must_use]
    pub fn held_of(&self, source: Source) -> i64 {
        let of_source = self.all().filter(|(_, entry)| entry.source == source);
        of_source.map(|(_, entry)| i64::from(entry.connections)).sum()
    }
}

/// Nobody else may write it, so that the API server need not check every entry, nor keep who owns it, at every write.
fn written_by_dbbudget_alone(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-preserve-unknown-fields": true,
    })
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
    pub killed_after: u32,
    /// When it leaves, unless the pod is seen alive.
    pub until: Time,
}
