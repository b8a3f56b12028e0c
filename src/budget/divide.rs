//! Who gets how much: minimums by priority, then weighted max-min fairness between engines.
//!
//! The result is that of the following, which [`divide`] reaches without taking every step one by one:
//!
//! 1. Every claim gets its minimum, the highest priority first. If one does not fit, nobody gets more.
//! 2. Then, one priority after the other, the highest first: of all engines that can take one more connection, the one
//!    with the lowest level (limit ÷ weight) takes it; among equals the first by rank (weight, namespace/name, the
//!    engine's place in its pod).
//! 3. An engine can take one more while it is below its maximum, and what that costs (pods × processes × count) is free
//!    in the budget and under its namespace's cap.
//!
//! So nothing usable is left: no engine could take one more step. Time: O((n + c) log n) for n engines and the largest
//! step's cost c, as bisecting the common level leaves less than one step of the engine that stopped it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::claim::Claim;
use super::connections::Connections;
use super::rollout::Headroom;
use super::shape::Engine;

/// What there is to divide.
#[derive(Clone, Copy, Debug)]
pub struct Supply<'a> {
    /// For all claims together.
    pub total: Connections,
    /// For the claims of one namespace together; [`Claim::cap`] is an index into it.
    pub caps: &'a [Connections],
    /// Decides for how many pods a share is counted.
    pub headroom: Headroom,
}

/// The limits that claims get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// For each claim, in the order given, the limit of each engine in the order of the pod's containers.
    pub limits: Vec<Vec<u32>>,
    /// Claims (by their place in the order given) whose minimum does not fit, the one that should have come first
    /// first. Not empty: infeasible, and every limit is the minimum.
    pub left_out: Vec<usize>,
}

/// Divides a supply among claims. Deterministic, and independent of their order.
#[must_use]
pub fn divide(claims: &[&Claim], supply: Supply) -> Shares {
    let mut table = Table::new(claims, supply);
    let left_out = table.give_minimums();
    if left_out.is_empty() {
        let order = std::mem::take(&mut table.order);
        for class in order.chunk_by(|&a, &b| claims[a].priority == claims[b].priority) {
            table.stop_at_caps(class);
            table.raise_together(class);
            table.raise_one_by_one(class);
        }
    }
    Shares { limits: table.limits, left_out }
}

/// A level (limit ÷ weight) as an integer: fine enough to tell any two levels with weights up to 1 000 apart.
const SCALE: u64 = 1 << 20;

struct Table<'a> {
    claims: &'a [&'a Claim],
    /// Places in `claims`, by rank.
    order: Vec<usize>,
    limits: Vec<Vec<u32>>,
    /// How far each engine rises together with the others: its maximum, or what its namespace's cap alone allows.
    tops: Vec<Vec<u32>>,
    free: Connections,
    free_in_caps: Vec<Connections>,
    headroom: Headroom,
}

