//! Every interleaving of what dbbudget and the world around it may do, up to a bound: two controllers with views as old as
//! they like, messages that arrive late, never, or after their sender died, pods that are deleted cleanly and by force, a
//! node that is cut off and comes back. The steps are those of `src/budget/ledger`, the very functions that the controller
//! calls.
//!
//! | what is shown | how | where |
//! |---|---|---|
//! | every grant fits, every container is counted | no state that can be reached breaks it, up to a number of writes and ticks | [`explored`] |
//! | whoever fits is granted in the end, and nothing is kept of what is gone | from every state that can be reached a good one is reached by what is bound to happen, in any number of writes and ticks | [`progress`] |
//! | every rollout gets done, beside others and a workload that would take the room | the same, of workloads as Kubernetes' controllers change them | [`rollouts`] |
//! | a budget that is outside of another one has no more than that records, whatever becomes of its spec | as the first | [`lending`] |
//!
//! Bounds: one or two controllers, one or two pods (the second waits for the first), and of each misfortune at most one: a
//! crash, a deletion, a forced one, a node that is cut off, a changed budget, a lost message. Of rollouts: every pair out of
//! eight strategies (six of what may surge and what may be missing, in order, and all at once) with two replicas each, some
//! with one or three; a third workload that is scaled up to three times; one evicted pod for five of the pairs. Each test
//! prints the states that it saw: up to 1.6 million, 43 deep. On two idle cores all of it takes about 100 s and 1.1 GiB.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // How tests fail.

mod controller;
mod explored;
mod graph;
mod lending;
mod progress;
mod rollouts;
mod timeless;
mod world;

use controller::Mistake;
use explored::{COUNTED, Explored, FITS};
use stateright::{Checker, HasDiscoveries, Model};
use world::{Budget, Misfortunes};

const BUDGET: Budget = Budget { allocatable: 3, share: 2, generation: 1 };
const NONE: Misfortunes =
    Misfortunes { crashes: 0, deletions: 1, forced: 0, lost_nodes: 0, budget_changes: 0, lost_messages: 0, ticks: 0 };
/// One controller and one pod that is gated, and nothing goes wrong.
const PLAIN: Explored = Explored {
    mistake: None,
    controllers: 1,
    pods: 1,
    last_waits: false,
    early: None,
    budget: BUDGET,
    changed: Budget { allocatable: 1, share: 1, generation: 2 },
    left: NONE,
    writes: 3,
};
/// A pod that something happens to, and one that waits for its connections.
const WAITS: Explored = Explored { pods: 2, last_waits: true, ..PLAIN };
/// A pod that runs before the ledger grants.
const EARLY: Explored = Explored { early: Some(1), left: Misfortunes { ticks: 2, ..NONE }, writes: 4, ..PLAIN };
/// Two controllers, and two pods of which only one fits.
const RACE: Explored =
    Explored { controllers: 2, pods: 2, writes: 2, left: Misfortunes { deletions: 0, ..NONE }, ..PLAIN };
const VANISHES: Misfortunes = Misfortunes { forced: 1, lost_nodes: 1, ticks: 4, ..NONE };

/// Explores all of it. Answers whether everything held, and in how many states.
fn explore(explored: Explored) -> (Vec<&'static str>, usize, usize) {
    let failed = HasDiscoveries::AnyFailures;
    let checker = explored.checker().threads(2).finish_when(failed).spawn_bfs().join();
    let broken = checker.discoveries().into_keys().filter(|name| [FITS, COUNTED].contains(name));
    (broken.collect(), checker.unique_state_count(), checker.max_depth())
}

fn holds(what: &str, explored: Explored) {
    let begun = std::time::Instant::now();
    let (broken, states, depth) = explore(explored);
    println!("{what}: {states} states, {depth} deep, {:.1?}", begun.elapsed());
    assert!(broken.is_empty(), "{what}: {broken:?}");
    assert!(states > 1_000, "{what}: {states} states are no exploration");
}

#[test]
fn pods_that_vanish_with_and_without_their_node() {
    holds("one pod, forced deletion, a node that is cut off", Explored { left: VANISHES, writes: 4, ..PLAIN });
}

#[test]
fn pods_that_ran_before() {
    holds("a pod that runs before the ledger grants", EARLY);
    let left = Misfortunes { crashes: 1, ticks: 1, ..NONE };
    holds("the same with two controllers, one of which crashes", Explored { controllers: 2, left, ..EARLY });
}

#[test]
fn two_controllers_race_for_two_pods() {
    holds("two controllers, two pods", RACE);
    let left = Misfortunes { budget_changes: 1, deletions: 0, ..NONE };
    holds("two controllers, one pod, a smaller budget", Explored { pods: 1, left, ..RACE });
}

