use super::*;
use crate::budget::ledger::adoption::{Replica, adopt};
use crate::budget::ledger::{Bounds, Entry};

/// A ledger of this many connections, some of them held.
fn ledger(allocatable: u64, held: u32) -> Ledger {
    let (allocatable, reserve) = (Connections::new(allocatable), Connections::new(2));
    let mut ledger = Ledger::born(Bounds { allocatable, reserve, generation: 1 });
    let known = Replica { confirmed: Some((1, Moment(0))), live: true };
    ledger.begin(adopt(1, &[known], 60, Moment(60), []).unwrap());
    ledger.enter("held".into(), Entry { connections: held, ..Entry::default() });
    ledger
}

fn pod(name: &str, share: u32, since: i64) -> Asking {
    let rank = Rank { replaces: false, priority: 0, newest: true, since: Moment(since) };
    let (uid, source) = (name.into(), Source::Allocatable);
    Asking { uid, source, share, least: 1, rank, surge: Surge::No, patient: false, elsewhere: false }
}

fn told(ledger: &Ledger, asking: Vec<Asking>, room: SurgeRoom) -> Vec<(String, Answer)> {
    answer(ledger, asking, room).into_iter().map(|(asking, answer)| (asking.uid.to_string(), answer)).collect()
}

fn granted(name: &str, connections: u32) -> (String, Answer) {
    (name.into(), Answer::Granted(connections))
}

fn waits(name: &str, why: Why) -> (String, Answer) {
    (name.into(), Answer::Waits(why))
}

const NO_ROOM: SurgeRoom = SurgeRoom { size: Connections::ZERO, used: Connections::ZERO };

#[test]
fn a_replacement_comes_first_then_priority_then_the_newest_revision_then_age() {
    let with = |name: &str, since, change: fn(&mut Rank)| {
        let mut pod = pod(name, 1, since);
        change(&mut pod.rank);
        pod
    };
    let asking = vec![
        with("young", 9, |_| {}),
        with("old", 1, |_| {}),
        with("of an old revision", 0, |rank| rank.newest = false),
        with("important", 8, |rank| rank.priority = 10),
        with("lost", 9, |rank| rank.replaces = true),
    ];
    let order: Vec<String> = told(&ledger(9, 0), asking, NO_ROOM).into_iter().map(|(name, _)| name).collect();
    assert_eq!(order, ["lost", "important", "old", "young", "of an old revision"]);
}

#[test]
fn whoever_waits_first_is_not_overtaken() {
    let asking = vec![pod("large", 5, 1), pod("small", 1, 2)];
    let expected = [waits("large", no_room(5, 4)), waits("small", Why::Behind("large".into()))];
    assert_eq!(told(&ledger(13, 9), asking, NO_ROOM), expected);
    let asking = vec![pod("large", 5, 1), pod("small", 1, 2)];
    assert_eq!(told(&ledger(13, 7), asking, NO_ROOM), [granted("large", 5), granted("small", 1)]);
}

#[test]
fn a_pod_that_waits_for_another_budget_leaves_the_rest_to_others() {
    let asking = || vec![Asking { elsewhere: true, ..pod("both", 3, 1) }, pod("next", 2, 2), pod("last", 1, 3)];
    let expected = [waits("both", Why::Elsewhere), granted("next", 2), waits("last", Why::Behind("both".into()))];
    assert_eq!(told(&ledger(13, 8), asking(), NO_ROOM), expected);
    let found = told(&ledger(13, 9), asking(), NO_ROOM);
    assert_eq!(found[1], waits("next", Why::Behind("both".into())));
}

#[test]
fn what_never_fits_keeps_nobody_waiting() {
    let asking = vec![pod("huge", 14, 1), pod("small", 1, 2)];
    let never = Why::Never { needs: 14, bound: Connections::new(13) };
    assert_eq!(told(&ledger(13, 9), asking, NO_ROOM), [waits("huge", never), granted("small", 1)]);
}

/// Room for a surging pod of two connections, of which some are used.
fn room(used: u64) -> SurgeRoom {
    SurgeRoom { size: Connections::new(2), used: Connections::new(used) }
}

fn surging(name: &str, least: u32, since: i64) -> Asking {
    Asking { least, surge: Surge::Smallest, ..pod(name, 6, since) }
}

const fn no_room(needs: u32, free: u64) -> Why {
    Why::NoRoom { needs, free: Connections::new(free) }
}

