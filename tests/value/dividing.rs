//! The dividing against its definition: properties of random cases, and equality with a simulation that takes every
//! step one by one, on all small cases.

use dbbudget::budget::claim::{Claim, Id, Source};
use dbbudget::budget::connections::Connections;
use dbbudget::budget::divide::{Shares, Supply, divide};
use dbbudget::budget::rollout::{self, Headroom, Pods};
use dbbudget::budget::shape::{Container, Count, Engine, Extra, Lowered, Role, Shape, Written};
use proptest::prelude::*;

fn engine(name: usize, count: u32, min: u32, max: u32) -> Engine {
    let name = format!("e{name}");
    let as_written = Written::Limit(max);
    Engine { name, count, min, max, overflow_percent: 0, per_thread: false, as_written, sized: true }
}

fn container(role: Role, processes: u32, engines: Vec<Engine>) -> Container {
    let extra = Extra { per_process: 0, per_pod: 0 };
    Container {
        name: format!("{role:?}"),
        role,
        processes: Count::Known(processes),
        lowered: Lowered::Never,
        threads: None,
        extra,
        engines,
    }
}

fn claim(name: usize, pods: u32, priority: i32, weight: u32, containers: Vec<Container>) -> Claim {
    Claim {
        id: Id { namespace: "ns".into(), name: format!("claim-{name:03}") },
        priority,
        weight,
        source: Source::Allocatable,
        cap: None,
        pods: Pods::new(pods, rollout::Strategy::InPlace),
        shape: Shape { containers },
    }
}

fn share(claims: &[Claim], total: u64, caps: &[Connections]) -> Shares {
    let claims: Vec<&Claim> = claims.iter().collect();
    divide(&claims, Supply { total: Connections::new(total), caps, headroom: Headroom::None })
}

fn cost(claim: &Claim, limits: &[u32]) -> u64 {
    claim.allocated(limits, Headroom::None).bounded().expect("limits are finite")
}

fn spent(claims: &[Claim], shares: &Shares) -> u64 {
    claims.iter().zip(&shares.limits).map(|(c, l)| cost(c, l)).sum()
}

fn within(claims: &[Claim], limits: &[Vec<u32>], total: u64, caps: &[Connections]) -> bool {
    let drawn = |cap: Option<usize>| -> u64 {
        let members = claims.iter().zip(limits).filter(|(c, _)| cap.is_none() || c.cap == cap);
        members.map(|(c, l)| cost(c, l)).sum()
    };
    drawn(None) <= total && caps.iter().enumerate().all(|(i, cap)| Connections::new(drawn(Some(i))) <= *cap)
}

