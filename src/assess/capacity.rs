//! What there is to divide.

use std::collections::BTreeSet;

use super::finding::{About, Finding, Rule, Severity};
use super::snapshot::Snapshot;
use crate::api::parse::{Budget, Capacity as Source, Name, OutsideOf};
use crate::budget::capacity::{Capacity, ServerLimits};
use crate::budget::connections::Connections;

/// A capacity and where its number comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supply {
    /// The numbers; nothing while nobody knows, or while an outside consumer's is not known.
    pub capacity: Option<Capacity>,
    /// In words.
    pub source: String,
}

/// What a budget has to give.
pub fn supply(budget: &Budget, snapshot: &Snapshot, findings: &mut Vec<Finding>) -> Supply {
    let (hard, source) = hard(budget, snapshot);
    let about = || About::Budget(budget.name.clone());
    match (&budget.capacity, hard) {
        (_, None) => findings.push(Finding::new(
            Rule::CapacityUnknown,
            about(),
            "/spec/capacity",
            format!("what the database of {} gives is not known", budget.name),
            "set capacity.postgres.expected, or give --capacity NAMESPACE/NAME=N",
        )),
        (Source::Asked { expected: Some(n), .. }, Some(_)) if source.starts_with("expected") => {
            findings.push(Finding::new(
                Rule::CapacityExpected,
                about(),
                "/spec/capacity/postgres/expected",
                format!("counting with the {n} connections expected; no server was asked"),
                "`dbbudget run` asks the server itself",
            ));
        }
        _ => {}
    }
    let capacity = outside(budget, snapshot, findings).zip(hard).map(|(outside, hard)| Capacity {
        hard,
        reserve: budget.reserve.into(),
        outside,
    });
    Supply { capacity, source }
}

/// The connections that clients can open, and where that number comes from.
fn hard(budget: &Budget, snapshot: &Snapshot) -> (Option<Connections>, String) {
    if let Some(&n) = snapshot.overrides.get(&budget.name) {
        return (Some(n.into()), format!("--capacity {}={n}", budget.name));
    }
    match &budget.capacity {
        Source::Known { hard, source, .. } => (Some((*hard).into()), source.clone()),
        Source::Asked { expected, .. } => match (snapshot.answers.get(&budget.name), expected) {
            (Some(limits), _) => (Some(limits.hard()), format!("the server: {}", sentence(*limits))),
            (None, Some(n)) => (Some((*n).into()), format!("expected: {n}")),
            (None, None) => (None, "the server, which has not answered yet".into()),
        },
    }
}

fn sentence(limits: ServerLimits) -> String {
    let ServerLimits { max_connections, reserved, role, database } = limits;
    let limit = |of: &str, n: Option<u32>| n.map(|n| format!(", {of} limit {n}")).unwrap_or_default();
    format!(
        "max_connections {max_connections} less {reserved} reserved{}{}",
        limit("role", role),
        limit("database", database)
    )
}

/// What outside consumers take together; nothing where it is not known of one.
fn outside(budget: &Budget, snapshot: &Snapshot, findings: &mut Vec<Finding>) -> Option<Connections> {
    let consumers = budget.outside.iter().enumerate().map(|(i, consumer)| match &consumer.takes {
        OutsideOf::Connections(n) => Some(Connections::from(*n)),
        OutsideOf::Budget(name) => {
            let child = Name::new(budget.name.namespace.clone(), name.clone());
            let taken = on_server(&child, snapshot).filter(|_| !leads_back(&child, budget, snapshot));
            if taken.is_none() {
                findings.push(unresolved(budget, i, &child, snapshot));
            }
            taken
        }
    });
    let each: Vec<Option<Connections>> = consumers.collect(); // all of them: each that is not known is a finding
    each.into_iter().sum()
}

fn unresolved(budget: &Budget, i: usize, child: &Name, snapshot: &Snapshot) -> Finding {
    let pointer = format!("/spec/outside/{i}/budgetRef");
    let about = About::Budget(budget.name.clone());
    let (what, fix) = match snapshot.budget(child) {
        None => (
            format!("outside names the budget {child}, which does not exist"),
            "create it, or give its connections as a number",
        ),
        Some(_) if leads_back(child, budget, snapshot) => (
            format!("outside of {} leads back to itself through {child}", budget.name),
            "of two budgets one is outside the other",
        ),
        Some(_) => (
            format!("what {child} may open on the server is not known yet"),
            "wait until its server answers, or set expected",
        ),
    };
    let severity = if what.ends_with("yet") { Severity::Warning } else { Severity::Error };
    Finding::new(Rule::OutsideUnresolved, about, pointer, what, fix).at(severity)
}

/// What a budget's consumers may open on the server behind it.
#[must_use]
pub fn on_server(name: &Name, snapshot: &Snapshot) -> Option<Connections> {
    let budget = snapshot.budget(name)?;
    match &budget.capacity {
        Source::Known { on_server, .. } => Some((*on_server).into()),
        Source::Asked { .. } => hard(budget, snapshot).0,
    }
}

/// Whether a budget is among those that another draws from outside, however far down.
fn leads_back(from: &Name, to: &Budget, snapshot: &Snapshot) -> bool {
    let (mut todo, mut seen) = (vec![from.clone()], BTreeSet::new());
    while let Some(name) = todo.pop() {
        if name == to.name {
            return true;
        }
        if !seen.insert(name.clone()) {
            continue;
        }
        let listed = snapshot.budget(&name).into_iter().flat_map(|budget| budget.listed());
        todo.extend(listed.map(|child| Name::new(name.namespace.clone(), child)));
    }
    false
}
