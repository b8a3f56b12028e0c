//! Which pods surge, so that another one ends when they are Ready, and which of them have the room that is kept for that.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::Claim;
use super::facts::{Facts, Member, number};
use crate::budget::connections::Connections;
use crate::budget::ledger::queue::{Surge, SurgeRoom};
use crate::budget::ledger::{Ledger, Moment};
use crate::cluster::view::pods::Pod;

/// How waiting pods surge. They are asked about in the order in which they wait.
pub struct Surging<'a> {
    facts: &'a Facts,
    budget: &'a str,
    ledger: &'a Ledger,
    fleets: BTreeMap<usize, Fleet<'a>>,
    smalls: BTreeMap<usize, Smalls>,
    /// Claims of which one has been asked about that surges.
    begun: BTreeSet<usize>,
}

/// How one of them does.
pub struct Manner {
    /// What it may take of the room.
    pub surge: Surge,
    /// It is the first of its rollout: nothing is about to be given back before it is Ready.
    pub is_first: bool,
    /// It is of its workload's newest revision.
    pub newest: bool,
}

impl<'a> Surging<'a> {
    /// Nobody has been asked about.
    #[must_use]
    pub fn new(facts: &'a Facts, budget: &'a str, ledger: &'a Ledger) -> Self {
        let (smalls, begun) = (BTreeMap::new(), BTreeSet::new());
        Self { facts, budget, ledger, fleets: fleets(facts, ledger), smalls, begun }
    }

    /// How a pod does that holds so many with its share, or at its smallest; nothing: nobody knows its workload.
    pub fn manner(&mut self, member: &Member, share: u32, smallest: u32) -> Option<Manner> {
        let (number, pod) = (member.claim, &member.pod);
        let (claim, fleet) = (self.facts.claims.get(number)?, self.fleets.get(&number)?);
        let newest = fleet.is_newest(pod);
        if !fleet.surges(claim, pod) {
            return Some(Manner { surge: Surge::No, is_first: false, newest });
        }
        let count = || Smalls::of(self.facts, self.budget, self.ledger, (number, fleet));
        let smalls = *self.smalls.entry(number).or_insert_with(count);
        // If it has less for another reason than a pod that came in by the room, nobody would see that the room is used.
        let surge = if smalls.any && fleet.owes(claim, share, smallest) { Surge::Share } else { Surge::Smallest };
        let is_first = self.begun.insert(number) && !smalls.new && !fleet.closes;
        Some(Manner { surge, is_first, newest })
    }
}

/// The pods of one workload.
#[derive(Default)]
struct Fleet<'a> {
    /// Those that are not on their way out, waiting ones included.
    live: u32,
    /// Of these, those that have an entry.
    granted: u32,
    /// What all of them have entries for.
    holds: u64,
    /// One that has an entry is on its way out.
    closes: bool,
    /// The revision whose first pod is the youngest; all of them, where several began in the same second.
    newest: BTreeSet<&'a str>,
    /// The revisions whose pods have an entry.
    holding: BTreeSet<&'a str>,
}

impl Fleet<'_> {
    fn is_newest(&self, pod: &Pod) -> bool {
        self.newest.contains(&*pod.revision)
    }

    /// Whether another pod ends when this one is Ready: all replicas are there without it, or as many as a rollout needs.
    /// Where no pod of another revision holds anything, none does: a workload that is scaled up has pods before its new
    /// number of replicas is heard of.
    fn surges(&self, claim: &Claim, pod: &Pod) -> bool {
        let others_hold = self.holding.iter().any(|revision| **revision != *pod.revision);
        let Some(replicas) = claim.replicas.filter(|_| others_hold) else { return false };
        let rolls = self.live > replicas && self.is_newest(pod);
        self.granted >= if rolls { replicas.saturating_sub(claim.missing) } else { replicas }
    }

    /// Whether a further pod's share, of which the room has its smallest, is no more than the replicas' shares leave.
    fn owes(&self, claim: &Claim, share: u32, smallest: u32) -> bool {
        let all = u64::from(claim.replicas.unwrap_or(0)) * u64::from(share);
        self.holds + u64::from(share.saturating_sub(smallest)) <= all
    }

    /// As many entries are needed of pods of an older revision, and of all, while there is a rollout.
    fn needed(&self, claim: &Claim) -> Option<(u32, u32)> {
        let rolls = self.holding.len() > 1 || !self.holding.is_subset(&self.newest);
        let replicas = claim.replicas.filter(|_| rolls)?;
        Some((replicas, replicas.saturating_sub(claim.missing)))
    }
}

