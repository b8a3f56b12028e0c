//! What a pod looks like with its shares.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::container::Changes;
use super::keys;
use super::pinned::{self, Pinned, PinnedContainer};
use super::settle::{Binding, Settling};
use super::strip::strip;
use crate::api::parse::{Budget, Entry};
use crate::api::policy::Enforcement;
use crate::api::status::WorkloadStatus;
use crate::assess::shape::{Built, Ground, build};
use crate::budget::claim::Id;
use crate::budget::shape::{Container, Count, Lowered, Shape, Written};
use crate::workload::Key;
use crate::workload::template::Template;

/// A claim by which a pod draws from a budget.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// The budget.
    pub budget: &'a Budget,
    /// The claim's row in its status.
    pub claim: &'a Id,
    /// What the claim says.
    pub entry: &'a Entry,
    /// The workload that the pod belongs to.
    pub workload: &'a Key,
    /// The row as published; nothing while none is.
    pub published: Option<&'a WorkloadStatus>,
}

/// A pod with its shares.
#[derive(Clone, Debug)]
pub struct Injected {
    /// The pod.
    pub pod: Json,
    /// What it was given.
    pub pinned: Pinned,
    /// Claims that were left out, and why.
    pub left_out: Vec<String>,
}

/// Writes shares into a pod, the first claim first. A claim on an engine that an earlier one is about is left out, and so
/// is one on a second budget of the same name, for the pod's keys could not tell the two apart.
///
/// # Errors
/// When the pod's containers are not what Kubernetes stores.
pub fn inject(pod: &Json, drawn: &[Drawn]) -> Result<Injected, serde_json::Error> {
    let mut injected = write(pod, drawn, Binding::Late)?;
    if !injected.pinned.0.is_empty() {
        let shape = serde_json::to_string(&injected.pinned)?;
        annotate(&mut injected.pod).insert(keys::SHAPE.to_owned(), shape.into());
    }
    gate(&mut injected.pod, !injected.pinned.awaited().is_empty());
    Ok(injected)
}

/// Writes the numbers themselves into a pod template, for those who keep manifests and need no webhook.
///
/// # Errors
/// When the template's containers are not what Kubernetes stores.
pub fn write_down(template: &Json, drawn: &[Drawn]) -> Result<Injected, serde_json::Error> {
    write(template, drawn, Binding::Now)
}

fn write(pod: &Json, drawn: &[Drawn], binding: Binding) -> Result<Injected, serde_json::Error> {
    let mut pod = pod.clone();
    strip(&mut pod);
    let template = if drawn.is_empty() { Template::default() } else { Template::of_pod(&pod)? };
    let mut writing = Writing { binding, ..Writing::default() };
    for one in drawn {
        writing.claim(one, &template);
    }
    let Writing { changes, annotations, pinned, left_out, .. } = writing;
    for (pointer, changes) in changes {
        if let Some(container) = pod.pointer_mut(&pointer) {
            changes.make(container);
        }
    }
    if !annotations.is_empty() {
        annotate(&mut pod).extend(annotations);
    }
    Ok(Injected { pod, pinned, left_out })
}

/// Adds our gate, or takes off one that somebody else added. Those of others keep their order.
fn gate(pod: &mut Json, awaits: bool) {
    let Some(spec) = pod.get_mut("spec").and_then(Json::as_object_mut) else { return };
    let is_ours = |gate: &Json| gate["name"] == keys::GATE;
    let known = spec.get("schedulingGates").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut gates: Vec<Json> = known.iter().filter(|gate| awaits || !is_ours(gate)).cloned().collect();
    if awaits && !gates.iter().any(is_ours) {
        gates.push(json!({"name": keys::GATE}));
    }
    if gates == known {
        return;
    }
    if gates.is_empty() {
        spec.remove("schedulingGates");
    } else {
        spec.insert("schedulingGates".to_owned(), gates.into());
    }
}

/// The pod's annotations, to be added to.
fn annotate(pod: &mut Json) -> &mut Map<String, Json> {
    let annotations = &mut pod["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = json!({});
    }
    match annotations {
        Json::Object(map) => map,
        _ => unreachable!("it was made an object"),
    }
}

/// What is gathered from all claims before anything is written.
#[derive(Default)]
struct Writing {
    /// By JSON pointer of the container.
    changes: Vec<(String, Changes)>,
    annotations: Map<String, Json>,
    pinned: Pinned,
    left_out: Vec<String>,
    engines: BTreeSet<(String, String)>,
    binding: Binding,
}

