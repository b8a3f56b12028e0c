//! Who holds which connections of a budget, and the rules by which that changes. A ledger is one object that is written
//! by compare-and-swap, so every method here is a step from one version to the next; whoever computed a step from an older
//! version computes it again.
//!
//! | rule | here |
//! |---|---|
//! | an entry is added only while its sum fits what is recorded in the same object | [`Ledger::grant`] |
//! | facts are added whatever the sum | [`Ledger::enter`] |
//! | an entry never changes, so whoever executes it writes the same | no method here changes an [`Entry`] that is there |
//! | an entry is removed only on proof that its pod has ended | [`Ledger::remove`] takes an [`ended::Ended`] |
//! | without proof it is kept apart, until the kubelet must have ended the pod | [`Ledger::quarantine`], [`Ledger::release`] |
//! | what people or other budgets have is given back, as no pod is behind it | [`Ledger::give_back`] takes no other entry |
//! | nothing is granted before everything that runs is entered | [`Ledger::begin`] takes an [`adoption::Adopted`] |
//!
//! [`queue`] says who is granted what, and why others wait; [`lending`] what other budgets have of one.

pub mod adoption;
pub mod ended;
pub mod entry;
pub mod lending;
pub mod quarantine;
pub mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::claim::Source;
use super::connections::Connections;
use adoption::Adopted;
use ended::{Ended, NodeSeen};
pub use entry::{Entry, Origin, Values};
pub use quarantine::{Quarantined, Wait};

/// A pod's UID, or the key of an entry that no pod is behind.
pub type Uid = Arc<str>;

/// A time, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

impl Moment {
    /// This many seconds later.
    #[must_use]
    pub const fn after(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds as i64))
    }
}

/// Where a ledger is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Pods that run already are being entered; nothing is granted.
    #[default]
    Adopting,
    /// Grants are added.
    Leasing,
}

/// What entries may come to together, by source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// For workloads.
    pub allocatable: Connections,
    /// For those that draw from the reserve.
    pub reserve: Connections,
    /// Generation of the budget that both were computed from.
    pub generation: i64,
}

/// Why nothing was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Pods that run are still being entered.
    Adopting,
    /// The step was computed from an older generation of the budget than the ledger's bounds.
    Outdated,
    /// It does not fit.
    NoRoom,
}

/// All that is held of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger {
    phase: Phase,
    bounds: Bounds,
    /// Shared by all copies, until one of them changes: everybody who asks has one, and most looks change nothing.
    entries: Arc<BTreeMap<Uid, Entry>>,
    quarantine: Arc<BTreeMap<Uid, Quarantined>>,
}

impl Ledger {
    /// A new ledger. It adopts before it grants.
    #[must_use]
    pub fn born(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// A ledger as it is stored.
    #[must_use]
    pub fn stored(
        phase: Phase,
        bounds: Bounds,
        entries: BTreeMap<Uid, Entry>,
        quarantine: BTreeMap<Uid, Quarantined>,
    ) -> Self {
        Self { phase, bounds, entries: Arc::new(entries), quarantine: Arc::new(quarantine) }
    }

    /// Whether it grants.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What its entries may come to.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Entries of pods that are not known to have ended.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<Uid, Entry> {
        &self.entries
    }

    /// Entries of pods that are gone without proof.
    #[must_use]
    pub fn quarantined(&self) -> &BTreeMap<Uid, Quarantined> {
        &self.quarantine
    }

    /// What is held of a source.
    #[must_use]
    pub fn held(&self, source: Source) -> Connections {
        let apart = self.quarantine.values().map(|q| &q.entry);
        let of = self.entries.values().chain(apart).filter(|entry| entry.source == source);
        of.map(|entry| Connections::from(entry.connections)).sum()
    }

    /// What there is of a source.
    #[must_use]
    pub const fn bound(&self, source: Source) -> Connections {
        match source {
            Source::Allocatable => self.bounds.allocatable,
            Source::Reserve => self.bounds.reserve,
        }
    }

