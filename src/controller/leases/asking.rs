//! Who asks for connections, with which rank, and how much of the room for surging pods is used.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::claims::Claim;
use super::facts::{Facts, Member, number};
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::queue::{Asking, Rank, Surge, SurgeRoom};
use crate::budget::ledger::{Entry, Ledger, Moment, Origin, Uid};
use crate::cluster::view::pods::Pod;
use crate::workload::Key;

/// A pod that is lost is created again within this time.
const TO_BE_REPLACED: u32 = 60;

/// Granted pods that each workload lost: when, and their smallest. Their replacements come first.
#[derive(Clone, Debug, Default)]
pub struct Lost(BTreeMap<Key, Vec<(Moment, u32)>>);

impl Lost {
    /// A pod with an entry is gone.
    pub fn note(&mut self, workload: &Key, now: Moment, least: u32) {
        self.0.entry(workload.clone()).or_default().push((now, least));
    }

    /// One of them is replaced.
    pub fn replaced(&mut self, workload: &Key) {
        if let Some(lost) = self.0.get_mut(workload) {
            lost.pop();
        }
    }

    /// Nobody replaces what was lost long ago.
    pub fn forget(&mut self, now: Moment) {
        self.0.retain(|_, lost| {
            lost.retain(|(at, _)| at.after(TO_BE_REPLACED) > now);
            !lost.is_empty()
        });
    }

    fn of(&self, workload: &Key) -> &[(Moment, u32)] {
        self.0.get(workload).map_or(&[], Vec::as_slice)
    }
}

/// A replacement waits this long for its share before it takes less: what others give back in a rollout comes in seconds.
pub const TO_HAVE_ITS_SHARE: u32 = 30;

/// All that wait and have no entry. `elsewhere`: of these, the ones that another budget keeps waiting.
#[must_use]
pub fn asking(
    facts: &Facts,
    budget: &str,
    ledger: &Ledger,
    lost: &Lost,
    elsewhere: &BTreeSet<Uid>,
    now: Moment,
) -> Vec<Asking> {
    let fleets = fleets(facts, budget, ledger);
    let mut replaced: BTreeMap<usize, usize> = BTreeMap::new();
    let mut surging: BTreeSet<usize> = BTreeSet::new();
    let waiting = facts.members.iter().filter(|(uid, m)| m.waits && !m.pod.terminating() && !ledger.knows(uid));
    let mut waiting: Vec<(&Uid, &Member)> = waiting.collect();
    waiting.sort_by_key(|(uid, member)| (member.pod.created, (*uid).clone()));
    let asking = waiting.into_iter().filter_map(|(uid, member)| {
        let (pod, claim, fleet) = (&member.pod, facts.claims.get(member.claim)?, fleets.get(&member.claim)?);
        let least = facts.drawn(pod, budget)?;
        let replacements = replaced.entry(member.claim).or_default();
        *replacements += 1;
        let (share, smallest) = (number(facts.share(&least).holds()), number(least.holds()));
        let surge = match fleet.owes(claim, share, smallest) {
            _ if !fleet.surges(claim, pod) => Surge::No,
            true => Surge::Share,
            false => Surge::Smallest,
        };
        let is_young = pod.created.after(TO_HAVE_ITS_SHARE) > now;
        let is_first = surge != Surge::No && surging.insert(member.claim) && !fleet.follows;
        Some(Asking {
            uid: uid.clone(),
            source: claim.source,
            share,
            least: smallest,
            rank: Rank {
                replaces: *replacements <= lost.of(&claim.key).len(),
                priority: claim.priority,
                newest: fleet.is_newest(pod),
                since: pod.created,
            },
            surge,
            patient: is_young && smallest < share && !is_first,
            elsewhere: elsewhere.contains(uid),
        })
    });
    asking.collect()
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
    /// A granted one has no more than its smallest.
    is_small: bool,
    /// Whoever surges next is not the first of its rollout: such a one is of the newest revision, or one that has an entry
    /// is on its way out.
    follows: bool,
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

    /// Whether a further pod's share, of which the room has its smallest, is no more than the replicas' shares leave. If that
    /// is for another reason than a pod that came in by the room, nobody would see that the room is used.
    fn owes(&self, claim: &Claim, share: u32, smallest: u32) -> bool {
        let all = u64::from(claim.replicas.unwrap_or(0)) * u64::from(share);
        self.is_small && self.holds + u64::from(share.saturating_sub(smallest)) <= all
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

fn fleets<'a>(facts: &'a Facts, budget: &str, ledger: &Ledger) -> BTreeMap<usize, Fleet<'a>> {
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
        let holds = ledger.entries().get(uid).map(|entry| entry.connections);
        let is_small = lives && holds.is_some_and(|holds| is_smallest(budget, holds, &member.pod));
        fleet.holds += u64::from(holds.unwrap_or(0));
        fleet.is_small |= is_small;
        fleet.follows |= granted && !lives || is_small && fleet.is_newest(&member.pod);
        fleet.live += u32::from(lives);
        fleet.granted += u32::from(lives && granted);
        if granted {
            fleet.holding.insert(&member.pod.revision);
        }
    }
    fleets
}

/// A ledger that holds, too, what is about to be asked for again: the smallest of each pod that was lost and has no
/// replacement yet (a `StatefulSet`'s, all of a `Recreate`). Whoever waits would take its place meanwhile. And what another
/// budget waits for, but for the room: a rollout may be what gives it back.
#[must_use]
pub fn with_places_kept<'a>(facts: &Facts, ledger: &'a Ledger, lost: &Lost, room: SurgeRoom) -> Cow<'a, Ledger> {
    if lost.0.is_empty() && facts.borrowers.is_empty() {
        return Cow::Borrowed(ledger);
    }
    let mut kept = ledger.clone();
    for (key, entry) in places(facts, lost) {
        kept.enter(key, entry);
    }
    for borrower in &facts.borrowers {
        let free = kept.bound(Source::Allocatable).less(kept.held(Source::Allocatable)).less(room.kept());
        let connections = number(free.min(borrower.lacks(ledger).into()));
        let entry = Entry { connections, origin: Origin::Budget, ..Entry::default() };
        kept.enter(format!("budget/{}", borrower.name).into(), entry);
    }
    Cow::Owned(kept)
}

/// What no other budget is given: the room for surging pods, and places of pods that are created again.
#[must_use]
pub fn kept_for_pods(facts: &Facts, budget: &str, ledger: &Ledger, lost: &Lost) -> Connections {
    if facts.borrowers.is_empty() {
        return Connections::ZERO;
    }
    let places = places(facts, lost).filter(|(_, entry)| entry.source == Source::Allocatable);
    room(facts, budget, ledger).kept() + places.map(|(_, entry)| entry.connections.into()).sum::<Connections>()
}

fn places<'a>(facts: &'a Facts, lost: &'a Lost) -> impl Iterator<Item = (Uid, Entry)> + 'a {
    facts.claims.iter().enumerate().flat_map(|(place, claim)| {
        let pods = facts.members.values().filter(|m| m.claim == place && !m.pod.terminating()).count();
        let missing = claim.replicas.map_or(0, |replicas| (replicas as usize).saturating_sub(pods));
        lost.of(&claim.key).iter().take(missing).enumerate().map(|(number, (_, least))| {
            let entry = Entry { connections: *least, source: claim.source, ..Entry::default() };
            (format!("{}/{number}", claim.id).into(), entry)
        })
    })
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
    let fleets = fleets(facts, budget, ledger);
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
