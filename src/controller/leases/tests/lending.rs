//! Budgets that another one lists, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{NOW, leasing};
use crate::api::parse::Name;
use crate::budget::capacity::ServerLimits;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::{Bounds, Entry, Ledger, Origin};
use crate::cluster::view::{View, item};
use crate::controller::leases::facts::Facts;
use crate::controller::leases::ledgers::{Kept, Ledgers};
use crate::controller::leases::lending::{lend, meet};

struct Cluster {
    view: View,
    ledgers: Arc<Ledgers>,
}

fn name(of: &str) -> Name {
    Name::new("shop", of)
}

const fn bounds(n: u64, generation: i64) -> Bounds {
    Bounds { allocatable: Connections::new(n), reserve: Connections::ZERO, generation }
}

/// A ledger that grants, of so many, with entries of others.
fn ledger(of: u64, generation: i64, lent: &[(&str, i64, u32)]) -> Ledger {
    let mut ledger = leasing();
    ledger.rebound(bounds(of, generation));
    for (to, generation, connections) in lent {
        let (origin, name) = (Origin::Budget, (*to).to_owned());
        let entry = Entry { name, connections: *connections, origin, ..Entry::default() };
        ledger.enter(format!("budget/{to}/{to}/0/{generation}/{connections}").into(), entry);
    }
    ledger
}

fn holds(mut ledger: Ledger, connections: u32) -> Ledger {
    ledger.enter("pod".into(), Entry { connections, ..Entry::default() });
    ledger
}

impl Cluster {
    fn new() -> Self {
        Self { view: View::default(), ledgers: Ledgers::new().0 }
    }

    fn add(&mut self, of: &str, generation: i64, capacity: &Value, lists: &[&str], hard: u64) {
        let outside: Vec<Value> = lists.iter().map(|of| json!({"name": of, "budgetRef": {"name": of}})).collect();
        let spec = json!({"capacity": capacity, "enforcement": "Lease", "reserve": 0, "outside": outside});
        let numbers = json!({"hard": hard, "reserve": 0, "outside": 0, "allocatable": hard, "source": "x"});
        let status = json!({"observedGeneration": generation, "capacity": numbers});
        let metadata = json!({"name": of, "namespace": "shop", "uid": of, "generation": generation});
        let budget = json!({"apiVersion": "dbbudget.dev/v1alpha1", "kind": "DatabaseBudget", "metadata": metadata,
            "spec": spec, "status": status});
        self.view.apply(item::budget(serde_json::from_value(budget).expect("an object")));
    }

    /// Of so many, by its spec.
    fn budget(&mut self, of: &str, generation: i64, hard: u64, lists: &[&str]) {
        self.add(of, generation, &json!({"static": {"maxConnections": hard, "serverReserved": 0}}), lists, hard);
    }

    fn keep(&self, of: &str, ledger: Ledger) {
        self.ledgers.put(&name(of), Some(Kept { ledger, ..Kept::default() }));
    }

    fn facts(&self, of: &str, ledger: &Ledger) -> Facts {
        let mut facts = Facts::gather(&self.view, &name(of), Some(ledger), &BTreeMap::new());
        meet(&mut facts, &self.view, &self.ledgers, &name(of), ledger);
        facts
    }

    fn bound(&self, of: &str, ledger: &Ledger) -> Connections {
        self.facts(of, ledger).terms.expect("it leases").bounds.expect("they are known").allocatable
    }

    /// What is lent at a look.
    fn lent(&self, of: &str, before: &Ledger) -> Vec<String> {
        let (facts, mut ledger) = (self.facts(of, before), before.clone());
        ledger.rebound(facts.terms.as_ref().expect("it leases").bounds.expect("they are known"));
        lend(&mut ledger, &facts, (true, Connections::ZERO), "shop/rds", NOW);
        ledger.entries().keys().filter(|key| key.starts_with("budget/")).map(ToString::to_string).collect()
    }
}

#[test]
fn nobody_is_recorded_before_it_is_known_what_its_pods_hold() {
    let mut cluster = Cluster::new();
    cluster.budget("pool", 2, 4, &[]);
    cluster.budget("rds", 2, 40, &["pool"]);
    let before = ledger(20, 1, &[]);
    assert!(cluster.lent("rds", &before).is_empty());
    assert_eq!(cluster.bound("rds", &before), Connections::new(20), "and meanwhile there is no more than before");
    cluster.keep("pool", holds(ledger(20, 1, &[]), 18)); // it has not followed its spec
    assert_eq!(cluster.lent("rds", &before), ["budget/pool/pool/0/2/20"]);
    assert_eq!(cluster.bound("rds", &before), Connections::new(40));
}

#[test]
fn what_is_recorded_goes_when_all_of_the_new_spec_is_known() {
    let mut cluster = Cluster::new();
    cluster.budget("pool", 1, 10, &[]);
    cluster.keep("pool", holds(ledger(10, 1, &[]), 10));
    cluster.budget("rds", 2, 20, &["pool-v2"]);
    let before = ledger(20, 1, &[("pool", 1, 10)]);
    assert_eq!(cluster.lent("rds", &before), ["budget/pool/pool/0/1/10"], "pool-v2 does not exist");
    cluster.budget("pool-v2", 1, 10, &[]);
    assert_eq!(cluster.lent("rds", &before), ["budget/pool/pool/0/1/10"], "nobody has looked at its ledger");
    cluster.ledgers.put(&name("pool-v2"), None);
    assert_eq!(cluster.lent("rds", &before), ["budget/pool-v2/pool-v2/0/1/10"]);
    let newer = ledger(20, 3, &[("pool", 1, 10)]);
    let kept: BTreeSet<String> = cluster.lent("rds", &newer).into_iter().collect();
    assert!(kept.contains("budget/pool/pool/0/1/10"), "whoever knows an older spec drops nothing");
}

