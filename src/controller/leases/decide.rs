//! What becomes of a ledger, and of the pods that wait. Pure: what was seen and the time go in.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::asking::{Lost, TO_HAVE_ITS_SHARE, asking, kept_for_lost, with_places_kept};
use super::claims::Claim;
use super::facts::{Absent, Facts, Member, Terms, number};
use super::ledgers::Waiting;
use super::lending::lend;
use super::plan::{Known, Plan};
use super::reserving::reserve;
use super::surging::{in_room, room};
use super::urgent::Urgent;
use crate::budget::connections::Connections;
use crate::budget::ledger::ended::{NodeSeen, Verdict};
use crate::budget::ledger::queue::{self, Answer, Asking, Why};
use crate::budget::ledger::{Entry, Ledger, Moment, Origin, Phase, Uid, Values, Wait};
use crate::cluster::view::pods::Pod;
use crate::pod::pinned::Pinned;

/// Between two renewals of a node's Lease that count as one stretch. A kubelet renews every 10 s; one that was cut off for
/// no longer hears of a deletion this much later.
pub const GAP: u32 = 25;
/// The last known capacity counts for this long.
const CAPACITY_LASTS: u32 = 600;
/// A node is found within this time, or people are told.
const TO_BE_SCHEDULED: u32 = 60;
/// A share is computed within this time; later a pod is granted the smallest.
const TO_BE_PUBLISHED: u32 = 5;
/// A node's Lease is read this often while an entry is kept apart for it.
const NODE_AGAIN: u32 = 10;

/// Decides. `same`: the ledger is this very budget's. `lost` is brought up to date.
#[must_use]
pub fn decide(before: &Ledger, same: bool, facts: &Facts, known: Known, lost: &mut Lost) -> Plan {
    let mut ledger = before.clone();
    follow_terms(&mut ledger, same, facts.terms.as_ref());
    let drain = facts.terms.as_ref().map_or(0, |terms| terms.drain);
    let steps = Steps { facts, known: &known, drain };
    lost.forget(known.now);
    steps.end(&mut ledger, lost);
    steps.drain_crashed(&mut ledger);
    for (uid, node) in before.quarantined().iter().map(|(uid, kept)| (uid, kept.node.as_deref())) {
        ledger.release(uid, node.map_or(NodeSeen::Silent, known.node), known.now);
    }
    ledger.expire(known.now);
    steps.enter(&mut ledger);
    let (is_known, of_lost) = (!steps.is_unknown(), kept_for_lost(facts, lost));
    let of_room =
        if facts.borrowers.is_empty() { Connections::ZERO } else { room(facts, known.budget, &ledger).kept() };
    let kept = of_room + of_lost;
    lend(&mut ledger, facts, (is_known, kept), known.budget, known.now);
    reserve(&mut ledger, facts.terms.as_ref(), (is_known, of_lost), known.budget, known.now);
    let waiting = steps.grant(&mut ledger, lost);
    let has_room_for = steps.has_room_for(&ledger, lost);
    let gated = facts.members.iter().filter(|(uid, m)| m.pod.gate.is_some() && ledger.entries().contains_key(*uid));
    let gated = gated.map(|(_, member)| &member.pod).chain(known.freed);
    let execute = gated.filter(|pod| !pod.terminating()).cloned().collect();
    let not_started = steps.not_started(&ledger);
    let stuck = steps.stuck(&ledger);
    let again = steps.again(&ledger).into_iter().chain(lost.next()).min();
    if let Some(adopted) = known.adopted.filter(|_| facts.terms.is_some()) {
        ledger.begin(adopted);
    }
    Plan { ledger, execute, waiting, has_room_for, not_started, stuck, again }
}

/// A ledger takes the numbers of its budget. One of another budget, or of one that no longer leases, grants nothing.
fn follow_terms(ledger: &mut Ledger, same: bool, terms: Option<&Terms>) {
    match terms.map(|terms| terms.bounds) {
        // Generations of another budget say nothing of this one's.
        bounds if !same => ledger.renew(bounds.flatten().unwrap_or_default()),
        None if ledger.phase() == Phase::Leasing => ledger.renew(ledger.bounds()),
        Some(Some(bounds)) => drop(ledger.rebound(bounds)),
        None | Some(None) => {}
    }
}

