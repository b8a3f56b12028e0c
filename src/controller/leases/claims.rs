//! The workloads that draw from a budget, as they were published.

use std::collections::BTreeMap;

use crate::api::parse::{Budget, Entry, Which};
use crate::api::status::WorkloadStatus;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::cluster::view::{View, lets_in};
use crate::workload::progress::State;
use crate::workload::{Key, Replicas, group_of};

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
    /// Seconds after which its Jobs fail.
    pub deadline: Option<u32>,
    /// The revision that its pods should have (`StatefulSet`).
    pub newest: Option<String>,
    /// Processes of a pod, where its template does not tell and the nodes do.
    pub processes: Option<u32>,
    /// Whether its share has been published. What is computed for no pods at all is nobody's share.
    pub is_published: bool,
    /// What a pod takes as written; only where somebody needs it.
    pub as_written: Option<Connections>,
    pub(super) limits: BTreeMap<(String, String), u32>,
}

/// The workloads of a budget: those that it lists, those of claims, and those that selectors match as published.
#[must_use]
pub fn claims(view: &View, budget: &Budget) -> Vec<Claim> {
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
            deadline: workload.and_then(|w| w.deadline),
            newest: workload.and_then(|w| w.progress.newest.clone()),
            as_written: None,
            processes: row.and_then(|row| u32::try_from(row.processes?).ok()),
            is_published: row
                .is_some_and(|row| (row.peak_pods > 0 || entry.size_for.is_some()) && !row.engines.is_empty()),
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
