//! Rollouts of every kind in a full budget, and pods of two budgets.

use dbbudget::api::{DatabaseBudget, DatabaseLedger};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;

use super::{Judge, holds, leasing, operator, until_leasing, waits};
use crate::things::{deployment, row, status, workload};
use crate::world::{World, until_some};

#[tokio::test]
async fn a_deployment_rolls_out_with_every_strategy() {
    let world = World::new("strategies").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", &[("api", "{kind: Deployment}")])).await;
    let judge = Judge::of(&world);
    until_leasing(&world, "shop").await;
    let rolling = |surge: u32, unavailable: u32| {
        format!(
            "strategy: {{type: RollingUpdate, rollingUpdate: {{maxSurge: {surge}, maxUnavailable: {unavailable}}}}}"
        )
    };
    let strategies = [
        rolling(1, 0),
        rolling(0, 1),
        rolling(1, 1),
        rolling(2, 0),
        rolling(0, 3),
        "strategy: {type: Recreate}".into(),
    ];
    for (round, strategy) in strategies.iter().enumerate() {
        let with = format!("replicas: 3, {strategy}");
        let set = workload("apps/v1", "Deployment", "api", &with).replace(
            "metadata: {labels: {app: api}}",
            &format!("metadata: {{labels: {{app: api}}, annotations: {{round: '{round}'}}}}"),
        );
        world.apply(&set).await;
        let done = |d: &Deployment| {
            let status = d.status.clone().unwrap_or_default();
            status.observed_generation == d.metadata.generation
                && (status.updated_replicas, status.ready_replicas, status.replicas) == (Some(3), Some(3), Some(3))
        };
        world.until("api", strategy, done).await;
        world.until("shop", "nobody waits", |b: &DatabaseBudget| status(b).waiting_pods == Some(0)).await;
    }
    assert!(judge.most() <= 10, "{}", judge.most());
}

#[tokio::test]
async fn stateful_sets_and_daemon_sets_roll_out_in_a_full_budget() {
    let world = World::new("sets").await;
    let _operator = operator(&world).await;
    let nodes = world.nodes().await;
    let entries = [("db", "{kind: StatefulSet}"), ("agent", "{kind: DaemonSet}")];
    let capacity = format!("maxConnections: {}", 6 + 3 * nodes);
    world.apply(&leasing("shop", "", &entries).replace("maxConnections: 10", &capacity)).await;
    let judge = Judge::of(&world);
    until_leasing(&world, "shop").await;
    world.apply(&workload("apps/v1", "StatefulSet", "db", "serviceName: db, replicas: 2")).await;
    world.apply(&workload("apps/v1", "DaemonSet", "agent", "minReadySeconds: 0")).await;
    let all = |b: &DatabaseBudget| row(b, "db").pods == 2 && row(b, "agent").pods == nodes;
    world.until("shop", "all run", all).await;
    for set in ["statefulset/db", "daemonset/agent"] {
        world.cluster.kubectl(&["rollout", "restart", set, "-n", &world.namespace]).expect("restarted");
    }
    let done = |s: &StatefulSet| {
        let status = s.status.clone().unwrap_or_default();
        status.observed_generation == s.metadata.generation
            && (status.updated_replicas, status.ready_replicas) == (Some(2), Some(2))
            && status.current_revision == status.update_revision
    };
    world.until("db", "it is rolled out", done).await;
    let done = |d: &DaemonSet| {
        let status = d.status.clone().unwrap_or_default();
        status.observed_generation == d.metadata.generation
            && status.updated_number_scheduled.map(i64::from) == Some(nodes)
            && i64::from(status.number_ready) == nodes
    };
    world.until("agent", "it is rolled out", done).await;
    assert!(i64::from(judge.most()) <= 6 + 3 * nodes, "{}", judge.most());
}

#[tokio::test]
async fn a_pod_of_two_budgets_waits_for_both() {
    let world = World::new("both").await;
    let _operator = operator(&world).await;
    let of = |name: &str, engine: &str| {
        leasing(name, "", &[("api", "{kind: Deployment}, sizeFor: 3")])
            .replace("headroom: None", "headroom: Surge")
            .replace("{client: sqlalchemy-env}", engine)
    };
    let other = "{name: other, min: 2, max: 2, inject: {env: [{name: OTHER_POOL, quantity: Limit}]}}";
    world.apply(&of("first", "{client: sqlalchemy-env}")).await;
    world.apply(&of("second", other).replace("maxConnections: 10", "maxConnections: 6")).await;
    until_leasing(&world, "first").await;
    until_leasing(&world, "second").await;
    // What is kept for a rollout is known before anybody asks: no entry is withdrawn because more is kept later.
    world.apply(&deployment("api", 1)).await;
    for (name, room) in [("first", 1), ("second", 2)] {
        let known = |b: &DatabaseBudget| status(b).surge_reserve == Some(room) && !row(b, "api").engines.is_empty();
        world.until(name, "its room is published", known).await;
    }
    world.apply(&deployment("api", 4)).await;
    // 10 − 1 for 3 each is 3 pods; 6 − 2 for 2 each is 2.
    let runs = until_some::<Pod>(world.api(), 2, "pods run", |pod| !waits(pod)).await;
    assert!(runs.iter().all(|pod| holds(pod) == 3), "{runs:#?}");
    let told = |b: &DatabaseBudget| status(b).waiting_pods == Some(2) && row(b, "api").pods == 2;
    for name in ["first", "second"] {
        world.until(name, "two wait", told).await;
        let ledger: DatabaseLedger = world.get(name).await;
        assert_eq!(ledger.spec.entries.len(), 2, "{name} holds nothing for those who wait for the other");
    }
    let seen = status(&world.get::<DatabaseBudget>("first").await);
    assert!(seen.queue[0].why.contains("not all of them have room"), "{:?}", seen.queue[0]);
}
