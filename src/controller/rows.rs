//! One row per workload that draws from a budget: what it is given, and what its pods hold now.

mod absent;

use std::collections::BTreeSet;

use super::leases::ledgers::Kept;
use super::standing::Mode;
use crate::api::parse::{Budget, Name};
use crate::api::policy::Enforcement;
use crate::api::status::{EngineStatus, LoweredStatus, TargetStatus, WorkloadStatus};
use crate::assess::claims::Drawing;
use crate::assess::{About, Assessment, Finding, Rule, Severity};
use crate::budget::claim::{Claim, Source};
use crate::budget::connections::Connections;
use crate::budget::fit::Row as Share;
use crate::budget::ledger::Origin;
use crate::budget::shape::{Count, Lowered};
use crate::cluster::view::View;
use crate::cluster::view::pods::{Holding, Pod};
use crate::pod::pinned;
use crate::workload::engines::Effect;
use absent::absent;

/// A row of a budget's status, with what the status does not show.
#[derive(Clone, Debug)]
pub struct Row {
    /// The budget that lists it, or the claim.
    pub about: About,
    /// Name of the entry or claim.
    pub entry: Name,
    /// What it draws from.
    pub source: Source,
    /// What its pods can hold now: what they were born with, or what they take as written.
    pub held: Connections,
    /// Pods that hold connections.
    pub pods: u64,
    /// Of these, pods on their way out.
    pub closing: u64,
    /// Of these, pods that should have a share and were born without one.
    pub escaped: u64,
    /// Of these, pods with an earlier share.
    pub outdated: u64,
    /// Pods of both kinds that are not on their way out.
    pub behind: u64,
    /// Whether the workload exists.
    pub exists: bool,
    /// The row as it is shown.
    pub shown: WorkloadStatus,
}

/// A number for people and machines; nothing where there is no bound.
#[must_use]
pub fn number(connections: Connections) -> Option<i64> {
    connections.bounded().and_then(|n| i64::try_from(n).ok())
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// All rows: workloads that exist in the order of the claims, then targets that do not.
#[must_use]
pub fn rows(budget: &Budget, assessment: &Assessment, view: &View, mode: &Mode) -> Vec<Row> {
    let Assessment { claims, fit, findings, .. } = assessment;
    let drawn = claims.drawings.iter().zip(&claims.claims).zip(&fit.rows);
    let shared = budget.enforcement != Enforcement::Observe;
    let injects = mode.injects && shared;
    let row = |((drawing, claim), share): ((_, _), _)| {
        let held = held(&budget.name, drawing, claim, share, (view, mode.kept));
        row(drawing, claim, (share, shared), findings, &held, injects)
    };
    let mut rows: Vec<Row> = drawn.map(row).collect();
    rows.extend(absent(budget, findings, view));
    rows
}

/// What a workload's pods hold.
#[derive(Default)]
struct Held {
    holding: Holding,
    connections: Connections,
    waiting: i64,
    escaped: u64,
    outdated: u64,
    behind: u64,
}

/// Each pod by what it was born with, or by its entry in the ledger. A pod that has nothing of this claim runs as it is
/// written.
fn held(budget: &Name, drawing: &Drawing, claim: &Claim, share: &Share, (view, kept): (&View, Option<&Kept>)) -> Held {
    let (budget, id) = (budget.to_string(), claim.id.to_string());
    let given: Vec<(&str, &str, Option<u32>)> = claim
        .shape
        .containers
        .iter()
        .flat_map(|c| c.engines.iter().map(move |e| (c.name.as_str(), e.name.as_str())))
        .zip(&share.limits)
        .map(|((container, engine), limit)| (container, engine, *limit))
        .collect();
    let mut all = Held { holding: view.holding(&drawing.key), ..Held::default() };
    for holder in view.holders(&drawing.key) {
        let born = born(holder, &budget, &id);
        all.connections = all.connections + born.map_or_else(|| claim.shape.as_written(), pinned::Claim::holds);
        let origin = kept.and_then(|kept| Some(kept.ledger.entries().get(&holder.uid)?.origin));
        let (escaped, outdated) = (
            born.is_none() || origin == Some(Origin::Escaped),
            born.is_some_and(|born| born.limits().collect::<Vec<_>>() != given),
        );
        all.escaped += u64::from(escaped);
        all.outdated += u64::from(outdated);
        all.behind += u64::from((escaped || outdated) && !holder.terminating());
    }
    if let Some(kept) = kept {
        let entries = view.pods().of(&drawing.key).filter_map(|pod| kept.ledger.entries().get(&pod.uid));
        all.connections = entries.map(|entry| Connections::from(entry.connections)).sum();
        all.waiting = kept.asked_by(&id);
    }
    all
}

/// What a pod was born with of a claim.
pub(super) fn born<'a>(pod: &'a Pod, budget: &str, claim: &str) -> Option<&'a pinned::Claim> {
    pod.pinned.as_ref().and_then(|p| p.0.iter().find(|c| c.budget == budget && c.claim == claim))
}

