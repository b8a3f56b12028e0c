//! Entries of pods that are gone without proof that they ended.

use super::ended::NodeSeen;
use super::{Entry, Moment};

/// An entry whose pod is gone without proof that it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quarantined {
    /// The entry as it was.
    pub entry: Entry,
    /// What was seen, in a sentence.
    pub why: String,
    /// The node that it ran on, if that is known.
    pub node: Option<String>,
    /// Since when it is here.
    pub since: Moment,
    /// Seconds after which a kubelet that is there has ended it: it kills what the API forgot.
    pub killed_after: u32,
    /// When it leaves at the latest.
    pub until: Moment,
}

/// How long an entry is kept apart, in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The node that its pod ran on, if that is known.
    pub node: Option<String>,
    /// Until a kubelet that is there has killed its pod, and its backends are done: grace and drain.
    pub killed_after: u32,
    /// When nothing is heard of the node.
    pub at_most: u32,
}

impl Quarantined {
    /// Keeps an entry apart.
    #[must_use]
    pub fn new(entry: Entry, why: String, since: Moment, wait: Wait) -> Self {
        let Wait { node, killed_after, at_most } = wait;
        Self { entry, why, node, since, killed_after, until: since.after(at_most) }
    }

    /// Whether the pod can hold nothing any more.
    #[must_use]
    pub fn is_over(&self, node: NodeSeen, now: Moment) -> bool {
        let killed = match node {
            NodeSeen::Steady { from, to } => to >= self.since.max(from).after(self.killed_after),
            NodeSeen::Silent => false,
        };
        killed || now >= self.until
    }
}
