//! Pods of two revisions, and the room for the one that surges.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{BUDGET, NOW, Pod, claim, decided, key, pod, rollout};
use crate::api::reserved::Reservation;
use crate::budget::connections::Connections;
use crate::budget::ledger::{Entry, Ledger, Moment};
use crate::controller::leases::asking::Lost;
use crate::controller::leases::claims::Claim;
use crate::controller::leases::facts::{Facts, Member};
use crate::controller::leases::surging::room;
use crate::workload::Key;

#[test]
fn a_surging_pod_has_the_room_that_others_leave() {
    let (ledger, facts) = rollout(3, &["a", "b", "c"], &[("new", "2")]);
    let plan = decided(&ledger, &facts, &mut Lost::default());
    assert_eq!(plan.ledger.entries()["new"].connections, 1);
    assert_eq!(room(&facts, BUDGET, &plan.ledger).used, Connections::new(1));
    let (ledger, facts) = rollout(4, &["a", "b", "c"], &[("more", "1")]);
    let plan = decided(&ledger, &facts, &mut Lost::default());
    assert!(!plan.ledger.knows("more"), "nobody ends for one that is scaled up");
    let (ledger, facts) = rollout(3, &["a", "b", "c"], &[("more", "1")]);
    let plan = decided(&ledger, &facts, &mut Lost::default());
    assert!(!plan.ledger.knows("more"), "nor before its replicas are heard of");
    let (ledger, facts) = rollout(1, &["a", "b"], &[]);
    assert_eq!(room(&facts, BUDGET, &ledger).used, Connections::ZERO, "no rollout uses it");
}

/// `next`, of revision 2, waits since then. These others hold so many; an `a` is on its way out.
fn held(replicas: u32, held: &[(&str, &str, u32)], created: i64) -> (Ledger, Facts) {
    let (mut ledger, mut facts) = rollout(replicas, &[], &[("next", "2")]);
    for (name, revision, connections) in held {
        let mut pod = Pod { revision: (*revision).into(), ready: true, ..pod(name, Some(*connections)) };
        pod.seen.deleting = *name == "a";
        ledger.enter(pod.uid.clone(), Entry { connections: *connections, ..Entry::default() });
        facts.members.insert(pod.uid.clone(), Member { pod: Arc::new(pod), claim: 0, waits: false });
    }
    change(&mut facts, "next", |pod| pod.created = Moment(created));
    (ledger, facts)
}

fn change(facts: &mut Facts, name: &str, change: impl FnOnce(&mut Pod)) {
    change(Arc::make_mut(&mut facts.members.get_mut(name).expect("it is there").pod));
}

fn next((ledger, facts): &(Ledger, Facts)) -> Option<u32> {
    let plan = decided(ledger, facts, &mut Lost::default());
    plan.ledger.entries().get("next").map(|entry| entry.connections)
}

#[test]
fn only_the_first_pod_of_a_rollout_has_less_than_its_share() {
    let replaced = [("b", "1", 3), ("c", "1", 3), ("new", "2", 1)];
    assert_eq!(next(&held(3, &replaced, 999)), Some(3), "with what the room adds: 10 of 10");
    let closing = [("a", "1", 3), ("b", "1", 2), ("c", "1", 3), ("new", "2", 1)];
    let (ledger, facts) = held(3, &closing, 999);
    assert_eq!(decided(&ledger, &facts, &mut Lost::default()).again, Some(Moment(1_029)));
    assert_eq!(next(&(ledger, facts)), None, "1 fits, and a is about to give back its 3");
    assert_eq!(next(&held(3, &closing, 960)), Some(1), "a takes its time");
    let starting = [("b", "1", 3), ("c", "1", 2), ("d", "1", 3), ("new", "2", 1)];
    assert_eq!(next(&held(3, &starting, 999)), None, "1 fits, and one ends when the first is Ready");
}

