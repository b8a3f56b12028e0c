//! How a ledger is written: what changed, on condition that nobody else wrote since.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::facts::Facts;
use super::look::{Context, Keeping};
use crate::api::DatabaseLedgerSpec;
use crate::api::parse::{Name, ledger_spec};
use crate::budget::ledger::{Ledger, Uid};
use crate::cluster::write::ledger::Stored;
use crate::controller::failure::Failure;

/// Nodes of pods are noted together.
const NODES_WAIT: Duration = Duration::from_secs(5);

/// Writes what changed.
///
/// # Errors
/// When somebody else wrote since, or nobody knows whether it was written.
pub async fn write(
    context: &Context,
    name: &Name,
    keeping: &mut Keeping,
    facts: &Facts,
    next: &Ledger,
) -> Result<(), Failure> {
    let is_done = facts.terms.is_none() && next.entries().is_empty() && next.quarantined().is_empty();
    let uid = keeping.stored.as_ref().map(|stored| stored.spec.budget_uid.clone()).filter(|_| facts.uid.is_empty());
    let uid = uid.unwrap_or_else(|| facts.uid.clone());
    let nodes = nodes(keeping, facts, next);
    let same = |stored: &Stored| stored.spec.budget_uid == uid && *next == keeping.ledger && !is_done;
    match keeping.stored.as_ref().filter(|stored| same(stored)) {
        Some(stored) if stored.spec.nodes == nodes => {
            keeping.nodes_due = None;
            return Ok(());
        }
        // Alone they are worth a write only after a while.
        Some(_) if keeping.nodes_due.get_or_insert(Instant::now() + NODES_WAIT).elapsed().is_zero() => return Ok(()),
        _ => keeping.nodes_due = None,
    }
    let spec = DatabaseLedgerSpec { nodes, ..ledger_spec(next, &uid) };
    if !*context.leader.borrow() {
        return Err(Failure::NotLeader);
    }
    keeping.stored = match keeping.stored.take() {
        None if facts.terms.is_none() => None,
        None => Some(context.writer.create_ledger(name, spec).await?),
        Some(stored) if is_done => {
            context.writer.delete_ledger(name, &stored).await?;
            None
        }
        Some(stored) if stored.spec == spec => Some(stored),
        Some(stored) => Some(context.writer.change_ledger(name, &stored, spec).await?),
    };
    keeping.ledger = if keeping.stored.is_some() { next.clone() } else { Ledger::default() };
    Ok(())
}

/// The nodes of pods that have an entry: as they are seen, and as they were noted.
fn nodes(keeping: &Keeping, facts: &Facts, next: &Ledger) -> BTreeMap<String, String> {
    let noted = keeping.stored.as_ref().map(|stored| &stored.spec.nodes);
    let node = |uid: &Uid| {
        let seen = facts.members.get(uid).and_then(|member| member.pod.node.as_deref());
        let node = seen.or_else(|| noted?.get(&**uid).map(String::as_str))?;
        Some((uid.to_string(), node.to_owned()))
    };
    next.entries().keys().filter_map(node).collect()
}
