//! How long dividing takes. An item is one of the n log₂ n that an O(n log n) algorithm may take for n claims, so where the
//! items per second stay the same from row to row, the time is O(n log n).
#![allow(missing_docs, reason = "a program")]

use dbbudget::budget::claim::{Claim, Id, Source};
use dbbudget::budget::connections::Connections;
use dbbudget::budget::divide::{Supply, divide};
use dbbudget::budget::rollout::{Headroom, Pods, Portion, Strategy};
use dbbudget::budget::shape::{Container, Count, Engine, Extra, Lowered, Role, Shape, Written};
use divan::Bencher;
use divan::counter::ItemsCount;

const CLAIMS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const NAMESPACES: u32 = 100;

fn main() {
    divan::main();
}

/// Any two claims differ, by numbers that hop about: pods, processes, engines, minimums, maximums, weight, name.
fn claim(number: u32, priorities: u32, capped: bool) -> Claim {
    let hop = |stride: u32, below: u32| number.wrapping_mul(2_654_435_761).rotate_left(stride) % below;
    let engine = |i: u32| Engine {
        name: format!("engine-{i}"),
        count: 1,
        min: 1 + hop(3 + i, 3),
        max: 5 + hop(7 + i, 40),
        overflow_percent: 0,
        per_thread: false,
        as_written: Written::Limit(50),
        sized: true,
    };
    let container = Container {
        name: "main".into(),
        role: Role::Main,
        processes: Count::Known(1 + hop(11, 4)),
        lowered: Lowered::Never,
        threads: None,
        extra: Extra { per_process: hop(13, 2), per_pod: hop(17, 3) },
        engines: (0..=hop(19, 2)).map(engine).collect(),
    };
    let namespace = hop(23, NAMESPACES);
    Claim {
        id: Id { namespace: format!("team-{namespace}"), name: format!("workload-{}", number.reverse_bits()) },
        priority: i32::try_from(hop(29, priorities)).unwrap_or_default(),
        weight: 1 + hop(2, 10),
        source: Source::Allocatable,
        cap: (capped && namespace % 2 == 0).then_some((namespace / 2) as usize),
        pods: Pods::new(1 + hop(5, 8), Strategy::Rolling { surge: Portion::QUARTER, unavailable: Portion::QUARTER }),
        shape: Shape { containers: vec![container] },
    }
}

fn measure(bencher: Bencher, n: u32, priorities: u32, capped: bool) {
    let claims: Vec<Claim> = (0..n).map(|number| claim(number, priorities, capped)).collect();
    let claims: Vec<&Claim> = claims.iter().collect();
    let of_all = |limit: fn(&Engine) -> u32| {
        let held = |c: &&Claim| c.allocated(&c.shape.engines().map(limit).collect::<Vec<_>>(), Headroom::Surge);
        claims.iter().map(held).sum::<Connections>().bounded().unwrap_or_default()
    };
    // Halfway between what all need and what all would take, so that shares have to be weighed against each other.
    let total = Connections::new(of_all(|e| e.min).midpoint(of_all(|e| e.max)));
    let caps = vec![Connections::new(total.bounded().unwrap_or_default() / u64::from(NAMESPACES)); 50];
    let supply = Supply { total, caps: &caps, headroom: Headroom::Surge };
    assert!(divide(&claims, supply).left_out.is_empty(), "the minimums fit, so there is something to weigh");
    bencher.counter(ItemsCount::new(u64::from(n * n.ilog2()))).bench_local(|| divide(&claims, supply));
}

#[divan::bench(args = CLAIMS, max_time = 5)]
fn one_priority(bencher: Bencher, n: u32) {
    measure(bencher, n, 1, false);
}

#[divan::bench(args = CLAIMS, max_time = 5)]
fn ten_priorities(bencher: Bencher, n: u32) {
    measure(bencher, n, 10, false);
}

#[divan::bench(args = CLAIMS, max_time = 5)]
fn ten_priorities_and_fifty_capped_namespaces(bencher: Bencher, n: u32) {
    measure(bencher, n, 10, true);
}
