//! Small cases, worked out by hand. `tests/value/scaling.rs` has the properties.

use super::*;
use crate::budget::claim::{Claim, Id};
use crate::budget::rollout::{Pods, Strategy};
use crate::budget::shape::{Container, Count, Engine, Extra, Lowered, Role, Shape, Written};

/// Pods of 1 connection at least.
fn claim(name: &str, pods: u32, priority: i32) -> Claim {
    let engine = Engine {
        name: "default".into(),
        count: 1,
        min: 1,
        max: 5,
        overflow_percent: 0,
        per_thread: false,
        as_written: Written::Limit(5),
        sized: true,
    };
    let container = Container {
        name: "c".into(),
        role: Role::Main,
        processes: Count::Known(1),
        lowered: Lowered::Never,
        threads: None,
        extra: Extra { per_process: 0, per_pod: 0 },
        engines: vec![engine],
    };
    Claim {
        id: Id { namespace: "shop".into(), name: name.into() },
        priority,
        weight: 1,
        source: Source::Allocatable,
        cap: None,
        pods: Pods::new(pods, Strategy::InPlace),
        shape: Shape { containers: vec![container] },
    }
}

fn runs(pods: usize, held: u64, replicas: u32) -> Running {
    Running { pods: vec![Connections::new(held); pods], replicas, new_pod: Connections::new(1) }
}

fn replicas(claim: usize, from: u32, least: u32) -> Candidate {
    Candidate { claims: vec![claim], step: Step::Replicas, from, least, partly: true }
}

fn growth(claim: usize, from: u32, least: u32) -> Candidate {
    Candidate { step: Step::Growth, ..replicas(claim, from, least) }
}

fn numbers(hard: u64, claims: &[Claim], running: &[Running], candidates: &[Candidate]) -> Vec<u32> {
    let capacity = Some(Capacity { hard: Connections::new(hard), ..Capacity::default() });
    let question = Question { claims, capacity, caps: &[], headroom: Headroom::None, shared: true };
    scale_down(&question, running, candidates)
}

#[test]
fn the_lowest_priority_goes_down_first_and_no_further_than_it_must() {
    let claims = [claim("api", 3, 10), claim("worker", 4, 0)];
    let running = [runs(3, 3, 3), runs(4, 3, 4)]; // 21
    let candidates = [replicas(0, 3, 1), replicas(1, 4, 1)];
    assert_eq!(numbers(21, &claims, &running, &candidates), [3, 4], "it fits");
    assert_eq!(numbers(20, &claims, &running, &candidates), [3, 3]);
    assert_eq!(numbers(15, &claims, &running, &candidates), [3, 2]);
    assert_eq!(numbers(11, &claims, &running, &candidates), [2, 1], "then the next one");
    assert_eq!(numbers(1, &claims, &running, &candidates), [1, 1], "never below what is allowed");
}

#[test]
fn nobody_is_lowered_who_has_nothing_to_do_with_it() {
    let mut migration = claim("migrate", 2, -5);
    migration.source = Source::Reserve;
    let claims = [migration, claim("api", 3, 10)];
    let running = [runs(2, 1, 2), runs(3, 3, 3)];
    let capacity = Capacity { hard: Connections::new(9), reserve: Connections::new(3), outside: Connections::ZERO };
    let question =
        Question { claims: &claims, capacity: Some(capacity), caps: &[], headroom: Headroom::None, shared: true };
    assert_eq!(scale_down(&question, &running, &[replicas(0, 2, 0), replicas(1, 3, 1)]), [2, 2]);
}

#[test]
fn growth_stops_before_replicas_go_down() {
    // 12 pods at the peak of 10: as far as the smallest pools need it.
    let claims = [claim("api", 8, 10), claim("worker", 4, 0)];
    let candidates = [replicas(1, 4, 1), growth(0, 8, 2)];
    assert_eq!(numbers(10, &claims, &[runs(2, 1, 2), runs(4, 1, 4)], &candidates), [4, 6]);
    // 14 are held of 10: no room for a further pod.
    assert_eq!(numbers(10, &claims, &[runs(2, 1, 2), runs(4, 3, 4)], &candidates), [2, 2]);
}

#[test]
fn what_is_paused_as_a_whole_is_paused_only_where_it_helps() {
    let claims = [claim("queue", 20, 0)];
    let pause = Candidate { partly: false, ..growth(0, 20, 3) };
    assert_eq!(numbers(10, &claims, &[runs(3, 1, 3)], std::slice::from_ref(&pause)), [3]);
    assert_eq!(numbers(20, &claims, &[runs(3, 1, 3)], &[pause]), [20]);
}

#[test]
fn what_has_no_bound_lowers_nobody_else() {
    let mut unbounded = claim("admin", 1, 0);
    unbounded.shape.containers[0].engines[0].min = u32::MAX;
    let running =
        [Running { pods: vec![Connections::UNBOUNDED], replicas: 1, new_pod: Connections::UNBOUNDED }, runs(3, 3, 3)];
    let claims = [unbounded, claim("api", 3, 0)];
    assert_eq!(numbers(5, &claims, &running[..], &[replicas(1, 3, 1)]), [3]);
}

#[test]
fn pods_that_hold_most_are_thought_to_stay() {
    let claims = [claim("api", 3, 0)];
    let held = [1, 5, 1].map(Connections::new).to_vec();
    let running = [Running { pods: held, replicas: 3, new_pod: Connections::new(1) }];
    assert_eq!(numbers(6, &claims, &running, &[replicas(0, 3, 1)]), [2]);
}
