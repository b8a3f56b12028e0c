//! Scaling down against what it promises, on random cases.

use dbbudget::budget::capacity::Capacity;
use dbbudget::budget::claim::{Claim, Id, Source};
use dbbudget::budget::connections::Connections;
use dbbudget::budget::fit::Question;
use dbbudget::budget::rollout::{Headroom, Pods, Strategy as Replacing};
use dbbudget::budget::scale::{Candidate, Running, Step, scale_down};
use dbbudget::budget::shape::{Container, Count, Engine, Extra, Lowered, Role, Shape, Written};
use proptest::prelude::*;

/// A workload: its priority, replicas, `minReplicas`, the smallest pool and what each pod holds now beyond that.
#[derive(Clone, Debug)]
struct Workload {
    priority: i32,
    replicas: u32,
    least: u32,
    minimum: u32,
    more: u32,
}

impl Workload {
    fn claim(&self, place: usize) -> Claim {
        let engine = Engine {
            name: "default".into(),
            count: 1,
            min: self.minimum,
            max: 50,
            overflow_percent: 0,
            per_thread: false,
            as_written: Written::Limit(50),
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
            id: Id { namespace: "ns".into(), name: format!("claim-{place:03}") },
            priority: self.priority,
            weight: 1,
            source: Source::Allocatable,
            cap: None,
            pods: Pods::new(self.replicas, Replacing::InPlace),
            shape: Shape { containers: vec![container] },
        }
    }

    fn holds(&self) -> u64 {
        u64::from(self.minimum + self.more)
    }

    fn running(&self) -> Running {
        let pods = (0..self.replicas).map(|_| Connections::new(self.holds())).collect();
        Running { pods, replicas: self.replicas, new_pod: Connections::from(self.minimum) }
    }

    fn candidate(&self, place: usize) -> Candidate {
        let least = self.least.min(self.replicas);
        Candidate { claims: vec![place], step: Step::Replicas, from: self.replicas, least, partly: true }
    }
}

fn held(workloads: &[Workload], numbers: &[u32]) -> u64 {
    workloads.iter().zip(numbers).map(|(w, &n)| w.holds() * u64::from(n)).sum()
}

fn workload() -> impl Strategy<Value = Workload> {
    (-2..3, 0..9_u32, 0..4_u32, 1..4_u32, 0..5_u32).prop_map(|(priority, replicas, least, minimum, more)| Workload {
        priority,
        replicas,
        least,
        minimum,
        more,
    })
}

fn scaled(workloads: &[Workload], hard: u64) -> Vec<u32> {
    let claims: Vec<Claim> = workloads.iter().enumerate().map(|(place, w)| w.claim(place)).collect();
    let running: Vec<Running> = workloads.iter().map(Workload::running).collect();
    let candidates: Vec<Candidate> = workloads.iter().enumerate().map(|(place, w)| w.candidate(place)).collect();
    let capacity = Some(Capacity { hard: Connections::new(hard), ..Capacity::default() });
    let question = Question { claims: &claims, capacity, caps: &[], headroom: Headroom::None, shared: true };
    scale_down(&question, &running, &candidates)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn never_below_what_is_allowed_the_lowest_first_and_no_further_than_it_must(
        workloads in prop::collection::vec(workload(), 1..7),
        hard in 1..80_u64,
    ) {
        let numbers = scaled(&workloads, hard);
        let least: Vec<u32> = workloads.iter().map(|w| w.least.min(w.replicas)).collect();
        prop_assert!(numbers.iter().zip(&workloads).all(|(n, w)| *n <= w.replicas));
        prop_assert!(numbers.iter().zip(&least).all(|(n, least)| n >= least));
        let fits = |numbers: &[u32]| held(&workloads, numbers) <= hard;
        prop_assert_eq!(fits(&numbers), fits(&least), "all that is allowed is done where it has to be");
        for (place, workload) in workloads.iter().enumerate().filter(|(i, w)| numbers[*i] < w.replicas) {
            let lower = workloads.iter().enumerate().filter(|(_, w)| w.priority < workload.priority);
            for (other, _) in lower {
                prop_assert_eq!(numbers[other], least[other], "claim {} before claim {}", other, place);
            }
        }
        // One pod more of the last that was lowered would be too many.
        let lowered = |i: &usize| numbers[*i] < workloads[*i].replicas;
        let last = (0..workloads.len()).filter(lowered).max_by_key(|&i| (workloads[i].priority, std::cmp::Reverse(i)));
        if let Some(last) = last {
            let mut more = numbers.clone();
            more[last] += 1;
            prop_assert!(!fits(&more), "{numbers:?} of {workloads:?}");
        }
    }

    #[test]
    fn the_order_of_the_claims_does_not_matter(
        mut workloads in prop::collection::vec(workload(), 1..6),
        hard in 1..60_u64,
    ) {
        for (priority, workload) in (0..).zip(&mut workloads) {
            workload.priority = priority; // equal ones are told apart by name, which moves with the place here
        }
        let mut reversed = workloads.clone();
        reversed.reverse();
        let mut other = scaled(&reversed, hard);
        other.reverse();
        prop_assert_eq!(scaled(&workloads, hard), other);
    }
}
