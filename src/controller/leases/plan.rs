//! What deciding starts from beside the facts, and what it comes to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::facts::Absent;
use super::ledgers::Waiting;
use crate::budget::ledger::adoption::Adopted;
use crate::budget::ledger::ended::{NodeSeen, Verdict};
use crate::budget::ledger::{Ledger, Moment, Uid};
use crate::cluster::view::pods::Pod;

/// What is known beside the facts.
pub struct Known<'a> {
    /// The budget, as `namespace/name`.
    pub budget: &'a str,
    /// What reads proved.
    pub verdicts: &'a [(Absent, Verdict)],
    /// A complete list of pods, begun late enough.
    pub adopted: Option<Adopted>,
    /// Pods that wait for this budget although nothing rules them, as reads confirmed.
    pub freed: &'a [Arc<Pod>],
    /// Pods that another budget keeps waiting.
    pub elsewhere: &'a BTreeSet<Uid>,
    /// Of these, the ones that will never have room there: they keep nobody waiting here.
    pub hopeless: &'a BTreeSet<Uid>,
    /// Pods that were told of room here, or hold connections of another budget because of that: they come first.
    pub promised: &'a BTreeSet<Uid>,
    /// What was heard of a node.
    pub node: &'a dyn Fn(&str) -> NodeSeen,
    /// Since when nobody knows what there is.
    pub unknown_since: Option<Moment>,
    /// The time.
    pub now: Moment,
}

/// What follows.
#[derive(Debug, Default)]
pub struct Plan {
    /// The ledger as it should be.
    pub ledger: Ledger,
    /// Pods that wait and have an entry.
    pub execute: Vec<Arc<Pod>>,
    /// Those who wait on.
    pub waiting: Vec<Waiting>,
    /// Pods of several budgets that this one has room for.
    pub has_room_for: BTreeSet<Uid>,
    /// Granted pods that no node takes.
    pub not_started: Vec<(Arc<Pod>, String)>,
    /// The pod that has the room for surging pods, and whose rollout does not get on.
    pub stuck: Option<Arc<Pod>>,
    /// When to look again though nothing happens.
    pub again: Option<Moment>,
}
