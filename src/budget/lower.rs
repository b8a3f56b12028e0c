//! Fewer processes, where even the smallest pools would not fit otherwise.

use super::claim::Claim;
use super::fit::Question;
use super::shape::Lowered;
use super::ways_out::{fewest, fits_with, largest_below};

/// A container whose processes are lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lower {
    /// Its claim, by its place in the order given.
    pub claim: usize,
    /// The container, by its place in the pod.
    pub container: usize,
    /// Processes that are left.
    pub to: u32,
}

/// What has to be lowered for the minimums to fit: as few containers as that takes, the lowest priority first and the
/// dearest first within it, the last of them no further than it must. Nothing where all fits as it is, and nothing where
/// lowering all of them would not be enough.
#[must_use]
pub fn lower(question: &Question) -> Vec<Lower> {
    if !question.shared || question.capacity.is_none() || fits_with(question, question.claims) {
        return Vec::new();
    }
    let candidates = candidates(question.claims);
    let to_one =
        |n: usize| candidates[..n].iter().map(|&(claim, container)| Lower { claim, container, to: 1 }).collect();
    let fits = |lowered: &Vec<Lower>| fits_with(question, &with(question.claims, lowered));
    let Some(count) = fewest(candidates.len(), |n| fits(&to_one(n))) else { return Vec::new() };
    let mut lowered: Vec<Lower> = to_one(count);
    if let Some(last) = lowered.last().copied() {
        let from = question.claims[last.claim].shape.containers[last.container].processes();
        let raised = |to: u32| {
            let mut raised = lowered.clone();
            raised.iter_mut().rev().take(1).for_each(|last| last.to = to);
            raised
        };
        if let Some(to) = largest_below(from, |to| fits(&raised(to))) {
            lowered = raised(to);
        }
    }
    lowered
}

/// The claims with these containers lowered.
#[must_use]
pub fn with(claims: &[Claim], lowered: &[Lower]) -> Vec<Claim> {
    let mut claims = claims.to_vec();
    for lower in lowered {
        claims[lower.claim].shape.containers[lower.container].lowered = Lowered::To(lower.to);
    }
    claims
}

/// Containers that can be lowered, the first to be lowered first.
fn candidates(claims: &[Claim]) -> Vec<(usize, usize)> {
    let containers = claims.iter().enumerate().flat_map(|(i, c)| (0..c.shape.containers.len()).map(move |j| (i, j)));
    let possible = containers.filter_map(|(i, j)| {
        let container = &claims[i].shape.containers[j];
        if container.lowered != Lowered::Possible || container.processes() < 2 {
            return None;
        }
        let one = with(&claims[i..=i], &[Lower { claim: 0, container: j, to: 1 }]);
        let freed = claims[i].shape.at_minimum().less(one[0].shape.at_minimum()) * u64::from(claims[i].pods.replicas);
        Some((claims[i].priority, std::cmp::Reverse(freed), &claims[i].id, j, i))
    });
    let mut possible: Vec<_> = possible.collect();
    possible.sort();
    possible.into_iter().map(|(_, _, _, container, claim)| (claim, container)).collect()
}
