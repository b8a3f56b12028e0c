//! What one workload asks for.

use std::fmt;

use super::connections::Connections;
use super::rollout::{Headroom, Pods};
use super::shape::Shape;

/// Which claim: its namespace and its name there. Orders claims wherever nothing else does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Namespace of the workload.
    pub namespace: String,
    /// Name of the claim.
    pub name: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a claim draws from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Source {
    /// What is left for workloads.
    #[default]
    Allocatable,
    /// What is kept for people, migrations and the platform.
    Reserve,
}

/// One workload's claim on a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which one.
    pub id: Id,
    /// Who keeps connections when they run short: higher first.
    pub priority: i32,
    /// Who gets more of what is left: 1 to 1 000.
    pub weight: u32,
    /// What it draws from.
    pub source: Source,
    /// Index of the namespace cap that binds it, if one does.
    pub cap: Option<usize>,
    /// How many pods.
    pub pods: Pods,
    /// What each pod runs.
    pub shape: Shape,
}

impl Claim {
    /// What the workload holds without dbbudget: what a pod holds as written × peak pods.
    #[must_use]
    pub fn wanted(&self, headroom: Headroom) -> Connections {
        self.shape.as_written() * self.pods.at_peak(headroom)
    }

    /// What the workload holds with these limits, for the pods that shares are computed for.
    #[must_use]
    pub fn allocated(&self, limits: &[u32], headroom: Headroom) -> Connections {
        self.shape.with_limits(limits) * self.pods.sized(headroom)
    }

    /// Who comes first where connections run short: priority, then weight, then namespace/name.
    #[must_use]
    pub fn rank(&self) -> impl Ord + use<'_> {
        (std::cmp::Reverse(self.priority), std::cmp::Reverse(self.weight), &self.id)
    }
}

/// What one surging pod of any of these claims needs at most, at its minimum.
#[must_use]
pub fn largest_surging_pod<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Connections {
    let surging = claims.into_iter().filter(|c| c.pods.surge > 0);
    surging.map(|c| c.shape.at_minimum()).max().unwrap_or(Connections::ZERO)
}
