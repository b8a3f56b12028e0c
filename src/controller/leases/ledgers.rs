//! The ledgers as they were last read or written, for everybody who asks: the status, other budgets of the same pod, and
//! people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::mpsc;

use super::stalls::{Stalls, Unwritten};
use super::urgent::Urgent;
use crate::api::parse::Name;
use crate::budget::claim::Source;
use crate::budget::ledger::adoption::NotYet;
use crate::budget::ledger::queue::Why;
use crate::budget::ledger::{Ledger, Uid};
use crate::cluster::view::pods::Pod;
use crate::controller::conditions::Said;

/// A ledger, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The ledger.
    pub ledger: Ledger,
    /// Those who wait, in their order.
    pub waiting: Vec<Waiting>,
    /// Pods of several budgets that this one has room for.
    pub has_room_for: BTreeSet<Uid>,
    /// Pods that nobody's claim rules any more, so that this budget keeps them from nothing.
    pub let_go: BTreeSet<Uid>,
    /// Granted pods that no node takes, with the scheduler's reason.
    pub not_started: Vec<(Arc<Pod>, String)>,
    /// The pod that has the room for surging pods, and whose rollout does not get on.
    pub stuck: Option<Arc<Pod>>,
    /// Why nothing is granted yet.
    pub not_yet: Option<NotYet>,
}

impl Kept {
    /// Budgets that have something of it.
    #[must_use]
    pub fn borrowers(&self, budget: &Name) -> BTreeSet<Name> {
        self.ledger.borrowers().map(|of| Name::new(&*budget.namespace, of)).collect()
    }
}

/// A pod that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The pod.
    pub pod: Arc<Pod>,
    /// The claim's row in the status.
    pub claim: String,
    /// What it draws from.
    pub source: Source,
    /// What it asks for.
    pub connections: u32,
    /// Why it waits.
    pub why: Why,
    /// What happens while it does.
    pub urgent: Option<Urgent>,
}

/// All of them.
#[derive(Debug)]
pub struct Ledgers {
    /// Nothing: there is none, as whoever looked found.
    all: RwLock<BTreeMap<Name, Option<Arc<Kept>>>>,
    /// Those that were stored when this replica began; nothing: that has not been read.
    stored: RwLock<Option<BTreeSet<Name>>>,
    stalls: Stalls,
    changed: mpsc::UnboundedSender<Name>,
}

impl Ledgers {
    /// None yet; the names of those that change are received.
    #[must_use]
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Name>) {
        let (changed, receiver) = mpsc::unbounded_channel();
        (
            Arc::new(Self { all: RwLock::default(), stored: RwLock::default(), stalls: Stalls::default(), changed }),
            receiver,
        )
    }

    /// A budget's.
    #[must_use]
    pub fn of(&self, name: &Name) -> Option<Arc<Kept>> {
        self.read().get(name).cloned().flatten()
    }

    /// Whether somebody has looked whether there is one.
    #[must_use]
    pub fn has_seen(&self, name: &Name) -> bool {
        self.read().contains_key(name)
    }

    /// Whether there may be one that nobody has looked at.
    #[must_use]
    pub fn may_be_there(&self, name: &Name) -> bool {
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        !self.has_seen(name) && stored.as_ref().is_none_or(|stored| stored.contains(name))
    }

    /// Takes the names of all that are stored.
    pub fn begin(&self, stored: BTreeSet<Name>) {
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = Some(stored);
    }

    /// Budgets of a namespace whose ledgers record something for another one.
    #[must_use]
    pub fn lenders(&self, borrower: &Name) -> Vec<Name> {
        let all = self.read();
        let here = all.iter().filter(|(name, _)| name.namespace == borrower.namespace);
        let lends = |kept: &Option<Arc<Kept>>| kept.as_ref().is_some_and(|kept| kept.ledger.lends_to(&borrower.name));
        here.filter(|(_, kept)| lends(kept)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether any has an entry for a pod.
    #[must_use]
    pub fn know(&self, uid: &str) -> bool {
        self.read().values().flatten().any(|kept| kept.ledger.knows(uid))
    }

    /// Takes a newer one; nothing: it is gone. Answers whether that is news.
    pub fn put(&self, name: &Name, kept: Option<Kept>) -> bool {
        let mut all = self.write();
        if all.get(name).is_some_and(|known| known.as_deref() == kept.as_ref()) {
            return false;
        }
        all.insert(name.clone(), kept.map(Arc::new));
        self.tell(name);
        true
    }

    /// Something keeps it, or its pods, from being written; nothing: that is over.
    pub fn stall(&self, name: &Name, what: Unwritten, why: Option<String>) {
        if self.stalls.note(name, what, why) {
            self.tell(name);
        }
    }

    /// What people are told of that.
    #[must_use]
    pub fn stalled(&self, name: &Name) -> Option<Said> {
        self.stalls.of(name)
    }

    fn tell(&self, name: &Name) {
        let _ = self.changed.send(name.clone()); // nobody receives any more: the controller is stopping
    }

    /// Forgets that there is no ledger of those that nobody speaks of any more.
    pub fn forget(&self, is_spoken_of: impl Fn(&Name) -> bool) {
        self.write().retain(|name, kept| kept.is_some() || is_spoken_of(name));
    }

    /// Forgets all: somebody else writes them now.
    pub fn clear(&self) {
        self.write().clear();
        self.stalls.clear();
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Name, Option<Arc<Kept>>>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Name, Option<Arc<Kept>>>> {
        self.all.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `astrid/supabase` as a name; nothing where it is none that Kubernetes takes.
#[must_use]
pub fn budget_name(text: &str) -> Option<Name> {
    let is_name = |text: &str| {
        let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !text.is_empty() && text.len() <= 63 && text.chars().all(safe)
    };
    let (namespace, name) = text.split_once('/')?;
    (is_name(namespace) && is_name(name)).then(|| Name::new(namespace, name))
}
