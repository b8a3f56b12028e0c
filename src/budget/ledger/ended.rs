//! When a pod has ended for good. What is taken for proof here never becomes untrue again, so that whoever looks at an old
//! copy can only be late.

use super::{Moment, Uid};

/// What a quorum read by name answered. It has to begin after the entry was read: an earlier one may say "not found" of a
/// pod that was created since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is no pod of this name.
    NotFound,
    /// There is another pod of this name.
    Another,
    /// The pod is there.
    Found(PodSeen),
}

/// A pod as it was seen, as far as its end goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct PodSeen {
    /// Its phase is Succeeded or Failed.
    pub terminal: bool,
    /// A container runs, or nobody knows.
    pub running: bool,
    /// It has a node.
    pub bound: bool,
    /// It is on its way out, so no container is started again.
    pub deleting: bool,
    /// The pod garbage collector ended it: it marks pods of vanished nodes Failed while their containers run.
    pub collected: bool,
    /// It is the last state before the pod was gone, as the watch tells with its deletion.
    pub last: bool,
}

/// What is known of a pod that has an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has ended.
    Ended(Ended),
    /// It is there.
    Alive,
    /// It is gone, and nobody saw it end.
    Vanished,
}

/// Proof that a pod has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    uid: Uid,
}

impl Ended {
    /// Whose end.
    #[must_use]
    pub fn uid(&self) -> &Uid {
        &self.uid
    }
}

/// What a quorum read, and what was seen of the pod before, say together.
#[must_use]
pub fn judge(uid: &Uid, answer: &Answer, seen: Option<PodSeen>) -> Verdict {
    let ended = || Verdict::Ended(Ended { uid: uid.clone() });
    match answer {
        Answer::Found(pod) if pod.terminal && !pod.running && !pod.collected => ended(),
        Answer::Found(_) => Verdict::Alive,
        Answer::NotFound | Answer::Another if seen.is_some_and(PodSeen::ended_cleanly) => ended(),
        Answer::NotFound | Answer::Another => Verdict::Vanished,
    }
}

impl PodSeen {
    /// Whether a pod that is gone had ended before: no container can have run after this was seen.
    const fn ended_cleanly(self) -> bool {
        let never_bound = self.last && !self.bound;
        // That containers have ended and it is being deleted is not enough: a kubelet that has not heard of the deletion
        // starts them again. It says Succeeded or Failed when it has.
        let stopped = !self.running && self.terminal && !self.collected;
        never_bound || stopped
    }
}

/// What was heard of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeSeen {
    /// Its kubelet has renewed its Lease without a gap from one moment to the other. A single renewal proves nothing: a
    /// node that was cut off renews first, and kills what the API forgot afterwards.
    Steady {
        /// The first renewal after a gap.
        from: Moment,
        /// The last one.
        to: Moment,
    },
    /// Nothing, or it is gone.
    Silent,
}