struct Steps<'a> {
    facts: &'a Facts,
    known: &'a Known<'a>,
    drain: u32,
}

impl Steps<'_> {
    /// Entries of pods that are gone.
    fn end(&self, ledger: &mut Ledger, lost: &mut Lost) {
        for (absent, verdict) in self.known.verdicts {
            if let Some(last) = &absent.last {
                self.drain_of(ledger, &absent.uid, last);
            }
            self.note_lost(ledger, absent, verdict, lost);
            match verdict {
                Verdict::Ended(ended) => ledger.remove(ended),
                Verdict::Alive => ledger.seen_alive(&absent.uid),
                Verdict::Vanished => {
                    let at_most = self.facts.terms.as_ref().map_or(900, |terms| terms.quarantine);
                    let noted = absent.place.as_ref();
                    let grace = absent.last.as_ref().map(|pod| pod.grace).or(noted.map(|place| place.grace));
                    let killed_after =
                        grace.map_or(at_most, |grace| grace.saturating_add(self.drain).saturating_add(GAP));
                    let seen = absent.last.as_ref().and_then(|pod| pod.node.as_deref()).map(str::to_owned);
                    let node = seen.or_else(|| noted.map(|place| place.node.to_string()));
                    let wait = Wait { node, killed_after, at_most };
                    let why = format!("The pod {} is gone, and nobody saw its containers end.", absent.pod);
                    ledger.quarantine(&absent.uid, why, self.known.now, wait);
                }
            }
        }
    }

    /// The replacement of a pod that is gone comes first, and has its place.
    fn note_lost(&self, ledger: &Ledger, absent: &Absent, verdict: &Verdict, lost: &mut Lost) {
        let Some(pod) = absent.last.as_ref().filter(|_| *verdict != Verdict::Alive) else { return };
        let is_done =
            |claim: &Claim| matches!(&*claim.key.kind, "Job" | "CronJob") && matches!(verdict, Verdict::Ended(_));
        let claim = self.facts.claim_of(&pod.owners).and_then(|claim| self.facts.claims.get(claim));
        if let Some(claim) = claim.filter(|claim| !is_done(claim)) {
            let held = ledger.entries().get(&absent.uid).map_or(0, |entry| entry.connections);
            lost.note(&claim.key, self.known.now, held);
        }
    }

    fn drain_crashed(&self, ledger: &mut Ledger) {
        for (uid, member) in self.facts.members.iter().filter(|(_, member)| !member.pod.crashes.is_empty()) {
            self.drain_of(ledger, uid, &member.pod);
        }
    }

    /// A container that ended with anything but 0 may have left queries behind.
    fn drain_of(&self, ledger: &mut Ledger, uid: &Uid, pod: &Pod) {
        let Some(entry) = ledger.entries().get(uid).cloned().filter(|_| self.drain > 0) else { return };
        for crash in pod.crashes.iter().filter(|crash| crash.at.after(self.drain) > self.known.now) {
            let pinned = pod.drawn_from(self.known.budget);
            let of_container = pinned.0.iter().map(|claim| claim.holds_in(&crash.container)).sum();
            let connections = if pinned.0.is_empty() { entry.connections } else { number(of_container) };
            let (origin, until) = (Origin::Drain, Some(self.known.now.after(self.drain)));
            let drain =
                Entry { connections, origin, until, values: Values::default(), since: self.known.now, ..entry.clone() };
            if connections > 0 {
                ledger.enter(format!("{uid}/{}/{}", crash.container, crash.count).into(), drain);
            }
        }
    }

    /// Pods that run, or may start, without a grant.
    fn enter(&self, ledger: &mut Ledger) {
        let origin = if ledger.phase() == Phase::Leasing { Origin::Escaped } else { Origin::Adopted };
        for (uid, member) in self.facts.members.iter().filter(|(_, member)| !member.waits) {
            if !ledger.knows(uid) {
                let fact = self.facts.fact(self.known.budget, &member.pod, member.claim, origin, self.known.now);
                ledger.enter(uid.clone(), fact);
            }
        }
        for pod in self.known.freed.iter().filter(|pod| !self.facts.strays.strangers.contains(&pod.uid)) {
            let pinned = pod.drawn_from(self.known.budget);
            let entry = Entry { connections: number(pinned.holds()), ..self.entry(pod, Origin::Freed) };
            ledger.enter(pod.uid.clone(), entry);
        }
    }

    fn entry(&self, pod: &Pod, origin: Origin) -> Entry {
        let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
        Entry { namespace, name, origin, since: self.known.now, ..Entry::default() }
    }

    /// All that ask. Whoever was promised room comes first: it holds connections of another budget meanwhile.
    fn asking(&self, ledger: &Ledger, lost: &Lost, elsewhere: &BTreeSet<Uid>) -> Vec<Asking> {
        let mut asking = asking(self.facts, self.known.budget, ledger, lost, elsewhere, self.known.now);
        for one in asking.iter_mut().filter(|one| self.known.promised.contains(&one.uid)) {
            (one.rank.replaces, one.rank.priority) = (true, i32::MAX);
        }
        asking
    }

    /// Grants what fits, and answers who waits on.
    fn grant(&self, ledger: &mut Ledger, lost: &mut Lost) -> Vec<Waiting> {
        let asking = self.asking(ledger, lost, self.known.elsewhere);
        let (hopeless, asking): (Vec<_>, Vec<_>) =
            asking.into_iter().partition(|one| self.known.hopeless.contains(&one.uid));
        let room = room(self.facts, self.known.budget, ledger);
        let mut waiting = Vec::new();
        let kept = with_places_kept(self.facts, ledger, lost, room);
        for (asked, answer) in queue::answer(&kept, asking, room) {
            let Some(member) = self.facts.members.get(&asked.uid) else { continue };
            let why = match answer {
                _ if self.is_unknown() => Some(Why::CapacityUnknown),
                _ if self.share_comes(member).is_some() => Some(Why::NoShareYet),
                Answer::Waits(why) => Some(why),
                Answer::Granted(connections) => self.add(ledger, &asked, member, connections).err(),
            };
            match why {
                Some(why) => waiting.push(self.waits(member, &asked, why)),
                None if asked.rank.replaces && !self.known.promised.contains(&asked.uid) => {
                    if let Some(claim) = self.facts.claims.get(member.claim) {
                        lost.replaced(&claim.key);
                    }
                }
                None => {}
            }
        }
        let members = hopeless.iter().filter_map(|one| Some((one, self.facts.members.get(&one.uid)?)));
        waiting.extend(members.map(|(one, member)| self.waits(member, one, Why::Elsewhere)));
        waiting
    }

    /// Until when a pod waits for a share that is not published yet: those of a workload that has just appeared.
    fn share_comes(&self, member: &Member) -> Option<Moment> {
        let is_published = self.facts.claims.get(member.claim).is_some_and(|claim| claim.is_published);
        let until = member.pod.created.after(TO_BE_PUBLISHED);
        (!is_published && self.known.now < until).then_some(until)
    }

    fn add(&self, ledger: &mut Ledger, asked: &Asking, member: &Member, connections: u32) -> Result<(), Why> {
        let waits = Why::NoRoom { needs: asked.share, free: Connections::ZERO };
        let (Some(terms), Some(gate)) = (&self.facts.terms, &member.pod.gate) else { return Err(waits) };
        let least = self.facts.drawn(&member.pod, self.known.budget).unwrap_or_default();
        let granted = if connections == asked.share { self.facts.share(&least) } else { least };
        let has = |key: &str| gate.keys.iter().any(|known| known == key);
        let entry = Entry {
            connections,
            source: asked.source,
            values: Arc::new(Pinned::values(&granted, has)),
            ..self.entry(&member.pod, Origin::Granted)
        };
        ledger.grant(asked.uid.clone(), entry, terms.generation).map_err(|_| waits)
    }

    fn waits(&self, member: &Member, asked: &Asking, why: Why) -> Waiting {
        let (claim, pod) = (self.facts.claims.get(member.claim), member.pod.clone());
        let urgent = claim.and_then(|claim| Urgent::of(&pod, claim));
        let claim = claim.map(|claim| claim.id.clone()).unwrap_or_default();
        Waiting { pod, claim, source: asked.source, connections: asked.share, why, urgent }
    }

    /// Whether nobody has known for too long what there is.
    fn is_unknown(&self) -> bool {
        self.known.unknown_since.is_some_and(|since| since.after(CAPACITY_LASTS) <= self.known.now)
    }

    /// Pods that wait for another budget, and would have their connections of this one.
    fn has_room_for(&self, ledger: &Ledger, lost: &Lost) -> BTreeSet<Uid> {
        if self.known.elsewhere.is_empty() || self.is_unknown() {
            return BTreeSet::new();
        }
        let asking = self.asking(ledger, lost, &BTreeSet::new());
        let room = room(self.facts, self.known.budget, ledger);
        let kept = with_places_kept(self.facts, ledger, lost, room);
        let answers = queue::answer(&kept, asking, room).into_iter();
        // What is computed anew in a moment is no promise.
        let is_known = |uid: &Uid| self.facts.members.get(uid).is_some_and(|m| self.share_comes(m).is_none());
        let granted = answers
            .filter(|(one, answer)| matches!(answer, Answer::Granted(_)) && self.known.elsewhere.contains(&one.uid))
            .filter(|(one, _)| is_known(&one.uid));
        granted.map(|(one, _)| one.uid).collect()
    }

    fn not_started(&self, ledger: &Ledger) -> Vec<(Arc<Pod>, String)> {
        let of = |member: &Member| {
            let (since, why) = member.pod.unschedulable.clone().filter(|_| member.pod.gate.is_none())?;
            let late = since.after(TO_BE_SCHEDULED) <= self.known.now && ledger.knows(&member.pod.uid);
            late.then(|| (member.pod.clone(), why))
        };
        self.facts.members.values().filter_map(of).collect()
    }

    /// A granted pod that is not Ready, of a workload that has the room and does not get on. The one that came in by the
    /// room may be Ready, and its room have gone over to a later one.
    fn stuck(&self, ledger: &Ledger) -> Option<Arc<Pod>> {
        let is_stuck = |claim: &usize| self.facts.claims.get(*claim).is_some_and(|claim| claim.is_stuck);
        if !(0..self.facts.claims.len()).any(|claim| is_stuck(&claim)) {
            return None;
        }
        let holders = in_room(self.facts, self.known.budget, ledger).into_iter();
        let claim = holders.map(|(_, member)| member.claim).find(is_stuck)?;
        let granted = |m: &&Member| m.claim == claim && !m.pod.terminating() && ledger.knows(&m.pod.uid);
        let unready = self.facts.members.values().filter(granted).filter(|member| !member.pod.ready);
        unready.max_by_key(|member| member.pod.created).map(|member| member.pod.clone())
    }

    fn again(&self, ledger: &Ledger) -> Option<Moment> {
        let now = self.known.now;
        let ends = ledger.entries().values().filter_map(|entry| entry.until);
        let apart = ledger.quarantined().values().map(|kept| kept.until.min(now.after(NODE_AGAIN)));
        let late =
            self.facts.members.values().filter_map(|m| Some(m.pod.unschedulable.as_ref()?.0.after(TO_BE_SCHEDULED)));
        let unpublished = self.facts.members.values().filter(|m| m.waits).filter_map(|m| self.share_comes(m));
        let patient = self.facts.members.values().filter(|m| m.waits);
        let patient = patient.map(|m| m.pod.created.after(TO_HAVE_ITS_SHARE)).filter(|at| *at > now);
        let late = late.chain(unpublished).chain(patient);
        let unknown = self.known.unknown_since.map(|since| since.after(CAPACITY_LASTS));
        ends.chain(apart).chain(late.filter(|at| *at > now)).chain(unknown.filter(|at| *at > now)).min()
    }
}
