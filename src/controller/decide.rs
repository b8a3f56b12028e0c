//! What a budget's status, and that of its claims, should say. Pure: a view and the time go in.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::claims::{self, Outcome};
use super::conditions::{Said, Truth, conditions};
use super::leases::ledgers::Kept;
use super::restarts::{self, Due};
use super::rows::{Row, number, rows};
use super::scaling;
use super::standing::{Mode, Standing};
use super::update::{Update, before};
use crate::api::conditions::{Type, fit, ready};
use crate::api::parse::{Fault, Name};
use crate::api::policy::Enforcement;
use crate::api::policy::Headroom as ShownHeadroom;
use crate::api::status::{BudgetStatus, CapacityStatus, ClaimStatus};
use crate::assess::assess;
use crate::assess::assessment::Assessment;
use crate::assess::shape::Built;
use crate::budget::connections::Connections;
use crate::budget::rollout::Headroom;
use crate::cluster::view::{Stored, View};
use crate::cluster::write::scale::Change;
use crate::cluster::write::{Kind, Object};
use crate::serve::metrics::{BudgetNumbers, WorkloadNumbers};
use crate::workload::Replicas;

/// Rows shown at most.
const ROWS: usize = 200;

/// Everything that follows from one look at a budget.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The budget's status; nothing where there is no budget of that name.
    pub budget: Option<Update<BudgetStatus>>,
    /// The status of each claim that names it.
    pub claims: Vec<Update<ClaimStatus>>,
    /// Numbers for metrics.
    pub numbers: Option<(BudgetNumbers, Vec<WorkloadNumbers>)>,
    /// Whether the numbers depend on the nodes; nothing where none were computed.
    pub depends_on_nodes: Option<bool>,
    /// A workload to be restarted now, recorded in the budget's status.
    pub restart: Option<Due>,
    /// Numbers of pods to be changed, once the budget's status has them.
    pub scaling: Vec<Change>,
    /// When to look again though nothing happens.
    pub again: Option<Timestamp>,
}

/// Looks at one budget. `waiting`: what is not known yet, in words; nothing is computed before it is.
#[must_use]
pub fn decide(view: &View, name: &Name, waiting: &[String], mode: Mode, now: Timestamp) -> Decision {
    let claims = |outcome: Outcome| claims::updates(view, name, &outcome, now);
    let Some(stored) = view.budget(name) else {
        let (scaling, again) =
            if mode.injects { scaling::restore(view, name, mode.refused, now) } else { (Vec::new(), None) };
        return Decision { claims: claims(Outcome::Missing), scaling, again, ..Decision::default() };
    };
    let Some(budget) = view.snapshot().budget(name) else {
        let said = [invalid(&stored.faults)];
        let status = without_numbers(view, stored, &said, now);
        let claims = claims(Outcome::Invalid);
        return Decision { budget: Some(update(stored, status)), claims, ..Decision::default() };
    };
    if !waiting.is_empty() {
        let text = format!("Waiting for {}.", waiting.join(", "));
        let status =
            without_numbers(view, stored, &[Said::new(Type::Ready, Truth::Unknown, ready::PENDING, text)], now);
        let claims = claims(Outcome::Pending(waiting));
        return Decision { budget: Some(update(stored, status)), claims, ..Decision::default() };
    }
    let assessment = assess(budget, view.snapshot());
    let rows = rows(budget, &assessment, view, &mode);
    let forbidden: BTreeSet<String> = view.forbidden(name).into_iter().map(|(_, sentence)| sentence).collect();
    let standing = Standing {
        budget,
        assessment: &assessment,
        rows: &rows,
        forbidden: &forbidden,
        probe: view.probe_error(name),
        mode,
    };
    let mut said = standing.conditions();
    let mut status = numbers(&standing);
    let recorded = stored.status.as_ref().map_or(&[][..], |status| &status.restarts);
    let restarts::Plan { records, due: restart, again } = restarts::plan(&standing, view, recorded, now);
    status.restarts = records;
    let scaling = scaling::plan(&standing, view, stored, &said, now);
    scaling.say(&mut said, mode.restore_after);
    status.scaled = scaling.records;
    let before = before(stored.status.as_ref().map(|s| s.conditions.as_slice()));
    status.conditions = conditions(&said, &before, stored.version.generation, now);
    status.observed_generation = stored.version.generation;
    Decision {
        claims: claims(Outcome::Assessed(budget, &assessment, &rows, &said)),
        numbers: Some(measured(&status, &rows, &said)),
        depends_on_nodes: Some(depends_on_nodes(&assessment)),
        budget: Some(update(stored, status)),
        restart,
        scaling: scaling.changes,
        again: again.into_iter().chain(scaling.again).min(),
    }
}

