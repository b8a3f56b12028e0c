//! `restart: Rolling` on a real cluster: one workload at a time, each once for one share.

use std::collections::BTreeSet;

use dbbudget::api::DatabaseBudget;
use dbbudget::api::status::Restart;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::task::JoinHandle;

use crate::injection::{injecting, until_registered};
use crate::operator::Operator;
use crate::things::{budget, budget_is, deployment, row, status, workload};
use crate::world::{World, until};

/// What `restarts: true` adds to the chart's permissions.
#[allow(clippy::needless_pass_by_value, reason = "what a change of permissions is")]
fn with_restarts(rbac: String) -> String {
    let add = "rules:\n  - {apiGroups: [apps], resources: [deployments], verbs: [patch]}\n  - {apiGroups: [policy], resources: \
               [poddisruptionbudgets], verbs: [list]}\n";
    rbac.replace("rules:\n", add)
}

fn rolling(connections: u32, entries: &[(&str, &str)]) -> String {
    injecting("shop", entries)
        .replace("workloads:", "restart: Rolling, workloads:")
        .replace("maxConnections: 20", &format!("maxConnections: {connections}"))
}

fn restart(budget: &DatabaseBudget, name: &str) -> Option<Restart> {
    status(budget).restarts.into_iter().find(|r| r.target.name == name)
}

async fn spawn(world: &World<'_>, identity: &str) -> Operator {
    let arguments = ["--namespace", &world.namespace, "--restart-after", "1"];
    let mut operator = Operator::spawn(world, identity, &arguments);
    operator.until_ready().await;
    operator
}

/// Templates that a Deployment has had.
async fn revisions(world: &World<'_>, app: &str) -> usize {
    let labelled = ListParams::default().labels(&format!("app={app}"));
    world.api::<ReplicaSet>().list(&labelled).await.expect("a list").items.len()
}

/// The most Deployments that were being rolled out at one time, in the order that the API server tells it.
fn most_at_once(world: &World<'_>) -> JoinHandle<usize> {
    let api = world.api::<Deployment>();
    tokio::spawn(async move {
        let (mut under_way, mut most) = (BTreeSet::new(), 0);
        let mut changes = std::pin::pin!(watcher(api, watcher::Config::default()));
        while let Some(change) = changes.next().await {
            let Ok(Event::Apply(seen) | Event::InitApply(seen)) = change else { continue };
            if seen.name_any() == "end" {
                return most;
            }
            let status = seen.status.clone().unwrap_or_default();
            let wanted = seen.spec.as_ref().and_then(|s| s.replicas);
            let settled = status.observed_generation == seen.metadata.generation
                && [status.replicas, status.updated_replicas, status.available_replicas] == [wanted; 3];
            if settled {
                under_way.remove(&seen.name_any())
            } else {
                under_way.insert(seen.name_any())
            };
            most = most.max(under_way.len());
        }
        unreachable!("a watch does not end")
    })
}

async fn until_available(world: &World<'_>, name: &str, replicas: i32) {
    let available = move |d: &Deployment| d.status.as_ref().and_then(|s| s.available_replicas) == Some(replicas);
    world.until(name, "it is available", available).await;
}

#[tokio::test]
async fn one_workload_at_a_time_each_once_for_one_share_though_the_operator_dies() {
    let world = World::new("restarts").await;
    world.install().await;
    let entries = [("api", "{kind: Deployment}"), ("worker", "{kind: Deployment}")];
    for (name, replicas) in [("api", 3), ("worker", 2)] {
        world.apply(&deployment(name, replicas)).await;
        until_available(&world, name, i32::try_from(replicas).expect("few")).await;
    }
    let most = most_at_once(&world);
    let operator = spawn(&world, "first").await;
    world.apply(&rolling(5, &entries)).await;
    until_registered(&world, true).await;
    let lacks = |b: &DatabaseBudget| restart(b, "api").is_some_and(|r| r.message.contains("patch on deployments.apps"));
    world.until("shop", "the permission that is missing is named", lacks).await;
    world.install_with(with_restarts).await;
    let begun = |b: &DatabaseBudget| status(b).restarts.iter().any(|r| r.at.is_some());
    world.until("shop", "a restart is recorded", begun).await;
    operator.kill();

    // Pods that were created meanwhile escaped, which is told; they are not restarted again for that.
    let _operator = spawn(&world, "second").await;
    let done = |b: &DatabaseBudget, name| restart(b, name).is_none_or(|r| r.message.contains("once for this share"));
    world.until("shop", "both were restarted", |b| done(b, "api") && done(b, "worker")).await;
    assert_eq!([revisions(&world, "api").await, revisions(&world, "worker").await], [2, 2]);

    // 10 for 5 pods is another share, for which each is restarted once more.
    world.apply(&rolling(10, &entries)).await;
    world.until("shop", "there is another share", |b: &DatabaseBudget| row(b, "api").per_pod == Some(2)).await;
    let settled = |b: &DatabaseBudget| budget_is(b, "Injected", "AllPods") && status(b).restarts.is_empty();
    world.until("shop", "all have it", |b: &DatabaseBudget| settled(b) && status(b).held == Some(10)).await;
    assert_eq!([revisions(&world, "api").await, revisions(&world, "worker").await], [3, 3]);
    world.apply(&deployment("end", 0)).await;
    assert_eq!(most.await.expect("counted"), 1, "never two at a time");
}

#[tokio::test]
async fn pods_that_must_not_be_missing_and_pauses_are_respected() {
    let world = World::new("guarded").await;
    world.install_with(with_restarts).await;
    let recreate = workload("apps/v1", "Deployment", "api", "replicas: 2, strategy: {type: Recreate}");
    let paused = workload("apps/v1", "Deployment", "worker", "replicas: 1, paused: true");
    world.apply(&recreate).await;
    world.apply(&deployment("worker", 1)).await;
    until_available(&world, "api", 2).await;
    until_available(&world, "worker", 1).await;
    world.apply(&paused).await;
    let guard = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: two}\nspec: {minAvailable: 2, selector: \
                 {matchLabels: {app: api}}}\n";
    world.apply(guard).await;
    let _operator = spawn(&world, "operator").await;
    world.apply(&budget("other", "", &[])).await;
    world.apply(&rolling(20, &[("api", "{kind: Deployment}"), ("worker", "{kind: Deployment}")])).await;
    let told = |b: &DatabaseBudget| {
        let says = |name, words| restart(b, name).is_some_and(|r| r.at.is_none() && r.message.contains(words));
        says("api", "the PodDisruptionBudget two allows 0") && says("worker", "rollout resume deployment/worker")
    };
    world.until("shop", "both are told what they wait for", told).await;
    world.delete(guard).await;
    let pods = |b: &DatabaseBudget| restart(b, "api").is_none() && row(b, "api").pods == 2;
    world.until("shop", "it is restarted when it may be", pods).await;
    assert_eq!([revisions(&world, "api").await, revisions(&world, "worker").await], [2, 1]);

    world.cluster.kubectl(&["-n", &world.namespace, "rollout", "resume", "deployment/worker"]).expect("resumed");
    until(world.api(), "shop", "and so is the other one", |b| budget_is(b, "Injected", "AllPods")).await;
}
