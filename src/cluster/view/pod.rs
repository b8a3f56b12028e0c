//! What is kept of one pod.

use std::sync::Arc;

use crate::budget::ledger::ended::PodSeen;
use crate::budget::ledger::{Moment, Uid};
use crate::pod::pinned::Pinned;
use crate::workload::Key;

/// A pod, trimmed to what its connections depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uid,
    /// The objects it belongs to: its owner, and the Deployment or Rollout behind a `ReplicaSet`.
    pub owners: Vec<Key>,
    /// What tells pods of its template from those of another.
    pub revision: Arc<str>,
    /// When it was created.
    pub created: Moment,
    /// Whether it holds connections: a container has started, and the pod has not ended.
    pub holds: bool,
    /// Whether it is Ready.
    pub ready: bool,
    /// How far it has come to its end. It holds until it is gone.
    pub seen: PodSeen,
    /// Its node.
    pub node: Option<Arc<str>>,
    /// Seconds that a kubelet gives it to end.
    pub grace: u32,
    /// Since when no node takes it, and why.
    pub unschedulable: Option<(Moment, String)>,
    /// Containers that ended with anything but 0: the last time of each.
    pub crashes: Vec<Crash>,
    /// Our gate, while it waits.
    pub gate: Option<Gate>,
    /// What it was born with; nothing: it runs as it is written.
    pub pinned: Option<Arc<Pinned>>,
}

/// Our gate on a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Its place among the pod's gates.
    pub place: usize,
    /// Annotations of ours that the pod has.
    pub keys: Vec<String>,
}

/// A container that ended with anything but 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Which one.
    pub container: String,
    /// The how manieth.
    pub count: u32,
    /// When.
    pub at: Moment,
}

impl Pod {
    /// Whether it has ended for good. A pod that the garbage collector marked Failed may run on.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.seen.terminal && !self.seen.running && !self.seen.collected
    }

    /// Whether it is on its way out. It holds until it is gone.
    #[must_use]
    pub fn terminating(&self) -> bool {
        self.seen.deleting
    }

    /// What it draws from a budget, by what it was born with and granted.
    #[must_use]
    pub fn drawn_from(&self, budget: &str) -> Pinned {
        self.pinned.as_ref().map(|pinned| pinned.only(budget)).unwrap_or_default()
    }

    /// The budgets that it waits for, in the order in which it takes from them.
    #[must_use]
    pub fn awaited(&self) -> Vec<&str> {
        self.pinned.as_ref().map(|pinned| pinned.awaited()).unwrap_or_default()
    }

    /// Whether it has our gate, and waits for this budget.
    #[must_use]
    pub fn waits_for(&self, budget: &str) -> bool {
        self.gate.is_some() && self.awaited().contains(&budget)
    }

    /// What people see of it in numbers.
    pub(super) fn shown(&self) -> impl PartialEq + use<'_> {
        (&self.owners, self.holds, self.terminating(), &self.pinned)
    }
}
