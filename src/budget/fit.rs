//! Does it fit?

use super::capacity::Capacity;
use super::claim::{Claim, Source, largest_surging_pod};
use super::connections::Connections;
use super::divide::{Shares, Supply, divide};
use super::rollout::Headroom;
use super::shape::UNLIMITED;

pub use super::ways_out::{WayOut, ways_out};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// All claims on the budget, in any order.
    pub claims: &'a [Claim],
    /// What the database gives; nothing while nobody knows.
    pub capacity: Option<Capacity>,
    /// Caps of single namespaces; [`Claim::cap`] is an index into them.
    pub caps: &'a [Connections],
    /// What shares leave room for.
    pub headroom: Headroom,
    /// Whether pods get shares, or run as they are written.
    pub shared: bool,
}

/// The answer of `dbbudget plan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The peak is at most what is allocatable.
    Fits,
    /// As written, more can be opened than is allocatable.
    Exceeded,
    /// Even the smallest safe pools, and the room for a surge, are more than is allocatable.
    Infeasible,
    /// A number that decides it is not known.
    Unknown,
}

/// One claim's part of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The limit of each engine; nothing for an engine that is unlimited as written.
    pub limits: Vec<Option<u32>>,
    /// Pods at the peak.
    pub peak_pods: u64,
    /// What a pod holds under these limits.
    pub per_pod: Connections,
    /// What is set aside for the workload.
    pub allocated: Connections,
    /// What it takes as written.
    pub wanted: Connections,
}

/// A verdict and the sum that it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Whether the sum fits.
    pub verdict: Verdict,
    /// Σ allocated and the surge reserve, or Σ wanted; of the claims that draw from what is allocatable.
    pub peak: Connections,
}

/// How a budget's claims fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Under the budget's enforcement.
    pub total: Total,
    /// What the workloads would do without dbbudget.
    pub as_written: Total,
    /// Room kept for one surging pod.
    pub surge_reserve: Connections,
    /// For each claim, in the order given.
    pub rows: Vec<Row>,
    /// Claims whose minimum does not fit, by their place in the order given.
    pub left_out: Vec<usize>,
}

/// Divides a budget among its claims and says whether it fits.
#[must_use]
pub fn fit(question: &Question) -> Fit {
    let surge_reserve = question.surge_reserve(question.shared);
    let shares = question.divide(surge_reserve);
    let rows: Vec<Row> =
        question.claims.iter().zip(&shares.limits).map(|(c, limits)| question.row(c, limits)).collect();
    let drawn = |of: fn(&Row) -> Connections| {
        let rows = question.claims.iter().zip(&rows).filter(|(c, _)| c.source == Source::Allocatable);
        rows.map(|(_, row)| of(row)).sum::<Connections>()
    };
    let peak = drawn(|r| r.allocated) + surge_reserve;
    let wanted = drawn(|r| r.wanted);
    // In Observe nothing is shared: what is, is as written.
    let wanted = if question.shared { wanted } else { peak };
    let as_written = Total { verdict: question.verdict_as_written(wanted), peak: wanted };
    let verdict = match question.capacity {
        None => Verdict::Unknown,
        Some(_) if !question.shared => as_written.verdict,
        Some(_) if !shares.left_out.is_empty() => Verdict::Infeasible,
        Some(capacity) if capacity.reserve + capacity.outside > capacity.hard => Verdict::Exceeded,
        Some(_) if !question.is_certain() => Verdict::Unknown,
        Some(_) => Verdict::Fits,
    };
    Fit { total: Total { verdict, peak }, as_written, surge_reserve, rows, left_out: shares.left_out }
}

