//! The judge of ledgers and pods: all that was recorded, once more, in the order in which it happened.

use std::collections::{BTreeMap, BTreeSet};

use dbbudget::api::ledger::{DatabaseLedgerSpec, Entry, Origin};
use dbbudget::api::workload::Source;

use crate::judge::Holder;
use crate::objects::budget_of;
use crate::record::Change;

/// What came of it.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What may not be.
    pub wrong: Vec<String>,
    pub ledger_versions: usize,
    pub pod_changes: usize,
    /// Pods that were granted their connections, by budget.
    pub granted: BTreeMap<String, usize>,
    /// Containers that were killed, and counted on for a while.
    pub drains: usize,
    /// The most that a ledger held, and that pods could hold together.
    pub most: BTreeMap<String, (i32, i32)>,
    /// Versions that held more than is allocatable, each with a reason.
    pub over: usize,
    pub quarantined: usize,
    pub gaps: usize,
    /// Changes of pods in these gaps: while a watch of ledgers had ended.
    pub unjudged: usize,
}

/// Goes through all changes.
pub fn replay(mut changes: Vec<(u64, Change)>) -> Verdict {
    changes.sort_by_key(|(revision, _)| *revision);
    let mut replay = Replay { gaps: gaps(&changes), ..Replay::default() };
    for (revision, change) in changes {
        replay.at = revision;
        match change {
            Change::Pod(pod) => replay.pod(pod.metadata.uid.clone().unwrap_or_default(), Holder::of(&pod)),
            Change::PodGone(pod) => replay.gone(&pod.metadata.uid.clone().unwrap_or_default(), &Holder::of(&pod)),
            Change::PodMissed(uid) => drop(replay.pods.remove(&uid)),
            Change::Ledger(name, spec) => replay.ledger(&name, &spec, false),
            Change::LedgerAfterGap(name, spec) => replay.ledger(&name, &spec, true),
        }
    }
    replay.verdict.gaps = replay.gaps.values().map(Vec::len).sum();
    replay.verdict
}

/// Where versions of ledgers may have been missed, by budget: from one revision to another.
fn gaps(changes: &[(u64, Change)]) -> BTreeMap<String, Vec<(u64, u64)>> {
    let (mut last, mut gaps) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, Vec<(u64, u64)>>::new());
    for (at, change) in changes {
        if let Change::Ledger(name, _) | Change::LedgerAfterGap(name, _) = change {
            let before = last.insert(name.clone(), *at).unwrap_or(0);
            if matches!(change, Change::LedgerAfterGap(..)) {
                gaps.entry(name.clone()).or_default().push((before, *at));
            }
        }
    }
    gaps
}

#[derive(Default)]
struct Replay {
    at: u64,
    gaps: BTreeMap<String, Vec<(u64, u64)>>,
    pods: BTreeMap<String, Holder>,
    /// Pods that are gone though nobody saw them end: they may run on.
    vanished: BTreeSet<String>,
    ledgers: BTreeMap<String, DatabaseLedgerSpec>,
    counted: BTreeSet<String>,
    verdict: Verdict,
}

impl Replay {
    fn wrong(&mut self, what: &str) {
        self.verdict.wrong.push(format!("at revision {}: {what}", self.at));
    }

    fn pod(&mut self, uid: String, pod: Holder) {
        self.verdict.pod_changes += 1;
        let Some(budget) = budget_of(&pod.app) else { return };
        let in_gap = self.gaps.get(budget).is_some_and(|gaps| gaps.iter().any(|(a, b)| (*a..*b).contains(&self.at)));
        if pod.may_hold() && !in_gap {
            self.has_entry(budget, &uid, &pod);
        }
        self.verdict.unjudged += usize::from(in_gap);
        self.pods.insert(uid, pod);
        let can = self.pods.values().filter(|pod| pod.may_hold() && budget_of(&pod.app) == Some(budget));
        let can = can.map(|pod| pod.holds).sum::<i32>();
        let most = self.verdict.most.entry(budget.to_owned()).or_default();
        most.1 = most.1.max(can);
        let Some(ledger) = self.ledgers.get(budget).filter(|_| !in_gap) else { return };
        if can > ledger.allocatable && sum(ledger, Source::Allocatable) <= ledger.allocatable {
            self.wrong(&format!(
                "pods of {budget} can hold {can}, its ledger says otherwise, and {} are there",
                ledger.allocatable
            ));
        }
    }

    /// A pod that may have connections is in the ledger, with what its container reads.
    fn has_entry(&mut self, budget: &str, uid: &str, pod: &Holder) {
        let ledger = self.ledgers.get(budget);
        let entry = ledger.and_then(|l| l.entries.get(uid).or_else(|| Some(&l.quarantine.get(uid)?.entry))).cloned();
        match entry {
            None => self.wrong(&format!(
                "{} may hold {}, and has no entry; it was asked to wait: {}",
                pod.name, pod.holds, pod.sized
            )),
            Some(entry) if entry.connections < pod.holds => {
                self.wrong(&format!("{} may hold {}, and its entry says {}", pod.name, pod.holds, entry.connections));
            }
            Some(_) => {}
        }
    }

