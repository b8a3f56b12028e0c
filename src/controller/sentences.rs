//! The sentences of a budget's conditions. Numbers first, then what to do.

use crate::api::parse::{Budget, Capacity};
use crate::api::policy::{Enforcement, FailurePolicy, Restart, WhenExceeded};
use crate::assess::assessment::question;
use crate::assess::rules::steps;
use crate::assess::{Assessment, Finding};
use crate::budget::connections::Connections;
use crate::budget::fit::{Question, Verdict, WayOut, ways_out};

/// `1 connection`, `5 connections`.
#[must_use]
pub fn connections(n: Connections) -> String {
    match n.bounded() {
        Some(1) => "1 connection".into(),
        Some(n) => format!("{n} connections"),
        None => "connections without bound".into(),
    }
}

/// What running pods hold, against what there is.
#[must_use]
pub fn held(held: Connections, allocatable: Connections) -> String {
    if held > allocatable {
        return format!("Running pods can hold {}{}.", connections(held), more_than(held, allocatable));
    }
    let percent = held.percent_of(allocatable).unwrap_or(0);
    format!("Running pods can hold {held} of {allocatable} allocatable connections ({percent} %).")
}

/// `, 11 more than the 13 allocatable`.
fn more_than(needed: Connections, allocatable: Connections) -> String {
    match needed.bounded() {
        Some(_) => format!(", {} more than the {allocatable} allocatable", needed.less(allocatable)),
        None => format!("; {allocatable} are allocatable"),
    }
}

/// Even the minimums do not fit.
#[must_use]
pub fn infeasible(budget: &Budget, assessment: &Assessment, allocatable: Connections) -> String {
    let fit = &assessment.fit;
    let needed = fit.total.peak;
    let surge = match fit.surge_reserve {
        Connections::ZERO => String::new(),
        room => format!(" ({room} of them room for one surging pod)"),
    };
    let left_out: Vec<String> = fit.left_out.iter().map(|&i| assessment.claims.claims[i].id.to_string()).collect();
    let ways = now_possible(&assessment.ways_out);
    format!(
        "Even the smallest safe pools need {}{surge}{}. Left out: {}. {}",
        connections(needed),
        more_than(needed, allocatable),
        list(left_out.iter().map(String::as_str), ", "),
        instructions(&ways, budget)
    )
}

/// As written, workloads can open more than there is.
#[must_use]
pub fn exceeded_as_written(budget: &Budget, assessment: &Assessment, allocatable: Connections) -> String {
    let peak = assessment.fit.as_written.peak;
    let question = question(budget, &assessment.supply, &assessment.claims);
    let ways = now_possible(&ways_out(&Question { shared: false, ..question }));
    let over = more_than(peak, allocatable);
    format!("As written, workloads can open {} at the peak{over}. {}", connections(peak), instructions(&ways, budget))
}

/// What the workloads can come to at the peak, where running pods fit.
#[must_use]
pub fn peak(budget: &Budget, assessment: &Assessment, allocatable: Connections) -> String {
    let fit = &assessment.fit;
    if fit.as_written.verdict != Verdict::Exceeded {
        return format!("At the peak, as written, all workloads together can hold {}.", fit.as_written.peak);
    }
    let shares = match fit.total.verdict {
        Verdict::Fits => format!(
            " Shares would keep them at {}, but this version of dbbudget does not inject them yet.",
            fit.total.peak
        ),
        _ => String::new(),
    };
    format!("{}{shares}", exceeded_as_written(budget, assessment, allocatable))
}

/// Ways out that work in this version: shares and leases are not active yet.
fn now_possible(ways: &[WayOut]) -> Vec<WayOut> {
    ways.iter().filter(|way| !matches!(way, WayOut::Share | WayOut::ShareSurge)).cloned().collect()
}

fn instructions(ways: &[WayOut], budget: &Budget) -> String {
    match ways {
        [] => "No single change is enough: lower replicas, processes or pools.".into(),
        [way] => format!("Way out: {}.", steps(way, budget).join("; ")),
        ways => {
            let numbered =
                ways.iter().enumerate().map(|(i, way)| format!("({}) {}", i + 1, steps(way, budget).join("; ")));
            format!("Ways out, each enough by itself: {}.", numbered.collect::<Vec<_>>().join("; "))
        }
    }
}

/// Why the capacity is not known, and what to do.
#[must_use]
pub fn capacity_unknown(budget: &Budget, why: Option<&str>) -> String {
    let why = why.map_or_else(|| "the server has not answered yet".into(), |why| without_stop(why).to_owned());
    let expected = match &budget.capacity {
        Capacity::Asked { expected: None, .. } => " Until then, set capacity.postgres.expected to count with a number.",
        _ => "",
    };
    format!("What the database gives is not known: {why}.{expected}")
}

/// The server was not asked, and what is counted with instead.
#[must_use]
pub fn counting_with_expected(why: &str, source: &str) -> String {
    format!("The server did not tell its limits: {}. Counting with {source}.", without_stop(why))
}

fn without_stop(text: &str) -> &str {
    text.trim_end_matches('.')
}

/// The first few of many things, and how many more.
#[must_use]
pub fn list<'a>(items: impl IntoIterator<Item = &'a str>, between: &str) -> String {
    const SHOWN: usize = 5;
    let items: Vec<&str> = items.into_iter().collect();
    let shown = items.iter().take(SHOWN).copied().collect::<Vec<_>>().join(between);
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}

/// What findings say, each a sentence.
#[must_use]
pub fn findings<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let each: Vec<String> = findings.into_iter().map(|f| format!("{}: {}", f.about, f.message)).collect();
    format!("{}.", list(each.iter().map(String::as_str), "; "))
}

/// Why pods run as they are written.
#[must_use]
pub fn not_injected(enforcement: Enforcement, observes_only: bool) -> String {
    match enforcement {
        Enforcement::Observe => "Enforcement is Observe: pods run as they are written, and are counted so.".into(),
        _ if observes_only => {
            format!(
                "dbbudget runs with --mode observe, which overrules enforcement {enforcement:?}: pods run as they are written."
            )
        }
        Enforcement::Inject => {
            "Enforcement Inject is not active in this version: pods run as they are written, and held \
            counts them so. Limits and allocated say what they would be given."
                .into()
        }
        Enforcement::Lease => {
            "Enforcement Lease is not active in this version: pods run as they are written and wait for \
            nothing, and held counts them so. Limits and allocated say what they would be given."
                .into()
        }
    }
}

/// Fields that are set and have no effect in this version.
#[must_use]
pub fn without_effect(budget: &Budget, failure_policy: FailurePolicy) -> Option<String> {
    let fields = [
        (budget.when_exceeded == WhenExceeded::ScaleDown, "whenExceeded: ScaleDown (nothing is scaled)"),
        (budget.restart == Restart::Rolling, "restart: Rolling (nothing is restarted)"),
        (failure_policy == FailurePolicy::Fail, "failurePolicy: Fail (no pod is refused)"),
    ];
    let set: Vec<&str> = fields.into_iter().filter(|(set, _)| *set).map(|(_, text)| text).collect();
    (!set.is_empty()).then(|| format!("No effect in this version: {}.", set.join(", ")))
}
