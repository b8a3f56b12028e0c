//! Pods that wait until their connections are free. kwok plays the kubelets; a judge of its own watches the pods, and counts
//! what those may hold that wait no longer.

mod ends;
mod judge;
mod kinds;
mod lending;
mod off;

use std::collections::BTreeSet;

use dbbudget::api::ledger::Phase;
use dbbudget::api::{DatabaseBudget, DatabaseLedger};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::operator::Operator;
use crate::things::{budget, budget_is, condition, deployment, row, status};
use crate::world::{World, until_some};
use judge::{Judge, holds, waits};

/// Of 10 connections, with the shares of a rollout's usual room.
pub fn leasing(name: &str, more: &str, entries: &[(&str, &str)]) -> String {
    budget(name, more, entries)
        .replace("maxConnections: 100", "maxConnections: 10")
        .replace("enforcement: Observe, headroom: None", "enforcement: Lease, drainSeconds: 1")
}

/// Shares are computed for three pods, however many there are.
const SIZED_FOR_3: &[(&str, &str)] = &[("api", "{kind: Deployment}, sizeFor: 3")];

/// Three of this many pods run, and the others wait.
async fn full(world: &World<'_>, pods: u32) -> DatabaseBudget {
    until_leasing(world, "shop").await;
    world.apply(&deployment("api", pods)).await;
    let rest = Some(i64::from(pods) - 3);
    let told = |b: &DatabaseBudget| row(b, "api").pods == 3 && status(b).waiting_pods == rest;
    world.until("shop", "three run and the others wait", told).await
}

async fn operator(world: &World<'_>) -> Operator {
    world.install().await;
    replica(world, "operator").await
}

async fn replica(world: &World<'_>, identity: &str) -> Operator {
    let mut operator = Operator::spawn(world, identity, &["--namespace", &world.namespace, "--adopt-after", "1"]);
    operator.until_ready().await;
    operator
}

async fn until_leasing(world: &World<'_>, name: &str) {
    world.until(name, "it grants", |ledger: &DatabaseLedger| ledger.spec.phase == Phase::Leasing).await;
}

#[tokio::test]
async fn pods_wait_for_their_connections_and_are_told_why() {
    let world = World::new("lease").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    let judge = Judge::of(&world);
    let seen = status(&full(&world, 6).await);
    assert_eq!((seen.held, seen.free, seen.waiting), (Some(9), Some(1), Some(9)));
    let first = seen.queue.first().expect("it is told");
    assert_eq!(first.why, "It needs 3, and 0 are free for it.");
    assert!(first.frees.starts_with("The next pod to end, of "), "{}", first.frees);
    let injected = condition(&seen.conditions, "Injected").expect("there").message.clone();
    assert_eq!(injected, "All 3 pods that run have their share. 3 wait for their connections: see status.queue.");
    let running = until_some::<Pod>(world.api(), 3, "pods run", |pod| !waits(pod)).await;
    assert!(running.iter().all(|pod| holds(pod) == 3), "{running:#?}");

    world.cluster.kubectl(&["delete", "pod", "-n", &world.namespace, &running[0].name_any()]).expect("deleted");
    let next = |pod: &Pod| !waits(pod) && pod.uid() != running[0].uid();
    until_some::<Pod>(world.api(), 3, "pods run, the next one too", next).await;
    world.apply(&deployment("api", 2)).await;
    let fewer = |b: &DatabaseBudget| status(b).held == Some(6) && status(b).waiting_pods == Some(0);
    world.until("shop", "two are left", fewer).await;
    assert!(judge.most() <= 9, "{} of 10, and one is kept for a rollout", judge.most());
}

/// At none there is no share; the first pods may be there before their new one is.
#[tokio::test]
async fn who_is_scaled_up_from_none_gets_its_share() {
    let world = World::new("from-none").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", &[("api", "{kind: Deployment}")])).await;
    until_leasing(&world, "shop").await;
    for _ in 0..3 {
        world.apply(&deployment("api", 3)).await;
        until_some::<Pod>(world.api(), 3, "pods run", |pod| !waits(pod) && holds(pod) == 3).await;
        world.apply(&deployment("api", 0)).await;
        let none = |b: &DatabaseBudget| status(b).held == Some(0) && row(b, "api").peak_pods == 0;
        world.until("shop", "nobody is left", none).await;
    }
}

#[tokio::test]
async fn a_rollout_in_a_full_budget_uses_the_room_that_is_kept_for_it() {
    let world = World::new("rollout").await;
    let mut leader = operator(&world).await;
    leader.until_leads().await;
    let _second = replica(&world, "second").await;
    // The webhook is where the leader was until the second is asked: meanwhile no pod is created.
    world.apply(&leasing("shop", "failurePolicy: Fail,", &[("api", "{kind: Deployment}")])).await;
    let judge = Judge::of(&world);
    until_leasing(&world, "shop").await;
    world.apply(&deployment("api", 3)).await;
    world.until("shop", "it is full", |b: &DatabaseBudget| status(b).held == Some(9)).await;
    let before = until_some::<Pod>(world.api(), 3, "pods run", |pod| !waits(pod)).await;
    world.cluster.kubectl(&["rollout", "restart", "deployment/api", "-n", &world.namespace]).expect("restarted");
    let old: BTreeSet<_> = before.iter().filter_map(ResourceExt::uid).collect();
    let is_new = |pod: &Pod| !waits(pod) && pod.uid().is_some_and(|uid| !old.contains(&uid));
    until_some::<Pod>(world.api(), 1, "new pods have the room", is_new).await;
    leader.kill();
    let done = |d: &Deployment| {
        let status = d.status.clone().unwrap_or_default();
        status.observed_generation == d.metadata.generation
            && (status.updated_replicas, status.ready_replicas, status.replicas) == (Some(3), Some(3), Some(3))
    };
    world.until("api", "it is rolled out", done).await;
    assert_eq!(judge.most(), 10);
    let outdated = |b: &DatabaseBudget| budget_is(b, "Injected", "Outdated") && status(b).held == Some(7);
    world.until("shop", "only the one that came in by the room has less", outdated).await;
}
