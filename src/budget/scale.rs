//! Which workloads run fewer pods where it does not fit otherwise: growth stops first, then replicas go down, the lowest
//! priority first, as far as that is needed and allowed.

use std::cmp::Reverse;

use super::capacity::Capacity;
use super::claim::Source;
use super::connections::Connections;
use super::fit::Question;
use super::rollout::Headroom;

/// What is lowered. Growth goes before replicas, whoever's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// How far an autoscaler may go.
    Growth,
    /// The pods that a workload runs.
    Replicas,
}

/// A number of pods that may be lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The claims on its workload, by their places in the question.
    pub claims: Vec<usize>,
    /// What it is.
    pub step: Step,
    /// The number as its owner wants it.
    pub from: u32,
    /// It never goes below.
    pub least: u32,
    /// Whether numbers between the two are possible, too.
    pub partly: bool,
}

/// What one claim's pods hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// Each pod that stays, whatever it was born with. Pods on their way out are none of these.
    pub pods: Vec<Connections>,
    /// Pods that are asked for now.
    pub replicas: u32,
    /// What a pod that has not started yet will hold.
    pub new_pod: Connections,
}

/// What must not be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// By the smallest pools of all pods that there can be.
    Minimums(Source),
    /// By those of one namespace.
    Cap(usize),
    /// By what the pods that are asked for hold.
    Held(Source),
}

/// The number for each candidate, in the order given: its own where nothing has to be lowered. Where even all that may be
/// lowered is not enough, everything that helps goes as far as it may. `running`: of each claim, in their order.
#[must_use]
pub fn scale_down(question: &Question, running: &[Running], candidates: &[Candidate]) -> Vec<u32> {
    let mut numbers: Vec<u32> = candidates.iter().map(|c| c.from).collect();
    let Some(capacity) = question.capacity else { return numbers };
    let sums = Sums::new(question, capacity, running, candidates);
    let all_at_least: Vec<u32> = candidates.iter().map(|c| c.least).collect();
    let mut rules = sums.rules();
    // What has no bound is not brought within one by fewer pods of others.
    rules.retain(|rule| sums.of(*rule, &all_at_least) != Connections::UNBOUNDED);
    for place in sums.order() {
        rules.retain(|rule| sums.is_broken(*rule, &numbers)); // lower numbers break nothing
        if rules.is_empty() {
            break;
        }
        numbers[place] = sums.lowered(place, &numbers, &rules);
    }
    numbers
}

/// What all pods come to, for given numbers.
struct Sums<'a> {
    question: &'a Question<'a>,
    capacity: Capacity,
    candidates: &'a [Candidate],
    running: Vec<Running>,
    /// What a pod of each claim holds at its minimum.
    minimums: Vec<Connections>,
}

impl<'a> Sums<'a> {
    fn new(question: &'a Question<'a>, capacity: Capacity, running: &[Running], candidates: &'a [Candidate]) -> Self {
        let minimums = question.claims.iter().map(|c| c.shape.at_minimum()).collect();
        let mut running = running.to_vec();
        running.resize(question.claims.len(), Running::default());
        for running in &mut running {
            running.pods.sort_unstable_by_key(|held| Reverse(*held)); // nobody knows which ones will go
        }
        Self { question, capacity, candidates, running, minimums }
    }

    fn rules(&self) -> Vec<Rule> {
        let sources = [Source::Allocatable, Source::Reserve];
        let caps = (0..self.question.caps.len()).map(Rule::Cap);
        sources.map(Rule::Minimums).into_iter().chain(caps).chain(sources.map(Rule::Held)).collect()
    }

    /// Candidates in the order in which they are lowered.
    fn order(&self) -> Vec<usize> {
        let rank = |place: &usize| {
            let candidate = &self.candidates[*place];
            // Whoever ranks highest of a workload's claims speaks for it.
            let highest = candidate.claims.iter().map(|&claim| self.question.claims[claim].rank()).min();
            (candidate.step, Reverse(highest))
        };
        let mut places: Vec<usize> = (0..self.candidates.len()).collect();
        places.sort_by(|a, b| rank(a).cmp(&rank(b)));
        places
    }

