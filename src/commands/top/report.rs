//! What is shown: budgets, who holds what of each, and who waits. Pure: objects as they are stored go in.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::Seen;
use crate::api::ledger::{DatabaseLedgerSpec, Entry, Origin, Phase, Quarantined};
use crate::api::parse::Name;
use crate::api::policy::Enforcement;
use crate::api::status::{BudgetStatus, Waiting};
use crate::api::workload::Source;
use crate::api::{DatabaseBudget, reserved};

/// Everything.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `top.dbbudget.dev/v1`.
    pub api_version: &'static str,
    /// One for each budget, and for each ledger whose budget is gone.
    pub budgets: Vec<OfBudget>,
}

/// One budget.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfBudget {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How far dbbudget goes. Nothing: the budget is gone, and its ledger is left.
    pub enforcement: Option<Enforcement>,
    /// Where its ledger is in its life. Nothing: it has none, or one that cannot be read.
    pub phase: Option<Phase>,
    /// Connections for workloads.
    pub allocatable: Option<i64>,
    /// What is held of them.
    pub held: Option<i64>,
    /// allocatable − held.
    pub free: Option<i64>,
    /// Connections that waiting pods ask for.
    pub waiting: i64,
    /// How many pods wait.
    pub waiting_pods: i64,
    /// Who holds what, the most first.
    pub holders: Vec<Holder>,
    /// The first 100 that wait.
    pub queue: Vec<Waiting>,
    /// What one should know.
    pub messages: Vec<String>,
}

/// A workload, or whatever else holds connections.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its namespace.
    pub namespace: String,
    /// As `Deployment/api`, or `reserved`, `drain`, `budget`, `pods`.
    pub name: String,
    /// What it holds.
    pub connections: i64,
    /// How many pods hold that.
    pub pods: i64,
    /// Its entries; none without a ledger.
    pub entries: Vec<Row>,
}

/// An entry of a ledger.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The pod, or what holds the connections instead.
    pub name: String,
    /// What it may hold.
    pub connections: i64,
    /// Why it is there.
    pub origin: Origin,
    /// What it counts against.
    pub source: Source,
    /// Since when.
    pub since: Time,
    /// When it ends by itself, or leaves quarantine at the latest.
    pub until: Option<Time>,
    /// It is gone, and nobody saw it end.
    pub quarantined: bool,
    /// The node that it ran on, if it is gone.
    pub node: Option<String>,
}

