//! What would make a budget fit, cheapest first.

use super::claim::{Claim, Id, Source};
use super::connections::Connections;
use super::fit::Question;
use super::rollout::Headroom;
use super::shape::Count;

/// A change that makes a budget fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// Let dbbudget size the pools.
    Share,
    /// Replace pods in place instead of on top: `maxSurge: 0, maxUnavailable: 1`.
    ReplaceInPlace {
        /// The workloads to change, those that free most first.
        claims: Vec<Id>,
    },
    /// Let workloads take turns in one shared surge slot.
    ShareSurge,
    /// Fewer replicas of one workload.
    FewerReplicas {
        /// Whose.
        claim: Id,
        /// Replicas now.
        from: u32,
        /// Replicas that fit.
        to: u32,
    },
    /// Fewer processes in one container.
    FewerProcesses {
        /// Whose.
        claim: Id,
        /// The container.
        container: String,
        /// Processes now.
        from: u32,
        /// Processes that fit.
        to: u32,
    },
    /// Several of these at once, where none is enough alone.
    Together(Vec<WayOut>),
    /// A database that gives more.
    MoreCapacity {
        /// The hard limit that is enough.
        hard: Connections,
    },
}

/// The changes that make a budget fit, cheapest first; none where it fits or where nobody knows.
#[must_use]
pub fn ways_out(question: &Question) -> Vec<WayOut> {
    let (Some(capacity), Some(needs)) = (question.capacity, Needs::of(question)) else { return Vec::new() };
    if needs.fit() {
        return Vec::new();
    }
    let with = |other: Question| Needs::of(&other).is_some_and(|n| n.fit());
    let shares = !question.shared && with(Question { shared: true, ..*question });
    let surging = matches!(question.headroom, Headroom::Surge | Headroom::SurgeAndTerminating);
    let takes_turns = surging && with(Question { headroom: Headroom::SharedSurge, ..*question });
    let alone = [
        shares.then_some(WayOut::Share),
        replace_in_place(question),
        takes_turns.then_some(WayOut::ShareSurge),
        fewer_replicas(question, &needs),
        fewer_processes(question, &needs),
    ];
    let mut ways: Vec<WayOut> = alone.into_iter().flatten().collect();
    if ways.is_empty() {
        ways.extend(together(question));
    }
    let hard = needs.pots[0].needed + capacity.reserve + capacity.outside;
    if hard > capacity.hard && hard != Connections::UNBOUNDED {
        ways.push(WayOut::MoreCapacity { hard });
    }
    ways
}

/// What is needed at least: minimums where shares are given, otherwise everything as written.
struct Needs {
    shared: bool,
    headroom: Headroom,
    least: Vec<Connections>,
    /// What is allocatable, the reserve, and then one for each namespace cap.
    pots: Vec<Pot>,
}

/// A supply and what is drawn from it.
#[derive(Clone, Copy)]
struct Pot {
    needed: Connections,
    supply: Connections,
}

impl Needs {
    fn of(question: &Question) -> Option<Self> {
        let capacity = question.capacity?;
        let empty = |supply| Pot { needed: Connections::ZERO, supply };
        let supplies = [capacity.allocatable(), capacity.reserve];
        let pots = supplies.into_iter().chain(question.caps.iter().copied()).map(empty).collect();
        let mut needs = Self { shared: question.shared, headroom: question.headroom, least: Vec::new(), pots };
        needs.pots[0].needed = question.surge_reserve(question.shared);
        for claim in question.claims {
            let least = needs.least_of(claim);
            needs.least.push(least);
            for pot in pots_of(claim) {
                if let Some(pot) = needs.pots.get_mut(pot) {
                    pot.needed = pot.needed + least;
                }
            }
        }
        Some(needs)
    }

    fn least_of(&self, claim: &Claim) -> Connections {
        if self.shared { claim.allocated(&[], self.headroom) } else { claim.wanted(self.headroom) }
    }

    fn fit(&self) -> bool {
        self.pots.iter().all(|pot| pot.needed <= pot.supply)
    }

    /// Whether everything fits once a claim needs what its changed form needs. (The surge reserve is left as it is, so
    /// this may say no where it could say yes.)
    fn fit_with(&self, claim: usize, changed: &Claim) -> bool {
        let (before, after) = (self.least[claim], self.least_of(changed));
        let drawn: Vec<usize> = pots_of(changed).collect();
        self.pots.iter().enumerate().all(|(i, pot)| {
            let needed = if drawn.contains(&i) { pot.needed.less(before) + after } else { pot.needed };
            needed <= pot.supply
        })
    }
}

fn pots_of(claim: &Claim) -> impl Iterator<Item = usize> + use<> {
    let source = match claim.source {
        Source::Allocatable => 0,
        Source::Reserve => 1,
    };
    std::iter::once(source).chain(claim.cap.map(|cap| cap + 2))
}

/// Whether everything fits with these claims instead.
pub(super) fn fits_with(question: &Question, claims: &[Claim]) -> bool {
    Needs::of(&Question { claims, ..*question }).is_some_and(|needs| needs.fit())
}

