//! What one look at a ledger starts from. Pure: a view and the ledger go in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::parse::{Budget, Entry, Name, UNBOUNDED, Which};
use crate::api::policy::Enforcement;
use crate::api::reserved::Reservation;
use crate::api::status::WorkloadStatus;
use crate::assess::assess;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::{Bounds, Ledger, Moment, Origin, Uid};
use crate::cluster::view::pods::Pod;
use crate::cluster::view::{View, lets_in};
use crate::pod::pinned::{self, Pinned};
use crate::workload::progress::State;
use crate::workload::{Key, Replicas, group_of};

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
    pub strays: Vec<Arc<Pod>>,
    /// Entries whose pods nobody sees any more, and how those looked last.
    pub absent: Vec<Absent>,
    /// Namespaces in which its claims are.
    pub namespaces: BTreeSet<String>,
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

/// One claim's workload.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its row in the status.
    pub id: String,
    /// The workload.
    pub key: Key,
    /// Who comes first.
    pub priority: i32,
    /// What it draws from.
    pub source: Source,
    /// Pods that the workload has when nothing is replaced; nothing: one on each node, or it is not known yet.
    pub replicas: Option<u32>,
    /// Of these, how many may be missing while a rollout surges.
    pub missing: u32,
    /// Whether its rollout does not get on.
    pub is_stuck: bool,
    /// Whether its share has been published.
    pub is_published: bool,
    /// What a pod takes as written; only where somebody needs it.
    pub as_written: Option<Connections>,
    pub(super) limits: BTreeMap<(String, String), u32>,
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
    /// Its node, as far as that was noted.
    pub node: Option<String>,
}

