//! What becomes of ledgers: pods, entries and reads go in as values.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::asking::{Lost, kept_for_lost};
use super::claims::Claim;
use super::decide::decide;
use super::facts::{Absent, Facts, Member, Terms};
use super::plan::{Known, Plan};
use crate::api::parse::Name;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::adoption::{Replica, adopt};
use crate::budget::ledger::ended::{Answer, NodeSeen, PodSeen, judge};
use crate::budget::ledger::queue::Why;
use crate::budget::ledger::{Bounds, Ledger, Moment, Origin, Phase, Uid};
use crate::cluster::view::pods::{Crash, Gate, Pod};
use crate::pod::pinned::Pinned;
use crate::workload::Key;

mod lending;
mod rollouts;

const BUDGET: &str = "shop/rds";
const NOW: Moment = Moment(1_000);
const BOUNDS: Bounds = Bounds { allocatable: Connections::new(10), reserve: Connections::new(0), generation: 1 };
const RUNNING: PodSeen =
    PodSeen { running: true, bound: true, terminal: false, deleting: false, collected: false, last: false };

fn key() -> Key {
    Key { group: "apps".into(), kind: "Deployment".into(), namespace: "shop".into(), name: "api".into() }
}

pub fn claim(replicas: u32) -> Claim {
    Claim {
        id: "shop/api".into(),
        key: key(),
        priority: 0,
        source: Source::Allocatable,
        replicas: Some(replicas),
        missing: 0,
        is_stuck: false,
        deadline: None,
        newest: None,
        processes: None,
        is_published: true,
        as_written: Some(Connections::new(7)),
        limits: [(("app".to_owned(), "default".to_owned()), 3)].into(),
    }
}

/// A pod that was born with 1 and reads its pool; `granted`: with these since.
fn pod(name: &str, granted: Option<u32>) -> Pod {
    let shape = r#"[{"budget":"shop/rds","claim":"shop/api","awaits":true,"containers":[{"name":"app","processes":1,
        "engines":[{"name":"default","count":1,"limit":1}]}]}]"#;
    let grant = granted.map(|limit| ("dbbudget.dev/granted.rds".to_owned(), limit.to_string()));
    let shape = ("dbbudget.dev/shape".to_owned(), shape.to_owned());
    let pinned = Pinned::read(&[shape].into_iter().chain(grant).collect()).expect("a shape");
    let gate = Gate { place: 0, keys: vec!["app.dbbudget.dev/rds.default.pool".into()] };
    Pod {
        namespace: "shop".into(),
        name: name.into(),
        uid: name.into(),
        owners: vec![key()],
        revision: "1".into(),
        created: Moment(900),
        grace: 30,
        gate: granted.is_none().then_some(gate),
        holds: granted.is_some(),
        seen: if granted.is_some() { RUNNING } else { PodSeen::default() },
        node: granted.map(|_| "n1".into()),
        pinned: Some(Arc::new(pinned)),
        ..Pod::default()
    }
}

fn facts(replicas: u32, pods: Vec<Pod>) -> Facts {
    let terms = Terms {
        bounds: Some(BOUNDS),
        generation: 1,
        room: Connections::ZERO,
        drain: 10,
        quarantine: 900,
        reserved: Vec::new(),
    };
    let member = |pod: Pod| {
        let waits = pod.gate.is_some();
        (pod.uid.clone(), Member { pod: Arc::new(pod), claim: 0, waits })
    };
    let members = pods.into_iter().map(member).collect();
    Facts { terms: Some(terms), uid: "u".into(), claims: vec![claim(replicas)], members, ..Facts::default() }
}

fn known<'a>(
    elsewhere: &'a BTreeSet<Uid>,
    verdicts: &'a [(Absent, crate::budget::ledger::ended::Verdict)],
) -> Known<'a> {
    Known {
        budget: BUDGET,
        verdicts,
        adopted: None,
        freed: &[],
        elsewhere,
        hopeless: elsewhere,
        promised: elsewhere,
        node: &|_| NodeSeen::Silent,
        unknown_since: None,
        now: NOW,
    }
}

fn leasing() -> Ledger {
    let mut ledger = Ledger::born(BOUNDS);
    let replica = Replica { confirmed: Some((1, Moment(0))), live: true };
    ledger.begin(adopt(1, &[replica], 60, Moment(60), []).expect("adopted"));
    ledger
}

fn decided(ledger: &Ledger, facts: &Facts, lost: &mut Lost) -> Plan {
    decide(ledger, true, facts, known(&BTreeSet::new(), &[]), lost)
}

fn names(pods: &[Arc<Pod>]) -> Vec<&str> {
    pods.iter().map(|pod| pod.name.as_str()).collect()
}