    /// The number for one candidate: the largest that keeps each rule which it can help to keep.
    fn lowered(&self, place: usize, numbers: &[u32], broken: &[Rule]) -> u32 {
        let candidate = &self.candidates[place];
        let with = |number: u32| {
            let mut numbers = numbers.to_vec();
            numbers[place] = number;
            numbers
        };
        if candidate.least >= candidate.from {
            return candidate.from;
        }
        let is_held = |rule: &&Rule| matches!(rule, Rule::Held(_));
        let own = |rule: &&Rule| candidate.claims.iter().any(|&claim| self.concerns(**rule, claim));
        if candidate.step == Step::Growth && broken.iter().filter(is_held).any(|rule| own(&rule)) {
            return candidate.least; // there is no room for a single further pod
        }
        let helps = |rule: &&Rule| self.of(**rule, &with(candidate.least)) < self.of(**rule, numbers);
        let helped: Vec<&Rule> = broken.iter().filter(helps).collect();
        if helped.is_empty() {
            return candidate.from;
        }
        let keeps = |number: u32| helped.iter().all(|rule| !self.is_broken(**rule, &with(number)));
        if !candidate.partly || !keeps(candidate.least) {
            return candidate.least;
        }
        let (mut low, mut high) = (candidate.least, candidate.from - 1);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if keeps(middle) { low = middle } else { high = middle - 1 }
        }
        low
    }

    fn concerns(&self, rule: Rule, claim: usize) -> bool {
        let claim = &self.question.claims[claim];
        match rule {
            Rule::Minimums(source) | Rule::Held(source) => claim.source == source,
            Rule::Cap(cap) => claim.cap == Some(cap),
        }
    }

    fn is_broken(&self, rule: Rule, numbers: &[u32]) -> bool {
        let bound = match rule {
            Rule::Minimums(source) | Rule::Held(source) => match source {
                Source::Allocatable => self.capacity.allocatable(),
                Source::Reserve => self.capacity.reserve,
            },
            Rule::Cap(cap) => self.question.caps[cap],
        };
        self.of(rule, numbers) > bound
    }

    fn of(&self, rule: Rule, numbers: &[u32]) -> Connections {
        let claims = &self.question.claims;
        let (asked, most) = self.pods(numbers);
        let concerned = (0..claims.len()).filter(|&i| self.concerns(rule, i));
        match rule {
            Rule::Held(_) => concerned.map(|i| self.running[i].held(asked[i])).sum(),
            Rule::Minimums(_) | Rule::Cap(_) => {
                let sized = |i: usize| claims[i].pods.scaled(most[i]).sized(self.question.headroom);
                let room = if rule == Rule::Minimums(Source::Allocatable) {
                    self.surge_room(&most)
                } else {
                    Connections::ZERO
                };
                concerned.map(|i| self.minimums[i] * sized(i)).sum::<Connections>() + room
            }
        }
    }

    /// Room for the one largest surging pod, at its minimum.
    fn surge_room(&self, most: &[u32]) -> Connections {
        if self.question.headroom != Headroom::SharedSurge {
            return Connections::ZERO;
        }
        let claims = self.question.claims.iter().enumerate();
        let surging = claims.filter(|(i, c)| c.source == Source::Allocatable && c.pods.scaled(most[*i]).surge > 0);
        surging.map(|(i, _)| self.minimums[i]).max().unwrap_or(Connections::ZERO)
    }

    /// Of each claim: pods that are asked for, and pods that there can be.
    fn pods(&self, numbers: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let mut asked: Vec<u32> = self.running.iter().map(|r| r.replicas).collect();
        let mut most: Vec<u32> = self.question.claims.iter().map(|c| c.pods.replicas).collect();
        for (candidate, &number) in self.candidates.iter().zip(numbers).filter(|(c, n)| **n < c.from) {
            for &claim in &candidate.claims {
                most[claim] = most[claim].min(number);
                if candidate.step == Step::Replicas {
                    asked[claim] = asked[claim].min(number);
                }
            }
        }
        for (most, asked) in most.iter_mut().zip(&asked) {
            *most = (*most).max(*asked);
        }
        (asked, most)
    }
}

impl Running {
    /// What this many pods hold at most: those that run, the largest first, and new ones.
    fn held(&self, pods: u32) -> Connections {
        let stay = usize::try_from(pods).unwrap_or(usize::MAX).min(self.pods.len());
        let new = u64::from(pods) - u64::try_from(stay).unwrap_or(0);
        self.pods[..stay].iter().copied().sum::<Connections>() + self.new_pod * new
    }
}

#[cfg(test)]
mod tests;
