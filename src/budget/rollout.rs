//! How many pods a workload can have at once.
//!
//! Kubernetes rounds a percentage of surge up and of unavailable down; where both come to nothing, one pod may be
//! unavailable. A surge is counted on top of the replicas; pods that are ending are counted by no field of Kubernetes,
//! yet hold their connections until they are gone.

/// A number of pods, or a percentage of the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// Pods.
    Pods(u32),
    /// Per cent of the replicas.
    Percent(u32),
}

impl Portion {
    /// Kubernetes' default for both fields of a rolling update.
    pub const QUARTER: Self = Self::Percent(25);

    /// Pods, rounded up.
    #[must_use]
    pub fn up(self, of: u32) -> u32 {
        self.of(of, 99)
    }

    /// Pods, rounded down.
    #[must_use]
    pub fn down(self, of: u32) -> u32 {
        self.of(of, 0)
    }

    fn of(self, replicas: u32, round: u64) -> u32 {
        match self {
            Self::Pods(n) => n,
            Self::Percent(p) => u32::try_from((u64::from(replicas) * u64::from(p) + round) / 100).unwrap_or(u32::MAX),
        }
    }
}

/// How a workload replaces its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Deployment, or an Argo Rollout's canary without traffic routing: new pods on top, old ones away.
    Rolling {
        /// Pods on top of the replicas.
        surge: Portion,
        /// Pods that may be missing.
        unavailable: Portion,
    },
    /// Deployment `Recreate`: old pods end first, where a rollout (not an eviction) replaces them.
    Recreate,
    /// `StatefulSet`, and whatever else replaces a pod only once it is gone.
    InPlace,
    /// `DaemonSet` with a surge: an updated pod is started beside an unavailable one without regard to the surge, so
    /// every node may have two.
    TwicePerNode,
    /// Argo Rollouts blue-green, or a canary with traffic routing: a second set beside the first.
    SecondSet {
        /// Its size where a step asks for more than the replicas; it never ends below them.
        pods: Option<u32>,
    },
    /// A Job whose failed pods are replaced while they still end (`podReplacementPolicy: TerminatingOrFailed`), or a
    /// `CronJob` that replaces a running Job.
    ReplacesEnding,
}

/// The pods a workload can have, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pods {
    /// The largest number asked for: replicas, an autoscaler's maximum, parallelism, nodes.
    pub replicas: u32,
    /// On top of it while a rollout runs.
    pub surge: u32,
    /// Of the old ones, those that can still be ending while their replacements run.
    pub ending: u32,
    /// Pods that shares are computed for, where the owner says so.
    pub size_for: Option<u32>,
    /// Whether these numbers are known; otherwise there may be more.
    pub certain: bool,
}

/// What shares leave room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Headroom {
    /// Replicas only.
    None,
    /// Replicas, and room for the one largest surging pod of the whole budget, at its minimum.
    SharedSurge,
    /// Every workload's surge.
    #[default]
    Surge,
    /// Every workload's surge, and every old pod still ending.
    SurgeAndTerminating,
}

impl Pods {
    /// The pods of a workload with these replicas and this strategy.
    #[must_use]
    pub fn new(replicas: u32, strategy: Strategy) -> Self {
        let (surge, ending) = match strategy {
            Strategy::Rolling { surge, .. } => (surge.up(replicas), replicas),
            Strategy::SecondSet { pods } => (pods.unwrap_or(0).max(replicas), replicas),
            Strategy::TwicePerNode => (replicas, replicas),
            Strategy::Recreate | Strategy::InPlace => (0, 0),
            Strategy::ReplacesEnding => (0, replicas),
        };
        Self { replicas, surge, ending, size_for: None, certain: true }
    }

    /// The same with other replicas. Surge and ending pods shrink with them; rounded up, to be on the safe side.
    #[must_use]
    pub fn scaled(&self, replicas: u32) -> Self {
        let from = u64::from(self.replicas.max(1));
        let part = |n: u32| u32::try_from((u64::from(n) * u64::from(replicas)).div_ceil(from)).unwrap_or(n);
        let (surge, ending, size_for) = (part(self.surge), part(self.ending), self.size_for.map(|n| n.min(replicas)));
        Self { replicas, surge, ending, size_for, certain: self.certain }
    }

