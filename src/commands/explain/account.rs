//! What there is to say of a pod. Pure: objects as they are stored go in.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::Around;
use super::waiting::{self, Wait};
use crate::api::ledger::{DatabaseLedgerSpec, Entry, Origin};
use crate::api::policy::Enforcement;
use crate::api::status::WorkloadStatus;
use crate::api::workload::Source;
use crate::budget::ledger::Moment;
use crate::cluster::view::item::{self, Item, RawPod};
use crate::cluster::view::pods::Pod;
use crate::controller::leases::facts::number;
use crate::pod::{keys, workloads};
use crate::workload::{Key, group_of};

/// Everything about one pod.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// `explain.dbbudget.dev/v1`.
    pub api_version: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// The workload that it belongs to, as `Deployment/api`.
    pub workload: Option<String>,
    /// How it stands, of all budgets together.
    pub state: State,
    /// One entry for each budget that it draws from.
    pub budgets: Vec<OfBudget>,
    /// Why no node takes it.
    pub unschedulable: Option<String>,
}

/// How a pod stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum State {
    /// It waits for its connections.
    Waits,
    /// It runs, and was not given a share.
    Escaped,
    /// It runs, and its budget gives no shares.
    Observed,
    /// Its budget may not be read, or its ledger cannot be.
    Unread,
    /// It was let go, or ran before, without a grant, and is counted.
    Counted,
    /// It was granted its connections.
    Granted,
    /// It was born with its share.
    Sized,
    /// No claim is about it.
    Unclaimed,
    /// It has ended.
    Ended,
}

/// What a pod has of one budget.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfBudget {
    /// The budget, as `namespace/name`.
    pub budget: String,
    /// The claim's row in its status, as `namespace/name`.
    pub claim: Option<String>,
    /// How it stands.
    pub state: State,
    /// What it asks for, was granted, or is counted with. Nothing: nobody knows.
    pub connections: Option<i64>,
    /// Connections for workloads.
    pub allocatable: Option<i64>,
    /// What is held of them.
    pub held: Option<i64>,
    /// What of the rest is kept for a surging pod.
    pub kept: i64,
    /// How its entry came about: Granted, Adopted, Escaped or Freed.
    pub origin: Option<Origin>,
    /// Since when it waits, or has its entry.
    pub since: Option<Time>,
    /// Why it waits, and what frees it.
    pub waits: Option<Wait>,
    /// The numbers that its containers read, by annotation.
    pub values: BTreeMap<String, String>,
    /// What is in the way of knowing more.
    pub unread: Option<String>,
}

/// A pod, and what is known around it.
pub(super) struct Case<'a> {
    pub pod: &'a Pod,
    pub annotations: BTreeMap<String, String>,
    pub keys: Vec<Key>,
}

/// Says all that there is to say of a pod.
#[must_use]
pub fn explain(raw: &RawPod, around: &[Around], now: Moment) -> Explained {
    let Item::Pod(pod) = item::pod(raw) else { return of_nothing(raw) };
    let case = Case {
        pod: &pod,
        annotations: raw.metadata.annotations.clone().unwrap_or_default(),
        keys: workloads(&raw.metadata, &pod.namespace),
    };
    let budgets: Vec<OfBudget> = around.iter().filter_map(|one| of_budget(&case, one)).collect();
    let state = match budgets.iter().map(|one| one.state).min() {
        _ if pod.has_ended() => State::Ended,
        found => found.unwrap_or(State::Unclaimed),
    };
    Explained {
        workload: case.keys.last().map(|key| format!("{}/{}", key.kind, key.name)),
        unschedulable: pod.unschedulable.as_ref().filter(|(since, _)| *since <= now).map(|(_, why)| why.clone()),
        state,
        budgets,
        ..of_nothing(raw)
    }
}

fn of_nothing(raw: &RawPod) -> Explained {
    Explained {
        api_version: "explain.dbbudget.dev/v1",
        namespace: raw.metadata.namespace.clone().unwrap_or_default(),
        pod: raw.metadata.name.clone().unwrap_or_default(),
        workload: None,
        state: State::Unclaimed,
        budgets: Vec::new(),
        unschedulable: None,
    }
}

