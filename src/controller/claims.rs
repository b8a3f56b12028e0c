//! What a claim's status should say: its own rows, and its budget's conditions as far as they concern it.

use jiff::Timestamp;

use super::conditions::{Said, Truth, conditions};
use super::rows::Row;
use super::standing::conflicted;
use super::update::{Update, before};
use crate::api::conditions::{Type, fit, ready};
use crate::api::parse::{Budget, Name, unknown_clients};
use crate::api::status::{ClaimStatus, WorkloadStatus};
use crate::assess::{About, Assessment, Rule};
use crate::cluster::view::{Stored, View};
use crate::cluster::write::{Kind, Object};

/// A budget as far as its claims need to know.
pub enum Outcome<'a> {
    /// There is none of this name.
    Missing,
    /// Nobody can make sense of it.
    Invalid,
    /// Its numbers are not known yet.
    Pending(&'a [String]),
    /// What fits.
    Assessed(&'a Budget, &'a Assessment, &'a [Row], &'a [Said]),
}

/// The status of every claim that names a budget.
#[must_use]
pub fn updates(view: &View, budget: &Name, outcome: &Outcome, now: Timestamp) -> Vec<Update<ClaimStatus>> {
    let claims = view.claims_on(budget);
    claims.map(|(name, stored)| update(view, name, stored, outcome, now)).collect()
}

fn update(
    view: &View,
    name: &Name,
    stored: &Stored<ClaimStatus>,
    outcome: &Outcome,
    now: Timestamp,
) -> Update<ClaimStatus> {
    let said = said(view, name, stored, outcome);
    let mut status = numbers(&own_rows(name, outcome));
    let generation = stored.version.generation;
    let mut previous = stored.status.clone();
    if let Some(previous) = &mut previous {
        previous.conditions = before(Some(&previous.conditions));
    }
    let earlier = previous.as_ref().map_or(&[][..], |p| &p.conditions);
    status.conditions = conditions(&said, earlier, generation, now);
    status.observed_generation = generation;
    let object = Object { kind: Kind::Claim, name: name.clone(), uid: stored.version.uid.clone() };
    Update { object, before: previous, status }
}

fn own_rows<'a>(name: &Name, outcome: &Outcome<'a>) -> Vec<&'a Row> {
    match outcome {
        Outcome::Assessed(_, _, rows, _) => rows.iter().filter(|r| r.about == About::Claim(name.clone())).collect(),
        _ => Vec::new(),
    }
}

fn numbers(rows: &[&Row]) -> ClaimStatus {
    if rows.is_empty() {
        return ClaimStatus::default();
    }
    let sum = |of: fn(&WorkloadStatus) -> Option<i64>| rows.iter().map(|r| of(&r.shown)).sum::<Option<i64>>();
    ClaimStatus {
        allocated: sum(|r| r.allocated),
        wanted: sum(|r| r.wanted),
        held: sum(|r| r.held),
        waiting: Some(rows.iter().map(|row| row.shown.waiting).sum()),
        workloads: rows.iter().map(|r| r.shown.clone()).collect(),
        ..ClaimStatus::default()
    }
}

fn refused(reason: &'static str, text: impl Into<String>) -> Vec<Said> {
    let silent =
        |about| Said::new(about, Truth::Unknown, ready::PENDING, "A claim that is not ready counts for nothing.");
    let ready = Said::new(Type::Ready, Truth::False, reason, text);
    vec![ready, silent(Type::WithinCapacity), silent(Type::Injected), silent(Type::Observed)]
}