impl<'a> Table<'a> {
    fn new(claims: &'a [&'a Claim], supply: Supply) -> Self {
        let mut order: Vec<usize> = (0..claims.len()).collect();
        order.sort_by(|&a, &b| claims[a].rank().cmp(&claims[b].rank()));
        let each = |of: fn(&Engine) -> u32| claims.iter().map(|c| c.shape.engines().map(of).collect()).collect();
        let (limits, tops) = (each(|e| e.min), each(|e| e.max));
        Self {
            claims,
            order,
            limits,
            tops,
            free: supply.total,
            free_in_caps: supply.caps.to_vec(),
            headroom: supply.headroom,
        }
    }

    fn give_minimums(&mut self) -> Vec<usize> {
        let mut left_out = Vec::new();
        for claim in self.order.clone() {
            let minimum = self.claims[claim].allocated(&self.limits[claim], self.headroom);
            if !self.take(claim, minimum) {
                left_out.push(claim);
            }
        }
        left_out
    }

    /// Takes connections for a claim if they are free.
    fn take(&mut self, claim: usize, cost: Connections) -> bool {
        let cap = self.claims[claim].cap.and_then(|i| self.free_in_caps.get_mut(i));
        if cost > self.free || cap.as_ref().is_some_and(|free| cost > **free) {
            return false;
        }
        self.free = self.free.less(cost);
        if let Some(free) = cap {
            *free = free.less(cost);
        }
        true
    }

    /// Divides each namespace's cap among its own claims, as if there were nothing else: none of them can rise further.
    fn stop_at_caps(&mut self, class: &[usize]) {
        for (cap, &free) in self.free_in_caps.iter().enumerate() {
            let members: Vec<usize> = class.iter().copied().filter(|&c| self.claims[c].cap == Some(cap)).collect();
            if members.is_empty() {
                continue;
            }
            let claims: Vec<&Claim> = members.iter().map(|&c| self.claims[c]).collect();
            let mut alone = Table::new(&claims, Supply { total: free, caps: &[], headroom: self.headroom });
            alone.limits = members.iter().map(|&c| self.limits[c].clone()).collect();
            let order = alone.order.clone();
            alone.raise_together(&order);
            alone.raise_one_by_one(&order);
            for (claim, limits) in members.into_iter().zip(alone.limits) {
                self.tops[claim] = limits;
            }
        }
    }

    /// The limits of a claim's engines at a level: never below what they have, never above their tops.
    fn at_level(&self, claim: usize, engine: usize, level: u64) -> u32 {
        let raised = level.saturating_mul(u64::from(self.claims[claim].weight)).div_ceil(SCALE);
        let top = self.tops[claim][engine];
        u32::try_from(raised).unwrap_or(u32::MAX).min(top).max(self.limits[claim][engine])
    }

    /// What a claim holds beyond its present limits when its engines rise to a level.
    fn cost_of_level(&self, claim: usize, level: u64) -> Connections {
        let raised =
            self.claims[claim].shape.with_each_limit(&mut |engine, _| Some(self.at_level(claim, engine, level)));
        let pods = self.claims[claim].pods.sized(self.headroom);
        (raised * pods).less(self.claims[claim].allocated(&self.limits[claim], self.headroom))
    }

    /// Raises all engines of one priority to the highest level at which everything still fits.
    fn raise_together(&mut self, class: &[usize]) {
        let top = class.iter().flat_map(|&c| &self.tops[c]).max().map_or(0, |&top| u64::from(top) * SCALE);
        let level =
            bisect(top, |level| class.iter().map(|&c| self.cost_of_level(c, level)).sum::<Connections>() <= self.free);
        for &claim in class {
            let cost = self.cost_of_level(claim, level);
            if self.take(claim, cost) {
                self.limits[claim] = (0..self.limits[claim].len()).map(|e| self.at_level(claim, e, level)).collect();
            }
        }
    }

    /// The rest, one connection at a time: the lowest level first. An engine that cannot take one is set aside until
    /// its own pod changes, as only that can make its next step cheaper (an init container in the shadow of the others).
    fn raise_one_by_one(&mut self, class: &[usize]) {
        let mut queue = BinaryHeap::new();
        for (rank, &claim) in class.iter().enumerate() {
            queue.extend((0..self.limits[claim].len()).filter_map(|engine| self.next_step(claim, rank, engine)));
        }
        let mut set_aside: Vec<Vec<usize>> = vec![Vec::new(); class.len()];
        while let Some(step) = queue.pop() {
            let claim = class[step.rank];
            let before = self.claims[claim].allocated(&self.limits[claim], self.headroom);
            self.limits[claim][step.engine] += 1;
            let after = self.claims[claim].allocated(&self.limits[claim], self.headroom);
            if self.take(claim, after.less(before)) {
                let again = set_aside[step.rank].drain(..).chain([step.engine]);
                queue.extend(again.filter_map(|engine| self.next_step(claim, step.rank, engine)));
            } else {
                self.limits[claim][step.engine] -= 1;
                set_aside[step.rank].push(step.engine);
            }
        }
    }

    fn next_step(&self, claim: usize, rank: usize, engine: usize) -> Option<Step> {
        let limit = self.limits[claim][engine];
        let below = self.claims[claim].shape.engines().nth(engine).is_some_and(|e| limit < e.max);
        below.then(|| Step { limit, weight: self.claims[claim].weight, rank, engine })
    }
}

/// The largest number up to `top` for which `fits` holds, given that it holds for 0 and, once false, stays false.
fn bisect(top: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, top);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// One engine's next connection. The greatest in a heap is the one that is served first.
#[derive(PartialEq, Eq)]
struct Step {
    limit: u32,
    weight: u32,
    rank: usize,
    engine: usize,
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        let level = |a: &Self, b: &Self| u64::from(a.limit) * u64::from(b.weight);
        let first = level(self, other).cmp(&level(other, self));
        first.then((self.rank, self.engine).cmp(&(other.rank, other.engine))).reverse()
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
