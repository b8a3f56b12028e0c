use super::*;

const SURGES: Kind = Kind {
    strategy: Strategy::Rolling { surge: 1, unavailable: 0 },
    replicas: 2,
    share: 2,
    least: 1,
    small: 0,
    broken: false,
};
/// It would take whatever is free.
const GREEDY: Kind = Kind { strategy: Strategy::None, replicas: 1, share: 1, least: 1, small: 0, broken: false };

const fn rolling(surge: u8, unavailable: u8) -> Kind {
    Kind { strategy: Strategy::Rolling { surge, unavailable }, ..SURGES }
}

const MISSES: Kind = rolling(0, 1);
const RECREATED: Kind = Kind { strategy: Strategy::Recreate, ..SURGES };
const IN_ORDER: Kind = Kind { strategy: Strategy::InOrder, ..SURGES };

const KINDS: [Kind; 8] =
    [SURGES, MISSES, rolling(1, 1), rolling(2, 0), rolling(0, 2), rolling(2, 1), RECREATED, IN_ORDER];

/// Two that roll, and one that is scaled up.
fn two(a: Kind, b: Kind) -> Rollouts {
    Rollouts { mistake: None, kinds: vec![a, b, GREEDY], scaled: 2, scalings: 1, evictions: 0, spare: 0 }
}

fn explored(what: &str, rollouts: &Rollouts) -> Found {
    let begun = std::time::Instant::now();
    let found = rollouts.explore();
    println!("{what}: {} states, {} deep, {:.1?}", found.states, found.depth, begun.elapsed());
    found
}

fn get_done(what: &str, rollouts: &Rollouts) {
    let stuck = explored(what, rollouts).stuck;
    assert!(stuck.is_none(), "{what}: not every rollout gets done after\n{}", stuck.unwrap_or_default());
}

#[test]
fn two_rollouts_get_done_while_another_workload_would_take_the_room() {
    for (i, a) in KINDS.into_iter().enumerate() {
        for b in KINDS.into_iter().skip(i) {
            let what = format!("{:?} and {:?}", a.strategy, b.strategy);
            let Found { stuck, lost, .. } = explored(&what, &Rollouts { scalings: 2, ..two(a, b) });
            assert!(stuck.is_none(), "{what}: not every rollout gets done after\n{}", stuck.unwrap_or_default());
            assert!(lost.is_none(), "{what}: the room is neither kept nor used after\n{}", lost.unwrap_or_default());
        }
    }
}

#[test]
fn they_get_done_though_a_ready_pod_is_evicted() {
    for (a, b) in [(SURGES, SURGES), (SURGES, MISSES), (SURGES, RECREATED), (SURGES, IN_ORDER), (MISSES, IN_ORDER)] {
        let what = format!("{:?} and {:?}, an eviction", a.strategy, b.strategy);
        get_done(&what, &Rollouts { evictions: 1, ..two(a, b) });
    }
}

#[test]
fn they_get_done_whatever_their_size() {
    for (what, a, b) in [
        ("three replicas", Kind { replicas: 3, ..SURGES }, MISSES),
        ("nothing smaller than the share", Kind { least: 2, ..SURGES }, SURGES),
        ("a larger room than one needs", Kind { share: 3, least: 2, ..SURGES }, SURGES),
        ("a small pod that an earlier rollout left", Kind { small: 1, ..SURGES }, SURGES),
        ("the same, and one may be missing", Kind { small: 1, ..rolling(1, 1) }, SURGES),
        ("three replicas, of which two are small", Kind { replicas: 3, small: 2, ..SURGES }, MISSES),
        ("one replica", Kind { replicas: 1, share: 3, ..SURGES }, Kind { replicas: 1, ..IN_ORDER }),
    ] {
        get_done(what, &Rollouts { scalings: 2, ..two(a, b) });
    }
}

#[test]
fn a_broken_revision_blocks_others_only_while_it_has_the_room() {
    let broken = |kind| Kind { broken: true, ..kind };
    for a in KINDS {
        for b in KINDS {
            let what = format!("{:?} is broken, {:?}", a.strategy, b.strategy);
            let Found { stuck, blameless, .. } = explored(&what, &two(broken(a), b));
            // Nothing may be missing of it, so it cannot begin without the room.
            let needs_room = matches!(b.strategy, Strategy::Rolling { unavailable: 0, .. });
            let blocked = if needs_room { blameless } else { stuck };
            assert!(blocked.is_none(), "{what}: blocked without a reason after\n{}", blocked.unwrap_or_default());
        }
    }
    for a in [SURGES, MISSES, rolling(1, 1)] {
        let spare = Rollouts { spare: 1, scalings: 0, ..two(broken(a), SURGES) };
        get_done(&format!("{:?} is broken, and one connection is spare", a.strategy), &spare);
    }
}

#[test]
fn whoever_is_scaled_beyond_the_budget_while_it_rolls_loses_the_room() {
    let scaled = Rollouts { scaled: 0, ..two(SURGES, SURGES) };
    assert!(explored("scaled while it rolls", &scaled).stuck.is_some());
    get_done("the same within the budget", &Rollouts { spare: SURGES.share, ..scaled });
}

#[test]
fn each_rule_about_rollouts_is_needed() {
    let in_order = Rollouts { scalings: 3, ..two(IN_ORDER, RECREATED) };
    for (mistake, rollouts) in [
        (Mistake::AllSurge, Rollouts { evictions: 1, ..two(SURGES, MISSES) }),
        (Mistake::NobodyReplaces, two(MISSES, IN_ORDER)),
        (Mistake::NothingKept, in_order),
        (Mistake::BackWhenReady, two(SURGES, SURGES)),
        (Mistake::NeverBack, two(SURGES, SURGES)),
        (Mistake::NoRoom, two(SURGES, MISSES)),
    ] {
        let rollouts = Rollouts { mistake: Some(mistake), ..rollouts };
        let Found { stuck, lost, .. } = explored(&format!("without a rule ({mistake:?})"), &rollouts);
        println!("stuck: {}, the room is lost: {}", stuck.is_some(), lost.is_some());
        assert!(stuck.or(lost).is_some(), "{mistake:?} does no harm: the rule against it is not tested, or not needed");
    }
}