/// Whether a pod with this entry holds no more than its smallest.
fn is_smallest(budget: &str, connections: u32, pod: &Pod) -> bool {
    let least = pod.pinned.as_ref().map(|pinned| pinned.only(budget).least());
    least.is_some_and(|least| connections <= number(least))
}

/// Granted pods of a workload that hold no more than their smallest, and are not on their way out.
#[derive(Clone, Copy, Default)]
struct Smalls {
    /// There is one.
    any: bool,
    /// One of the newest revision.
    new: bool,
}

impl Smalls {
    fn of(facts: &Facts, budget: &str, ledger: &Ledger, (claim, fleet): (usize, &Fleet)) -> Self {
        let mut smalls = Self::default();
        for (uid, member) in facts.members.iter().filter(|(_, m)| m.claim == claim && !m.pod.terminating()) {
            let holds = ledger.entries().get(uid).map(|entry| entry.connections);
            if holds.is_some_and(|holds| is_smallest(budget, holds, &member.pod)) {
                (smalls.any, smalls.new) = (true, smalls.new || fleet.is_newest(&member.pod));
            }
        }
        smalls
    }
}

fn fleets<'a>(facts: &'a Facts, ledger: &Ledger) -> BTreeMap<usize, Fleet<'a>> {
    let mut first: BTreeMap<(usize, &str), Moment> = BTreeMap::new();
    for member in facts.members.values() {
        let of = first.entry((member.claim, &member.pod.revision)).or_insert(member.pod.created);
        *of = (*of).min(member.pod.created);
    }
    let mut youngest: BTreeMap<usize, Moment> = BTreeMap::new();
    for ((claim, _), created) in &first {
        let of = youngest.entry(*claim).or_insert(*created);
        *of = (*of).max(*created);
    }
    let mut fleets: BTreeMap<usize, Fleet> = BTreeMap::new();
    for ((claim, revision), created) in first {
        let fleet = fleets.entry(claim).or_default();
        if youngest.get(&claim) == Some(&created) {
            fleet.newest.insert(revision);
        }
    }
    for (uid, member) in &facts.members {
        let Some(fleet) = fleets.get_mut(&member.claim) else { continue };
        let (lives, granted) = (!member.pod.terminating(), ledger.knows(uid));
        fleet.holds += ledger.entries().get(uid).map_or(0, |entry| entry.connections.into());
        fleet.closes |= granted && !lives;
        fleet.live += u32::from(lives);
        fleet.granted += u32::from(lives && granted);
        if granted {
            fleet.holding.insert(&member.pod.revision);
        }
    }
    fleets
}

/// The room for surging pods, and what workloads hold of it: of the pods that they have entries for beyond their replicas,
/// those that hold no more than their smallest. One that holds its share found that beside the room.
#[must_use]
pub fn room(facts: &Facts, budget: &str, ledger: &Ledger) -> SurgeRoom {
    let size = facts.terms.as_ref().map_or(Connections::ZERO, |terms| terms.room);
    if size == Connections::ZERO {
        return SurgeRoom::default();
    }
    let held = in_room(facts, budget, ledger).into_iter().map(|(connections, _)| Connections::from(connections));
    SurgeRoom { size, used: held.sum::<Connections>().min(size) }
}

/// The pods that have the room, and how much of it. A small one of an older revision came in by the room of an earlier
/// rollout, which gave it back: it has it again only where all replicas are there without it.
#[must_use]
pub fn in_room<'a>(facts: &'a Facts, budget: &str, ledger: &Ledger) -> Vec<(u32, &'a Member)> {
    let fleets = fleets(facts, ledger);
    let mut held: BTreeMap<usize, Vec<(u32, &Member)>> = BTreeMap::new();
    for (uid, member) in &facts.members {
        if let Some(entry) = ledger.entries().get(uid) {
            held.entry(member.claim).or_default().push((entry.connections, member));
        }
    }
    let surplus = held.into_iter().flat_map(|(claim, mut entries)| {
        let fleet = fleets.get(&claim);
        let needed = facts.claims.get(claim).zip(fleet).and_then(|(claim, fleet)| fleet.needed(claim));
        let beyond = |needed| entries.len().saturating_sub(needed as usize);
        let (mut of_old, all) = needed.map_or((0, 0), |(of_old, all)| (beyond(of_old), beyond(all)));
        entries.sort_by_key(|(connections, _)| *connections);
        let counts = entries.into_iter().filter(move |(_, member)| {
            if fleet.is_some_and(|fleet| fleet.is_newest(&member.pod)) {
                return true;
            }
            let counts = of_old > 0;
            of_old = of_old.saturating_sub(1);
            counts
        });
        counts.take(all)
    });
    surplus.filter(|(connections, member)| is_smallest(budget, *connections, &member.pod)).collect()
}
