//! The list from which a ledger begins: complete, and begun when everybody has gated new pods for a while.

use std::collections::BTreeMap;

use super::facts::{Facts, now, number};
use super::look::Context;
use crate::api::parse::Name;
use crate::budget::ledger::adoption::{self, Adopted, Listed, NotYet, Replica};
use crate::budget::ledger::{Entry, Origin};
use crate::cluster::view::item::{self, Item};
use crate::cluster::view::pods::Pod;
use crate::controller::failure::Failure;
use crate::pod::keys::CRON_JOB;
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
            let cron_job = raw.metadata.labels.as_ref().and_then(|labels| labels.get(CRON_JOB)).cloned();
            if let Item::Pod(pod) = item::pod(&raw) {
                listed.extend(entered(&name.to_string(), facts, &pod, cron_job));
            }
        }
    }
    Ok(adoption::adopt(generation, replicas, settle, began, listed))
}

/// A pod as the ledger takes it in; nothing where no claim is about it.
fn entered(budget: &str, facts: &Facts, pod: &Pod, cron_job: Option<String>) -> Option<Listed> {
    let mut keys = pod.owners.clone();
    if let (Some(name), Some(job)) = (cron_job, keys.iter().find(|key| key.kind == "Job")) {
        keys.push(Key { kind: "CronJob".into(), name, ..job.clone() });
    }
    let known = facts.members.get(&pod.uid).map(|member| member.claim);
    let claim = known.or_else(|| facts.claim_of(&keys))?;
    let awaits = pod.gate.is_some() && pod.pinned.as_ref().is_some_and(|p| p.awaited().contains(&budget));
    let entry = Entry {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        connections: number(facts.taken(budget, pod, claim)),
        origin: Origin::Adopted,
        source: facts.claims.get(claim).map(|claim| claim.source).unwrap_or_default(),
        values: BTreeMap::new(),
        since: now(),
        until: None,
    };
    Some(Listed { uid: pod.uid.clone(), entry, awaits, ended: pod.has_ended() })
}
