//! Budgets that draw from one another: the one of a session pool may be listed `outside` of the one of the database behind
//! it. The ledger of that one, the lender, has an entry for the borrower, with the borrower's spec in its key.
//!
//! | the borrower | the lender's entry | the borrower's bounds |
//! |---|---|---|
//! | is listed | a fact | what is recorded |
//! | wants more | a larger one, once it fits | grow after that |
//! | wants less | a smaller one after that, once its pods hold less | shrink |
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
    /// UID of the budget.
    pub uid: String,
    /// Generation of its spec.
    pub generation: i64,
    /// What its clients may open on the server.
    pub wants: u32,
    /// What they can open by its ledger; nothing: that has not followed the spec yet.
    pub uses: Option<u32>,
    /// Whether its ledger keeps them to what is recorded.
    pub is_kept: bool,
}

impl Borrower {
    /// What the lender has yet to record.
    #[must_use]
    pub fn lacks(&self, lender: &Ledger) -> u32 {
        recorded(lender, &self.name).map_or(0, |(_, entry)| self.wants.saturating_sub(entry.connections))
    }

    /// The same number has the same key: an entry never changes.
    fn key(&self, connections: u32) -> Uid {
        format!("budget/{}/{}/{}/{connections}", self.name, self.uid, self.generation).into()
    }
}

/// The UID and the generation in the key of an entry.
fn spec(key: &Uid) -> Option<(&str, i64)> {
    let mut parts = key.split('/').skip(2);
    Some((parts.next()?, parts.next()?.parse().ok()?))
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

    /// Brings what is recorded for a borrower in line with what it needs; more waits until it fits. `generation`: the
    /// lender's, as whoever lends knows it; nothing: it may not grow now.
    pub fn lend(&mut self, borrower: &Borrower, namespace: &str, generation: Option<i64>, now: Moment) {
        let before = recorded(self, &borrower.name).map(|(key, entry)| (key.clone(), entry.connections));
        let newer = |(uid, of): (&str, i64)| uid == borrower.uid && of > borrower.generation;
        if before.as_ref().and_then(|(key, _)| spec(key)).is_some_and(newer) {
            return; // whoever recorded that knew more
        }
        let has = before.as_ref().map_or(0, |(_, connections)| *connections);
        let needs = borrower.wants.max(borrower.uses.unwrap_or(has));
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
        let grows = before.is_some() && needs > has && borrower.is_kept;
        let mut grant = |generation| next.grant(borrower.key(needs), entry(needs), generation).is_ok();
        if !(grows && generation.is_some_and(&mut grant)) {
            let fact = if grows { has } else { needs };
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
        let is_this =
            |key: &Uid| spec(key).is_some_and(|(of, generation)| of == uid && generation >= bounds.generation);
        match recorded(self, name).filter(|(key, _)| is_this(key)) {
            Some((_, entry)) => {
                let lacks = wants.less(entry.connections.into());
                let reserve = bounds.reserve.less(lacks.less(bounds.allocatable));
                Bounds { allocatable: bounds.allocatable.less(lacks), reserve, ..bounds }
            }
            None => bounds.at_most(before),
        }
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
mod tests {
    use super::*;
    use crate::budget::ledger::adoption::{Replica, adopt};

    const NOW: Moment = Moment(1_000);

    /// Of 10, nobody has any.
    fn leasing() -> Ledger {
        let mut ledger = Ledger::born(bounds(10));
        let replica = Replica { confirmed: Some((1, Moment(0))), live: true };
        ledger.begin(adopt(1, &[replica], 0, NOW, []).expect("everybody gates"));
        ledger
    }

    const fn bounds(n: u64) -> Bounds {
        Bounds { allocatable: Connections::new(n), reserve: Connections::ZERO, generation: 1 }
    }

    /// A pool's budget, of this generation, that wants so many and can use others.
    fn pool(generation: i64, wants: u32, uses: Option<u32>) -> Borrower {
        Borrower { name: "pool".into(), uid: "u".into(), generation, wants, uses, is_kept: true }
    }

    fn lent(ledger: &Ledger, borrower: &Borrower) -> Ledger {
        let mut ledger = ledger.clone();
        ledger.lend(borrower, "shop", Some(1), NOW);
        ledger
    }

    fn keys(ledger: &Ledger) -> Vec<&str> {
        let lent = ledger.entries().iter().filter(|(_, entry)| entry.origin == Origin::Budget);
        lent.map(|(key, _)| &**key).collect()
    }

    #[test]
    fn what_another_budget_has_is_a_fact_at_first_and_then_grows_only_where_it_fits() {
        let ledger = lent(&leasing(), &pool(1, 6, None));
        assert_eq!(keys(&ledger), ["budget/pool/u/1/6"]);
        assert_eq!(keys(&lent(&ledger, &pool(2, 10, Some(6)))), ["budget/pool/u/2/10"]);
        let refused = pool(2, 11, Some(6));
        assert_eq!(keys(&lent(&ledger, &refused)), ["budget/pool/u/2/6"], "there are 10");
        let mut unknown = ledger.clone();
        unknown.lend(&pool(2, 7, Some(6)), "shop", None, NOW);
        assert_eq!(keys(&unknown), ["budget/pool/u/2/6"], "nobody knows what there is");
        assert_eq!(refused.lacks(&ledger), 5);
    }

    #[test]
    fn it_shrinks_after_the_borrower_has() {
        let ledger = lent(&leasing(), &pool(1, 6, None));
        let asked = lent(&ledger, &pool(2, 4, None));
        assert_eq!(keys(&asked), ["budget/pool/u/2/6"], "its ledger has not followed");
        let held = lent(&asked, &pool(2, 4, Some(5)));
        assert_eq!(keys(&held), ["budget/pool/u/2/5"], "its pods still hold 5");
        assert_eq!(keys(&lent(&held, &pool(2, 4, Some(3)))), ["budget/pool/u/2/4"]);
        assert_eq!(lent(&held, &pool(1, 4, Some(3))), held, "whoever knows an older spec changes nothing");
    }

    #[test]
    fn who_is_kept_by_nobody_is_recorded_as_it_is_and_who_is_not_listed_is_not() {
        let mut ledger = lent(&leasing(), &pool(1, 6, None));
        let free = Borrower { is_kept: false, ..pool(2, 30, Some(0)) };
        assert_eq!(lent(&ledger, &free).lent(), Connections::new(30));
        ledger.lend_only(|name| name == "other");
        assert!(keys(&ledger).is_empty());
    }

    #[test]
    fn a_borrower_grants_what_is_recorded_for_its_spec_and_otherwise_no_more_than_before() {
        let lender = lent(&leasing(), &pool(1, 6, None));
        let (wanted, before) = (Bounds { generation: 2, ..bounds(8) }, bounds(5));
        let lends = |lender: &Ledger| lender.lends("pool", "u", Connections::new(8), wanted, before).allocatable;
        assert_eq!(lends(&lender), Connections::new(5), "nothing is recorded for it");
        assert_eq!(lends(&lent(&lender, &pool(2, 8, Some(6)))), Connections::new(8));
        let full = lent(&lent(&leasing(), &pool(1, 6, None)), &pool(2, 6, None));
        assert_eq!(lends(&full), Connections::new(6), "2 of 8 are not recorded");
        let another = lender.lends("pool", "another", Connections::new(8), bounds(8), Bounds::default());
        assert_eq!(another.allocatable, Connections::ZERO, "another budget took the name");
    }
}