fn said(view: &View, name: &Name, stored: &Stored<ClaimStatus>, outcome: &Outcome) -> Vec<Said> {
    if !stored.faults.is_empty() {
        let each: Vec<String> = stored.faults.iter().map(ToString::to_string).collect();
        return refused(
            ready::INVALID,
            format!("This claim counts for nothing until this is corrected: {}.", each.join("; ")),
        );
    }
    let of = &stored.budget;
    match outcome {
        Outcome::Missing => {
            let text = format!("There is no DatabaseBudget {of}: correct spec.budgetRef, or create the budget.");
            refused(ready::BUDGET_NOT_FOUND, text)
        }
        Outcome::Invalid => {
            let text =
                format!("The DatabaseBudget {of} is not valid, so nothing is computed: see its condition Ready.");
            refused(ready::INVALID, text)
        }
        Outcome::Pending(waiting) => {
            let text = format!("Waiting for {}.", waiting.join(", "));
            vec![Said::new(Type::Ready, Truth::Unknown, ready::PENDING, text)]
        }
        Outcome::Assessed(_, assessment, _, of_budget) => assessed(view, name, stored, outcome, assessment, of_budget),
    }
}

fn assessed(
    view: &View,
    name: &Name,
    stored: &Stored<ClaimStatus>,
    outcome: &Outcome,
    assessment: &Assessment,
    of_budget: &[Said],
) -> Vec<Said> {
    let about = About::Claim(name.clone());
    let own = || assessment.findings.iter().filter(|f| f.about == about);
    if let Some(finding) = own().find(|f| f.rule == Rule::NamespaceNotLetIn) {
        let text = format!("The DatabaseBudget {}; {}.", finding.message, finding.fix);
        return refused(ready::NAMESPACE_NOT_LET_IN, text);
    }
    if let Outcome::Assessed(budget, ..) = outcome
        && let Some(claim) = view.snapshot().claim(name)
        && let Some(fault) = unknown_clients(&claim.entry, &budget.catalogue).into_iter().next()
    {
        return refused(ready::INVALID, format!("This claim counts for nothing until this is corrected: {fault}."));
    }
    let mut said = vec![ready(view, name, stored, &own_rows(name, outcome))];
    said.push(within_capacity(stored, of_budget));
    said.extend(of_budget.iter().filter(|s| matches!(s.about, Type::Injected | Type::Observed)).cloned());
    said.extend(conflicted(own()));
    said
}

fn ready(view: &View, name: &Name, stored: &Stored<ClaimStatus>, rows: &[&Row]) -> Said {
    let forbidden = view.forbidden(&stored.budget).into_iter();
    let mut here = forbidden.filter(|(place, _)| place.as_ref().is_none_or(|place| *place == name.namespace));
    if let Some((_, sentence)) = here.next() {
        return Said::new(Type::Ready, Truth::False, ready::FORBIDDEN, format!("{sentence}."));
    }
    if let Some(absent) = rows.iter().find(|row| !row.exists) {
        return Said::new(Type::Ready, Truth::False, ready::TARGET_NOT_FOUND, absent.shown.message.clone());
    }
    let text = match rows.len() {
        0 => {
            format!("Everything this claim is about is counted by another claim on {}: see Conflicted.", stored.budget)
        }
        1 => format!("This claim counts in the DatabaseBudget {}.", stored.budget),
        n => format!("This claim counts in the DatabaseBudget {}, with {n} workloads.", stored.budget),
    };
    Said::new(Type::Ready, Truth::True, ready::PUBLISHED, text)
}

/// The budget's own condition in a sentence without numbers: it is written once per state, not once per pod.
fn within_capacity(stored: &Stored<ClaimStatus>, of_budget: &[Said]) -> Said {
    let of = &stored.budget;
    let Some(said) = of_budget.iter().find(|s| s.about == Type::WithinCapacity) else {
        return Said::new(Type::WithinCapacity, Truth::Unknown, ready::PENDING, "Nothing is known yet.");
    };
    let state = match said.reason {
        fit::HEALTHY => "has room",
        fit::WARNING => "is above its warning threshold",
        fit::CRITICAL => "is almost full",
        fit::EXCEEDED => "is exceeded: more can be opened than there is",
        fit::INFEASIBLE => "does not fit: even the smallest pools are more than there is",
        _ => "cannot be judged: a number is not known",
    };
    let more = match said.reason {
        fit::HEALTHY => String::new(),
        _ => format!(" Why, and what helps: kubectl describe dbb {} -n {}", of.name, of.namespace),
    };
    let text = format!("The DatabaseBudget {of} {state}.{more}");
    Said::new(Type::WithinCapacity, said.truth, said.reason, text)
}