/// The workloads whose surge counts, the dearest first.
fn surging(question: &Question) -> Vec<usize> {
    let dear = |c: &Claim| match question.headroom {
        Headroom::None => Connections::ZERO,
        Headroom::SharedSurge => c.shape.at_minimum(),
        Headroom::Surge | Headroom::SurgeAndTerminating => c.shape.at_minimum() * u64::from(c.pods.surge),
    };
    let claims = question.claims.iter().enumerate().filter(|(_, c)| c.pods.surge > 0 && dear(c) > Connections::ZERO);
    let mut places: Vec<usize> = claims.map(|(i, _)| i).collect();
    let by = |i: usize| (std::cmp::Reverse(dear(&question.claims[i])), &question.claims[i].id);
    places.sort_by(|&a, &b| by(a).cmp(&by(b)));
    places
}

/// The fewest workloads that must give up their surge, the dearest first.
fn replace_in_place(question: &Question) -> Option<WayOut> {
    let places = surging(question);
    let changed = |n: usize| in_place(question, &places[..n]);
    let fewest = fewest(places.len(), |n| fits_with(question, &changed(n)))?;
    let ids = places[..fewest].iter().map(|&place| question.claims[place].id.clone());
    Some(WayOut::ReplaceInPlace { claims: ids.collect() })
}

fn in_place(question: &Question, places: &[usize]) -> Vec<Claim> {
    let mut claims = question.claims.to_vec();
    for &place in places {
        claims[place].pods.surge = 0;
    }
    claims
}

/// No surge, and single processes in as few containers as that takes, the dearest first.
fn together(question: &Question) -> Option<WayOut> {
    let places = surging(question);
    let claims = in_place(question, &places);
    let containers = claims.iter().enumerate().flat_map(|(p, c)| (0..c.shape.containers.len()).map(move |i| (p, i)));
    let mut many: Vec<_> = containers.filter_map(|(p, i)| Some((single(&claims[p], i)?, p, i))).collect();
    many.sort_by_key(|((freed, _), p, i)| (std::cmp::Reverse(*freed), *p, *i));
    let singled = |n: usize| {
        let mut claims = claims.clone();
        many[..n].iter().for_each(|(_, p, i)| claims[*p].shape.containers[*i].processes = Count::Known(1));
        claims
    };
    let fewest = fewest(many.len(), |n| fits_with(question, &singled(n)))?;
    let mut steps = Vec::new();
    if !places.is_empty() {
        let ids = places.iter().map(|&place| claims[place].id.clone());
        steps.push(WayOut::ReplaceInPlace { claims: ids.collect() });
    }
    steps.extend(many[..fewest].iter().map(|((_, from), p, i)| {
        let container = claims[*p].shape.containers[*i].name.clone();
        WayOut::FewerProcesses { claim: claims[*p].id.clone(), container, from: *from, to: 1 }
    }));
    Some(WayOut::Together(steps))
}

/// The fewest, from 0 to `most`, that are enough; more never are less so.
pub(super) fn fewest(most: usize, enough: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = (0, most);
    if !enough(high) {
        return None;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle + 1 }
    }
    Some(low)
}

/// What a single process in a container would free, and how many there are now.
fn single(claim: &Claim, index: usize) -> Option<(Connections, u32)> {
    let Count::Known(from @ 2..) = claim.shape.containers[index].processes else { return None };
    let mut changed = claim.clone();
    changed.shape.containers[index].processes = Count::Known(1);
    let pods = u64::from(claim.pods.replicas);
    let freed = (claim.shape.at_minimum() * pods).less(changed.shape.at_minimum() * pods);
    (freed > Connections::ZERO).then_some((freed, from))
}

/// The workload that must lose the fewest replicas.
fn fewer_replicas(question: &Question, needs: &Needs) -> Option<WayOut> {
    let candidates = question.claims.iter().enumerate().filter_map(|(place, claim)| {
        let from = claim.pods.replicas;
        let to = largest_below(from, |to| needs.fit_with(place, &scaled(claim, to)))?;
        Some((from - to, &claim.id, from, to))
    });
    let (_, claim, from, to) = candidates.min()?;
    Some(WayOut::FewerReplicas { claim: claim.clone(), from, to })
}

/// A claim with other replicas.
fn scaled(claim: &Claim, replicas: u32) -> Claim {
    Claim { pods: claim.pods.scaled(replicas), ..claim.clone() }
}

/// The container that must lose the fewest processes.
fn fewer_processes(question: &Question, needs: &Needs) -> Option<WayOut> {
    let containers =
        question.claims.iter().enumerate().flat_map(|(p, c)| (0..c.shape.containers.len()).map(move |i| (p, i)));
    let candidates = containers.filter_map(|(place, index)| {
        let claim = &question.claims[place];
        let Count::Known(from) = claim.shape.containers[index].processes else { return None };
        let to = largest_below(from, |to| {
            let mut claim = claim.clone();
            claim.shape.containers[index].processes = Count::Known(to);
            needs.fit_with(place, &claim)
        })?;
        Some((from - to, &claim.id, &claim.shape.containers[index].name, from, to))
    });
    let (_, claim, container, from, to) = candidates.min()?;
    Some(WayOut::FewerProcesses { claim: claim.clone(), container: container.clone(), from, to })
}

/// The largest number from 1 to below `from` that is enough, by bisection.
pub(super) fn largest_below(from: u32, enough: impl Fn(u32) -> bool) -> Option<u32> {
    if from <= 1 || !enough(1) {
        return None;
    }
    let (mut low, mut high) = (1, from - 1);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if enough(middle) { low = middle } else { high = middle - 1 }
    }
    Some(low)
}
