//! The list from which a ledger begins: complete, and begun when everybody has gated new pods for a while.

use super::facts::{Facts, now};
use super::look::Context;
use crate::api::parse::Name;
use crate::budget::ledger::Origin;
use crate::budget::ledger::adoption::{self, Adopted, Listed, NotYet, Replica};
use crate::cluster::view::item::{self, Item};
use crate::cluster::view::pods::Pod;
use crate::controller::failure::Failure;
use crate::pod::workloads;
use crate::workload::Key;

/// Lists all pods that may hold connections of a budget, if the time for that has come.
///
/// # Errors
/// When they were not read.
pub async fn adopt(
    context: &Context,
    name: &Name,
    generation: i64,
    facts: &Facts,
    replicas: &[Replica],
) -> Result<Result<Adopted, NotYet>, Failure> {
    let (began, settle) = (now(), context.settle);
    if let Err(not_yet) = adoption::adopt(generation, replicas, settle, began, []) {
        return Ok(Err(not_yet));
    }
    let mut listed = Vec::new();
    for namespace in &facts.namespaces {
        for raw in context.writer.pods(namespace).await? {
            if let Item::Pod(pod) = item::pod(&raw) {
                listed.extend(entered(&name.to_string(), facts, &pod, &workloads(&raw.metadata, namespace)));
            }
        }
    }
    Ok(adoption::adopt(generation, replicas, settle, began, listed))
}

/// A pod as the ledger takes it in; nothing where no claim is about it or the workloads that it belongs to.
fn entered(budget: &str, facts: &Facts, pod: &Pod, workloads: &[Key]) -> Option<Listed> {
    let known = facts.members.get(&pod.uid).map(|member| member.claim);
    let claim = known.or_else(|| facts.claim_of(workloads))?;
    let entry = facts.fact(budget, pod, claim, Origin::Adopted, now());
    Some(Listed { uid: pod.uid.clone(), entry, awaits: pod.waits_for(budget), ended: pod.has_ended() })
}
