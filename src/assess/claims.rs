//! Which workloads draw from a budget, and who is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::{About, Finding, Rule};
use super::shape::{Built, Ground, build};
use super::snapshot::Snapshot;
use crate::api::parse::{Budget, Entry, Name, Which, unknown_clients};
use crate::budget::claim::{Claim, Id};
use crate::budget::connections::Connections;
use crate::budget::rollout::{Pods, Strategy};
use crate::workload::{Key, Replicas, Workload};

/// One workload that draws from a budget.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// The entry of the budget, or the claim.
    pub entry: Name,
    /// Where that entry stands.
    pub about: About,
    /// JSON pointer to the entry in that object.
    pub pointer: String,
    /// The workload.
    pub key: Key,
    /// Its API version, as the object says.
    pub api_version: String,
    /// The workload itself; nothing while it does not exist.
    pub workload: Option<Arc<Workload>>,
    /// How it replaces pods.
    pub strategy: Strategy,
    /// Replicas without any autoscaler.
    pub replicas: u32,
    /// The autoscaler that goes further, if one does.
    pub scaler: Option<Key>,
    /// Pods that shares are computed for, where the owner says so.
    pub size_for: Option<u32>,
    /// Where `ScaleDown` stops; nothing: its replicas are never lowered.
    pub min_replicas: Option<u32>,
    /// Its claimed containers.
    pub built: Vec<Built>,
}

/// All that draw from a budget.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// What each asks for.
    pub claims: Vec<Claim>,
    /// What is known of each, in the same order.
    pub drawings: Vec<Drawing>,
    /// Caps of namespaces, which claims refer to.
    pub caps: Vec<Connections>,
}

/// An entry with where it comes from.
struct Asking<'a> {
    name: Name,
    about: About,
    entry: &'a Entry,
    cap: Option<usize>,
    priority: i32,
}

/// Finds everyone who draws from a budget.
pub fn claims(budget: &Budget, snapshot: &Snapshot, findings: &mut Vec<Finding>) -> Claims {
    let mut all = Claims::default();
    let mut caps: BTreeMap<&str, usize> = BTreeMap::new();
    for let_in in &budget.namespaces {
        if let Some(cap) = let_in.max_connections {
            caps.insert(&let_in.namespace, all.caps.len());
            all.caps.push(cap.into());
        }
    }
    let mut asking: Vec<Asking> = Vec::new();
    for entry in &budget.entries {
        let name = Name::new(budget.name.namespace.clone(), entry.name.clone());
        let about = About::Budget(budget.name.clone());
        asking.push(Asking { name, about, entry, cap: None, priority: entry.priority });
    }
    for claim in snapshot.claims_on(&budget.name) {
        let let_in = budget.namespaces.iter().find(|n| n.namespace == claim.name.namespace);
        if claim.name.namespace != budget.name.namespace && let_in.is_none() {
            findings.push(not_let_in(budget, &claim.name));
            continue;
        }
        if let Some(fault) = unknown_clients(&claim.entry, &budget.catalogue).into_iter().next() {
            let about = About::Claim(claim.name.clone());
            findings.push(Finding::new(Rule::TargetNotFound, about, fault.pointer, fault.what, "correct the name"));
            continue;
        }
        let highest = let_in.and_then(|n| n.max_priority).unwrap_or(i32::MAX);
        asking.push(Asking {
            name: claim.name.clone(),
            about: About::Claim(claim.name.clone()),
            entry: &claim.entry,
            cap: caps.get(claim.name.namespace.as_str()).copied(),
            priority: claim.entry.priority.min(highest),
        });
    }
    let named = |a: &Asking| matches!(a.entry.target.which, Which::Named(_));
    asking.sort_by_key(|a| !named(a)); // an explicit target beats a selector
    for asking in &asking {
        all.resolve(asking, budget, snapshot, findings);
    }
    all
}

fn not_let_in(budget: &Budget, claim: &Name) -> Finding {
    Finding::new(
        Rule::NamespaceNotLetIn,
        About::Claim(claim.clone()),
        "/spec/budgetRef",
        format!("{} does not let the namespace {} in, so this claim counts for nothing", budget.name, claim.namespace),
        format!("its owner adds `- {{name: {}}}` to spec.namespaces of the budget", claim.namespace),
    )
}