    fn gone(&mut self, uid: &str, last: &Holder) {
        if budget_of(&last.app).is_some() && last.may_hold() && last.bound {
            self.vanished.insert(uid.to_owned());
        }
        self.pods.remove(uid);
    }

    fn ledger(&mut self, name: &str, next: &DatabaseLedgerSpec, gap: bool) {
        self.verdict.ledger_versions += 1;
        let before = self.ledgers.insert(name.to_owned(), next.clone());
        let held = sum(next, Source::Allocatable);
        let most = self.verdict.most.entry(name.to_owned()).or_default();
        most.0 = most.0.max(held);
        self.count(name, next);
        if held > next.allocatable {
            self.verdict.over += 1;
        }
        let Some(before) = before.filter(|_| !gap) else { return };
        let new: Vec<&Entry> =
            next.entries.iter().filter(|(uid, _)| !knows(&before, uid)).map(|(_, entry)| entry).collect();
        for source in [Source::Allocatable, Source::Reserve] {
            self.fits(name, &before, next, &new, source);
        }
        self.leaves(name, &before, next);
        for (uid, entry) in &before.entries {
            let values = |of: &DatabaseLedgerSpec| entry.values.as_ref().and_then(|key| of.values.get(key).cloned());
            if next.entries.get(uid).is_some_and(|now| now != entry || values(next) != values(&before)) {
                self.wrong(&format!("the entry of {} in {name} has changed", entry.name));
            }
        }
    }

    /// Grants fit, and more than there is has a reason.
    fn fits(
        &mut self,
        name: &str,
        before: &DatabaseLedgerSpec,
        next: &DatabaseLedgerSpec,
        new: &[&Entry],
        source: Source,
    ) {
        let (held, bound) = (sum(next, source), bound(next, source));
        if held <= bound {
            return;
        }
        let of_source = || new.iter().filter(|entry| entry.source == source);
        let granted: Vec<&str> = of_source().filter(|e| e.origin == Origin::Granted).map(|e| e.name.as_str()).collect();
        if !granted.is_empty() {
            self.wrong(&format!("{name} holds {held} of {bound}, with grants to {granted:?}"));
        }
        let was_over = sum(before, source) > self::bound(before, source);
        let lowered = bound < self::bound(before, source);
        if !(was_over || lowered || of_source().any(|entry| entry.origin != Origin::Granted)) {
            self.wrong(&format!("{name} holds {held} of {bound}, and nothing says why"));
        }
    }

    /// No entry leaves before its pod has ended, but by its quarantine.
    fn leaves(&mut self, name: &str, before: &DatabaseLedgerSpec, next: &DatabaseLedgerSpec) {
        for (uid, entry) in before.entries.iter().filter(|(uid, _)| !knows(next, uid)) {
            if !matches!(entry.origin, Origin::Granted | Origin::Adopted | Origin::Escaped | Origin::Freed) {
                continue;
            }
            if let Some(pod) = self.pods.get(uid).filter(|pod| pod.may_hold()).cloned() {
                self.wrong(&format!("{name} dropped the entry of {}, which runs", pod.name));
            }
            if self.vanished.contains(uid) {
                self.wrong(&format!("{name} dropped the entry of {}, which nobody saw end", entry.name));
            }
        }
        for (uid, kept) in before.quarantine.iter().filter(|(uid, _)| !knows(next, uid)) {
            if self.pods.get(uid).is_some_and(Holder::may_hold) {
                self.wrong(&format!("the quarantine of {} in {name} ended while it runs", kept.entry.name));
            }
        }
    }

    fn count(&mut self, name: &str, ledger: &DatabaseLedgerSpec) {
        for (uid, entry) in &ledger.entries {
            if self.counted.insert(uid.clone()) {
                match entry.origin {
                    Origin::Granted => *self.verdict.granted.entry(name.to_owned()).or_default() += 1,
                    Origin::Drain => self.verdict.drains += 1,
                    other => self.wrong(&format!("{} got into {name} as {other:?}", entry.name)),
                }
            }
        }
        let apart = ledger.quarantine.keys().filter(|uid| self.counted.insert(format!("{uid} apart"))).count();
        self.verdict.quarantined += apart;
    }
}

/// What a ledger holds of a source.
pub fn sum(ledger: &DatabaseLedgerSpec, source: Source) -> i32 {
    let apart = ledger.quarantine.values().map(|kept| &kept.entry);
    ledger.entries.values().chain(apart).filter(|entry| entry.source == source).map(|entry| entry.connections).sum()
}

fn bound(ledger: &DatabaseLedgerSpec, source: Source) -> i32 {
    if source == Source::Reserve { ledger.reserve } else { ledger.allocatable }
}

fn knows(ledger: &DatabaseLedgerSpec, uid: &str) -> bool {
    ledger.entries.contains_key(uid) || ledger.quarantine.contains_key(uid)
}

#[cfg(test)]
mod tests;
