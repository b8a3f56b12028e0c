//! Connections that a ledger holds for one pod, or for what no pod is behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Moment;
use crate::budget::claim::Source;

/// Why an entry is there. Only a grant had to fit; the others are facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A waiting pod was given its connections.
    #[default]
    Granted,
    /// The pod ran before the ledger began.
    Adopted,
    /// The pod started without being sized or gated.
    Escaped,
    /// Its gate was removed without a grant, as no claim rules it any more, or its budget no longer leases.
    Freed,
    /// A container was killed, and its backends may finish a query.
    Drain,
    /// Somebody keeps them until the entry ends.
    Reserved,
    /// Another budget draws from this one.
    Budget,
}

impl Origin {
    /// Whether a pod is behind the entry.
    #[must_use]
    pub const fn is_pod(self) -> bool {
        !matches!(self, Self::Drain | Self::Reserved | Self::Budget)
    }
}

/// Values by annotation. Pods of a workload are mostly told the same.
pub type Values = Arc<BTreeMap<String, String>>;

/// Connections given to one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod, or of what holds the connections instead.
    pub name: String,
    /// What it may hold.
    pub connections: u32,
    /// Why it is there.
    pub origin: Origin,
    /// What it counts against.
    pub source: Source,
    /// Annotations that are written when the pod's gate is removed.
    pub values: Values,
    /// When it was made.
    pub since: Moment,
    /// When it ends by itself.
    pub until: Option<Moment>,
}
