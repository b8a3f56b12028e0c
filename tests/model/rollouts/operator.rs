//! What dbbudget does about rollouts: what it tells the queue, and what it does with the answers.

use std::collections::BTreeMap;

use dbbudget::budget::claim::Source;
use dbbudget::budget::connections::Connections;
use dbbudget::budget::ledger::queue::{self, Answer, Asking, Rank, Surge, SurgeRoom};
use dbbudget::budget::ledger::{Bounds, Entry, Ledger, Moment, Phase, Uid};

use super::workload::{Kind, Pod, Stage, Strategy, Workload};
use super::{Mistake, Rollouts, State};

fn uid(workload: usize, pod: usize) -> Uid {
    format!("{workload}-{pod}").into()
}

fn entry(connections: u8) -> Entry {
    Entry { connections: connections.into(), ..Entry::default() }
}

impl Rollouts {
    /// Room for the one surging pod that is largest at its smallest.
    fn room_size(&self) -> u8 {
        let surges = |kind: &&Kind| matches!(kind.strategy, Strategy::Rolling { surge: 1.., .. });
        self.kinds.iter().filter(surges).map(|kind| kind.least).max().unwrap_or(0)
    }

    /// The ledger, of a budget that fits what there is before the rollouts, the room, and what is spare.
    pub(super) fn ledger(&self, state: &State) -> Ledger {
        let all: u8 = self.kinds.iter().map(|kind| kind.replicas * kind.share).sum();
        let allocatable = Connections::new((all + self.room_size() + self.spare).into());
        let mut entries = BTreeMap::new();
        for (w, workload) in state.workloads.iter().enumerate() {
            let granted = workload.pods.iter().enumerate().filter(|(_, pod)| pod.has_entry());
            entries.extend(granted.map(|(i, pod)| (uid(w, i), entry(pod.holds))));
        }
        let bounds = Bounds { allocatable, reserve: Connections::ZERO, generation: 1 };
        Ledger::stored(Phase::Leasing, bounds, entries, [].into())
    }

    pub(super) fn room(&self, state: &State) -> SurgeRoom {
        let used = self.kinds.iter().zip(&state.workloads).map(|(kind, workload)| self.used(*kind, workload)).sum();
        let size = if self.mistake == Some(Mistake::NoRoom) { 0 } else { self.room_size() };
        SurgeRoom { size: Connections::new(size.into()), used: Connections::new(used) }
    }

    /// Of the room, a workload's pods have what is held by those that are too many and hold no more than their smallest. It
    /// is seen in the cluster and the ledger, so that a new leader sees the same.
    pub(super) fn used(&self, kind: Kind, workload: &Workload) -> u64 {
        let mut small: Vec<&Pod> = workload.pods.iter().filter(|p| p.has_entry() && p.holds <= kind.least).collect();
        if self.mistake == Some(Mistake::BackWhenReady) {
            small.retain(|pod| pod.stage == Stage::Starting);
        }
        let rolls = workload.pods.iter().any(|pod| pod.new) && workload.count(|pod| !pod.new && pod.has_entry()) > 0;
        let beyond = |needed: u8| if rolls { workload.count(Pod::has_entry).saturating_sub(needed) } else { 0 };
        let most = if self.mistake == Some(Mistake::NeverBack) {
            small.len()
        } else {
            beyond(workload.replicas - kind.missing().min(workload.replicas)).into()
        };
        // One that an earlier rollout left counts only where all replicas are there without it.
        let (new, mut old): (Vec<&Pod>, Vec<&Pod>) = small.into_iter().partition(|pod| pod.new);
        old.truncate(beyond(workload.replicas).into());
        old.into_iter().chain(new).take(most).map(|pod| u64::from(pod.holds)).sum()
    }

