//! dbbudget's own steps, each computed from what one controller saw, however old that is; and the mistakes that the
//! protocol is there to prevent.

use dbbudget::budget::claim::Source;
use dbbudget::budget::ledger::adoption::{Listed, Replica, SETTLE, adopt};
use dbbudget::budget::ledger::ended::{Answer, PodSeen, Verdict, judge};
use dbbudget::budget::ledger::queue::{self, Asking, Rank, Surge, SurgeRoom, Why};
use dbbudget::budget::ledger::{Bounds, Entry, Ledger, Moment, Origin, Phase, Uid, Wait};

use crate::world::{AS_WRITTEN, Budget, Here, Message, Object, TICK, World, uid};

/// What a controller has seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Controller {
    pub ledger: Option<(Ledger, u8)>,
    pub budget: Option<Budget>,
    pub pods: Vec<View>,
    /// Which pods' entries it executed; nobody asks unless by mistake.
    pub executed: Vec<usize>,
}

/// What it has seen of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum View {
    #[default]
    Nothing,
    Here(Here, u8),
    Gone(Option<PodSeen>),
}

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mistake {
    /// The ledger is replaced whatever version it has.
    NoCompareAndSwap,
    /// Entries follow the share.
    EntriesChange,
    /// The patch writes the share of now instead of the entry's.
    NewestClaim,
    /// An entry goes when its pod's deletion begins.
    ReleaseAtDeletion,
    /// A pod that a cache does not have has ended.
    AbsenceFromCache,
    /// A pod that is Failed has ended, whoever says so.
    PhaseTrusted,
    /// A pod that is gone has ended.
    NoQuarantine,
    /// A single renewal of the node's Lease ends the quarantine.
    OneRenewal,
    /// A new ledger grants at once.
    BornLeasing,
    /// It adopts what is listed before everybody gates.
    EarlyList,
    /// What is gone without proof is kept for ever.
    NoRelease,
    /// An entry stays until proof comes, which may never come.
    NoProofNoEnd,
    /// An entry is executed once, and the patch may be lost.
    ExecutedOnce,
    /// A controller does not read the ledger again, once it has written.
    NotReadAgain,
    /// Whoever never fits keeps the others waiting.
    NeverBlocks,
}

/// In ticks: two until a kubelet has killed, three where nothing is heard of it.
const WAIT: Wait = Wait { node: None, killed_after: 2 * SETTLE, at_most: 3 * SETTLE };

/// A step of one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    SeeLedger,
    SeeBudget,
    See(usize),
    Crash,
    Adopt,
    Rebound,
    Grant,
    Execute(usize),
    Look(usize),
    Release(usize),
}

impl Controller {
    pub fn new(pods: usize) -> Self {
        Self { ledger: None, budget: None, pods: vec![View::Nothing; pods], executed: Vec::new() }
    }