#[test]
fn room_for_a_surging_pod_is_kept_from_others_and_given_past_whoever_waits() {
    let asking = vec![pod("scaled up", 3, 1), surging("new", 2, 2), surging("another", 2, 3)];
    let found = told(&ledger(13, 9), asking, room(0));
    assert_eq!(found[0], waits("scaled up", no_room(3, 2)));
    assert_eq!(found[1], granted("new", 2), "its smallest, from the room that is kept for it");
    assert_eq!(found[2], waits("another", no_room(6, 2)), "the room is used");

    let found = told(&ledger(13, 12), vec![surging("new", 2, 1)], room(2));
    assert_eq!(found, [waits("new", no_room(6, 1))], "another one uses it");
    let found = told(&ledger(13, 9), vec![surging("new", 2, 1)], room(2));
    assert_eq!(found, [granted("new", 2)], "its smallest fits beside the one that uses the room");
    let found = told(&ledger(20, 9), vec![surging("new", 2, 1)], room(0));
    assert_eq!(found, [granted("new", 6)], "its share, where that fits beside the room");
}

#[test]
fn the_room_is_given_in_parts_and_only_while_it_is_there() {
    let small = || vec![surging("a", 1, 1), surging("b", 1, 2), surging("c", 1, 3)];
    let expected = [granted("a", 1), granted("b", 1), waits("c", no_room(6, 0))];
    assert_eq!(told(&ledger(13, 11), small(), room(0)), expected);
    let found = told(&ledger(13, 11), vec![surging("large", 2, 1), surging("small", 1, 2)], room(1));
    assert_eq!(found, [waits("large", no_room(6, 1)), granted("small", 1)], "it fits what is left of the room");
    let found = told(&ledger(13, 12), vec![surging("new", 2, 1)], room(0));
    assert_eq!(found, [waits("new", no_room(6, 0))], "facts may fill the room");
}

#[test]
fn a_later_pod_of_a_rollout_has_its_share_with_what_the_room_adds() {
    let owed = |name: &str, since| Asking { surge: Surge::Share, ..surging(name, 2, since) };
    let found = told(&ledger(13, 7), vec![owed("second", 1), surging("another", 2, 2)], room(0));
    assert_eq!(found, [granted("second", 6), waits("another", no_room(6, 0))], "and the room is used");
    assert_eq!(told(&ledger(13, 7), vec![owed("second", 1)], room(2)), [granted("second", 6)], "beside the room");
    assert_eq!(
        told(&ledger(13, 7), vec![surging("first", 2, 1)], room(0)),
        [granted("first", 2)],
        "it is owed nothing"
    );
    assert_eq!(told(&ledger(13, 12), vec![owed("second", 1)], room(0)), [waits("second", no_room(6, 0))]);
    let later = |held| told(&ledger(13, held), vec![Asking { patient: true, ..owed("second", 1) }], room(0));
    assert_eq!(later(8), [waits("second", no_room(6, 3))], "what one of its workload gives back is about to come");
    assert_eq!(later(7), [granted("second", 6)]);
}

#[test]
fn what_neither_fits_the_room_nor_beside_it_keeps_nobody_waiting() {
    let never = |needs, bound| Why::Never { needs, bound: Connections::new(bound) };
    let asking = vec![Asking { share: 12, ..surging("large", 3, 1) }, pod("small", 1, 2)];
    assert_eq!(told(&ledger(13, 9), asking, room(0)), [waits("large", never(12, 11)), granted("small", 1)]);
    let large = Asking { share: 12, ..surging("large", 2, 1) };
    assert_eq!(told(&ledger(13, 9), vec![large], room(0)), [granted("large", 2)]);
}

#[test]
fn a_small_replacement_is_better_than_none() {
    let replaces = |held, room| {
        let mut lost = Asking { least: 2, ..pod("lost", 6, 2) };
        lost.rank.replaces = true;
        told(&ledger(13, held), vec![pod("scaled up", 1, 1), lost], room)
    };
    assert_eq!(replaces(6, NO_ROOM), [granted("lost", 6), granted("scaled up", 1)]);
    assert_eq!(replaces(10, NO_ROOM), [granted("lost", 2), granted("scaled up", 1)]);
    let behind = waits("scaled up", Why::Behind("lost".into()));
    assert_eq!(replaces(12, NO_ROOM), [waits("lost", no_room(6, 1)), behind]);
    let none = waits("scaled up", no_room(1, 0));
    assert_eq!(replaces(11, room(0)), [waits("lost", no_room(6, 0)), none], "the room is not for it");
}

#[test]
fn the_reserve_is_another_queue() {
    let migration = Asking { source: Source::Reserve, ..pod("migration", 2, 5) };
    let found = told(&ledger(13, 13), vec![pod("api", 1, 1), migration], NO_ROOM);
    assert_eq!(found[1], granted("migration", 2));
}