    fn asking(&self, w: usize, workload: &Workload) -> Vec<Asking> {
        let kind = self.kinds[w];
        let mut waiting: Vec<_> = workload.pods.iter().enumerate().filter(|(_, pod)| !pod.has_entry()).collect();
        waiting.sort_by_key(|(_, pod)| (pod.new, pod.since));
        let stands = workload.count(Pod::stands);
        let all = stands + workload.count(|pod| !pod.has_entry());
        let holds: u8 = workload.pods.iter().map(|pod| pod.holds).sum();
        let is_small = workload.pods.iter().any(|pod| pod.stands() && pod.holds <= kind.least);
        let live = workload.count(|pod| pod.stage != Stage::Ending);
        let asking = waiting.into_iter().zip(stands + 1..).map(|((i, pod), nth)| {
            let replaces = nth <= workload.standing && self.mistake != Some(Mistake::NobodyReplaces);
            let stands = if self.mistake == Some(Mistake::AllSurge) { all.saturating_sub(1) } else { stands };
            Asking {
                uid: uid(w, i),
                source: Source::Allocatable,
                share: kind.share.into(),
                least: kind.least.into(),
                rank: Rank { replaces, priority: 0, newest: pod.new, since: Moment(pod.since.into()) },
                surge: match is_small && holds + kind.share <= workload.replicas * kind.share + kind.least {
                    _ if stands < self.needed(kind, workload, live > workload.replicas && pod.new) => Surge::No,
                    true => Surge::Share,
                    false => Surge::Smallest,
                },
                patient: false,
                elsewhere: false,
            }
        });
        asking.collect()
    }

    /// Whoever comes when as many stand surges.
    fn needed(&self, kind: Kind, workload: &Workload, rolls: bool) -> u8 {
        let others = workload.count(|pod| !pod.new && pod.has_entry()) > 0;
        match rolls && others {
            true => workload.replicas.saturating_sub(kind.missing()),
            false => workload.replicas,
        }
    }

    /// For granted pods that are gone, and are about to be created again.
    fn kept(&self, w: usize, workload: &Workload) -> Vec<(Uid, Entry)> {
        let missing = workload.standing.saturating_sub(workload.count(|pod| pod.stage != Stage::Ending));
        let missing = if self.mistake == Some(Mistake::NothingKept) { 0 } else { missing };
        (0..missing).map(|n| (format!("{w}-missing-{n}").into(), entry(self.kinds[w].share))).collect()
    }

    /// Everybody who waits is answered.
    pub(super) fn granted(&self, state: &State) -> State {
        let mut ledger = self.ledger(state);
        let mut with_kept = ledger.clone();
        let mut asking = Vec::new();
        for (w, workload) in state.workloads.iter().enumerate() {
            self.kept(w, workload).into_iter().for_each(|(uid, entry)| with_kept.enter(uid, entry));
            asking.extend(self.asking(w, workload));
        }
        let mut next = state.clone();
        for (asked, answer) in queue::answer(&with_kept, asking, self.room(state)) {
            let Answer::Granted(connections) = answer else { continue };
            let holds = u8::try_from(connections).expect("a few");
            ledger.grant(asked.uid.clone(), entry(holds), 1).expect("the queue grants what fits");
            for (w, workload) in next.workloads.iter_mut().enumerate() {
                let pods = workload.pods.iter_mut().enumerate().filter(|(i, _)| uid(w, *i) == asked.uid);
                pods.for_each(|(_, pod)| *pod = Pod { stage: Stage::Starting, holds, since: 0, ..*pod });
            }
        }
        next.settled()
    }
}

impl State {
    /// Pods that are alike are one another's equals, and of who waits only the order counts.
    pub(super) fn settled(mut self) -> Self {
        let waiting = self.workloads.iter().flat_map(|w| &w.pods).filter(|pod| !pod.has_entry());
        let mut order: Vec<u8> = waiting.map(|pod| pod.since).collect();
        order.sort_unstable();
        for workload in &mut self.workloads {
            for pod in workload.pods.iter_mut().filter(|pod| !pod.has_entry()) {
                let place = order.iter().position(|since| *since == pod.since);
                pod.since = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
            }
            workload.pods.sort_unstable();
            workload.standing = workload.standing.max(workload.count(Pod::stands)).min(workload.replicas);
        }
        self
    }
}