#[test]
fn each_rule_is_needed() {
    let changes = Misfortunes { budget_changes: 1, ..NONE };
    let raised = Budget { share: 3, generation: 2, ..BUDGET };
    let two = Explored { controllers: 2, ..PLAIN };
    let vanishes = Explored { left: VANISHES, writes: 4, ..PLAIN };
    for (mistake, explored) in [
        (Mistake::NoCompareAndSwap, RACE),
        (Mistake::EntriesChange, Explored { left: changes, ..PLAIN }),
        (Mistake::NewestClaim, Explored { left: changes, changed: raised, ..PLAIN }),
        (Mistake::ReleaseAtDeletion, PLAIN),
        (Mistake::AbsenceFromCache, two),
        (Mistake::PhaseTrusted, vanishes.clone()),
        (Mistake::NoQuarantine, vanishes.clone()),
        (Mistake::OneRenewal, vanishes),
        (Mistake::BornLeasing, EARLY),
        (Mistake::EarlyList, EARLY),
    ] {
        let (broken, states, depth) = explore(Explored { mistake: Some(mistake), ..explored });
        println!("without a rule ({mistake:?}): {broken:?} after {states} states, {depth} deep");
        let uncounted = |name: &&str| name.starts_with("no grant") || name.starts_with("every container");
        assert!(
            broken.iter().any(uncounted),
            "{mistake:?} does no harm: the rule against it is not tested, or not needed"
        );
    }
}

/// Explores all of it. Answers the story of a state that is stuck, if there is one.
fn stuck(what: &str, explored: &Explored) -> Option<String> {
    let begun = std::time::Instant::now();
    let progress::Found { states, due, depth, stuck } = progress::explore(explored);
    println!("{what}: {states} states, in {due} of them a pod is due, {depth} deep, {:.1?}", begun.elapsed());
    assert!(due > 0, "{what}: nobody is ever due");
    stuck
}

#[test]
fn whoever_fits_is_granted_in_the_end() {
    let lost = Misfortunes { lost_messages: 1, ..NONE };
    let vanishes = Misfortunes { forced: 1, lost_nodes: 1, ..NONE };
    let changes = Misfortunes { budget_changes: 1, ..NONE };
    for (what, explored) in [
        ("a crash and a lost message", Explored { left: Misfortunes { crashes: 1, ..lost }, ..WAITS }),
        (
            "forced deletion, a node that is cut off, a crash",
            Explored { left: Misfortunes { crashes: 1, ..vanishes }, ..WAITS },
        ),
        ("a pod that runs before", Explored { early: Some(1), left: Misfortunes { crashes: 1, ..lost }, ..WAITS }),
        ("a smaller budget", Explored { left: changes, ..WAITS }),
        ("two controllers, one pod", Explored { controllers: 2, pods: 1, last_waits: false, ..WAITS }),
        ("two controllers, two pods", Explored { controllers: 2, left: Misfortunes { deletions: 0, ..lost }, ..WAITS }),
        ("both end", Explored { last_waits: false, ..WAITS }),
    ] {
        let stuck = stuck(what, &explored);
        assert!(stuck.is_none(), "{what}: {}", stuck.unwrap_or_default());
    }
}

#[test]
fn each_rule_that_serves_in_the_end_is_needed() {
    let forced = Explored { left: Misfortunes { forced: 1, ..NONE }, ..WAITS };
    let lost = Explored { left: Misfortunes { lost_messages: 1, ..NONE }, ..WAITS };
    // The first pod was born when there were three, and there are two.
    let smaller = Explored {
        budget: Budget { share: 3, ..BUDGET },
        changed: Budget { allocatable: 2, share: 2, generation: 2 },
        left: Misfortunes { budget_changes: 1, deletions: 0, ..NONE },
        ..WAITS
    };
    assert!(stuck("whoever never fits waits before another one", &smaller).is_none());
    for (mistake, explored) in [
        (Mistake::NoRelease, &forced),
        (Mistake::NoProofNoEnd, &forced),
        (Mistake::ExecutedOnce, &lost),
        (Mistake::NotReadAgain, &WAITS),
        (Mistake::NeverBlocks, &smaller),
    ] {
        let explored = Explored { mistake: Some(mistake), ..explored.clone() };
        let story = stuck(&format!("without a rule ({mistake:?})"), &explored);
        assert!(story.is_some(), "{mistake:?} does no harm: the rule against it is not tested, or not needed");
    }
}

/// Explores two budgets. Answers what does not hold, and in how many states.
fn lent(mistake: Option<lending::Mistake>) -> (Vec<&'static str>, usize) {
    let begun = std::time::Instant::now();
    let model = lending::Lending { mistake, writes: 6 };
    let failed = HasDiscoveries::AnyFailures;
    let checker = model.checker().threads(2).finish_when(failed).spawn_bfs().join();
    let broken = checker.discoveries().into_keys().filter(|name| [lending::RECORDED, lending::FITS].contains(name));
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("two budgets ({mistake:?}): {states} states, {depth} deep, {:.1?}", begun.elapsed());
    if mistake.is_none() {
        checker.assert_properties();
    }
    (broken.collect(), states)
}

#[test]
fn a_budget_outside_of_another_has_what_that_one_records() {
    let (broken, states) = lent(None);
    assert!(broken.is_empty() && states > 10_000, "{broken:?} in {states} states");
    for mistake in [lending::Mistake::NotAsked, lending::Mistake::NotWaited, lending::Mistake::NoSpec] {
        assert!(!lent(Some(mistake)).0.is_empty(), "{mistake:?} does no harm: the rule against it is not needed");
    }
}