#[test]
fn each_of_two_lenders_counts_for_itself() {
    let mut cluster = Cluster::new();
    cluster.budget("pool", 2, 20, &[]);
    for lender in ["rds", "other"] {
        cluster.budget(lender, 1, 40, &["pool"]);
        cluster.keep(lender, ledger(40, 1, &[("pool", 2, 10)]));
    }
    assert_eq!(cluster.bound("pool", &ledger(10, 1, &[])), Connections::new(10));
}

#[test]
fn a_ledger_that_nobody_has_looked_at_may_be_a_lenders() {
    let mut cluster = Cluster::new();
    cluster.budget("pool", 2, 20, &[]);
    cluster.add("rds", 2, &json!({"static": {"maxConnections": "many"}}), &["pool"], 40);
    let before = ledger(10, 1, &[]);
    let bound = |cluster: &Cluster| cluster.bound("pool", &before);
    assert_eq!(bound(&cluster), Connections::new(10), "nobody knows which ledgers are stored");
    cluster.ledgers.begin([name("rds"), name("pool")].into());
    assert_eq!(bound(&cluster), Connections::new(10));
    cluster.keep("rds", ledger(40, 1, &[("pool", 1, 10)]));
    assert_eq!(bound(&cluster), Connections::new(10), "it records 10, for an earlier spec");
    cluster.ledgers.clear();
    cluster.ledgers.begin([name("pool")].into());
    assert_eq!(bound(&cluster), Connections::new(20), "it has none");
}

/// A lender of 12 has recorded 2 for another budget, whose spec wants so many by now.
fn raise(mut lender: Ledger, facts: &mut Facts, wants: u64) -> Ledger {
    let mut cluster = Cluster::new();
    cluster.budget("pool", 2, wants, &[]);
    cluster.budget("rds", 1, 12, &["pool"]);
    cluster.keep("pool", ledger(wants, 2, &[]));
    lender.rebound(bounds(12, 1));
    let entry = Entry { name: "pool".into(), connections: 2, origin: Origin::Budget, ..Entry::default() };
    lender.enter("budget/pool/pool/0/1/2".into(), entry);
    facts.borrowers = cluster.facts("rds", &lender).borrowers;
    facts.listed.insert("pool".into());
    facts.terms.as_mut().expect("it leases").bounds = Some(bounds(12, 1));
    lender
}

#[test]
fn the_room_for_rollouts_is_not_lent() {
    let (lender, mut facts) = super::rollout(3, &["a", "b", "c"], &[("new", "2")]); // 9 of 10, and 1 is room
    let before = raise(lender, &mut facts, 3);
    let plan = super::decided(&before, &facts, &mut super::Lost::default());
    assert_eq!(plan.ledger.lent(), Connections::new(2), "the third one is the room");
    assert_eq!(plan.ledger.entries()["new"].connections, 1, "with which the rollout gets on");
    assert_eq!(plan.ledger.held(Source::Allocatable), Connections::new(12));
}

#[test]
fn a_raise_that_never_fits_keeps_no_pod_waiting() {
    let (lender, mut facts) = super::rollout(3, &["a"], &[("more", "1")]);
    for (wants, waits) in [(11, true), (12, false)] {
        let before = raise(lender.clone(), &mut facts, wants); // of 12, and 1 is the room
        let plan = super::decided(&before, &facts, &mut super::Lost::default());
        assert_eq!(plan.ledger.lent(), Connections::new(2), "a pod holds 3");
        assert_eq!(!plan.ledger.knows("more"), waits, "{wants}");
    }
}

#[test]
fn whoever_replaces_a_lost_pod_comes_before_a_raise() {
    let (lender, mut facts) = super::rollout(3, &["a", "b"], &[("again", "1")]); // 6, where 9 were
    let before = raise(lender, &mut facts, 5);
    let decided = |lost: &mut super::Lost| super::decided(&before, &facts, lost).ledger;
    assert_eq!(decided(&mut super::Lost::default()).lent(), Connections::new(5), "nobody was lost: 6 + 5 and the room");
    let mut lost = super::Lost::default();
    lost.note(&super::key(), NOW, 1);
    let ledger = decided(&mut lost);
    assert_eq!((ledger.lent(), ledger.entries()["again"].connections), (Connections::new(2), 1));
}

#[test]
fn what_a_server_says_counts_when_it_is_published() {
    let mut cluster = Cluster::new();
    cluster.add("pool", 1, &json!({"postgres": {"secretKeyRef": {"name": "db", "key": "url"}, "expected": 8}}), &[], 8);
    cluster.budget("rds", 1, 40, &["pool"]);
    cluster.ledgers.put(&name("pool"), None);
    assert_eq!(cluster.lent("rds", &ledger(40, 1, &[])), ["budget/pool/pool/0/1/8"], "as it is expected");
    let lender = ledger(40, 1, &[("pool", 1, 8)]);
    assert_eq!(cluster.lent("rds", &lender), ["budget/pool/pool/0/1/8"]);
    cluster.keep("rds", lender.clone());
    let limits = ServerLimits { max_connections: 20, reserved: 0, role: None, database: None };
    cluster.view.put_answers(Arc::new([(name("pool"), Ok(limits))].into()));
    assert_eq!(cluster.bound("pool", &ledger(8, 1, &[])), Connections::new(8), "no less than before");
    assert_eq!(cluster.lent("rds", &lender), ["budget/pool/pool/0/1/20"]);
}