#[test]
fn whoever_had_less_for_another_reason_does_not_make_room_for_a_whole_share() {
    let earlier = [("b", "1", 2), ("c", "1", 2), ("d", "1", 2), ("other", "1", 1)];
    let (ledger, mut facts) = held(3, &earlier, 960);
    facts.members.remove("other");
    assert_eq!(
        next(&(ledger, facts)),
        Some(1),
        "their share was smaller; with 3 nobody would see that the room is used"
    );
}

#[test]
fn a_small_pod_of_an_earlier_rollout_does_not_have_the_room_of_the_next() {
    let (ledger, mut facts) = held(4, &[("b", "1", 3), ("c", "1", 3), ("d", "1", 2), ("e", "1", 1)], 999);
    facts.claims[0].missing = 1;
    assert_eq!(room(&facts, BUDGET, &ledger).used, Connections::ZERO);
    facts.claims[0].replicas = Some(3);
    assert_eq!(room(&facts, BUDGET, &ledger).used, Connections::new(1), "all replicas are there without it");
}

#[test]
fn what_people_reserve_leaves_their_places_to_pods_that_are_replaced() {
    let (ledger, mut facts) = rollout(3, &["a", "b"], &[("again", "1")]); // 6 of 10
    let until = Time(Timestamp::from_second(2_000).expect("a time"));
    let psql = Reservation { name: "psql".into(), connections: 4, until };
    facts.terms.as_mut().expect("it leases").reserved = vec![psql.clone()];
    let mut lost = Lost::default();
    lost.note(&key(), NOW, 1);
    let kept = decided(&ledger, &facts, &mut lost).ledger;
    assert!(kept.knows("again") && !kept.knows(&psql.key()), "one of the four is the lost pod's");
    let kept = decided(&ledger, &facts, &mut Lost::default()).ledger;
    assert!(!kept.knows("again") && kept.knows(&psql.key()), "nobody was lost: they take what is free");
}

#[test]
fn the_pod_whose_rollout_does_not_get_on_is_named_and_none_that_ends() {
    let (ledger, mut facts) = held(3, &[("a", "1", 3), ("b", "1", 3), ("new", "2", 1), ("second", "2", 3)], 999);
    facts.claims[0].is_stuck = true;
    let stuck = |facts: &Facts| decided(&ledger, facts, &mut Lost::default()).stuck.map(|pod| pod.name.clone());
    assert_eq!(stuck(&facts), None);
    change(&mut facts, "a", |pod| pod.ready = false);
    assert_eq!(stuck(&facts), None, "it ends");
    change(&mut facts, "second", |pod| pod.ready = false);
    assert_eq!(stuck(&facts).as_deref(), Some("second"));
}

#[test]
fn a_rollout_that_begins_in_the_second_of_the_first_pods_gets_on() {
    // Nothing but its name tells an old revision from a new one, whichever sorts first.
    for revision in ["0", "2"] {
        let (ledger, mut facts) = rollout(3, &["a", "b", "c"], &[("new", revision)]);
        for member in facts.members.values_mut() {
            Arc::make_mut(&mut member.pod).created = Moment(950);
        }
        let plan = decided(&ledger, &facts, &mut Lost::default());
        assert_eq!(plan.ledger.entries()["new"].connections, 1, "{revision}");
        assert_eq!(room(&facts, BUDGET, &plan.ledger).used, Connections::new(1));
    }
}

#[test]
fn the_place_of_a_pod_that_is_created_again_is_kept_from_others() {
    let (ledger, mut facts) = rollout(3, &["a", "b"], &[]);
    facts.claims.push(Claim { id: "shop/jobs".into(), key: Key { name: "jobs".into(), ..key() }, ..claim(9) });
    let other = Member { pod: Arc::new(pod("other", None)), claim: 1, waits: true };
    facts.members.insert("other".into(), other);
    let mut lost = Lost::default();
    lost.note(&key(), NOW, 2);
    assert!(!decided(&ledger, &facts, &mut lost.clone()).ledger.knows("other"), "6 + 2 + 1 leave 1 of 10");
    lost.forget(Moment(NOW.0 + 60));
    assert!(decided(&ledger, &facts, &mut lost).ledger.knows("other"));
}