fn update(stored: &Stored<BudgetStatus>, status: BudgetStatus) -> Update<BudgetStatus> {
    let object = Object { kind: Kind::Budget, name: stored.budget.clone(), uid: stored.version.uid.clone() };
    let mut previous = stored.status.clone();
    if let Some(previous) = &mut previous {
        previous.conditions = before(Some(&previous.conditions));
    }
    Update { object, before: previous, status }
}

/// What is wrong with a spec.
fn invalid(faults: &[Fault]) -> Said {
    let each: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let text = format!("Nothing is computed until this is corrected: {}.", each.join("; "));
    Said::new(Type::Ready, Truth::False, ready::INVALID, text)
}

fn without_numbers(view: &View, stored: &Stored<BudgetStatus>, said: &[Said], now: Timestamp) -> BudgetStatus {
    let generation = stored.version.generation;
    let before = before(stored.status.as_ref().map(|s| s.conditions.as_slice()));
    let conditions = conditions(said, &before, generation, now);
    // What was lowered is not forgotten while nothing else is known.
    let scaled = scaling::recorded(view, stored).to_vec();
    BudgetStatus { observed_generation: generation, scaled, conditions, ..BudgetStatus::default() }
}

/// The status without its conditions.
fn numbers(standing: &Standing) -> BudgetStatus {
    let Standing { budget, assessment, rows, .. } = standing;
    let (held, fit) = (standing.held(), &assessment.fit);
    let capacity = assessment.supply.capacity;
    let shown = |n: Connections| number(n).unwrap_or(i64::MAX);
    // Whose ledger has not been read, nobody knows who waits.
    let waits = |of: fn(&Kept) -> i64| match standing.mode.kept {
        Some(kept) => Some(of(kept)),
        None => (budget.enforcement != Enforcement::Lease).then_some(0),
    };
    BudgetStatus {
        capacity: capacity.map(|c| CapacityStatus {
            hard: shown(c.hard),
            reserve: shown(c.reserve),
            outside: shown(c.outside),
            allocatable: shown(c.allocatable()),
            source: assessment.supply.source.clone(),
        }),
        headroom: Some(headroom(budget.headroom)),
        peak: number(fit.total.peak),
        surge_reserve: number(fit.surge_reserve),
        held: number(held).filter(|_| standing.sees_pods()),
        waiting: waits(Kept::asked),
        free: capacity
            .filter(|_| held != Connections::UNBOUNDED && standing.sees_pods())
            .map(|c| c.allocatable().minus(held)),
        claims: i64::try_from(rows.len()).ok(),
        waiting_pods: waits(|kept| i64::try_from(kept.waiting.len()).unwrap_or(i64::MAX)),
        queue: standing.mode.kept.map(Kept::queue).unwrap_or_default(),
        workloads: largest(rows),
        ..BudgetStatus::default()
    }
}

/// The rows, cut to those that matter most.
fn largest(rows: &[Row]) -> Vec<crate::api::status::WorkloadStatus> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    if rows.len() > ROWS {
        let size = |row: &Row| {
            let all = i64::MAX;
            row.shown.allocated.unwrap_or(all).max(row.shown.held.unwrap_or(all))
        };
        rows.sort_by_key(|row| std::cmp::Reverse(size(row)));
        rows.truncate(ROWS);
    }
    rows.into_iter().map(|row| row.shown.clone()).collect()
}

fn headroom(headroom: Headroom) -> ShownHeadroom {
    match headroom {
        Headroom::None => ShownHeadroom::None,
        Headroom::SharedSurge => ShownHeadroom::SharedSurge,
        Headroom::Surge => ShownHeadroom::Surge,
        Headroom::SurgeAndTerminating => ShownHeadroom::SurgeAndTerminating,
    }
}

fn measured(status: &BudgetStatus, rows: &[Row], said: &[Said]) -> (BudgetNumbers, Vec<WorkloadNumbers>) {
    let within = said.iter().find(|s| s.about == Type::WithinCapacity);
    let numbers = BudgetNumbers {
        hard: status.capacity.as_ref().map(|c| c.hard),
        allocatable: status.capacity.as_ref().map(|c| c.allocatable),
        peak: status.peak,
        held: status.held,
        free: status.free,
        waiting: status.waiting,
        waiting_pods: status.waiting_pods,
        fit: within.map_or(fit::CAPACITY_UNKNOWN, |s| s.reason),
    };
    let workloads = rows.iter().map(|row| WorkloadNumbers {
        namespace: row.shown.namespace.clone(),
        name: row.shown.name.clone(),
        allocated: row.shown.allocated,
        wanted: row.shown.wanted,
        held: row.shown.held,
    });
    (numbers, workloads.collect())
}

fn depends_on_nodes(assessment: &Assessment) -> bool {
    assessment.claims.drawings.iter().any(|drawing| {
        let per_node = drawing.workload.as_ref().is_some_and(|w| w.replicas == Replicas::PerNode);
        let follows = |c: &Built| c.running.follows_node_cpus || c.engines.iter().any(|e| e.written.follows_node_cpus);
        per_node || drawing.built.iter().any(follows)
    })
}