fn row(
    drawing: &Drawing,
    claim: &Claim,
    (share, shared): (&Share, bool),
    findings: &[Finding],
    held: &Held,
    injects: bool,
) -> Row {
    let Held { holding, connections, waiting, escaped, outdated, behind } = *held;
    let shown = WorkloadStatus {
        name: claim.id.name.clone(),
        namespace: claim.id.namespace.clone(),
        target: TargetStatus {
            api_version: drawing.api_version.clone(),
            kind: drawing.key.kind.clone(),
            name: drawing.key.name.clone(),
        },
        pods: whole(holding.pods),
        peak_pods: whole(share.peak_pods),
        per_pod: number(share.per_pod),
        allocated: number(share.allocated),
        wanted: number(share.wanted),
        held: number(connections),
        waiting,
        message: message(drawing, holding, findings),
        ..given(drawing, claim, share, shared)
    };
    let exists = drawing.workload.as_ref().is_some_and(|w| !w.gone);
    let (about, entry) = (drawing.about.clone(), drawing.entry.clone());
    let (escaped, outdated, behind) = if injects { (escaped, outdated, behind) } else { (0, 0, 0) };
    let (source, held, pods) = (claim.source, connections, holding.pods);
    let closing = holding.terminating;
    Row { about, entry, source, held, pods, closing, escaped, outdated, behind, exists, shown }
}

/// What a claim is given: the part of its row that is applied to pods.
#[must_use]
pub fn given(drawing: &Drawing, claim: &Claim, share: &Share, shared: bool) -> WorkloadStatus {
    let (processes, lowered) = (processes(claim), lowered(claim));
    let engines = engines(drawing, claim, share, shared);
    let overrides = if shared { overrides(drawing) } else { Vec::new() };
    WorkloadStatus { processes, lowered, overrides, engines, ..WorkloadStatus::default() }
}

/// What the template sets and the share replaces.
fn overrides(drawing: &Drawing) -> Vec<String> {
    let sized = drawing.built.iter().flat_map(|c| &c.engines).filter(|e| e.is_sized());
    let set = sized.flat_map(|e| &e.written.set).filter(|set| set.effect == Effect::Counts);
    set.map(|set| set.name.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Processes of one pod; nothing where one number is not known.
fn processes(claim: &Claim) -> Option<i64> {
    let counts = claim.shape.containers.iter().map(|c| match c.processes {
        Count::Known(_) => Some(i64::from(c.processes())),
        Count::AtLeast(_) => None,
    });
    counts.sum()
}

fn lowered(claim: &Claim) -> Vec<LoweredStatus> {
    let lowered = claim.shape.containers.iter().filter_map(|c| match c.lowered {
        Lowered::To(n) => Some(LoweredStatus { container: c.name.clone(), processes: i64::from(n) }),
        Lowered::Never | Lowered::Possible => None,
    });
    lowered.collect()
}

fn engines(drawing: &Drawing, claim: &Claim, share: &Share, shared: bool) -> Vec<EngineStatus> {
    let built = drawing.built.iter().flat_map(|c| &c.engines);
    let engines = claim.shape.containers.iter().flat_map(|c| c.engines.iter().map(move |e| (c, e)));
    let engines = engines.zip(built).zip(&share.limits).map(|(((container, engine), built), limit)| {
        let split = limit.map(|limit| built.split(engine, limit, shared));
        EngineStatus {
            container: container.name.clone(),
            name: engine.name.clone(),
            pool: split.map(|s| i64::from(s.pool)),
            overflow: split.map(|s| i64::from(s.overflow)),
            limit: limit.map(i64::from),
        }
    });
    engines.collect()
}

/// Findings that have a condition of their own.
const SAID_ELSEWHERE: [Rule; 5] =
    [Rule::Exceeded, Rule::Infeasible, Rule::RolloutBlocked, Rule::SharedEngine, Rule::SharedDatabase];

/// What one should know about a workload: pods on their way out, then its worst finding.
fn message(drawing: &Drawing, holding: Holding, findings: &[Finding]) -> String {
    let below =
        |pointer: &str| pointer.strip_prefix(&drawing.pointer).is_some_and(|r| r.is_empty() || r.starts_with('/'));
    let concerns = |finding: &Finding| match &finding.about {
        About::Object(key) => *key == drawing.key || drawing.scaler.as_ref() == Some(key),
        about => *about == drawing.about && below(&finding.pointer),
    };
    let mut notes = Vec::new();
    if drawing.workload.as_ref().is_some_and(|w| w.gone) {
        let Holding { pods, .. } = holding;
        return format!("{} was deleted; {pods} pods of it hold connections until they are gone.", drawing.key);
    }
    if holding.terminating > 0 {
        let Holding { pods, terminating } = holding;
        notes.push(format!("{terminating} of {pods} pods are terminating and hold until they are gone."));
    }
    let found: Vec<&Finding> = findings.iter().filter(|f| concerns(f) && !SAID_ELSEWHERE.contains(&f.rule)).collect();
    if let Some(worst) = found.iter().max_by_key(|f| f.severity) {
        notes.push(sentence(worst));
        if found.len() > 1 {
            notes.push(format!("(And {} more: dbbudget plan lists them.)", found.len() - 1));
        }
    }
    notes.join(" ")
}

/// A finding as a sentence, with what to do where it matters.
fn sentence(finding: &Finding) -> String {
    let mut message = finding.message.trim_end_matches('.').to_owned();
    if finding.severity > Severity::Note && !finding.fix.is_empty() {
        let mut fix = finding.fix.trim_end_matches('.').chars();
        let first = fix.next().map(char::to_lowercase).into_iter().flatten();
        message = format!("{message}; {}", first.chain(fix).collect::<String>());
    }
    let mut letters = message.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}