    pub fn steps(&self, world: &World) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.ledger.as_ref().is_none_or(|(_, version)| *version != world.version) {
            steps.push(Step::SeeLedger);
        }
        if self.budget != Some(world.budget) {
            steps.push(Step::SeeBudget);
        }
        for (i, view) in self.pods.iter().enumerate() {
            if *view != current(world, i) {
                steps.push(Step::See(i));
            }
            steps.extend([Step::Execute(i), Step::Look(i), Step::Release(i)]);
        }
        if world.left.crashes > 0 {
            steps.push(Step::Crash);
        }
        steps.extend([Step::Adopt, Step::Rebound, Step::Grant]);
        steps
    }

    /// What it sends; nothing where there is nothing to do.
    pub fn send(&self, step: Step, world: &World, mistake: Option<Mistake>) -> Option<Message> {
        let ((ledger, version), budget) = (self.ledger.as_ref()?, self.budget?);
        if let Step::Execute(pod) = step {
            let entry = ledger.entries().get(&uid(pod))?;
            let View::Here(here, _) = self.pods[pod] else { return None };
            let newest = mistake == Some(Mistake::NewestClaim);
            let values = if newest { budget.share } else { u8::try_from(entry.connections).ok()? };
            let again = mistake == Some(Mistake::ExecutedOnce) && self.executed.contains(&pod);
            return (here.gated && !again).then_some(Message::Patch { pod, values });
        }
        let mut next = ledger.clone();
        match step {
            Step::Adopt => next.begin(adopted(world, ledger, mistake)?),
            Step::Rebound => drop(next.rebound(World::bounds(budget))),
            Step::Grant => self.grant(&mut next, budget, mistake),
            Step::Look(pod) => self.look(&mut next, pod, world, mistake),
            Step::Release(_) if mistake == Some(Mistake::NoRelease) => {}
            Step::Release(pod) if mistake == Some(Mistake::OneRenewal) => {
                let kept = ledger.quarantined().get(&uid(pod))?;
                if matches!(world.node, crate::world::Node::Up { .. })
                    && world.moment() >= kept.since.after(kept.killed_after)
                {
                    next.release(&uid(pod), world.heard(), kept.until);
                }
            }
            Step::Release(pod) => next.release(&uid(pod), world.heard(), world.moment()),
            _ => {}
        }
        (next != *ledger).then(|| Message::Write { base: *version, ledger: Box::new(next) })
    }

    /// Everybody who waits is answered; pods that slipped past are entered.
    fn grant(&self, next: &mut Ledger, budget: Budget, mistake: Option<Mistake>) {
        let here = self.pods.iter().enumerate().filter_map(|(i, view)| match view {
            View::Here(here, pinned) => Some((uid(i), *here, u32::from(*pinned))),
            _ => None,
        });
        let here: Vec<_> = here.collect();
        let waiting = here.iter().filter(|(uid, here, _)| here.gated && !here.deleting && !next.knows(uid));
        let asking = waiting.map(|(uid, _, share)| asks(uid.clone(), *share));
        for (asked, answer) in queue::answer(next, asking.collect(), SurgeRoom::default()) {
            if mistake == Some(Mistake::NeverBlocks) && matches!(answer, queue::Answer::Waits(Why::Never { .. })) {
                break;
            }
            if let queue::Answer::Granted(connections) = answer {
                let entry = Entry { connections, ..Entry::default() };
                let _ = next.grant(asked.uid, entry, budget.generation.into());
            }
        }
        if mistake == Some(Mistake::EntriesChange) {
            let connections = u32::from(budget.share);
            let changed = |entry: &Entry| match entry.origin {
                Origin::Granted => Entry { connections, ..entry.clone() },
                _ => entry.clone(),
            };
            let entries = next.entries().iter().map(|(uid, entry)| (uid.clone(), changed(entry))).collect();
            *next = Ledger::stored(next.phase(), next.bounds(), entries, next.quarantined().clone());
        }
    }

    /// Reads one pod that has an entry, and draws the conclusion.
    fn look(&self, next: &mut Ledger, pod: usize, world: &World, mistake: Option<Mistake>) {
        let name = uid(pod);
        if !next.knows(&name) {
            return;
        }
        let answer = world.pods[pod].here().map_or(Answer::NotFound, |here| Answer::Found(here.seen(false)));
        let seen = match self.pods[pod] {
            View::Nothing => None,
            View::Here(here, _) => Some(here.seen(false)),
            View::Gone(last) => last,
        };
        let verdict = match judge(&name, &answer, seen) {
            _ if mistaken(mistake, self.pods[pod], seen) => judge(&name, &Answer::NotFound, Some(CLEAN)),
            Verdict::Vanished if mistake == Some(Mistake::NoQuarantine) => judge(&name, &answer, Some(CLEAN)),
            verdict => verdict,
        };
        match verdict {
            Verdict::Ended(ended) => next.remove(&ended),
            Verdict::Alive => next.seen_alive(&name),
            Verdict::Vanished if mistake == Some(Mistake::NoProofNoEnd) => {}
            Verdict::Vanished => next.quarantine(&name, String::new(), world.moment(), WAIT),
        }
    }
}

/// A pod that waits like any other.
pub fn asks(uid: Uid, share: u32) -> Asking {
    let rank = Rank { replaces: false, priority: 0, newest: true, since: Moment(0) };
    let (source, surge) = (Source::Allocatable, Surge::No);
    Asking { uid, source, share, least: share, rank, surge, patient: false, elsewhere: false }
}

/// What anybody would take for an end.
const CLEAN: PodSeen =
    PodSeen { terminal: true, running: false, bound: true, deleting: true, collected: false, last: true };

/// Whether a mistake takes this for an end.
fn mistaken(mistake: Option<Mistake>, view: View, seen: Option<PodSeen>) -> bool {
    match mistake {
        Some(Mistake::ReleaseAtDeletion) => seen.is_some_and(|pod| pod.deleting),
        Some(Mistake::AbsenceFromCache) => view == View::Nothing,
        Some(Mistake::PhaseTrusted) => seen.is_some_and(|pod| pod.terminal),
        _ => false,
    }
}

/// What a pod looks like now.
pub fn current(world: &World, pod: usize) -> View {
    match world.pods[pod].object {
        Object::None | Object::Admitted { .. } => View::Nothing,
        Object::Here(here) => View::Here(here, world.pods[pod].pinned),
        Object::Gone => View::Gone(world.pods[pod].last),
    }
}

/// A complete list of the pods, begun now.
fn adopted(
    world: &World,
    ledger: &Ledger,
    mistake: Option<Mistake>,
) -> Option<dbbudget::budget::ledger::adoption::Adopted> {
    if ledger.phase() == Phase::Leasing {
        return None;
    }
    let Bounds { generation, .. } = ledger.bounds();
    let since = world.gating.map(|at| Moment(i64::from(at) * TICK));
    let replica = Replica { confirmed: since.map(|since| (generation, since)), live: true };
    let early = mistake == Some(Mistake::EarlyList);
    let began = if early { Moment(i64::MAX) } else { world.moment() };
    let listed = world.pods.iter().enumerate().filter_map(|(i, pod)| {
        let here = pod.here()?;
        let ended = matches!(judge(&uid(i), &Answer::Found(here.seen(false)), None), Verdict::Ended(_));
        let entry = Entry { connections: AS_WRITTEN.into(), origin: Origin::Adopted, ..Entry::default() };
        Some(Listed { uid: uid(i), entry, awaits: here.gated, ended })
    });
    adopt(generation, &[replica], SETTLE, began, listed.collect::<Vec<_>>()).ok()
}
