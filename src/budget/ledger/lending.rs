//! Budgets that draw from one another: the one of a session pool may be listed `outside` of the one of the database behind
//! it. The ledger of that one, the lender, has an entry for the borrower, with the borrower's spec in its key.
//!
//! | the borrower | the lender's entry | the borrower's bounds |
//! |---|---|---|
//! | is listed | a fact: what it wants, or can open by its ledger | what is recorded |
//! | wants more | a larger one, once it fits | grow after that |
//! | wants less | a smaller one after that, once its pods hold less | shrink |
//! | holds more than is recorded | a fact | |
//! | is kept to nothing by its ledger | a fact | |
//!
//! Each change of the borrower's spec changes both ledgers, so that a write by whoever knows an older spec is refused.

use super::{Bounds, Entry, Ledger, Moment, Origin, Uid};
use crate::budget::claim::Source;
use crate::budget::connections::Connections;

/// A budget that another one lists as outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Borrower {
    /// Its name.
    pub name: String,
    /// What of it is known.
    pub spec: Spec,
    /// What its clients may open on the server.
    pub wants: u32,
    /// Who says so.
    pub says: Says,
    /// What its pods hold by its ledger.
    pub holds: u32,
    /// What they can open by it.
    pub most: u32,
    /// Whether its ledger has followed the spec.
    pub follows: bool,
    /// Whether its ledger keeps them to what is recorded.
    pub is_kept: bool,
}

/// A version of a borrower. Of two budgets of one name the one that was created later is newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// UID of the budget.
    pub uid: String,
    /// When it was created.
    pub created: Moment,
    /// Generation of its spec.
    pub generation: i64,
}

/// Who says what a borrower wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Its spec: the same generation always wants the same.
    Spec,
    /// Its server, which may say something else at any time. Two controllers may have heard different answers, so that what
    /// is recorded for a generation never becomes less.
    Server,
    /// Its spec, as its server does not answer; it may do so later, and say less.
    Guess,
    /// Its spec, while its server has not been asked.
    Nobody,
}

impl Borrower {
    /// What the lender has yet to record.
    #[must_use]
    pub fn lacks(&self, lender: &Ledger) -> u32 {
        if self.says == Says::Nobody {
            return 0;
        }
        recorded(lender, &self.name).map_or(0, |(_, entry)| self.wants.saturating_sub(entry.connections))
    }

    /// The same number has the same key: an entry never changes.
    fn key(&self, connections: u32) -> Uid {
        let Spec { uid, created, generation } = &self.spec;
        format!("budget/{}/{uid}/{}/{generation}/{connections}", self.name, created.0).into()
    }

    /// What it needs, where `has` is recorded, and whether for the spec that is known.
    fn needs(&self, has: Option<u32>, is_this: bool) -> u32 {
        let uses = has.filter(|_| !self.follows).map_or(self.most, |has| has.max(self.holds));
        let wants = match (self.says, has) {
            (Says::Nobody, Some(has)) => has,
            (Says::Guess, Some(has)) => self.wants.max(has),
            (Says::Server, Some(has)) if is_this => self.wants.max(has),
            _ => self.wants,
        };
        wants.max(uses)
    }
}

impl Spec {
    /// The one in the key of an entry.
    fn of(key: &Uid) -> Option<Self> {
        let parts: Vec<&str> = key.split('/').collect();
        let [_, _, uid, created, generation, _] = parts[..] else { return None };
        let created = Moment(created.parse().ok()?);
        Some(Self { uid: uid.to_owned(), created, generation: generation.parse().ok()? })
    }

    fn is_newer_than(&self, other: &Self) -> bool {
        if self.uid == other.uid { self.generation > other.generation } else { self.created > other.created }
    }
}

fn recorded<'a>(lender: &'a Ledger, name: &str) -> Option<(&'a Uid, &'a Entry)> {
    lender.entries().iter().find(|(_, entry)| entry.origin == Origin::Budget && entry.name == name)
}

impl Ledger {
    /// What other budgets have of it.
    #[must_use]
    pub fn lent(&self) -> Connections {
        let lent = self.entries.values().filter(|entry| entry.origin == Origin::Budget);
        lent.map(|entry| Connections::from(entry.connections)).sum()
    }