    /// How many exist at the peak under a headroom.
    #[must_use]
    pub fn at_peak(&self, headroom: Headroom) -> u64 {
        let on_top = match headroom {
            Headroom::None | Headroom::SharedSurge => 0,
            Headroom::Surge => u64::from(self.surge),
            Headroom::SurgeAndTerminating => u64::from(self.surge) + u64::from(self.ending),
        };
        u64::from(self.replicas) + on_top
    }

    /// How many the shares are computed for.
    #[must_use]
    pub fn sized(&self, headroom: Headroom) -> u64 {
        self.size_for.map_or_else(|| self.at_peak(headroom), u64::from)
    }
}

impl Strategy {
    /// Of `replicas`, how many may be missing while new pods are started on top of them.
    #[must_use]
    pub fn missing(self, replicas: u32) -> u32 {
        match self {
            Self::Rolling { unavailable, .. } => unavailable.down(replicas),
            _ => 0,
        }
    }

    /// Whether a rollout of `replicas` makes progress without a single pod on top.
    #[must_use]
    pub fn proceeds_without_surge(self, replicas: u32) -> bool {
        match self {
            Self::Rolling { surge, unavailable } => unavailable.down(replicas) > 0 || surge.up(replicas) == 0,
            Self::SecondSet { pods } => pods.unwrap_or(0).max(replicas) == 0,
            Self::Recreate | Self::InPlace | Self::TwicePerNode | Self::ReplacesEnding => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolling(surge: Portion, unavailable: Portion) -> Strategy {
        Strategy::Rolling { surge, unavailable }
    }

    #[test]
    fn kubernetes_rounding() {
        // replicas, default surge up, default unavailable down
        for (replicas, up, down) in
            [(0, 0, 0), (1, 1, 0), (2, 1, 0), (3, 1, 0), (4, 1, 1), (5, 2, 1), (10, 3, 2), (15, 4, 3)]
        {
            assert_eq!((Portion::QUARTER.up(replicas), Portion::QUARTER.down(replicas)), (up, down), "{replicas}");
        }
        assert_eq!(Portion::Percent(100).up(7), 7);
        assert_eq!(Portion::Percent(u32::MAX).up(u32::MAX), u32::MAX);
    }

    #[test]
    fn a_default_rollout_of_fifteen() {
        // kubernetes/kubernetes#95498: 15 replicas, 25 %/25 %, slow shutdown: 22 pods seen where 19 were expected.
        let pods = Pods::new(15, rolling(Portion::QUARTER, Portion::QUARTER));
        assert_eq!(pods.at_peak(Headroom::None), 15);
        assert_eq!(pods.at_peak(Headroom::Surge), 19);
        assert_eq!(pods.at_peak(Headroom::SurgeAndTerminating), 34);
    }

    #[test]
    fn a_rollout_needs_room_only_where_nothing_may_be_missing() {
        assert!(!rolling(Portion::QUARTER, Portion::QUARTER).proceeds_without_surge(3));
        assert!(rolling(Portion::QUARTER, Portion::QUARTER).proceeds_without_surge(4));
        assert!(rolling(Portion::Pods(0), Portion::Pods(1)).proceeds_without_surge(1));
        // Both resolve to nothing: Kubernetes lets one pod be unavailable.
        assert!(rolling(Portion::Pods(0), Portion::QUARTER).proceeds_without_surge(3));
        assert!(!Strategy::SecondSet { pods: None }.proceeds_without_surge(3));
    }

    #[test]
    fn a_second_set_never_ends_below_the_replicas() {
        let pods = |pods| Pods::new(10, Strategy::SecondSet { pods }).at_peak(Headroom::Surge);
        assert_eq!((pods(None), pods(Some(1)), pods(Some(15))), (20, 20, 25));
    }

    #[test]
    fn size_for_replaces_the_pods_shares_are_computed_for() {
        let pods = Pods { size_for: Some(12), ..Pods::new(20, Strategy::InPlace) };
        assert_eq!((pods.sized(Headroom::Surge), pods.at_peak(Headroom::Surge)), (12, 20));
    }
}
