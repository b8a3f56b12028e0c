//! Who asks for connections, with which rank, and how much of the room for surging pods is used.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Member, number};
use crate::budget::connections::Connections;
use crate::budget::ledger::queue::{Asking, Rank, SurgeRoom};
use crate::budget::ledger::{Ledger, Moment, Uid};
use crate::workload::Key;

/// Ready pods that each revision of a workload lost, and when: their replacements come first.
pub type Lost = BTreeMap<(Key, String), Vec<Moment>>;

/// All that wait and have no entry. `elsewhere`: of these, the ones that another budget keeps waiting.
#[must_use]
pub fn asking(facts: &Facts, budget: &str, ledger: &Ledger, lost: &Lost, elsewhere: &BTreeSet<Uid>) -> Vec<Asking> {
    let (live, newest) = (live(facts), newest(facts));
    let mut lost: BTreeMap<_, usize> = lost.iter().map(|(key, of)| (key, of.len())).collect();
    let waiting = facts.members.iter().filter(|(uid, m)| m.waits && !m.pod.terminating() && !ledger.knows(uid));
    let mut waiting: Vec<(&Uid, &Member)> = waiting.collect();
    waiting.sort_by_key(|(uid, member)| (member.pod.created, (*uid).clone()));
    let asking = waiting.into_iter().filter_map(|(uid, member)| {
        let (pod, claim) = (&member.pod, facts.claims.get(member.claim)?);
        let least = pod.pinned.as_ref()?.only(budget);
        let credit = lost.get_mut(&(claim.key.clone(), pod.revision.to_string())).filter(|n| **n > 0);
        let replaces = credit.map(|n| *n -= 1).is_some();
        let lives = live.get(&claim.key).copied().unwrap_or(0);
        Some(Asking {
            uid: uid.clone(),
            source: claim.source,
            share: number(facts.share(&least).holds()),
            least: number(least.holds()),
            rank: Rank {
                replaces,
                priority: claim.priority,
                newest: newest.get(&claim.key).is_some_and(|revision| **revision == *pod.revision),
                since: pod.created,
            },
            surging: claim.replicas.is_some_and(|replicas| lives > replicas),
            elsewhere: elsewhere.contains(uid),
        })
    });
    asking.collect()
}

/// Pods of each workload that are not on their way out, waiting ones included.
fn live(facts: &Facts) -> BTreeMap<Key, u32> {
    let mut live = BTreeMap::new();
    for member in facts.members.values().filter(|m| !m.pod.terminating()) {
        if let Some(claim) = facts.claims.get(member.claim) {
            *live.entry(claim.key.clone()).or_default() += 1;
        }
    }
    live
}

/// The revision of each workload whose first pod is the youngest.
fn newest(facts: &Facts) -> BTreeMap<Key, &str> {
    let mut first = BTreeMap::new();
    for member in facts.members.values() {
        if let Some(claim) = facts.claims.get(member.claim) {
            let of = first.entry((&claim.key, &*member.pod.revision)).or_insert(member.pod.created);
            *of = (*of).min(member.pod.created);
        }
    }
    let mut newest: BTreeMap<Key, (_, &str)> = BTreeMap::new();
    for ((key, revision), created) in first {
        let of = newest.entry(key.clone()).or_insert((created, revision));
        *of = (*of).max((created, revision));
    }
    newest.into_iter().map(|(key, (_, revision))| (key, revision)).collect()
}

/// The room for surging pods, and what workloads hold of it: what they have entries for beyond their replicas.
#[must_use]
pub fn room(facts: &Facts, ledger: &Ledger) -> SurgeRoom {
    let size = facts.terms.as_ref().map_or(Connections::ZERO, |terms| terms.room);
    if size == Connections::ZERO {
        return SurgeRoom::default();
    }
    let mut held: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for (uid, member) in &facts.members {
        if let Some(entry) = ledger.entries().get(uid) {
            held.entry(member.claim).or_default().push(entry.connections);
        }
    }
    let surplus = held.into_iter().map(|(claim, mut entries)| {
        let replicas = facts.claims.get(claim).and_then(|claim| claim.replicas);
        let beyond = replicas.map_or(0, |replicas| entries.len().saturating_sub(replicas as usize));
        entries.sort_unstable();
        entries.iter().take(beyond).map(|n| Connections::from(*n)).sum::<Connections>()
    });
    SurgeRoom { size, used: surplus.sum::<Connections>().min(size) }
}