    /// What pods may have of a source: what there is, less what other budgets have.
    #[must_use]
    pub fn bound_of_pods(&self, source: Source) -> Connections {
        match source {
            Source::Allocatable => self.bound(source).less(self.lent()),
            Source::Reserve => self.bound(source),
        }
    }

    /// Names of the budgets that have something of it.
    pub fn borrowers(&self) -> impl Iterator<Item = &str> {
        self.entries.values().filter(|entry| entry.origin == Origin::Budget).map(|entry| entry.name.as_str())
    }

    /// Whether something is recorded for a budget.
    #[must_use]
    pub fn lends_to(&self, name: &str) -> bool {
        recorded(self, name).is_some()
    }

    /// Forgets budgets that are not listed any more.
    pub fn lend_only(&mut self, is_listed: impl Fn(&str) -> bool) {
        let lent = self.entries.iter().filter(|(_, entry)| entry.origin == Origin::Budget);
        let gone: Vec<Uid> = lent.filter(|(_, entry)| !is_listed(&entry.name)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.give_back(&key);
        }
    }

    /// Brings what is recorded for a borrower in line with what it needs; more waits until it fits beside what is `kept` for
    /// pods. `generation`: the lender's, as whoever lends knows it; nothing: it may not grow now.
    pub fn lend(
        &mut self,
        borrower: &Borrower,
        namespace: &str,
        (generation, kept): (Option<i64>, Connections),
        now: Moment,
    ) {
        let before = recorded(self, &borrower.name).map(|(key, entry)| (key.clone(), entry.connections));
        let spec = before.as_ref().and_then(|(key, _)| Spec::of(key));
        if spec.as_ref().is_some_and(|spec| spec.is_newer_than(&borrower.spec)) {
            return; // whoever recorded that knew more
        }
        let has = before.as_ref().map(|(_, connections)| *connections);
        let needs = borrower.needs(has, spec.as_ref() == Some(&borrower.spec));
        let entry = |connections| Entry {
            namespace: namespace.to_owned(),
            name: borrower.name.clone(),
            connections,
            origin: Origin::Budget,
            since: now,
            ..Entry::default()
        };
        let mut next = self.clone();
        if let Some((before, _)) = &before {
            next.give_back(before);
        }
        let grows = has.filter(|has| needs > *has && borrower.is_kept);
        let fits = next.held(Source::Allocatable) + needs.into() + kept <= next.bound(Source::Allocatable);
        let mut grant = |generation| fits && next.grant(borrower.key(needs), entry(needs), generation).is_ok();
        if !(grows.is_some() && generation.is_some_and(&mut grant)) {
            let fact = grows.map_or(needs, |has| has.max(borrower.holds));
            next.enter(borrower.key(fact), entry(fact));
        }
        if next.entries.keys().ne(self.entries.keys()) {
            *self = next;
        }
    }

    /// What a borrower may grant: `bounds` less what its lender has not recorded of all that it wants on the server, and no
    /// more than `before` while nothing is recorded for this spec. The lender is this ledger.
    #[must_use]
    pub fn lends(&self, name: &str, uid: &str, wants: Connections, bounds: Bounds, before: Bounds) -> Bounds {
        let recorded = recorded(self, name).and_then(|(key, entry)| Some((Spec::of(key)?, entry)));
        let Some((spec, entry)) = recorded.filter(|(spec, _)| spec.uid == uid) else { return bounds.at_most(before) };
        let lacks = wants.less(entry.connections.into());
        let reserve = bounds.reserve.less(lacks.less(bounds.allocatable));
        let lent = Bounds { allocatable: bounds.allocatable.less(lacks), reserve, ..bounds };
        if spec.generation >= bounds.generation { lent } else { lent.at_most(before) }
    }
}

impl Bounds {
    /// None of them above another's.
    #[must_use]
    pub fn at_most(self, other: Self) -> Self {
        let allocatable = self.allocatable.min(other.allocatable);
        Self { allocatable, reserve: self.reserve.min(other.reserve), ..self }
    }
}

#[cfg(test)]
mod tests;
