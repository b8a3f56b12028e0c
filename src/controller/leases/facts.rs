//! What one look at a ledger starts from. Pure: a view and the ledger go in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claims::{Claim, claims};
use super::strays::Strays;
use crate::api::parse::{Budget, Name, Place, UNBOUNDED};
use crate::api::policy::Enforcement;
use crate::api::reserved::Reservation;
use crate::assess::assess;
use crate::budget::connections::Connections;
use crate::budget::ledger::lending::Borrower;
use crate::budget::ledger::{Bounds, Entry, Ledger, Moment, Origin, Phase, Uid};
use crate::cluster::view::View;
use crate::cluster::view::pods::Pod;
use crate::pod::pinned::{self, Pinned};
use crate::workload::Key;

/// What is known of a budget and of its pods.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What the budget says; nothing: there is none, or it does not lease.
    pub terms: Option<Terms>,
    /// UID of the budget, if there is one.
    pub uid: String,
    /// Its claims.
    pub claims: Vec<Claim>,
    /// The pods of its claims that have not ended.
    pub members: BTreeMap<Uid, Member>,
    /// Pods that wait for this budget, and that no claim on it rules.
    pub strays: Strays,
    /// Entries whose pods nobody sees any more, and how those looked last.
    pub absent: Vec<Absent>,
    /// Namespaces in which its claims are.
    pub namespaces: BTreeSet<String>,
    /// Budgets that it lists as outside.
    pub listed: BTreeSet<String>,
    /// Whether all of these are known, or recorded.
    pub knows_listed: bool,
    /// The same, as far as they are known.
    pub borrowers: Vec<Borrower>,
    /// Budgets that it lists or lends to, or that list it or lend to it.
    pub kin: BTreeSet<Name>,
}

/// What a budget that leases says.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What there is; nothing: nobody knows.
    pub bounds: Option<Bounds>,
    /// Generation of the spec.
    pub generation: i64,
    /// Room that is kept for a surging pod.
    pub room: Connections,
    /// Seconds that backends of a killed container may take.
    pub drain: u32,
    /// Seconds that a pod which vanished is counted.
    pub quarantine: u32,
    /// What people keep for a while.
    pub reserved: Vec<Reservation>,
}

/// A pod of a claim.
#[derive(Clone, Debug)]
pub struct Member {
    /// The pod.
    pub pod: Arc<Pod>,
    /// Its claim, as an index.
    pub claim: usize,
    /// It has our gate and awaits this budget.
    pub waits: bool,
}

/// An entry whose pod nobody sees any more.
#[derive(Clone, Debug)]
pub struct Absent {
    /// The entry.
    pub uid: Uid,
    /// Where its pod was, or is again.
    pub pod: Name,
    /// How that looked last.
    pub last: Option<Arc<Pod>>,
    /// Where it ran, as far as that was noted.
    pub place: Option<Place>,
}

impl Facts {
    /// Looks at what concerns one ledger. `nodes`: those that were noted of its pods.
    #[must_use]
    pub fn gather(view: &View, name: &Name, ledger: Option<&Ledger>, nodes: &BTreeMap<Uid, Place>) -> Self {
        let mut facts = Self::default();
        if let (Some(stored), Some(budget)) = (view.budget(name), view.snapshot().budget(name)) {
            facts.uid.clone_from(&stored.version.uid);
            if budget.enforcement == Enforcement::Lease {
                facts.terms = Some(terms(view, budget));
                facts.claims = claims(view, budget);
                facts.members = members(view, &facts.claims, &name.to_string());
                facts.namespaces = facts.claims.iter().map(|claim| claim.key.namespace.clone()).collect();
                facts.namespaces.extend((!budget.entries.is_empty()).then(|| name.namespace.clone()));
            }
        }
        facts.absent = absent(view, &facts.members, ledger, nodes);
        facts.strays = Strays::of(view, name, &facts.members, ledger);
        let unknown = |member: &Member| !member.waits && ledger.is_none_or(|l| !l.knows(&member.pod.uid));
        // A list that is adopted may have pods that nobody has seen yet.
        let adopts = facts.terms.is_some() && ledger.is_none_or(|ledger| ledger.phase() == Phase::Adopting);
        if adopts || facts.members.values().any(unknown) {
            facts.know_as_written(view, name);
        }
        facts
    }

    /// What pods take that run as they are written: needed for those alone that slipped past.
    fn know_as_written(&mut self, view: &View, name: &Name) {
        let Some(budget) = view.snapshot().budget(name) else { return };
        let assessed = assess(budget, view.snapshot());
        for claim in &assessed.claims.claims {
            let id = claim.id.to_string();
            for known in self.claims.iter_mut().filter(|known| known.id == id) {
                known.as_written = Some(claim.shape.as_written());
            }
        }
    }

    /// The same for any pod: whether it belongs to a claim, and to which.
    #[must_use]
    pub fn claim_of(&self, keys: &[Key]) -> Option<usize> {
        self.claims.iter().position(|claim| keys.contains(&claim.key))
    }

    /// What a pod draws from the budget, with processes that only the nodes tell.
    #[must_use]
    pub fn drawn(&self, pod: &Pod, budget: &str) -> Option<Pinned> {
        let mut drawn = pod.pinned.as_ref()?.only(budget);
        for claim in &mut drawn.0 {
            let known = self.claims.iter().find(|known| known.id == claim.claim).and_then(|known| known.processes);
            if let ([container], Some(processes)) = (claim.containers.as_mut_slice(), known)
                && container.at_least
                && container.processes <= processes
            {
                (container.at_least, container.processes) = (false, processes);
            }
        }
        Some(drawn)
    }

