//! One row per workload that draws from a budget: what it is given, and what its pods hold now.

use crate::api::parse::{Budget, Entry, Name, Which};
use crate::api::status::{EngineStatus, TargetStatus, WorkloadStatus};
use crate::api::target::KNOWN_KINDS;
use crate::assess::claims::Drawing;
use crate::assess::{About, Assessment, Finding, Rule, Severity};
use crate::budget::claim::{Claim, Source};
use crate::budget::connections::Connections;
use crate::budget::fit::Row as Share;
use crate::budget::shape::Count;
use crate::cluster::view::pods::Holding;
use crate::cluster::view::sources::{Need, Source as Watched, State};
use crate::cluster::view::{View, lets_in};
use crate::workload::{Key, group_of};

/// A row of a budget's status, with what the status does not show.
#[derive(Clone, Debug)]
pub struct Row {
    /// The budget that lists it, or the claim.
    pub about: About,
    /// Name of the entry or claim.
    pub entry: Name,
    /// What it draws from.
    pub source: Source,
    /// What its pods can hold now, as they are written.
    pub held: Connections,
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
pub fn rows(budget: &Budget, assessment: &Assessment, view: &View) -> Vec<Row> {
    let Assessment { claims, fit, findings, .. } = assessment;
    let drawn = claims.drawings.iter().zip(&claims.claims).zip(&fit.rows);
    let mut rows: Vec<Row> =
        drawn.map(|((drawing, claim), share)| row(drawing, claim, share, findings, view)).collect();
    rows.extend(absent(budget, findings, view));
    rows
}

fn row(drawing: &Drawing, claim: &Claim, share: &Share, findings: &[Finding], view: &View) -> Row {
    let holding = view.holding(&drawing.key);
    // Nothing is injected yet, so every pod runs as it is written.
    let held = claim.shape.as_written() * holding.pods;
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
        processes: processes(claim),
        engines: engines(claim, share),
        per_pod: number(share.per_pod),
        allocated: number(share.allocated),
        wanted: number(share.wanted),
        held: number(held),
        waiting: 0,
        message: message(drawing, holding, findings),
    };
    let (about, entry) = (drawing.about.clone(), drawing.entry.clone());
    Row { about, entry, source: claim.source, held, exists: true, shown }
}

/// Processes of one pod; nothing where one number is not known.
fn processes(claim: &Claim) -> Option<i64> {
    let counts = claim.shape.containers.iter().map(|c| match c.processes {
        Count::Known(n) => Some(i64::from(n)),
        Count::AtLeast(_) => None,
    });
    counts.sum()
}

fn engines(claim: &Claim, share: &Share) -> Vec<EngineStatus> {
    let engines = claim.shape.containers.iter().flat_map(|c| c.engines.iter().map(move |e| (c, e)));
    let engines = engines.zip(&share.limits).map(|((container, engine), limit)| {
        let split = limit.map(|limit| engine.split(limit));
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

/// Findings that have a condition of their own, or that speak of an injection that does not happen yet.
const SAID_ELSEWHERE: [Rule; 6] = [
    Rule::Exceeded,
    Rule::Infeasible,
    Rule::RolloutBlocked,
    Rule::SharedEngine,
    Rule::SharedDatabase,
    Rule::OverriddenValue,
];

/// What one should know about a workload: pods on their way out, then its worst finding.
fn message(drawing: &Drawing, holding: Holding, findings: &[Finding]) -> String {
    let below =
        |pointer: &str| pointer.strip_prefix(&drawing.pointer).is_some_and(|r| r.is_empty() || r.starts_with('/'));
    let concerns = |finding: &Finding| match &finding.about {
        About::Object(key) => *key == drawing.key || drawing.scaler.as_ref() == Some(key),
        about => *about == drawing.about && below(&finding.pointer),
    };
    let mut notes = Vec::new();
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
    let mut message = finding.message.clone();
    if finding.severity > Severity::Note && !finding.fix.is_empty() {
        message = format!("{message}; {}", finding.fix);
    }
    let mut letters = message.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

/// Entries and claims whose target does not exist, each as a row that says so.
fn absent(budget: &Budget, findings: &[Finding], view: &View) -> Vec<Row> {
    let own = budget.entries.iter().map(|entry| {
        let name = Name::new(budget.name.namespace.clone(), entry.name.clone());
        (About::Budget(budget.name.clone()), name, entry)
    });
    let let_in = |namespace: &str| lets_in(budget, namespace);
    let claims = view.snapshot().claims_on(&budget.name).filter(|c| let_in(&c.name.namespace));
    let claims = claims.map(|c| (About::Claim(c.name.clone()), c.name.clone(), &c.entry));
    let missing = own.chain(claims).filter_map(|(about, name, entry)| {
        let at = format!("{}/target", entry.pointer);
        let finding = findings
            .iter()
            .find(|f| f.rule == Rule::TargetNotFound && f.about == about && f.pointer.starts_with(&at))?;
        let shown = WorkloadStatus {
            name: name.name.clone(),
            namespace: name.namespace.clone(),
            target: target(entry),
            held: Some(0),
            allocated: Some(0),
            wanted: Some(0),
            message: why_absent(entry, &name.namespace, finding, view),
            ..WorkloadStatus::default()
        };
        Some(Row { about, entry: name, source: entry.source, held: Connections::ZERO, exists: false, shown })
    });
    missing.collect()
}

fn target(entry: &Entry) -> TargetStatus {
    let name = match &entry.target.which {
        Which::Named(name) => name.clone(),
        Which::Selected(_) => String::new(),
    };
    let (group, kind) = (&entry.target.group, &entry.target.kind);
    let known = KNOWN_KINDS.iter().find(|(k, version)| k == kind && group_of(version) == group);
    let api_version = known.map_or_else(|| group.clone(), |(_, version)| (*version).to_owned());
    TargetStatus { api_version, kind: kind.clone(), name }
}

fn why_absent(entry: &Entry, namespace: &str, finding: &Finding, view: &View) -> String {
    let (group, kind) = (entry.target.group.clone(), entry.target.kind.clone());
    let need = Need {
        source: Watched::Workloads { group: group.clone(), kind: kind.clone() },
        namespace: Some(namespace.to_owned()),
    };
    match (view.state(&need), &entry.target.which) {
        (Some(State::Forbidden(sentence)), _) => format!("{sentence}."),
        (Some(State::Absent), _) => format!("This cluster has no kind {kind} ({group}); it counts once there is one."),
        (_, Which::Named(name)) => {
            let key = Key { group, kind, namespace: namespace.to_owned(), name: name.clone() };
            match view.unreadable(&key) {
                Some(why) => format!("{key} cannot be read: {why}."),
                None => sentence(finding),
            }
        }
        _ => sentence(finding),
    }
}
