//! Rollouts under a budget that has room for exactly one surging pod at its smallest: whether all of them get done, from
//! whatever state they can get into, by what is bound to happen. The queue and the ledger are the real ones; what the
//! operator tells the queue is worked out here as it has to be, and, by mistake, as it must not be.

mod operator;
mod workload;

use dbbudget::budget::claim::Source;

use crate::graph::{Graph, Next};
use workload::{Kind, Stage, Strategy, Workload};

/// What is told wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Every waiting pod of a workload that has too many surges, not only as many as are too many.
    AllSurge,
    /// Who replaces a pod that was granted waits like any other.
    NobodyReplaces,
    /// Nothing is kept for a pod that was granted and is about to be created again.
    NothingKept,
    /// The room is given back when its pod is Ready, before the one that it replaces is gone.
    BackWhenReady,
    /// The room is never given back.
    NeverBack,
    /// There is none.
    NoRoom,
}

/// What is explored.
#[derive(Clone)]
pub struct Rollouts {
    pub mistake: Option<Mistake>,
    pub kinds: Vec<Kind>,
    /// How often somebody adds a replica to which workload.
    pub scalings: u8,
    pub scaled: usize,
    /// How many Ready pods are deleted under a workload.
    pub evictions: u8,
    /// What there is beyond what fits.
    pub spare: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    workloads: Vec<Workload>,
    scalings: u8,
    evictions: u8,
}

/// What was found.
pub struct Found {
    pub states: usize,
    pub depth: usize,
    /// The story of the first state from which not all rollouts get done, or the room does not come back.
    pub stuck: Option<String>,
    /// The same, of those that do not even lead to one where a broken revision has the room.
    pub blameless: Option<String>,
    /// Of the first where the room is neither kept nor used.
    pub lost: Option<String>,
}

struct Note {
    done: bool,
    lost: bool,
    /// A broken revision has the room, or a part of it.
    held: bool,
}

impl Rollouts {
    pub fn explore(&self) -> Found {
        let follow = |state: &State| self.follow(state);
        let graph = Graph::explore(self.begin(), follow, |state| self.note(state));
        let good = graph.leading_to(|note| note.done && !note.lost);
        let blamed = graph.leading_to(|note| note.done || note.held);
        let story = |state| graph.story(self.begin(), follow, state);
        Found {
            states: good.len(),
            depth: graph.depth,
            stuck: good.iter().position(|good| !good).map(story),
            blameless: blamed.iter().position(|good| !good).map(story),
            lost: graph.notes.iter().position(|note| note.lost).map(story),
        }
    }

    fn begin(&self) -> State {
        let workloads = self.kinds.iter().map(|kind| Workload::old(*kind)).collect();
        State { workloads, scalings: self.scalings, evictions: self.evictions }
    }

    fn note(&self, state: &State) -> Note {
        let works = |kind: &Kind| kind.strategy != Strategy::None && !kind.broken;
        let done = self.kinds.iter().zip(&state.workloads).all(|(kind, w)| !works(kind) || w.is_done());
        let room = self.room(state);
        let ledger = self.ledger(state);
        let free = ledger.bound(Source::Allocatable).less(ledger.held(Source::Allocatable));
        let broken = self.kinds.iter().zip(&state.workloads).filter(|(kind, _)| kind.broken);
        let held = broken.map(|(kind, workload)| self.used(*kind, workload)).any(|used| used > 0);
        Note { done, lost: free + room.used < room.size, held }
    }

    fn follow(&self, state: &State) -> Vec<Next<State>> {
        let mut next = vec![Next { event: "grant".into(), bound: true, after: self.granted(state) }];
        for (w, (kind, workload)) in self.kinds.iter().zip(&state.workloads).enumerate() {
            let mut may = |what: String, bound, after: Workload| {
                let mut changed = state.clone();
                changed.workloads[w] = after;
                next.push(Next { event: format!("{w}: {what}"), bound, after: changed.settled() });
            };
            for after in workload.controlled(kind.strategy) {
                may("controllers".into(), true, after);
            }
            for (i, pod) in workload.pods.iter().enumerate() {
                let mut after = workload.clone();
                match pod.stage {
                    Stage::Starting if !(kind.broken && pod.new) => {
                        after.pods[i].stage = Stage::Ready;
                        may(format!("{i} is Ready"), true, after);
                    }
                    Stage::Ending => {
                        after.pods.remove(i);
                        may(format!("{i} is gone"), true, after);
                    }
                    _ => {}
                }
            }
        }
        next.extend(self.misfortunes(state));
        next
    }

    fn misfortunes(&self, state: &State) -> Vec<Next<State>> {
        let mut next = Vec::new();
        if let Some(scalings) = state.scalings.checked_sub(1) {
            let mut after = State { scalings, ..state.clone() };
            let workload = &mut after.workloads[self.scaled];
            workload.replicas += 1;
            workload.new += u8::from(self.kinds[self.scaled].strategy == Strategy::None);
            next.push(Next { event: "scaled up".into(), bound: false, after });
        }
        let Some(evictions) = state.evictions.checked_sub(1) else { return next };
        for (w, workload) in state.workloads.iter().enumerate() {
            for i in (0..workload.pods.len()).filter(|i| workload.pods[*i].stage == Stage::Ready) {
                let mut after = State { evictions, ..state.clone() };
                after.workloads[w] = workload.deleted(i);
                next.push(Next { event: format!("{w}: {i} is evicted"), bound: false, after: after.settled() });
            }
        }
        next
    }
}

mod tests;
