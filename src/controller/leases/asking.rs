//! Who asks for connections, with which rank, and whose place is kept meanwhile.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::claims::Claim;
use super::facts::{Facts, Member, number};
use super::surging::{Manner, Surging};
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::queue::{Asking, Rank, SurgeRoom};
use crate::budget::ledger::{Entry, Ledger, Moment, Origin, Uid};
use crate::workload::Key;

/// A pod that is lost is created again within this time.
const TO_BE_REPLACED: u32 = 60;

/// Granted pods that each workload lost: when, and what they held. Their replacements come first.
#[derive(Clone, Debug, Default)]
pub struct Lost(BTreeMap<Key, Vec<(Moment, u32)>>);

impl Lost {
    /// A pod with an entry is gone.
    pub fn note(&mut self, workload: &Key, now: Moment, held: u32) {
        self.0.entry(workload.clone()).or_default().push((now, held));
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

    /// When the next of them is forgotten, and its place with it.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.0.values().flatten().map(|(at, _)| at.after(TO_BE_REPLACED)).min()
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
    let mut surging = Surging::new(facts, budget, ledger);
    let mut replaced: BTreeMap<usize, usize> = BTreeMap::new();
    let waiting = facts.members.iter().filter(|(uid, m)| m.waits && !m.pod.terminating() && !ledger.knows(uid));
    let mut waiting: Vec<(&Uid, &Member)> = waiting.collect();
    waiting.sort_by_key(|(uid, member)| (member.pod.created, (*uid).clone()));
    let asking = waiting.into_iter().filter_map(|(uid, member)| {
        let (pod, claim) = (&member.pod, facts.claims.get(member.claim)?);
        let least = facts.drawn(pod, budget)?;
        let replacements = replaced.entry(member.claim).or_default();
        *replacements += 1;
        let (share, smallest) = (number(facts.share(&least).holds()), number(least.holds()));
        let Manner { surge, is_first, newest } = surging.manner(member, share, smallest)?;
        let is_young = pod.created.after(TO_HAVE_ITS_SHARE) > now;
        Some(Asking {
            uid: uid.clone(),
            source: claim.source,
            share,
            least: smallest,
            rank: Rank {
                replaces: *replacements <= lost.of(&claim.key).len(),
                priority: claim.priority,
                newest,
                since: pod.created,
            },
            surge,
            patient: is_young && smallest < share && !is_first,
            elsewhere: elsewhere.contains(uid),
        })
    });
    asking.collect()
}

/// A ledger that holds, too, what is about to be asked for again: what each pod held that was lost and has no replacement
/// yet (a `StatefulSet`'s, all of a `Recreate`). Whoever waits would take its place meanwhile. And what another
/// budget waits for, but for the room, as a rollout may be what gives it back, and for what replacements need.
#[must_use]
pub fn with_places_kept<'a>(facts: &Facts, ledger: &'a Ledger, lost: &Lost, room: SurgeRoom) -> Cow<'a, Ledger> {
    if lost.0.is_empty() && facts.borrowers.is_empty() {
        return Cow::Borrowed(ledger);
    }
    let mut kept = ledger.clone();
    for (key, entry) in places(facts, lost) {
        kept.enter(key, entry);
    }
    let of_pods = ledger.held(Source::Allocatable) + room.kept() + kept_for_lost(facts, lost);
    let mut free = ledger.bound(Source::Allocatable).less(of_pods);
    let may_fit = kept.bound(Source::Allocatable).less(room.size).less(ledger.lent());
    for borrower in &facts.borrowers {
        let lacks = Connections::from(borrower.lacks(ledger));
        if lacks > may_fit {
            continue; // not even without a single pod; it keeps nobody waiting
        }
        let connections = number(free.min(lacks));
        free = free.less(connections.into());
        let entry = Entry { connections, origin: Origin::Budget, ..Entry::default() };
        kept.enter(format!("budget/{}", borrower.name).into(), entry);
    }
    Cow::Owned(kept)
}

/// What neither people nor other budgets are given: what each pod held that was lost, until it is replaced.
#[must_use]
pub fn kept_for_lost(facts: &Facts, lost: &Lost) -> Connections {
    let of_claim = facts.claims.iter().enumerate().map(|(place, claim)| {
        let lost = lost.of(&claim.key);
        if lost.is_empty() || claim.source != Source::Allocatable {
            return Connections::ZERO;
        }
        let waiting = facts.members.values().filter(|m| m.claim == place && m.waits && !m.pod.terminating()).count();
        let places = lost.iter().take(missing(facts, place, claim) + waiting);
        places.map(|(_, held)| Connections::from(*held)).sum()
    });
    of_claim.sum()
}

fn missing(facts: &Facts, place: usize, claim: &Claim) -> usize {
    let pods = facts.members.values().filter(|m| m.claim == place && !m.pod.terminating()).count();
    claim.replicas.map_or(0, |replicas| (replicas as usize).saturating_sub(pods))
}

fn places<'a>(facts: &'a Facts, lost: &'a Lost) -> impl Iterator<Item = (Uid, Entry)> + 'a {
    facts.claims.iter().enumerate().flat_map(|(place, claim)| {
        let lost = lost.of(&claim.key).iter().take(missing(facts, place, claim));
        lost.enumerate().map(|(number, (_, held))| {
            let entry = Entry { connections: *held, source: claim.source, ..Entry::default() };
            (format!("{}/{number}", claim.id).into(), entry)
        })
    })
}