    /// Gives a waiting pod its connections. One that has an entry keeps it. `generation`: the budget's, as whoever grants
    /// knows it.
    ///
    /// # Errors
    /// When nothing may be granted, or it does not fit.
    pub fn grant(&mut self, uid: Uid, entry: Entry, generation: i64) -> Result<(), Refusal> {
        if self.phase == Phase::Adopting {
            return Err(Refusal::Adopting);
        }
        if generation < self.bounds.generation {
            return Err(Refusal::Outdated);
        }
        if self.knows(&uid) {
            return Ok(());
        }
        if self.held(entry.source) + Connections::from(entry.connections) > self.bound(entry.source) {
            return Err(Refusal::NoRoom);
        }
        Arc::make_mut(&mut self.entries).insert(uid, entry);
        Ok(())
    }

    /// Records that connections are, or may be, held whatever the sum. An entry that is there stays as it is.
    pub fn enter(&mut self, uid: Uid, fact: Entry) {
        if !self.knows(&uid) {
            Arc::make_mut(&mut self.entries).insert(uid, fact);
        }
    }

    /// Whether there is an entry, or was one whose pod is not known to have ended.
    #[must_use]
    pub fn knows(&self, uid: &str) -> bool {
        self.entries.contains_key(uid) || self.quarantine.contains_key(uid)
    }

    /// Drops the entry of a pod that has ended, kept apart or not.
    pub fn remove(&mut self, ended: &Ended) {
        take(&mut self.entries, ended.uid());
        take(&mut self.quarantine, ended.uid());
    }

    /// Keeps the entry of a pod apart that is gone without proof.
    pub fn quarantine(&mut self, uid: &Uid, why: String, since: Moment, wait: Wait) {
        if let Some(entry) = take(&mut self.entries, uid) {
            Arc::make_mut(&mut self.quarantine).insert(uid.clone(), Quarantined::new(entry, why, since, wait));
        }
    }

    /// A pod that was kept apart is there after all.
    pub fn seen_alive(&mut self, uid: &Uid) {
        if let Some(kept) = take(&mut self.quarantine, uid) {
            Arc::make_mut(&mut self.entries).insert(uid.clone(), kept.entry);
        }
    }

    /// Ends the quarantine of a pod, if its time has come. `node`: what was heard of its node.
    pub fn release(&mut self, uid: &Uid, node: NodeSeen, now: Moment) {
        if self.quarantine.get(uid).is_some_and(|kept| kept.is_over(node, now)) {
            take(&mut self.quarantine, uid);
        }
    }

    /// Drops the entries whose own end has come.
    pub fn expire(&mut self, now: Moment) {
        let lasts = |entry: &Entry| entry.until.is_none_or(|until| until > now);
        if !self.entries.values().all(lasts) {
            Arc::make_mut(&mut self.entries).retain(|_, entry| lasts(entry));
        }
    }

    /// Drops what people or another budget give back: no pod is behind it that may still hold any.
    pub fn give_back(&mut self, key: &str) {
        let is_theirs = |entry: &Entry| matches!(entry.origin, Origin::Reserved | Origin::Budget);
        if self.entries.get(key).is_some_and(is_theirs) {
            Arc::make_mut(&mut self.entries).remove(key);
        }
    }

    /// Takes the numbers of a newer generation of the budget, or newer ones of the same. Answers whether it did.
    pub fn rebound(&mut self, bounds: Bounds) -> bool {
        let newer = bounds.generation >= self.bounds.generation && bounds != self.bounds;
        if newer {
            self.bounds = bounds;
        }
        newer
    }

    /// Stops granting until everything that runs has been entered again: leasing was turned off, or another budget took
    /// the name. What is held stays.
    pub fn renew(&mut self, bounds: Bounds) {
        self.phase = Phase::Adopting;
        self.bounds = bounds;
    }

    /// Begins to grant.
    pub fn begin(&mut self, adopted: Adopted) {
        for (uid, entry) in adopted.into_entries() {
            self.enter(uid, entry);
        }
        self.phase = Phase::Leasing;
    }
}

/// Removes what is there; otherwise nothing is copied.
fn take<T: Clone>(map: &mut Arc<BTreeMap<Uid, T>>, uid: &str) -> Option<T> {
    if map.contains_key(uid) { Arc::make_mut(map).remove(uid) } else { None }
}

#[cfg(test)]
mod tests;