    /// What a waiting pod is granted with its share. `least`: what it was born with, of this budget.
    #[must_use]
    pub fn share(&self, least: &Pinned) -> Pinned {
        let with = |pinned: &pinned::Claim| {
            let Some(claim) = self.claims.iter().find(|claim| claim.id == pinned.claim) else { return pinned.clone() };
            let key = |container: &str, engine: &str| (container.to_owned(), engine.to_owned());
            pinned.with_share(|container, engine| claim.limits.get(&key(container, engine)).copied())
        };
        Pinned(least.0.iter().map(with).collect())
    }

    /// What a pod holds that was not granted anything: what it was born with, or what it takes as written. A pod that was
    /// to wait, and runs without an entry, may run as written, whatever is written on it.
    #[must_use]
    pub fn taken(&self, budget: &str, pod: &Pod, claim: usize) -> Connections {
        let written = || self.claims.get(claim).and_then(|c| c.as_written).unwrap_or(Connections::UNBOUNDED);
        let drawn = pod.drawn_from(budget);
        match (drawn.0.is_empty(), drawn.awaited().is_empty()) {
            (true, _) => written(),
            (false, true) => drawn.holds(),
            (false, false) => drawn.holds().max(written()),
        }
    }

    /// What is entered for a pod of a claim that was not granted anything.
    #[must_use]
    pub fn fact(&self, budget: &str, pod: &Pod, claim: usize, origin: Origin, since: Moment) -> Entry {
        let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
        let connections = number(self.taken(budget, pod, claim));
        let source = self.claims.get(claim).map(|claim| claim.source).unwrap_or_default();
        Entry { namespace, name, connections, origin, source, since, ..Entry::default() }
    }
}

/// A number of connections as an entry holds it.
#[must_use]
pub fn number(connections: Connections) -> u32 {
    connections.bounded().and_then(|n| u32::try_from(n).ok()).map_or(UNBOUNDED, |n| n.min(UNBOUNDED))
}

fn terms(view: &View, budget: &Budget) -> Terms {
    let status = view.budget(&budget.name).and_then(|stored| stored.status.as_ref());
    let connections = |n: i64| Connections::new(u64::try_from(n).unwrap_or(0));
    let bounds = status.and_then(|status| {
        let capacity = status.capacity.as_ref()?;
        let generation = status.observed_generation?;
        // Other budgets have entries of their own.
        let beside = connections(capacity.reserve) + budget.numbers_outside();
        let with_lent = || connections(capacity.hard).less(beside);
        let lends = budget.listed().next().is_some();
        Some(Bounds {
            allocatable: if lends { with_lent() } else { connections(capacity.allocatable) },
            reserve: connections(capacity.reserve),
            generation,
        })
    });
    Terms {
        bounds,
        generation: budget.generation.unwrap_or(0),
        room: connections(status.and_then(|status| status.surge_reserve).unwrap_or(0)),
        drain: budget.drain,
        quarantine: budget.quarantine,
        reserved: budget.reserved.clone(),
    }
}

/// The pods of all claims. One that two claims are about is the first one's.
fn members(view: &View, claims: &[Claim], budget: &str) -> BTreeMap<Uid, Member> {
    let mut members: BTreeMap<Uid, Member> = BTreeMap::new();
    for (place, claim) in claims.iter().enumerate() {
        for pod in view.pods().of(&claim.key) {
            let member = || Member { pod: pod.clone(), claim: place, waits: pod.waits_for(budget) };
            members.entry(pod.uid.clone()).or_insert_with(member);
        }
    }
    // A pod of a CronJob may come before its Job; what it was born with tells its claim.
    for pod in view.pods().gated() {
        let Some(first) = pod.drawn_from(budget).0.into_iter().next().filter(|first| first.awaits) else { continue };
        let is_named = |claim: &Claim| claim.key.namespace == pod.namespace && claim.id == first.claim;
        if let Some(claim) = claims.iter().position(is_named) {
            members.entry(pod.uid.clone()).or_insert_with(|| Member { pod: pod.clone(), claim, waits: true });
        }
    }
    members
}

/// Entries of pods that nobody sees, and pods that are seen though their entries are kept apart.
fn absent(
    view: &View,
    members: &BTreeMap<Uid, Member>,
    ledger: Option<&Ledger>,
    nodes: &BTreeMap<Uid, Place>,
) -> Vec<Absent> {
    let Some(ledger) = ledger else { return Vec::new() };
    // Nearly all are members; the others are looked for by their names.
    let here = |uid: &Uid, namespace: &str, name: &str| {
        members.contains_key(uid) || view.pods().get(namespace, name).is_some_and(|pod| pod.uid == *uid)
    };
    let entries = ledger.entries().iter().filter(|(_, entry)| entry.origin.is_pod());
    let gone = entries.filter(|(uid, entry)| !here(uid, &entry.namespace, &entry.name));
    let apart = ledger.quarantined().iter().map(|(uid, kept)| (uid, &kept.entry));
    let back = apart.filter(|(uid, entry)| here(uid, &entry.namespace, &entry.name));
    let absent = gone.chain(back).map(|(uid, entry)| Absent {
        uid: uid.clone(),
        pod: Name::new(entry.namespace.clone(), entry.name.clone()),
        last: view.pods().gone(uid).map(|gone| gone.pod.clone()),
        place: nodes.get(uid).cloned(),
    });
    absent.collect()
}

/// The moment now.
#[must_use]
pub fn now() -> Moment {
    Moment(jiff::Timestamp::now().as_second())
}