/// Makes it of what was seen.
#[must_use]
pub fn report(seen: &Seen) -> Report {
    let mut names: Vec<&Name> = seen.budgets.keys().chain(seen.ledgers.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let budgets = names.into_iter().map(|name| of_budget(seen, name)).collect();
    Report { api_version: "top.dbbudget.dev/v1", budgets }
}

fn of_budget(seen: &Seen, name: &Name) -> OfBudget {
    let (budget, stored) = (seen.budgets.get(name), seen.ledgers.get(name).map(Result::as_ref).transpose());
    let (ledger, unreadable) = stored.map_or_else(|why| (None, Some(why)), |ledger| (ledger, None));
    let empty = BudgetStatus::default();
    let status = budget.and_then(|budget| budget.status.as_ref()).unwrap_or(&empty);
    // What it says of a ledger that is broken now is from before.
    let current = if unreadable.is_some() { &empty } else { status };
    let published = status.capacity.as_ref().map(|capacity| capacity.allocatable);
    let allocatable = ledger.map(|ledger| ledger.allocatable.into()).or(published);
    let held = ledger.map(|ledger| ledger.held_of(Source::Allocatable)).or(current.held);
    let mut holders = ledger.map_or_else(|| without_ledger(current), |ledger| holders(seen, ledger));
    holders.sort_by_key(|holder| (!holder.name.contains('/'), -holder.connections, holder.name.clone()));
    OfBudget {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        enforcement: budget.map(|budget| budget.spec.enforcement),
        phase: ledger.map(|ledger| ledger.phase),
        allocatable,
        held,
        free: allocatable.zip(held).map(|(allocatable, held)| allocatable - held),
        waiting: current.waiting.unwrap_or(0),
        waiting_pods: current.waiting_pods.unwrap_or(0),
        holders,
        queue: current.queue.clone(),
        messages: messages(budget, status, unreadable),
    }
}

/// Who holds what by the ledger.
fn holders(seen: &Seen, ledger: &DatabaseLedgerSpec) -> Vec<Holder> {
    let apart = ledger.quarantine.iter().map(|(uid, kept)| (uid, &kept.entry, Some(kept)));
    let all = ledger.entries.iter().map(|(uid, entry)| (uid, entry, None)).chain(apart);
    let mut holders: BTreeMap<(String, String), Holder> = BTreeMap::new();
    for (uid, entry, kept) in all {
        let name = match entry.origin {
            Origin::Drain => "drain".to_owned(),
            Origin::Reserved => "reserved".to_owned(),
            Origin::Budget => "budget".to_owned(),
            _ => seen.workloads.get(uid).cloned().flatten().unwrap_or_else(|| "pods".to_owned()),
        };
        let key = (entry.namespace.clone(), name.clone());
        let none = Holder { namespace: entry.namespace.clone(), name, connections: 0, pods: 0, entries: Vec::new() };
        let holder = holders.entry(key).or_insert(none);
        holder.connections += i64::from(entry.connections);
        holder.pods += i64::from(entry.origin.is_pod());
        holder.entries.push(row(entry, kept));
    }
    let mut holders: Vec<Holder> = holders.into_values().collect();
    for holder in &mut holders {
        holder.entries.sort_by(|a, b| (a.quarantined, &a.name).cmp(&(b.quarantined, &b.name)));
    }
    holders
}

fn row(entry: &Entry, kept: Option<&Quarantined>) -> Row {
    let until = kept.map(|kept| &kept.until).or(entry.until.as_ref());
    Row {
        name: entry.name.clone(),
        connections: entry.connections.into(),
        origin: entry.origin,
        source: entry.source,
        since: entry.since.clone(),
        until: until.cloned(),
        quarantined: kept.is_some(),
        node: kept.and_then(|kept| kept.node.clone()),
    }
}

/// Who holds what by the status: what running pods can open.
fn without_ledger(status: &BudgetStatus) -> Vec<Holder> {
    let rows = status.workloads.iter().filter(|row| row.pods > 0);
    let holder = |row: &crate::api::status::WorkloadStatus| Holder {
        namespace: row.namespace.clone(),
        name: format!("{}/{}", row.target.kind, row.target.name),
        connections: row.held.unwrap_or(0),
        pods: row.pods,
        entries: Vec::new(),
    };
    rows.map(holder).collect()
}

/// Conditions that are true only while something is wrong, and what people wrote that cannot be read.
fn messages(budget: Option<&DatabaseBudget>, status: &BudgetStatus, unreadable: Option<&String>) -> Vec<String> {
    let wrong = ["OverCommitted", "RolloutBlocked", "GrantedNotStarted", "Conflicted", "Stalled"];
    let conditions = status.conditions.iter().filter(|c| c.status == "True" && wrong.contains(&c.type_.as_str()));
    let conditions = conditions.filter(|c| unreadable.is_none() || c.reason != "LedgerFailed"); // said below
    let said = conditions.map(|condition| format!("{}: {}", condition.type_, condition.message));
    let unread = budget.and_then(|budget| reserved::read(budget.metadata.annotations.as_ref()).err());
    let gone = budget.is_none().then(|| "The budget is gone; its ledger stays until nothing is held of it.".to_owned());
    let ledger = unreadable.map(|why| format!("Its ledger cannot be read: {why}."));
    said.chain(unread).chain(ledger).chain(gone).collect()
}