#[test]
fn who_fits_is_granted_its_share_and_executed_until_its_gate_is_gone() {
    let waiting = facts(4, ["a", "b", "c", "d"].map(|name| pod(name, None)).into());
    let plan = decided(&leasing(), &waiting, &mut Lost::default());
    assert_eq!(plan.ledger.held(Source::Allocatable), Connections::new(9));
    assert_eq!(names(&plan.execute), ["a", "b", "c"]);
    let values = &plan.ledger.entries()["a"].values;
    assert_eq!(values["app.dbbudget.dev/rds.default.pool"], "3");
    let waits = plan.waiting.iter().map(|w| (w.pod.name.as_str(), w.why.clone())).collect::<Vec<_>>();
    assert_eq!(waits, [("d", Why::NoRoom { needs: 3, free: Connections::new(1) })]);
    let again = decided(&plan.ledger, &waiting, &mut Lost::default());
    assert_eq!((again.ledger, names(&again.execute).len()), (plan.ledger, 3), "nothing new, and still to be executed");
}

#[test]
fn nothing_is_granted_while_it_adopts_or_by_another_budgets_ledger() {
    let waiting = facts(1, vec![pod("a", None)]);
    let born = decided(&Ledger::born(BOUNDS), &waiting, &mut Lost::default());
    assert_eq!((born.ledger.entries().len(), &born.waiting[0].why), (0, &Why::Adopting));
    let (none, mut lost) = (BTreeSet::new(), Lost::default());
    let others = decide(&leasing(), false, &waiting, known(&none, &[]), &mut lost);
    assert_eq!((others.ledger.phase(), others.ledger.entries().len()), (Phase::Adopting, 0));
}

/// Generations begin anew with a budget that is deleted and made again.
#[test]
fn a_budget_that_took_the_name_of_another_owes_its_generations_nothing() {
    let old = Bounds { generation: 7, ..BOUNDS };
    let mut ledger = leasing();
    ledger.rebound(old);
    let mut waiting = facts(1, vec![pod("a", None)]);
    let (none, mut lost) = (BTreeSet::new(), Lost::default());
    waiting.terms.as_mut().expect("it leases").bounds = None;
    let unknown = decide(&ledger, false, &waiting, known(&none, &[]), &mut lost).ledger;
    assert_eq!((unknown.phase(), unknown.bounds()), (Phase::Adopting, Bounds::default()));
    waiting.terms.as_mut().expect("it leases").bounds = Some(BOUNDS);
    let numbers = decide(&unknown, true, &waiting, known(&none, &[]), &mut lost).ledger;
    assert_eq!((numbers.phase(), numbers.bounds()), (Phase::Adopting, BOUNDS));
}

#[test]
fn who_slipped_past_counts_as_it_is_written_whatever_is_written_on_it() {
    let escaped = Pod { gate: None, ..pod("escaped", None) };
    let bare = Pod { gate: None, pinned: None, ..pod("bare", None) };
    let plan = decided(&leasing(), &facts(2, vec![escaped, bare]), &mut Lost::default());
    let entries = plan.ledger.entries();
    assert_eq!([&entries["escaped"], &entries["bare"]].map(|e| (e.connections, e.origin)), [(7, Origin::Escaped); 2]);
    assert!(plan.execute.is_empty());
}

/// One pod with an entry that nobody sees any more, and what a read of it says.
fn gone(last: Option<Pod>, answer: &Answer) -> Plan {
    losing(last, answer, &mut Lost::default())
}

fn losing(last: Option<Pod>, answer: &Answer, places: &mut Lost) -> Plan {
    let mut ledger = leasing();
    let granted = decided(&ledger, &facts(1, vec![pod("a", None)]), &mut Lost::default());
    ledger = granted.ledger;
    let (uid, last): (Uid, _) = ("a".into(), last.map(Arc::new));
    let verdict = judge(&uid, answer, last.as_ref().map(|pod| pod.seen));
    let absent = Absent { uid, pod: Name::new("shop", "a"), last, place: None };
    decide(&ledger, true, &facts(1, Vec::new()), known(&BTreeSet::new(), &[(absent, verdict)]), places)
}

#[test]
fn the_place_of_a_pod_that_is_gone_is_what_it_held() {
    let stopped = PodSeen { running: false, terminal: true, deleting: true, last: true, ..RUNNING };
    let mut lost = Lost::default();
    let plan = losing(Some(Pod { seen: stopped, ..pod("a", Some(3)) }), &Answer::NotFound, &mut lost);
    assert_eq!(plan.again, Some(Moment(1_060)), "for a minute");
    assert_eq!(kept_for_lost(&facts(1, Vec::new()), &lost), Connections::new(3), "not the 1 that it could do with");
    assert_eq!(kept_for_lost(&facts(0, Vec::new()), &lost), Connections::ZERO, "it was scaled down");
}

