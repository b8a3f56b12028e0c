//! How a ledger is written: where anything changed, and on condition that nobody else wrote since.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::facts::{Facts, Member};
use super::look::{Context, Keeping};
use crate::api::parse::{Beside, Name, Place};
use crate::budget::ledger::{Ledger, Uid};
use crate::cluster::write::WriteError;
use crate::controller::failure::Failure;

/// Nodes of pods are noted together.
const NODES_WAIT: Duration = Duration::from_secs(5);

/// Writes the next version. Answers whether anything had changed.
///
/// # Errors
/// When somebody else wrote since, or nobody knows whether it was written.
pub async fn write(
    context: &Context,
    name: &Name,
    keeping: &mut Keeping,
    facts: &Facts,
    next: &Ledger,
) -> Result<bool, Failure> {
    let is_done = facts.terms.is_none() && next.entries().is_empty() && next.quarantined().is_empty();
    let stored = keeping.stored.as_ref().map(|stored| stored.beside.budget_uid.clone());
    let budget_uid = stored.clone().filter(|_| facts.uid.is_empty()).unwrap_or_else(|| facts.uid.clone());
    if stored.as_ref() == Some(&budget_uid) && *next == keeping.ledger && !is_done && !is_time_for_nodes(keeping, facts)
    {
        return Ok(false);
    }
    if !*context.leader.borrow() {
        return Err(Failure::NotLeader);
    }
    let beside = Beside { budget_uid, nodes: nodes(keeping, facts, next) };
    let (writer, versions) = (&context.writer, (&keeping.ledger, next));
    keeping.nodes_due = None;
    let written = match keeping.stored.take() {
        None if facts.terms.is_none() => return Ok(false),
        None => writer.create_ledger(name, next, beside).await.map(Some),
        Some(stored) if is_done => writer.delete_ledger(name, &stored).await.map(|()| None),
        Some(stored) => writer.replace_ledger(name, &stored, versions, beside).await.map(Some),
    };
    context.metrics.written("ledger", written.as_ref().map_or_else(WriteError::kind, |_| "ok"));
    keeping.stored = written?;
    keeping.ledger = if keeping.stored.is_some() { next.clone() } else { Ledger::default() };
    Ok(true)
}

/// Nodes are noted with whatever else is written; alone they are worth a write after a while.
fn is_time_for_nodes(keeping: &mut Keeping, facts: &Facts) -> bool {
    let Some(noted) = keeping.stored.as_ref().map(|stored| &stored.beside.nodes) else { return false };
    let holds = |uid: &Uid| keeping.ledger.entries().contains_key(uid);
    let is_new = |(uid, member): (&Uid, &Member)| {
        let place = place(member);
        place.is_some() && noted.get(uid) != place.as_ref() && holds(uid)
    };
    if !facts.members.iter().any(is_new) {
        keeping.nodes_due = None;
        return false;
    }
    *keeping.nodes_due.get_or_insert_with(|| Instant::now() + NODES_WAIT) <= Instant::now()
}

/// Where pods run that have an entry: as they are seen, and as was noted.
fn nodes(keeping: &Keeping, facts: &Facts, next: &Ledger) -> BTreeMap<Uid, Place> {
    let noted = keeping.stored.as_ref().map(|stored| &stored.beside.nodes);
    let known = |uid: &Uid| {
        let seen = facts.members.get(uid).and_then(place);
        Some((uid.clone(), seen.or_else(|| noted?.get(uid).cloned())?))
    };
    next.entries().keys().filter_map(known).collect()
}

fn place(member: &Member) -> Option<Place> {
    Some(Place { node: member.pod.node.clone()?, grace: member.pod.grace })
}
