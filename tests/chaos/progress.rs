//! The judge of what has to go on: every rollout ends, or somebody is told why it does not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dbbudget::api::DatabaseBudget;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::Api;

use crate::deck::Workload;
use crate::objects::budget_of;
use crate::things::status;
use crate::world::World;

/// A rollout that nothing disturbs ends within this time, or is announced.
const BOUND: Duration = Duration::from_secs(70);
/// Who holds more than there is says so within this time, in which another replica may have to take over.
const TOLD: Duration = Duration::from_secs(30);

/// Who waits for what since when.
#[derive(Default)]
pub struct Progress {
    since: BTreeMap<&'static str, Instant>,
    over_since: BTreeMap<String, Instant>,
    /// What went on too long without a word.
    pub wrong: Vec<String>,
    /// Rollouts that took long, and were announced.
    pub announced: usize,
    pub longest: Duration,
}

impl Progress {
    /// Something was done to a workload, or nobody was there to help it: its time begins anew.
    pub fn disturbed(&mut self, workloads: &[Workload]) {
        for workload in workloads {
            self.since.insert(workload.name(), Instant::now());
        }
    }

    /// Nobody is there to write a status.
    pub fn nobody_tells(&mut self) {
        self.over_since.clear();
    }

    /// Looks once. What cannot be read now is looked at later.
    pub async fn look(&mut self, world: &World<'_>) -> Result<(), kube::Error> {
        let budgets = world.api::<DatabaseBudget>().list(&kube::api::ListParams::default()).await?;
        for workload in Workload::ALL {
            let name = workload.name();
            if is_done(world, workload).await? {
                if let Some(since) = self.since.remove(name) {
                    self.longest = self.longest.max(since.elapsed());
                }
                continue;
            }
            let since = *self.since.entry(name).or_insert_with(Instant::now);
            if since.elapsed() < BOUND {
                continue;
            }
            let budget = budgets.items.iter().find(|b| b.metadata.name.as_deref() == budget_of(name)).expect("there");
            if is_told(budget, name) {
                self.announced += 1;
            } else {
                self.wrong.push(format!(
                    "{name} is not rolled out after {:?}, and nobody says why: {:#?}",
                    since.elapsed(),
                    status(budget)
                ));
            }
            self.since.insert(name, Instant::now());
        }
        for budget in &budgets.items {
            self.over(budget);
        }
        Ok(())
    }

    /// A ledger that holds more than there is is no secret.
    fn over(&mut self, budget: &DatabaseBudget) {
        let (name, status) = (budget.metadata.name.clone().unwrap_or_default(), status(budget));
        let is_told = status.conditions.iter().any(|c| c.type_ == "OverCommitted" && c.status == "True");
        if status.free.unwrap_or(0) >= 0 || is_told {
            self.over_since.remove(&name);
        } else if self.over_since.entry(name.clone()).or_insert_with(Instant::now).elapsed() > TOLD {
            self.wrong.push(format!("{name} is over its capacity, and OverCommitted does not say so: {status:#?}"));
            self.over_since.remove(&name);
        }
    }
}

/// Whether somebody who looks at the budget is told why this workload does not get on.
fn is_told(budget: &DatabaseBudget, workload: &str) -> bool {
    let status = status(budget);
    let waits = status.queue.iter().any(|w| w.pod.starts_with(&format!("{workload}-")) && !w.why.is_empty());
    let blocked = |about: &str| status.conditions.iter().any(|c| c.type_ == about && c.status == "True");
    waits || ["RolloutBlocked", "OverCommitted", "GrantedNotStarted"].into_iter().any(blocked)
}

/// Whether all pods of a workload are of its newest revision, and ready.
pub async fn is_done(world: &World<'_>, workload: Workload) -> Result<bool, kube::Error> {
    let name = workload.name();
    if workload == Workload::Queue {
        let api: Api<StatefulSet> = world.api();
        let set = api.get(name).await?;
        let (wanted, status) = (set.spec.and_then(|spec| spec.replicas), set.status.unwrap_or_default());
        // `updatedReplicas` is not counted any more once a rollout is complete.
        let updated = status.current_revision == status.update_revision || status.updated_replicas == wanted;
        let counts = [status.ready_replicas.or(Some(0)), Some(status.replicas)];
        return Ok(updated
            && status.observed_generation == set.metadata.generation
            && counts.iter().all(|n| *n == wanted));
    }
    let api: Api<Deployment> = world.api();
    let deployment = api.get(name).await?;
    let (wanted, status) = (deployment.spec.and_then(|spec| spec.replicas), deployment.status.unwrap_or_default());
    let counts = [status.updated_replicas, status.ready_replicas, status.replicas];
    Ok(status.observed_generation == deployment.metadata.generation && counts.iter().all(|n| n.or(Some(0)) == wanted))
}