impl Claims {
    fn resolve(&mut self, asking: &Asking, budget: &Budget, snapshot: &Snapshot, findings: &mut Vec<Finding>) {
        let target = &asking.entry.target;
        let key = |name: &str| Key {
            group: target.group.clone(),
            kind: target.kind.clone(),
            namespace: asking.name.namespace.clone(),
            name: name.to_owned(),
        };
        match &target.which {
            Which::Named(name) => {
                self.add(asking, key(name), snapshot.workload(&key(name)), budget, snapshot, findings);
            }
            Which::Selected(selector) => {
                let candidates = snapshot.workloads_of(&target.group, &target.kind, &asking.name.namespace);
                let matching: Vec<_> = candidates.filter(|w| selector.matches(&w.labels)).cloned().collect();
                for workload in &matching {
                    if !self.drawings.iter().any(|d| d.key == workload.key) {
                        self.add(asking, workload.key.clone(), Some(workload), budget, snapshot, findings);
                    }
                }
                if matching.is_empty() {
                    let at = format!("{}/target/selector", asking.entry.pointer);
                    let what = format!("the selector matches no {} in {}", target.kind, asking.name.namespace);
                    let fix = "correct the labels, or ignore this until they are deployed";
                    findings.push(Finding::new(Rule::TargetNotFound, asking.about.clone(), at, what, fix));
                }
            }
        }
    }

    fn add(
        &mut self,
        asking: &Asking,
        key: Key,
        workload: Option<&Arc<Workload>>,
        budget: &Budget,
        snapshot: &Snapshot,
        findings: &mut Vec<Finding>,
    ) {
        let Some(workload) = workload else {
            let (at, what) = (format!("{}/target", asking.entry.pointer), format!("{key} does not exist"));
            let fix = "correct the name or kind, or deploy it";
            findings.push(Finding::new(Rule::TargetNotFound, asking.about.clone(), at, what, fix));
            return;
        };
        let holder = workload.template_of.as_ref().and_then(|of| snapshot.workload(of));
        let template = workload.template.as_ref().or_else(|| holder.and_then(|w| w.template.as_ref()));
        let (catalogue, node_cpus, transaction) = (&*budget.catalogue, snapshot.nodes.cpus, budget.is_transaction());
        let ground = Ground { catalogue, node_cpus, key: &key, template, transaction };
        let (shape, built) = build(asking.entry, &ground, findings);
        if let Some(twice) = claimed_already(&self.drawings, &key, &built) {
            findings.push(claimed_twice(asking, &key, &twice));
            return;
        }
        let (replicas, scaler) = replicas(workload, snapshot);
        let maximum = scaler.as_ref().map_or(replicas, |(_, maximum)| *maximum);
        self.claims.push(Claim {
            id: Id { namespace: key.namespace.clone(), name: unique(asking, &key) },
            priority: asking.priority,
            weight: asking.entry.weight,
            source: asking.entry.source,
            cap: asking.cap,
            pods: Pods {
                size_for: asking.entry.size_for,
                certain: (workload.replicas != Replicas::PerNode || snapshot.nodes.count.is_some())
                    && (!workload.overlaps || asking.entry.size_for.is_some()),
                ..Pods::new(maximum, workload.strategy)
            },
            shape,
        });
        self.drawings.push(Drawing {
            entry: asking.name.clone(),
            about: asking.about.clone(),
            pointer: asking.entry.pointer.clone(),
            api_version: workload.api_version.clone(),
            key,
            workload: Some(workload.clone()),
            strategy: workload.strategy,
            replicas,
            scaler: scaler.map(|(key, _)| key),
            size_for: asking.entry.size_for,
            min_replicas: asking.entry.min_replicas,
            built,
        });
    }
}

fn claimed_twice(asking: &Asking, key: &Key, engine: &str) -> Finding {
    let what = format!("{key}: the engine {engine} is claimed twice in this budget; it counts once");
    let (about, pointer) = (asking.about.clone(), asking.entry.pointer.clone());
    Finding::new(Rule::SharedEngine, about, pointer, what, "keep one entry or claim for each engine")
}

/// An engine of a workload that an earlier claim on this budget counts, too.
fn claimed_already(drawings: &[Drawing], key: &Key, built: &[Built]) -> Option<String> {
    let names = |built: &[Built]| -> Vec<(String, String)> {
        built.iter().flat_map(|c| c.engines.iter().map(|e| (c.name.clone(), e.name.clone()))).collect()
    };
    let earlier: Vec<_> = drawings.iter().filter(|d| d.key == *key).flat_map(|d| names(&d.built)).collect();
    let twice = names(built).into_iter().find(|engine| earlier.contains(engine));
    twice.map(|(container, engine)| format!("{container}/{engine}"))
}

/// The claim's name, with the workload's where a selector makes several of one.
fn unique(asking: &Asking, key: &Key) -> String {
    match asking.entry.target.which {
        Which::Named(_) => asking.name.name.clone(),
        Which::Selected(_) => format!("{}/{}", asking.name.name, key.name),
    }
}

/// Replicas without an autoscaler, and the autoscaler that goes further.
fn replicas(workload: &Workload, snapshot: &Snapshot) -> (u32, Option<(Key, u32)>) {
    let written = match workload.replicas {
        Replicas::Count(n) => n,
        Replicas::PerNode => snapshot.nodes.count.unwrap_or(1),
    };
    let further =
        snapshot.scalers_of(&workload.key).filter(|s| s.grows && s.maximum > written).max_by_key(|s| s.maximum);
    (written, further.map(|s| (s.key.clone(), s.maximum)))
}