impl Facts {
    /// Looks at what concerns one ledger. `nodes`: those that were noted of its pods.
    #[must_use]
    pub fn gather(view: &View, name: &Name, ledger: Option<&Ledger>, nodes: &BTreeMap<Uid, Arc<str>>) -> Self {
        let mut facts = Self { absent: absent(view, ledger, nodes), ..Self::default() };
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
        let awaited = name.to_string();
        let waits = |pod: &&Arc<Pod>| pod.pinned.as_ref().is_some_and(|p| p.awaited().contains(&awaited.as_str()));
        let gated = view.pods().gated().filter(waits);
        facts.strays = gated.filter(|pod| !facts.members.contains_key(&pod.uid)).cloned().collect();
        let unknown = |member: &&Member| !member.waits && ledger.is_none_or(|l| !l.knows(&member.pod.uid));
        let written: BTreeSet<usize> = facts.members.values().filter(unknown).map(|member| member.claim).collect();
        if !written.is_empty() {
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
        let pinned = pod.pinned.as_ref().map(|p| p.only(budget)).filter(|p| !p.0.is_empty());
        match pinned {
            Some(pinned) if pinned.awaited().is_empty() => pinned.holds(),
            Some(pinned) => pinned.holds().max(written()),
            None => written(),
        }
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
        Some(Bounds {
            allocatable: connections(capacity.allocatable),
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

/// The workloads of a budget: those that it lists, those of claims, and those that selectors match as published.
fn claims(view: &View, budget: &Budget) -> Vec<Claim> {
    let rows = |rows: Option<&Vec<WorkloadStatus>>| rows.cloned().unwrap_or_default();
    let own = rows(view.budget(&budget.name).and_then(|s| s.status.as_ref()).map(|s| &s.workloads));
    let namespace = &budget.name.namespace;
    let mut all: Vec<Claim> = Vec::new();
    for entry in &budget.entries {
        all.extend(claims_of(view, entry, namespace, &own, None));
    }
    for claim in view.snapshot().claims_on(&budget.name).filter(|c| lets_in(budget, &c.name.namespace)) {
        let most = budget.namespaces.iter().find(|n| n.namespace == claim.name.namespace).and_then(|n| n.max_priority);
        let own = rows(view.claim(&claim.name).and_then(|s| s.status.as_ref()).map(|s| &s.workloads));
        let entry = Entry { name: claim.name.name.clone(), ..claim.entry.clone() };
        all.extend(claims_of(view, &entry, &claim.name.namespace, &own, most));
    }
    all
}

fn claims_of(view: &View, entry: &Entry, namespace: &str, rows: &[WorkloadStatus], most: Option<i32>) -> Vec<Claim> {
    let rows = rows.iter().filter(|row| row.namespace == namespace);
    let claim = |name: &str, key: Key, row: Option<&WorkloadStatus>| {
        let engines = row.into_iter().flat_map(|row| &row.engines);
        let limits =
            engines.filter_map(|e| Some(((e.container.clone(), e.name.clone()), u32::try_from(e.limit?).ok()?)));
        let workload = view.snapshot().workload(&key);
        let replicas = match workload.map(|w| w.replicas) {
            Some(Replicas::Count(n)) => Some(n),
            Some(Replicas::PerNode) | None => None,
        };
        Claim {
            id: format!("{namespace}/{name}"),
            priority: most.map_or(entry.priority, |most| entry.priority.min(most)),
            source: entry.source,
            replicas,
            is_stuck: workload.is_some_and(|w| w.progress.state == State::Stuck),
            missing: workload.map_or(0, |w| w.strategy.missing(replicas.unwrap_or(0))),
            as_written: None,
            is_published: row.is_some_and(|row| !row.engines.is_empty()),
            limits: limits.collect(),
            key,
        }
    };
    let key = |name: &str| Key {
        group: entry.target.group.clone(),
        kind: entry.target.kind.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    match &entry.target.which {
        Which::Named(target) => {
            vec![claim(&entry.name, key(target), rows.into_iter().find(|row| row.name == entry.name))]
        }
        Which::Selected(_) => {
            let prefix = format!("{}/", entry.name);
            let of = |row: &&WorkloadStatus| row.name.starts_with(&prefix) && row.target.kind == entry.target.kind;
            let group = |row: &&WorkloadStatus| group_of(&row.target.api_version) == entry.target.group;
            let rows = rows.filter(|row| of(row) && group(row));
            rows.map(|row| claim(&row.name, key(&row.target.name), Some(row))).collect()
        }
    }
}

/// The pods of all claims. One that two claims are about is the first one's.
fn members(view: &View, claims: &[Claim], budget: &str) -> BTreeMap<Uid, Member> {
    let mut members = BTreeMap::new();
    for (place, claim) in claims.iter().enumerate() {
        for pod in view.pods().of(&claim.key) {
            members.entry(pod.uid.clone()).or_insert_with(|| {
                let awaits = pod.pinned.as_ref().is_some_and(|p| p.awaited().contains(&budget));
                Member { pod: pod.clone(), claim: place, waits: awaits && pod.gate.is_some() }
            });
        }
    }
    members
}

/// Entries of pods that nobody sees, and pods that are seen though their entries are kept apart.
fn absent(view: &View, ledger: Option<&Ledger>, nodes: &BTreeMap<Uid, Arc<str>>) -> Vec<Absent> {
    let Some(ledger) = ledger else { return Vec::new() };
    let is_pod = |origin: Origin| !matches!(origin, Origin::Drain | Origin::Reserved | Origin::Budget);
    let here = |uid: &Uid, namespace: &str, name: &str| view.pods().get(namespace, name).is_some_and(|p| p.uid == *uid);
    let entries = ledger.entries().iter().filter(|(_, entry)| is_pod(entry.origin));
    let gone = entries.filter(|(uid, entry)| !here(uid, &entry.namespace, &entry.name));
    let apart = ledger.quarantined().iter().map(|(uid, kept)| (uid, &kept.entry));
    let back = apart.filter(|(uid, entry)| here(uid, &entry.namespace, &entry.name));
    let absent = gone.chain(back).map(|(uid, entry)| Absent {
        uid: uid.clone(),
        pod: Name::new(entry.namespace.clone(), entry.name.clone()),
        last: view.pods().gone(uid).map(|gone| gone.pod.clone()),
        node: nodes.get(uid).map(ToString::to_string),
    });
    absent.collect()
}

/// The moment now.
#[must_use]
pub fn now() -> Moment {
    Moment(jiff::Timestamp::now().as_second())
}
