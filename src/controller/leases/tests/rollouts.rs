//! Pods of two revisions, and the room for the one that surges.

use std::sync::Arc;

use super::{BUDGET, NOW, Pod, claim, decided, key, pod, rollout};
use crate::budget::connections::Connections;
use crate::budget::ledger::{Entry, Moment};
use crate::controller::leases::asking::{Lost, room};
use crate::controller::leases::claims::Claim;
use crate::controller::leases::facts::Member;
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

/// Of a, b and c, the first is replaced by `new`, which has 1. Then comes `next`.
#[test]
fn only_the_first_pod_of_a_rollout_has_less_than_its_share() {
    let next_to = |held: &[(&str, u32)], created| {
        let (mut ledger, mut facts) = rollout(3, &[], &[("next", "2")]);
        for (name, connections) in held {
            let (revision, is_old) = if *name == "new" { ("2", false) } else { ("1", *name == "a") };
            let mut pod = Pod { revision: revision.into(), ..pod(name, Some(*connections)) };
            pod.seen.deleting = is_old;
            ledger.enter(pod.uid.clone(), Entry { connections: *connections, ..Entry::default() });
            facts.members.insert(pod.uid.clone(), Member { pod: Arc::new(pod), claim: 0, waits: false });
        }
        Arc::make_mut(&mut facts.members.get_mut("next").expect("it waits").pod).created = Moment(created);
        let plan = decided(&ledger, &facts, &mut Lost::default());
        (plan.ledger.entries().get("next").map(|entry| entry.connections), plan.again)
    };
    let replaced = [("b", 3), ("c", 3), ("new", 1)];
    assert_eq!(next_to(&replaced, 999).0, Some(3), "with what the room adds: 10 of 10");
    let closing = [("a", 3), ("b", 2), ("c", 3), ("new", 1)];
    assert_eq!(next_to(&closing, 999), (None, Some(Moment(1_029))), "1 fits, and a is about to give back its 3");
    assert_eq!(next_to(&closing, 960).0, Some(1), "a takes its time");
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