impl Question<'_> {
    /// The claims that draw from one source, with their places.
    fn drawing(&self, source: Source) -> (Vec<usize>, Vec<&Claim>) {
        self.claims.iter().enumerate().filter(|(_, c)| c.source == source).unzip()
    }

    fn is_certain(&self) -> bool {
        self.claims.iter().all(|c| c.pods.certain && c.shape.is_certain())
    }

    /// Room for the one largest surging pod: at its minimum where shares are given, otherwise as written.
    pub(super) fn surge_reserve(&self, shared: bool) -> Connections {
        if self.headroom != Headroom::SharedSurge {
            return Connections::ZERO;
        }
        let claims = self.claims.iter().filter(|c| c.source == Source::Allocatable);
        if shared {
            largest_surging_pod(claims)
        } else {
            claims.filter(|c| c.pods.surge > 0).map(|c| c.shape.as_written()).max().unwrap_or(Connections::ZERO)
        }
    }

    fn divide(&self, surge_reserve: Connections) -> Shares {
        let capacity = self.capacity.unwrap_or_default();
        let mut all = Shares { limits: vec![Vec::new(); self.claims.len()], left_out: Vec::new() };
        let pots =
            [(Source::Allocatable, capacity.allocatable().less(surge_reserve)), (Source::Reserve, capacity.reserve)];
        for (source, total) in pots {
            let (places, claims) = self.drawing(source);
            let shares = divide(&claims, Supply { total, caps: self.caps, headroom: self.headroom });
            all.left_out.extend(shares.left_out.iter().map(|&i| places[i]));
            for (place, limits) in places.into_iter().zip(shares.limits) {
                let claim = &self.claims[place];
                // Whoever has no pods takes nothing, so that any limit would fit; the first pod to come gets the smallest.
                let idle = claim.pods.sized(self.headroom) == 0;
                all.limits[place] = if idle { claim.shape.engines().map(|e| e.min).collect() } else { limits };
            }
        }
        if self.capacity.is_none() {
            all.left_out.clear(); // nothing is known of what fits: everybody keeps the minimum
        }
        all
    }

    fn row(&self, claim: &Claim, limits: &[u32]) -> Row {
        let wanted = claim.wanted(self.headroom);
        let peak_pods = claim.pods.at_peak(self.headroom);
        if self.shared {
            let allocated = claim.allocated(limits, self.headroom);
            let limits_given = limits.iter().map(|&n| (n != UNLIMITED).then_some(n)).collect();
            Row { limits: limits_given, peak_pods, per_pod: claim.shape.with_limits(limits), allocated, wanted }
        } else {
            let limits = claim.shape.engines().map(|e| e.as_written.limit()).collect();
            Row { limits, peak_pods, per_pod: claim.shape.as_written(), allocated: wanted, wanted }
        }
    }

    fn verdict_as_written(&self, peak: Connections) -> Verdict {
        let Some(capacity) = self.capacity else { return Verdict::Unknown };
        let wanted = |claims: &[&Claim]| claims.iter().map(|c| c.wanted(self.headroom)).sum::<Connections>();
        let from_reserve = wanted(&self.drawing(Source::Reserve).1);
        let above_cap = self.caps.iter().enumerate().any(|(cap, most)| {
            let own: Vec<&Claim> = self.claims.iter().filter(|c| c.cap == Some(cap)).collect();
            wanted(&own) > *most
        });
        let taken_before = capacity.reserve + capacity.outside > capacity.hard;
        if peak > capacity.allocatable() || from_reserve > capacity.reserve || above_cap || taken_before {
            Verdict::Exceeded // what is unknown can only add to it
        } else if self.claims.iter().all(|c| c.pods.certain && c.shape.is_certain_as_written()) {
            Verdict::Fits
        } else {
            Verdict::Unknown
        }
    }
}

/// Per cent of what is allocatable, at which people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// From here on: Warning.
    pub warning: u32,
    /// From here on: Critical.
    pub critical: u32,
}

/// How a running budget stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Below the warning threshold.
    Healthy,
    /// At or above it.
    Warning,
    /// At or above the critical threshold.
    Critical,
    /// More is held, or in Observe could be, than is allocatable.
    Exceeded,
    /// Even the minimums do not fit.
    Infeasible,
    /// What the database gives is not known.
    CapacityUnknown,
    /// What a workload takes is not known, and what is known fits.
    DemandUnknown,
}

/// How a budget stands, given what its started, unended pods can hold.
#[must_use]
pub fn standing(fit: &Fit, capacity: Option<Capacity>, held: Connections, thresholds: Thresholds) -> Standing {
    let Some(capacity) = capacity else { return Standing::CapacityUnknown };
    let allocatable = capacity.allocatable();
    let held_percent = held.percent_of(allocatable).unwrap_or(0);
    match fit.total.verdict {
        Verdict::Infeasible => Standing::Infeasible,
        Verdict::Exceeded => Standing::Exceeded,
        _ if held > allocatable => Standing::Exceeded,
        Verdict::Unknown => Standing::DemandUnknown,
        Verdict::Fits if held_percent >= u64::from(thresholds.critical) => Standing::Critical,
        Verdict::Fits if held_percent >= u64::from(thresholds.warning) => Standing::Warning,
        Verdict::Fits => Standing::Healthy,
    }
}