#[test]
fn connections_come_back_on_proof_and_are_kept_apart_without() {
    let stopped = PodSeen { running: false, terminal: true, deleting: true, last: true, ..RUNNING };
    let clean = gone(Some(Pod { seen: stopped, ..pod("a", Some(3)) }), &Answer::NotFound);
    assert_eq!((clean.ledger.entries().len(), clean.ledger.quarantined().len()), (0, 0));
    let forced = gone(Some(pod("a", Some(3))), &Answer::NotFound);
    let kept = &forced.ledger.quarantined()["a"];
    assert_eq!((kept.node.as_deref(), kept.killed_after, kept.until), (Some("n1"), 30 + 10 + 25, Moment(1_900)));
    assert_eq!(forced.again, Some(Moment(1_010)), "its node is asked about");
    let unseen = gone(None, &Answer::Another);
    let kept = &unseen.ledger.quarantined()["a"];
    assert_eq!((kept.node.as_deref(), kept.killed_after), (None, 900), "nobody knows its grace");
    assert_eq!(unseen.ledger.held(Source::Allocatable), Connections::new(3));
}

#[test]
fn a_container_that_was_killed_leaves_its_queries_behind() {
    let stopped = PodSeen { running: false, terminal: true, deleting: true, last: true, ..RUNNING };
    let crashes = vec![Crash { container: "app".into(), count: 0, at: Moment(995) }];
    let killed = Pod { seen: stopped, crashes: crashes.clone(), ..pod("a", Some(3)) };
    let plan = gone(Some(killed), &Answer::NotFound);
    let drain = &plan.ledger.entries()["a/app/0"];
    assert_eq!((drain.origin, drain.connections, drain.until), (Origin::Drain, 3, Some(Moment(1_010))));
    assert_eq!(plan.again, Some(Moment(1_010)));
    let long_ago = vec![Crash { at: Moment(980), ..crashes[0].clone() }];
    let plan = gone(Some(Pod { seen: stopped, crashes: long_ago, ..pod("a", Some(3)) }), &Answer::NotFound);
    assert!(plan.ledger.entries().is_empty());
}

fn with_room(room: u64, mut facts: Facts) -> Facts {
    facts.terms.as_mut().expect("it leases").room = Connections::new(room);
    facts
}

/// `old` pods of revision 1 run, each with 3, and others wait.
fn rollout(replicas: u32, old: &[&str], new: &[(&str, &str)]) -> (Ledger, Facts) {
    let mut ledger = leasing();
    let waiting = facts(replicas, old.iter().map(|name| pod(name, None)).collect());
    ledger = decided(&ledger, &waiting, &mut Lost::default()).ledger;
    let running = old.iter().map(|name| pod(name, Some(3)));
    let wait = new.iter().map(|(name, revision)| Pod {
        revision: (*revision).into(),
        created: Moment(950),
        ..pod(name, None)
    });
    (ledger, with_room(1, facts(replicas, running.chain(wait).collect())))
}

#[test]
fn what_nobody_knows_any_more_is_granted_for_ten_minutes() {
    let mut waiting = facts(1, vec![pod("a", None)]);
    waiting.terms.as_mut().expect("it leases").bounds = None;
    let (none, mut lost) = (BTreeSet::new(), Lost::default());
    let since = |at| Known { unknown_since: Some(Moment(at)), ..known(&none, &[]) };
    let plan = decide(&leasing(), true, &waiting, since(401), &mut lost);
    assert!(plan.ledger.knows("a"));
    let plan = decide(&leasing(), true, &waiting, since(400), &mut lost);
    assert_eq!((plan.ledger.knows("a"), &plan.waiting[0].why), (false, &Why::CapacityUnknown));
}

#[test]
fn a_pod_of_a_workload_that_has_just_appeared_waits_for_its_share() {
    let mut waiting = facts(1, vec![Pod { created: Moment(998), ..pod("a", None) }]);
    waiting.claims[0].is_published = false;
    let plan = decided(&leasing(), &waiting, &mut Lost::default());
    assert_eq!((&plan.waiting[0].why, plan.again), (&Why::NoShareYet, Some(Moment(1_003))));
    waiting.claims[0].limits.clear();
    let none = BTreeSet::new();
    let later = Known { now: Moment(1_003), ..known(&none, &[]) };
    let plan = decide(&leasing(), true, &waiting, later, &mut Lost::default());
    assert_eq!(plan.ledger.entries()["a"].connections, 1, "the smallest, rather than nothing");
}

/// Both draw from another budget, too. The older one holds connections of it already, the other waits for it.
#[test]
fn who_holds_connections_of_another_budget_comes_before_who_waits_for_it() {
    let (waits, holds): (BTreeSet<Uid>, BTreeSet<Uid>) = (["a".into()].into(), ["b".into()].into());
    let (ledger, facts) = rollout(9, &["x", "y"], &[("a", "1"), ("b", "1")]);
    let facts = with_room(0, facts);
    let none = BTreeSet::new();
    let of = |promised| Known { hopeless: &none, promised, ..known(&waits, &[]) };
    let plan = decide(&ledger, true, &facts, of(&none), &mut Lost::default());
    assert!(!plan.ledger.knows("b"), "room is kept for the first");
    let plan = decide(&ledger, true, &facts, of(&holds), &mut Lost::default());
    assert!(plan.ledger.knows("b") && plan.has_room_for.is_empty());
}
