//! The sentences of a budget's conditions. Numbers first, then what to do.

use crate::api::parse::{Budget, Capacity};
use crate::api::policy::{Enforcement, Restart, WhenExceeded};
use crate::api::status::WorkloadStatus;
use crate::assess::assessment::question;
use crate::assess::rules::steps;
use crate::assess::{Assessment, Finding};
use crate::budget::capacity::Capacity as Supply;
use crate::budget::connections::Connections;
use crate::budget::fit::{Question, Verdict, WayOut, ways_out};
use crate::budget::rollout::Headroom;

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
pub fn infeasible(budget: &Budget, assessment: &Assessment, allocatable: Connections, injects: bool) -> String {
    let fit = &assessment.fit;
    let needed = fit.total.peak;
    let surge = match fit.surge_reserve {
        Connections::ZERO => String::new(),
        room => format!(" ({room} of them room for one surging pod)"),
    };
    let left_out: Vec<String> = fit.left_out.iter().map(|&i| assessment.claims.claims[i].id.to_string()).collect();
    let ways = possible(&assessment.ways_out, injects);
    let need = if needed > allocatable {
        format!("need {}{surge}{}", connections(needed), more_than(needed, allocatable))
    } else {
        "need more than a namespace's maxConnections, or the reserve, allows".to_owned()
    };
    let above = above_their_cap(budget, assessment).map_or(String::new(), |text| format!(" {text}"));
    format!(
        "Even the smallest safe pools {need}. Left out: {}.{above} {}",
        list(left_out.iter().map(String::as_str), ", "),
        instructions(&ways, budget)
    )
}

/// As written, workloads can open more than there is.
fn exceeded_as_written(budget: &Budget, assessment: &Assessment, allocatable: Connections) -> String {
    let peak = assessment.fit.as_written.peak;
    let question = question(budget, &assessment.supply, &assessment.claims);
    let ways = possible(&ways_out(&Question { shared: false, ..question }), false);
    let over = more_than(peak, allocatable);
    format!("As written, workloads can open {} at the peak{over}. {}", connections(peak), instructions(&ways, budget))
}

/// Reserve and outside consumers take more than there is.
#[must_use]
pub fn taken_before(capacity: Supply) -> Option<String> {
    let taken = capacity.reserve + capacity.outside;
    (taken > capacity.hard).then(|| {
        let Supply { hard, reserve, outside } = capacity;
        format!("The reserve ({reserve}) and outside consumers ({outside}) take more than the {hard} that there are.")
    })
}

/// Namespaces whose claims can hold more than the budget lets them.
#[must_use]
pub fn above_their_cap(budget: &Budget, assessment: &Assessment) -> Option<String> {
    let capped = budget.namespaces.iter().filter_map(|n| Some((n, Connections::from(n.max_connections?))));
    let above: Vec<String> = capped
        .filter_map(|(let_in, cap)| {
            let rows = assessment.claims.claims.iter().zip(&assessment.fit.rows);
            let own = rows.filter(|(claim, _)| claim.id.namespace == let_in.namespace);
            let allocated: Connections = own.map(|(_, row)| row.allocated).sum();
            (allocated > cap).then(|| format!("{} can hold {allocated} of its {cap}", let_in.namespace))
        })
        .collect();
    let all = list(above.iter().map(String::as_str), ", ");
    (!above.is_empty()).then(|| format!("Above the maxConnections of spec.namespaces: {all}."))
}

/// What is so besides the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// New pods get shares.
    pub injects: bool,
    /// Old pods are on their way out.
    pub closing: bool,
}

/// What the workloads can come to at the peak.
#[must_use]
pub fn peak(budget: &Budget, assessment: &Assessment, allocatable: Connections, now: Now) -> String {
    let (fit, injects) = (&assessment.fit, now.injects);
    let closing = match budget.headroom {
        Headroom::None | Headroom::SharedSurge | Headroom::Surge if now.closing => {
            " Old pods that are still closing come on top (headroom SurgeAndTerminating counts them)."
        }
        _ => "",
    };
    let peak =
        |how: &str, peak: Connections| format!("At the peak, {how}, all workloads together can hold {peak}.{closing}");
    match (fit.as_written.verdict, fit.total.verdict) {
        (_, Verdict::Fits) if injects => peak("with their shares", fit.total.peak),
        (Verdict::Exceeded, _) => exceeded_as_written(budget, assessment, allocatable),
        _ => peak("as written", fit.as_written.peak),
    }
}

/// Ways out that work as dbbudget was started.
fn possible(ways: &[WayOut], injects: bool) -> Vec<WayOut> {
    let by_shares = |way: &&WayOut| matches!(way, WayOut::Share | WayOut::ShareSurge);
    ways.iter().filter(|way| injects || !by_shares(way)).cloned().collect()
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
    text.trim_end_matches(['.', '?'])
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

/// Why pods run as they are written although their budget asks for more.
#[must_use]
pub fn overruled(enforcement: Enforcement) -> String {
    format!(
        "dbbudget runs with --mode observe, which overrules enforcement {enforcement:?}: pods run as they are written."
    )
}

/// Pods that were born without a share.
#[must_use]
pub fn escaped<'a>(
    escaped: u64,
    pods: u64,
    restart: Restart,
    rows: impl Iterator<Item = &'a WorkloadStatus>,
) -> String {
    let then = match restart {
        Restart::Never => format!("To size them, replace them: {}.", restarts(rows)),
        Restart::Rolling => ONE_AT_A_TIME.into(),
    };
    format!(
        "{escaped} of {pods} pods run without a share, and are counted as they are written: they were created before this \
        budget asked for it, or while the webhook was away. {then}"
    )
}

/// Pods that have an earlier share.
#[must_use]
pub fn outdated<'a>(
    outdated: u64,
    pods: u64,
    restart: Restart,
    rows: impl Iterator<Item = &'a WorkloadStatus>,
) -> String {
    let then = match restart {
        Restart::Never => {
            format!("New shares reach them as they are replaced; to hasten it: {}.", restarts(rows))
        }
        Restart::Rolling => ONE_AT_A_TIME.into(),
    };
    format!("{outdated} of {pods} pods run with an earlier share, and are counted so. {then}")
}

const ONE_AT_A_TIME: &str =
    "They are replaced one workload at a time: status.restarts says which, and what others wait for.";

/// The commands that replace the pods of workloads.
fn restarts<'a>(rows: impl Iterator<Item = &'a WorkloadStatus>) -> String {
    let commands: Vec<String> = rows.map(|row| restart(&row.target.kind, &row.namespace, &row.target.name)).collect();
    list(commands.iter().map(String::as_str), "; ")
}

/// `kubectl rollout` with a verb.
#[must_use]
pub fn rollout(verb: &str, kind: &str, namespace: &str, name: &str) -> String {
    format!("kubectl -n {namespace} rollout {verb} {}/{name}", kind.to_lowercase())
}

/// What replaces the pods of a workload.
#[must_use]
pub fn restart(kind: &str, namespace: &str, name: &str) -> String {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" => rollout("restart", kind, namespace, name),
        kind => format!("delete the pods of {kind} {namespace}/{name}"),
    }
}

/// Fields that are set and have no effect.
#[must_use]
pub fn without_effect(budget: &Budget) -> Option<String> {
    let scales = budget.when_exceeded == WhenExceeded::ScaleDown && budget.enforcement == Enforcement::Observe;
    scales.then(|| "No effect with enforcement Observe: whenExceeded: ScaleDown (nothing is scaled).".to_owned())
}
