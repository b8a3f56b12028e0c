//! Every way out that is named really leads out: the change is made, and then it fits.

use dbbudget::budget::capacity::Capacity;
use dbbudget::budget::claim::{Claim, Id};
use dbbudget::budget::connections::Connections;
use dbbudget::budget::fit::{Question, Verdict, WayOut, fit, ways_out};
use dbbudget::budget::rollout::{Headroom, Pods, Portion, Strategy as Replacing};
use dbbudget::budget::shape::Count;
use proptest::prelude::*;

use crate::dividing;

const ROLLING: Replacing = Replacing::Rolling { surge: Portion::QUARTER, unavailable: Portion::QUARTER };

/// The question after a change was made.
fn follow<'a>(question: Question<'a>, claims: &'a mut Vec<Claim>, way: &WayOut) -> Question<'a> {
    let mut changed = Question { claims: &[], ..question };
    match way {
        WayOut::Share => changed.shared = true,
        WayOut::ShareSurge => changed.headroom = Headroom::SharedSurge,
        WayOut::MoreCapacity { hard } => changed.capacity = changed.capacity.map(|c| Capacity { hard: *hard, ..c }),
        _ => make(claims, way),
    }
    Question { claims, ..changed }
}

fn make(claims: &mut [Claim], way: &WayOut) {
    let find = |claims: &mut [Claim], id: &Id| claims.iter().position(|c| c.id == *id).expect("a claim of the budget");
    match way {
        WayOut::ReplaceInPlace { claims: ids } => {
            for id in ids {
                let place = find(claims, id);
                claims[place].pods.surge = 0;
            }
        }
        WayOut::FewerReplicas { claim, from, to } => {
            let place = find(claims, claim);
            assert!(to < from && *from == claims[place].pods.replicas);
            claims[place].pods = Pods::new(*to, ROLLING);
        }
        WayOut::FewerProcesses { claim, container, to, .. } => {
            let place = find(claims, claim);
            let containers = &mut claims[place].shape.containers;
            let container = containers.iter_mut().find(|c| c.name == *container && c.processes != Count::Known(*to));
            container.expect("a container of the claim").processes = Count::Known(*to);
        }
        WayOut::Together(ways) => ways.iter().for_each(|way| make(claims, way)),
        WayOut::Share | WayOut::ShareSurge | WayOut::MoreCapacity { .. } => unreachable!("no change of the claims"),
    }
}

/// Container names that tell them apart, and pods that surge.
fn rolling(claims: Vec<Claim>) -> Vec<Claim> {
    let named = claims.into_iter().map(|mut claim| {
        claim.cap = None;
        claim.pods = Pods::new(claim.pods.replicas, ROLLING);
        claim.shape.containers.iter_mut().enumerate().for_each(|(i, c)| c.name = format!("c{i}"));
        claim
    });
    named.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_way_leads_out(claims in dividing::claims(), hard in 0..400u64, headroom in 0..4usize, shared: bool) {
        let claims = rolling(claims);
        let headroom = [Headroom::None, Headroom::SharedSurge, Headroom::Surge, Headroom::SurgeAndTerminating][headroom];
        let capacity = Some(Capacity { hard: Connections::new(hard), ..Capacity::default() });
        let question = Question { claims: &claims, capacity, caps: &[], headroom, shared };
        let ways = ways_out(&question);
        prop_assert_eq!(ways.is_empty(), fit(&question).total.verdict == Verdict::Fits);
        for way in &ways {
            let mut claims = claims.clone();
            let after = fit(&follow(question, &mut claims, way)).total;
            prop_assert_eq!(after.verdict, Verdict::Fits, "{:?} leads to {:?}", way, after);
        }
    }
}