impl Writing {
    fn claim(&mut self, drawn: &Drawn, template: &Template) {
        let budget = &drawn.budget.name;
        let namesake = self.pinned.0.iter().find(|c| {
            let (namespace, name) = c.budget.split_once('/').unwrap_or_default();
            name == budget.name && namespace != budget.namespace
        });
        if let Some(other) = namesake {
            self.left_out.push(format!("{budget} has the name of {}, from which this pod draws, too", other.budget));
            return;
        }
        let transaction = drawn.budget.is_transaction();
        let (catalogue, key, template) = (&*drawn.budget.catalogue, drawn.workload, Some(template));
        let mut findings = Vec::new();
        let ground = Ground { catalogue, node_cpus: None, key, template, transaction };
        let (mut shape, built) = build(drawn.entry, &ground, &mut findings);
        self.left_out.extend(findings.into_iter().map(|finding| finding.message));
        let engines = || built.iter().flat_map(|c| c.engines.iter().map(|e| (c.name.clone(), e.name.clone())));
        if let Some((container, engine)) = engines().find(|engine| self.engines.contains(engine)) {
            self.left_out
                .push(format!("{budget} is about the engine {container}/{engine}, which another claim counts"));
            return;
        }
        if built.is_empty() {
            return;
        }
        self.engines.extend(engines());
        drawn.know_processes(&mut shape, &built);
        self.write(drawn, &shape, &built);
    }

    fn write(&mut self, drawn: &Drawn, shape: &Shape, built: &[Built]) {
        let awaits = self.binding == Binding::Late && drawn.budget.enforcement == Enforcement::Lease;
        let containers = shape.containers.iter().zip(built);
        let limits: Vec<Vec<Option<u32>>> =
            containers.map(|(container, built)| drawn.limits(container, built, awaits)).collect();
        let containers = shape.containers.iter().zip(&limits);
        let containers = containers.map(|(c, limits)| PinnedContainer::new(c, limits, awaits)).collect();
        let claim = drawn.claim.to_string();
        let claim = pinned::Claim { budget: drawn.budget.name.to_string(), claim, awaits, containers };
        let per_pod = claim.holds();
        self.pinned.0.push(claim);
        for ((container, built), limits) in shape.containers.iter().zip(built).zip(&limits) {
            let at = self.changes.iter().position(|(pointer, _)| *pointer == built.pointer).unwrap_or_else(|| {
                self.changes.push((built.pointer.clone(), Changes::new(self.binding == Binding::Now)));
                self.changes.len() - 1
            });
            let changes = &mut self.changes[at].1;
            let (annotations, binding) = (&mut self.annotations, self.binding);
            let mut one = Settling { drawn, container, built, per_pod, changes, annotations, binding };
            one.processes();
            one.engines(limits);
        }
    }
}

impl Drawn<'_> {
    /// What follows the CPUs of the node, the leader knows better; and it may have lowered what can be.
    fn know_processes(&self, shape: &mut Shape, built: &[Built]) {
        let lowered = self.published.map(|row| row.lowered.as_slice()).unwrap_or_default();
        for (container, _) in shape.containers.iter_mut().zip(built).filter(|(_, built)| built.control.is_some()) {
            let to = lowered.iter().find(|l| l.container == container.name).map(|l| l.processes);
            if let Some(to) = to.and_then(|to| u32::try_from(to).ok()).filter(|to| *to > 0) {
                container.lowered = Lowered::To(to);
            }
        }
        let published = self.published.and_then(|row| u32::try_from(row.processes?).ok());
        if let ([container], Some(processes)) = (shape.containers.as_mut_slice(), published)
            && container.processes.lower_bound() <= processes
            && matches!(container.processes, Count::AtLeast(_))
        {
            container.processes = Count::Known(processes);
        }
    }

    /// The limit of each engine: the published share, or the smallest while none is published and of a pod that waits. Engines that no share
    /// sets have what they take as written; where only part of that is known here, the leader may know more.
    fn limits(&self, container: &Container, built: &Built, awaits: bool) -> Vec<Option<u32>> {
        let rows = self.published.map(|row| row.engines.as_slice()).unwrap_or_default();
        let published = |engine: &str| {
            let row = rows.iter().find(|row| row.container == built.name && row.name == engine)?;
            row.limit.and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0)
        };
        let engines = container.engines.iter().zip(&built.engines);
        let limits = engines.map(|(shape, engine)| {
            let published = published(&engine.name);
            match shape.as_written {
                _ if engine.is_sized() => Some(published.filter(|_| !awaits).unwrap_or(shape.min)),
                Written::AtLeast(least) => Some(least.max(published.unwrap_or(0))),
                written @ (Written::Limit(_) | Written::Unlimited) => written.limit(),
            }
        });
        limits.collect()
    }
}
