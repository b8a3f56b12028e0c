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

/// A pool's budget, of this generation, that wants so many and can use others; nothing: its ledger has not followed.
fn pool(generation: i64, wants: u32, uses: Option<u32>) -> Borrower {
    let spec = Spec { uid: "u".into(), created: Moment(0), generation };
    let (most, follows) = (uses.unwrap_or(0), uses.is_some());
    Borrower { name: "pool".into(), spec, wants, says: Says::Spec, holds: 0, most, follows, is_kept: true }
}

fn lent(ledger: &Ledger, borrower: &Borrower) -> Ledger {
    let mut ledger = ledger.clone();
    ledger.lend(borrower, "shop", (Some(1), Connections::ZERO), NOW);
    ledger
}

/// Keys of what is lent, without what all have in common.
fn keys(ledger: &Ledger) -> Vec<String> {
    let lent = ledger.entries().iter().filter(|(_, entry)| entry.origin == Origin::Budget);
    lent.map(|(key, _)| key.replace("budget/pool/u/0/", "")).collect()
}

#[test]
fn what_another_budget_has_is_a_fact_at_first_and_then_grows_only_where_it_fits() {
    let ledger = lent(&leasing(), &pool(1, 6, None));
    assert_eq!(keys(&ledger), ["1/6"]);
    assert_eq!(keys(&lent(&ledger, &pool(2, 10, Some(6)))), ["2/10"]);
    let refused = pool(2, 11, Some(6));
    assert_eq!(keys(&lent(&ledger, &refused)), ["2/6"], "there are 10");
    let may_grow = |how| {
        let mut ledger = ledger.clone();
        ledger.lend(&pool(2, 7, Some(6)), "shop", how, NOW);
        keys(&ledger)
    };
    assert_eq!(may_grow((None, Connections::ZERO)), ["2/6"], "nobody knows what there is");
    assert_eq!(may_grow((Some(1), Connections::new(4))), ["2/6"], "4 are kept for pods");
    assert_eq!(may_grow((Some(1), Connections::new(3))), ["2/7"]);
    assert_eq!(refused.lacks(&ledger), 5);
}

#[test]
fn what_it_holds_is_a_fact_whatever_its_spec_says() {
    let holds = |n, wants| Borrower { holds: n, most: n, ..pool(2, wants, None) };
    assert_eq!(
        keys(&lent(&leasing(), &holds(18, 4))),
        ["2/18"],
        "its ledger has not followed, and nothing was recorded"
    );
    let ledger = lent(&leasing(), &pool(1, 6, None));
    assert_eq!(keys(&lent(&ledger, &holds(18, 4))), ["2/18"], "nor before its spec did");
    let escaped = Borrower { follows: true, ..holds(12, 6) };
    assert_eq!(keys(&lent(&ledger, &escaped)), ["2/12"], "though there are 10");
    assert_eq!(keys(&lent(&ledger, &Borrower { holds: 5, ..pool(2, 12, Some(5)) })), ["2/6"], "that is a wish");
}

#[test]
fn it_shrinks_after_the_borrower_has() {
    let ledger = lent(&leasing(), &pool(1, 6, None));
    let asked = lent(&ledger, &pool(2, 4, None));
    assert_eq!(keys(&asked), ["2/6"], "its ledger has not followed");
    let held = lent(&asked, &pool(2, 4, Some(5)));
    assert_eq!(keys(&held), ["2/5"], "its pods still hold 5");
    assert_eq!(keys(&lent(&held, &pool(2, 4, Some(3)))), ["2/4"]);
    assert_eq!(lent(&held, &pool(1, 4, Some(3))), held, "whoever knows an older spec changes nothing");
}

#[test]
fn of_two_budgets_of_its_name_the_later_one_counts() {
    let of = |uid: &str, created, generation| {
        let spec = Spec { uid: uid.into(), created: Moment(created), generation };
        Borrower { spec, ..pool(1, 6, Some(0)) }
    };
    let later = lent(&leasing(), &of("v", 200, 1));
    assert_eq!(lent(&later, &of("u", 100, 7)), later);
    assert_eq!(keys(&lent(&lent(&leasing(), &of("u", 100, 7)), &of("v", 200, 1))), ["budget/pool/v/200/1/6"]);
}

#[test]
fn what_a_server_says_is_never_less_for_the_same_spec_nor_is_a_guess() {
    let says = |says, generation, wants| Borrower { says, ..pool(generation, wants, Some(0)) };
    let ledger = lent(&leasing(), &says(Says::Server, 1, 6));
    assert_eq!(keys(&lent(&ledger, &says(Says::Server, 1, 4))), ["1/6"], "another controller may have heard 6");
    assert_eq!(keys(&lent(&ledger, &says(Says::Server, 1, 8))), ["1/8"]);
    assert_eq!(keys(&lent(&ledger, &says(Says::Server, 2, 4))), ["2/4"]);
    assert_eq!(keys(&lent(&ledger, &says(Says::Nobody, 2, 9))), ["2/6"]);
    assert_eq!(says(Says::Nobody, 2, 9).lacks(&ledger), 0);
    assert_eq!(
        keys(&lent(&ledger, &says(Says::Guess, 2, 9))),
        ["2/9"],
        "a server that never answers is no reason to wait"
    );
    assert_eq!(keys(&lent(&ledger, &says(Says::Guess, 2, 4))), ["2/6"]);
    assert_eq!(keys(&lent(&leasing(), &says(Says::Guess, 1, 9))), ["1/9"], "better than nothing");
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
    let was_free = lender.lends("pool", "u", Connections::new(8), wanted, bounds(80)).allocatable;
    assert_eq!(was_free, Connections::new(6), "nobody kept it before, and 6 are recorded");
    let another = lender.lends("pool", "another", Connections::new(8), bounds(8), Bounds::default());
    assert_eq!(another.allocatable, Connections::ZERO, "another budget took the name");
}