/// The definition, taken literally: step by step, the poorest engine that can still take one.
fn step_by_step(claims: &[Claim], total: u64, caps: &[Connections]) -> Shares {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by(|&a, &b| claims[a].rank().cmp(&claims[b].rank()));
    let minimum = |c: &Claim| c.shape.engines().map(|e| e.min).collect::<Vec<_>>();
    let mut limits: Vec<Vec<u32>> = claims.iter().map(|c| vec![0; minimum(c).len()]).collect();
    let mut left_out = Vec::new();
    let mut given: Vec<usize> = Vec::new();
    for &i in &order {
        let mut trial = given.clone();
        trial.push(i);
        let chosen: Vec<Claim> = trial.iter().map(|&i| claims[i].clone()).collect();
        let minimums: Vec<Vec<u32>> = chosen.iter().map(minimum).collect();
        if within(&chosen, &minimums, total, caps) {
            given = trial;
        } else {
            left_out.push(i);
        }
        limits[i] = minimum(&claims[i]);
    }
    if !left_out.is_empty() {
        return Shares { limits, left_out };
    }
    let mut priorities: Vec<i32> = claims.iter().map(|c| c.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    for priority in priorities.into_iter().rev() {
        while let Some((i, e)) = poorest(claims, &order, &limits, priority, total, caps) {
            limits[i][e] += 1;
        }
    }
    Shares { limits, left_out }
}

fn poorest(
    claims: &[Claim],
    order: &[usize],
    limits: &[Vec<u32>],
    priority: i32,
    total: u64,
    caps: &[Connections],
) -> Option<(usize, usize)> {
    let mut best: Option<(usize, usize)> = None;
    let level = |(i, e): (usize, usize)| (u64::from(limits[i][e]), u64::from(claims[i].weight));
    for &i in order.iter().filter(|&&i| claims[i].priority == priority) {
        for (e, engine) in claims[i].shape.engines().enumerate() {
            let mut raised = limits.to_vec();
            raised[i][e] += 1;
            if limits[i][e] >= engine.max || !within(claims, &raised, total, caps) {
                continue;
            }
            let ((limit, weight), lower) = (level((i, e)), best.map(level));
            if lower.is_none_or(|(l, w)| limit * w < l * weight) {
                best = Some((i, e));
            }
        }
    }
    best
}

#[test]
fn all_small_cases_equal_the_simulation() {
    let mut cases = 0;
    for code in 0..4 * 4 * 4 * 4 * 3 * 3u32 {
        let digit = |place: u32, base: u32| code / place % base;
        let (pods_a, pods_b) = (1 + digit(1, 4), 1 + digit(4, 4));
        let (max_a, max_b) = (1 + digit(16, 4), 1 + digit(64, 4));
        let (weight_b, priority_b) = (1 + digit(256, 3), i32::try_from(digit(768, 3)).expect("small") - 1);
        let claims = [
            claim(0, pods_a, 0, 1, vec![container(Role::Main, 1, vec![engine(0, 1, 1, max_a)])]),
            claim(1, pods_b, priority_b, weight_b, vec![container(Role::Main, 1, vec![engine(0, 1, 1, max_b)])]),
            claim(2, 2, 0, 2, vec![container(Role::Main, 1, vec![engine(0, 1, 1, 3), engine(1, 2, 1, 2)])]),
        ];
        for total in 0..=30 {
            assert_eq!(share(&claims, total, &[]), step_by_step(&claims, total, &[]), "{total} for {claims:#?}");
            cases += 1;
        }
    }
    assert_eq!(cases, 2304 * 31);
}

/// Claims with one to three engines, init containers, two namespaces with caps, weights and priorities.
pub fn claims() -> impl Strategy<Value = Vec<Claim>> {
    let engine_of = (1..=2u32, 1..=2u32, 0..=12u32);
    let container_of = (0..3usize, 1..=3u32, prop::collection::vec(engine_of, 1..=2));
    let one = (1..=9u32, -1..=1i32, 1..=4u32, prop::option::of(0..2usize), prop::collection::vec(container_of, 1..=2));
    prop::collection::vec(one, 0..=6).prop_map(|all| {
        let roles = [Role::Main, Role::Init, Role::Sidecar];
        let built = all.into_iter().enumerate().map(|(name, (pods, priority, weight, cap, containers))| {
            let containers = containers.into_iter().map(|(role, processes, engines)| {
                let engines =
                    engines.into_iter().enumerate().map(|(i, (count, min, more))| engine(i, count, min, min + more));
                container(roles[role], processes, engines.collect())
            });
            Claim { cap, ..claim(name, pods, priority, weight, containers.collect()) }
        });
        built.collect()
    })
}

pub fn caps() -> impl Strategy<Value = Vec<Connections>> {
    prop::collection::vec((20..400u64).prop_map(Connections::new), 2)
}

/// The dearest single step of any engine.
fn dearest_step(claims: &[Claim]) -> u64 {
    let steps = claims.iter().flat_map(|c| {
        let per_pod = c.shape.containers.iter().flat_map(|k| {
            k.engines.iter().map(|e| u64::from(e.count) * u64::from(k.processes.lower_bound())).collect::<Vec<_>>()
        });
        per_pod.map(|n| n * u64::from(c.pods.replicas)).collect::<Vec<_>>()
    });
    steps.max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn equals_the_simulation(claims in claims(), caps in caps(), total in 0..600u64) {
        prop_assert_eq!(share(&claims, total, &caps), step_by_step(&claims, total, &caps));
    }

    #[test]
    fn never_above_what_there_is(claims in claims(), caps in caps(), total in 0..600u64) {
        let shares = share(&claims, total, &caps);
        if shares.left_out.is_empty() {
            prop_assert!(within(&claims, &shares.limits, total, &caps));
        }
        for (claim, limits) in claims.iter().zip(&shares.limits) {
            for (engine, &limit) in claim.shape.engines().zip(limits) {
                prop_assert!(engine.min <= limit && limit <= engine.max);
            }
        }
    }

    #[test]
    fn minimums_by_priority(claims in claims(), total in 0..200u64) {
        // Whoever is left out could not have been served even if all of a lower rank had got nothing.
        let free: Vec<Claim> = claims.iter().cloned().map(|c| Claim { cap: None, ..c }).collect();
        let shares = share(&free, total, &[]);
        for &out in &shares.left_out {
            let served = free.iter().enumerate().filter(|(i, c)| c.rank() < free[out].rank() && !shares.left_out.contains(i));
            let before: u64 = served.map(|(_, c)| cost(c, &[])).sum();
            prop_assert!(before + cost(&free[out], &[]) > total);
        }
    }

    #[test]
    fn nothing_usable_is_left(claims in claims(), caps in caps(), total in 0..600u64) {
        let shares = share(&claims, total, &caps);
        prop_assume!(shares.left_out.is_empty());
        for (i, claim) in claims.iter().enumerate() {
            for (e, engine) in claim.shape.engines().enumerate().filter(|(e, en)| shares.limits[i][*e] < en.max) {
                let mut raised = shares.limits.clone();
                raised[i][e] += 1;
                prop_assert!(!within(&claims, &raised, total, &caps), "{} could take one more", engine.name);
            }
        }
    }

    #[test]
    fn weighted_max_min(claims in claims(), total in 0..600u64) {
        // No engine is poorer than another was before its last connection, if giving that one up would have paid for it.
        let claims: Vec<Claim> = claims.into_iter().map(|c| Claim { cap: None, priority: 0, ..c }).collect();
        let shares = share(&claims, total, &[]);
        prop_assume!(shares.left_out.is_empty());
        let free = total - spent(&claims, &shares);
        let all = || claims.iter().enumerate().flat_map(|(i, c)| c.shape.engines().enumerate().map(move |(e, en)| (i, e, c, en)));
        for (poor, p, poor_claim, poor_engine) in all().filter(|(i, e, _, en)| shares.limits[*i][*e] < en.max) {
            for (rich, r, rich_claim, _) in all().filter(|(i, e, _, en)| *i != poor && shares.limits[*i][*e] > en.min) {
                let mut raised = shares.limits[poor].clone();
                raised[p] += 1;
                let mut lowered = shares.limits[rich].clone();
                lowered[r] -= 1;
                let dearer = cost(poor_claim, &raised) - cost(poor_claim, &shares.limits[poor]);
                let freed = cost(rich_claim, &shares.limits[rich]) - cost(rich_claim, &lowered);
                let poorer = u64::from(shares.limits[poor][p]) * u64::from(rich_claim.weight)
                    < u64::from(shares.limits[rich][r] - 1) * u64::from(poor_claim.weight);
                prop_assert!(!(poorer && dearer <= freed.min(free + freed)), "{} against {}", poor_engine.name, rich_claim.id);
            }
        }
    }

    #[test]
    fn independent_of_order(claims in claims(), caps in caps(), total in 0..600u64, turn in 0..6usize) {
        let shares = share(&claims, total, &caps);
        let mut turned = claims.clone();
        turned.reverse();
        let turn = turn.min(turned.len());
        turned.rotate_left(turn);
        let turned_shares = share(&turned, total, &caps);
        for (claim, limits) in claims.iter().zip(&shares.limits) {
            let place = turned.iter().position(|c| c.id == claim.id).expect("the same claims");
            prop_assert_eq!(limits, &turned_shares.limits[place]);
        }
    }

    #[test]
    fn more_capacity_never_gives_less(claims in claims(), total in 0..600u64, more in 1..40u64) {
        let claims: Vec<Claim> = claims.into_iter().map(|c| Claim { cap: None, ..c }).collect();
        let (small, large) = (share(&claims, total, &[]), share(&claims, total + more, &[]));
        prop_assume!(small.left_out.is_empty());
        prop_assert!(large.left_out.is_empty());
        prop_assert!(spent(&claims, &large) >= spent(&claims, &small));
    }

    #[test]
    fn a_small_change_moves_few_shares(claims in claims(), total in 0..600u64) {
        // One connection more moves at most two of the dearest steps.
        let claims: Vec<Claim> = claims.into_iter().map(|c| Claim { cap: None, ..c }).collect();
        let (small, large) = (share(&claims, total, &[]), share(&claims, total + 1, &[]));
        prop_assume!(small.left_out.is_empty());
        let moved: u64 = claims.iter().enumerate().map(|(i, c)| cost(c, &small.limits[i]).abs_diff(cost(c, &large.limits[i]))).sum();
        prop_assert!(moved <= 2 * dearest_step(&claims), "{moved} moved");
    }
}

#[test]
fn a_hundred_thousand_claims() {
    let claims: Vec<Claim> = (0..100_000u32)
        .map(|i| {
            let engines = vec![engine(0, 1, 1, 20)];
            claim(
                i as usize,
                1 + i % 7,
                i32::try_from(i % 3).expect("small"),
                1 + i % 5,
                vec![container(Role::Main, 1, engines)],
            )
        })
        .collect();
    let shares = share(&claims, 3_000_000, &[]);
    assert!(shares.left_out.is_empty());
    let spent = spent(&claims, &shares);
    assert!(spent <= 3_000_000 && spent > 3_000_000 - 7, "{spent}");
}