/// What it has of one budget; nothing: they have nothing to do with each other.
fn of_budget(case: &Case, around: &Around) -> Option<OfBudget> {
    let name = around.name.to_string();
    let drawn = case.pod.drawn_from(&name);
    let awaits = !drawn.awaited().is_empty();
    let entry = around.ledger.as_ref().and_then(|ledger| entry(ledger, case.pod));
    let row = row(case, around);
    if drawn.0.is_empty() && entry.is_none() && row.is_none() && around.unread.is_none() {
        return None;
    }
    let enforcement = around.budget.as_ref().map(|budget| budget.spec.enforcement);
    let state = match entry.map(|entry| entry.origin) {
        Some(Origin::Granted) => State::Granted,
        Some(Origin::Escaped) => State::Escaped,
        Some(_) => State::Counted,
        None if awaits && case.pod.gate.is_some() => State::Waits,
        None if around.broken.is_some() => State::Unread,
        None if !drawn.0.is_empty() => State::Sized,
        None if around.unread.is_some() => State::Unread,
        None if enforcement == Some(Enforcement::Observe) => State::Observed,
        None => State::Escaped,
    };
    let claim = drawn.0.first().map(|claim| claim.claim.clone());
    let claim = claim.or_else(|| row.map(|row| format!("{}/{}", row.namespace, row.name)));
    let waits = (state == State::Waits).then(|| waiting::wait(case, around, &drawn));
    let as_born = || (!drawn.0.is_empty()).then(|| i64::from(number(drawn.holds())));
    let as_written = || row.and_then(|row| row.wanted?.checked_div(row.peak_pods));
    let connections = entry.map(|entry| i64::from(entry.connections));
    Some(OfBudget {
        claim,
        connections: waits.as_ref().map(|wait| wait.connections).or(connections).or_else(as_born).or_else(as_written),
        origin: entry.map(|entry| entry.origin),
        since: entry.map(|entry| entry.since.clone()).or_else(|| waits.as_ref().map(|wait| wait.since.clone())),
        values: values(case, around, entry),
        unread: around.unread.clone().or_else(|| around.broken.as_ref().map(|why| format!("the ledger: {why}"))),
        waits,
        ..sum(around, state)
    })
}

/// The numbers of the budget itself.
fn sum(around: &Around, state: State) -> OfBudget {
    let status = around.budget.as_ref().and_then(|budget| budget.status.as_ref());
    let ledger = around.ledger.as_ref();
    let published = status.and_then(|status| status.capacity.as_ref()).map(|capacity| capacity.allocatable);
    OfBudget {
        budget: around.name.to_string(),
        claim: None,
        state,
        connections: None,
        allocatable: ledger.map(|ledger| ledger.allocatable.into()).or(published),
        held: ledger.map(|ledger| ledger.held_of(Source::Allocatable)).or_else(|| around.current()?.held),
        kept: status.and_then(|status| status.surge_reserve).unwrap_or(0),
        origin: None,
        since: None,
        waits: None,
        values: BTreeMap::new(),
        unread: None,
    }
}

/// The entry of a pod, kept apart or not.
fn entry<'a>(ledger: &'a DatabaseLedgerSpec, pod: &Pod) -> Option<&'a Entry> {
    let apart = || ledger.quarantine.get(&*pod.uid).map(|kept| &kept.entry);
    ledger.entries.get(&*pod.uid).or_else(apart)
}

/// The row of the budget's status that is about a pod's workload.
fn row<'a>(case: &Case, around: &'a Around) -> Option<&'a WorkloadStatus> {
    let rows = around.budget.as_ref().and_then(|budget| budget.status.as_ref()).map(|status| &status.workloads);
    rows.into_iter().flatten().find(|row| {
        case.keys.iter().any(|key| {
            let of = (group_of(&row.target.api_version), &row.target.kind, &row.namespace, &row.target.name);
            of == (key.group.as_str(), &key.kind, &key.namespace, &key.name)
        })
    })
}

/// What its containers read, or will read once it is let go.
fn values(case: &Case, around: &Around, entry: Option<&Entry>) -> BTreeMap<String, String> {
    let of_budget = format!(".dbbudget.dev/{}.", around.name.name);
    let granted = entry.filter(|_| case.pod.gate.is_some()).and_then(|entry| entry.values.as_deref());
    let granted = around.ledger.as_ref().and_then(|ledger| ledger.values.get(granted?));
    let all = case.annotations.iter().chain(granted.into_iter().flatten());
    all.filter(|(key, _)| keys::is_ours(key) && key.contains(&of_budget)).map(|(k, v)| (k.clone(), v.clone())).collect()
}
