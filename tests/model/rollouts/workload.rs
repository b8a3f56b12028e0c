//! Workloads as Kubernetes' controllers change them, pod by pod, in any order.

/// How a workload replaces its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// A Deployment: so many on top of the replicas, and so many that may be missing.
    Rolling { surge: u8, unavailable: u8 },
    /// A Deployment: the new ones are created when the old ones are gone.
    Recreate,
    /// A `StatefulSet`: one pod at a time, the next when this one is Ready.
    InOrder,
    /// It is scaled, and not rolled.
    None,
}

/// What does not change of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub strategy: Strategy,
    pub replicas: u8,
    pub share: u8,
    pub least: u8,
    /// Of its old pods, as many came in by the room of an earlier rollout.
    pub small: u8,
    /// Its new pods never become Ready.
    pub broken: bool,
}

impl Kind {
    /// How many pods may be missing while it rolls.
    pub fn missing(self) -> u8 {
        match self.strategy {
            Strategy::Rolling { surge: 0, unavailable } => unavailable.max(1),
            Strategy::Rolling { unavailable, .. } => unavailable,
            Strategy::Recreate | Strategy::InOrder | Strategy::None => 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workload {
    pub replicas: u8,
    /// Pods that its old `ReplicaSet` is to have.
    pub old: u8,
    /// Pods that its new one is to have.
    pub new: u8,
    /// How many granted pods it had at once, as far as it is to have them.
    pub standing: u8,
    pub pods: Vec<Pod>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pod {
    pub new: bool,
    pub stage: Stage,
    /// What it was granted.
    pub holds: u8,
    /// Who waits longer has less.
    pub since: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Waiting,
    Starting,
    Ready,
    Ending,
}

impl Pod {
    /// It is not on its way out, and was granted its connections.
    pub fn stands(self) -> bool {
        matches!(self.stage, Stage::Starting | Stage::Ready)
    }

    pub fn has_entry(self) -> bool {
        self.stage != Stage::Waiting
    }
}

impl Workload {
    /// Before its rollout.
    pub fn old(kind: Kind) -> Self {
        let rolls = kind.strategy != Strategy::None;
        let pod = Pod { new: !rolls, stage: Stage::Ready, holds: kind.share, since: 0 };
        let (old, new) = if rolls { (kind.replicas, 0) } else { (0, kind.replicas) };
        let mut pods = vec![pod; kind.replicas.into()];
        pods.iter_mut().take(kind.small.into()).for_each(|pod| pod.holds = kind.least);
        Self { replicas: kind.replicas, old, new, standing: kind.replicas, pods }
    }

    pub fn is_done(&self) -> bool {
        self.count(|_| true) == self.replicas && self.count(|pod| pod.new && pod.stage == Stage::Ready) == self.replicas
    }

    pub fn count(&self, which: impl Fn(Pod) -> bool) -> u8 {
        u8::try_from(self.pods.iter().filter(|pod| which(**pod)).count()).unwrap_or(u8::MAX)
    }

    /// Pods of a revision that its `ReplicaSet` counts.
    fn active(&self, new: bool) -> u8 {
        self.count(|pod| pod.new == new && pod.stage != Stage::Ending)
    }

    /// What its controllers may do next.
    pub fn controlled(&self, strategy: Strategy) -> Vec<Self> {
        match strategy {
            Strategy::Rolling { surge, unavailable } => {
                let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
                let rolled = [self.scaled_up(surge), self.scaled_down(unavailable)];
                rolled.into_iter().flatten().chain(self.replica_sets()).collect()
            }
            Strategy::Recreate => self.recreated().into_iter().chain(self.replica_sets()).collect(),
            Strategy::InOrder => self.in_order().into_iter().collect(),
            Strategy::None => self.replica_sets(),
        }
    }

    fn scaled_up(&self, surge: u8) -> Option<Self> {
        let room = (self.replicas + surge).saturating_sub(self.old + self.new);
        let more = room.min(self.replicas.saturating_sub(self.new));
        (more > 0).then(|| Self { new: self.new + more, ..self.clone() })
    }

    /// Old pods that are not Ready go first, then as many as may be missing.
    fn scaled_down(&self, unavailable: u8) -> Option<Self> {
        let ready = |new| self.count(|pod| pod.new == new && pod.stage == Stage::Ready);
        let least = self.replicas.saturating_sub(unavailable);
        let most = (self.old + self.new).saturating_sub(least + self.new.saturating_sub(ready(true)));
        let unready = self.old.saturating_sub(ready(false));
        let spare = (ready(true) + ready(false)).saturating_sub(least);
        let fewer = if unready > 0 { most.min(unready) } else { most.min(spare).min(self.old) };
        (fewer > 0).then(|| Self { old: self.old - fewer, ..self.clone() })
    }

    fn recreated(&self) -> Option<Self> {
        if self.old > 0 {
            return Some(Self { old: 0, ..self.clone() });
        }
        let gone = self.new == 0 && self.count(|pod| !pod.new) == 0;
        gone.then(|| Self { new: self.replicas, ..self.clone() })
    }

    /// A `ReplicaSet` creates what is missing, and deletes what is too much: who does not run first.
    fn replica_sets(&self) -> Vec<Self> {
        let sets = [(false, self.old), (true, self.new)].into_iter().filter_map(|(new, wanted)| {
            if self.active(new) < wanted {
                return Some(self.created(new));
            }
            let of = |stage| self.pods.iter().position(|pod| pod.new == new && pod.stage == stage);
            let first = [Stage::Waiting, Stage::Starting, Stage::Ready].into_iter().find_map(of);
            first.filter(|_| self.active(new) > wanted).map(|pod| self.deleted(pod))
        });
        sets.collect()
    }

    /// A pod is replaced when it is gone, and only while all new ones are Ready.
    fn in_order(&self) -> Option<Self> {
        if self.count(|pod| pod.stage != Stage::Ready && (pod.new || pod.stage == Stage::Ending)) > 0 {
            return None;
        }
        if self.count(|_| true) < self.replicas {
            return Some(self.created(true));
        }
        let old = self.pods.iter().position(|pod| !pod.new);
        old.map(|pod| self.deleted(pod))
    }

    fn created(&self, new: bool) -> Self {
        let mut next = self.clone();
        next.pods.push(Pod { new, stage: Stage::Waiting, holds: 0, since: u8::MAX });
        next
    }

    /// One that never ran is gone at once.
    pub fn deleted(&self, pod: usize) -> Self {
        let mut next = self.clone();
        if next.pods[pod].has_entry() {
            next.pods[pod].stage = Stage::Ending;
        } else {
            next.pods.remove(pod);
        }
        next
    }
}
