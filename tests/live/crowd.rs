//! A cluster of one's own: every request is in the audit log, and parts can be stopped.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dbbudget::api::DatabaseBudget;
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::{sleep, timeout};

use crate::cluster::OwnCluster;
use crate::events::events;
use crate::operator::Operator;
use crate::things::{budget, budget_is, deployment, row, status, workload};
use crate::world::{PATIENCE, World, until_some};

/// Writes of the operator that were received since a moment, as `VERB RESOURCE/SUBRESOURCE NAME`. The audit log tells of a
/// write after whoever watches has seen it, so its length is no mark.
fn writes(cluster: &OwnCluster, world: &World<'_>, since: Timestamp) -> Vec<String> {
    let account = format!("system:serviceaccount:{}:dbbudget", world.namespace);
    let reads = ["get", "list", "watch"];
    let received = |l: &serde_json::Value| l["requestReceivedTimestamp"].as_str()?.parse::<Timestamp>().ok();
    let lines = cluster.audit().into_iter().filter(|l| received(l).expect("a time") >= since);
    let written = lines.filter(|l| l["user"]["username"] == account.as_str() && !reads.iter().any(|r| l["verb"] == *r));
    let text = |line: &serde_json::Value, field: &str| line["objectRef"][field].as_str().unwrap_or_default().to_owned();
    written
        .map(|l| {
            let verb = l["verb"].as_str().unwrap_or_default();
            format!("{verb} {}/{} {}", text(&l, "resource"), text(&l, "subresource"), text(&l, "name"))
        })
        .collect()
}

/// How often the one was written that was written most, once each of them was: an audit may tell later than a watch.
async fn each_was_written(cluster: &OwnCluster, world: &World<'_>, since: Timestamp, count: usize) -> usize {
    loop {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for write in writes(cluster, world, since) {
            if let Some(name) = write.strip_prefix("patch databasebudgets/status ") {
                *times.entry(name.to_owned()).or_default() += 1;
            }
        }
        if times.len() == count {
            return times.into_values().max().unwrap_or_default();
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn autoscaler(max: u32) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: api}}\nspec: {{scaleTargetRef: \
         {{apiVersion: apps/v1, kind: Deployment, name: api}}, minReplicas: 1, maxReplicas: {max}}}\n"
    )
}

#[tokio::test]
async fn a_quiet_cluster_causes_no_writes_and_a_storm_few() {
    let cluster = OwnCluster::start();
    let world = World::on(&cluster, "quiet").await;
    world.install().await;
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.apply(&format!("{}---\n{}", deployment("api", 1), autoscaler(2))).await;
    let mut operator = Operator::spawn(&world, "operator", &[]);
    operator.until_leads().await;
    let peak = |pods| move |b: &DatabaseBudget| row(b, "api").peak_pods == pods;
    // Where the list of pods takes long, it first says that it waits for it.
    let all = |b: &DatabaseBudget| row(b, "api").peak_pods == 2 && status(b).held == Some(0);
    world.until("shop", "all of it is counted", all).await;

    // The election's renewals, every five seconds, are the clock.
    let quiet_from = Timestamp::now();
    let mut renewed: Option<MicroTime> = None;
    for _ in 0..4 {
        let last = renewed.take();
        let renewal = |l: &Lease| l.spec.as_ref().and_then(|s| s.renew_time.clone());
        let later = |l: &Lease| renewal(l) > last;
        renewed = renewal(&world.until("dbbudget", "it is renewed", later).await);
    }
    let all = writes(&cluster, &world, quiet_from);
    let renewals = ["update leases/ dbbudget", "patch leases/ dbbudget-webhook-operator"];
    let others: Vec<_> = all.iter().filter(|write| !renewals.contains(&write.as_str())).collect();
    assert!(others.is_empty(), "writes in a quiet cluster: {others:?}");
    assert!(all.len() >= 2, "not even the election's writes are in the log: {all:?}");

    let storm_from = Timestamp::now();
    for max in 3..=300 {
        world.apply(&autoscaler(max)).await;
    }
    world.until("shop", "the last change is counted", peak(300)).await;
    let patches = writes(&cluster, &world, storm_from);
    let patches = patches.iter().filter(|w| w.as_str() == "patch databasebudgets/status shop").count();
    println!("298 changes caused {patches} writes of the status");
    assert!((1..=100).contains(&patches), "298 changes caused {patches} writes of the status");
}

#[tokio::test]
async fn a_thousand_budgets_are_counted_and_a_restart_writes_nothing() {
    const COUNT: usize = 1000;
    let cluster = OwnCluster::start();
    let world = World::on(&cluster, "thousand").await;
    world.install().await;
    // Paused, so that the cluster has no pods to make.
    let pair = |i: usize| {
        let name = format!("w{i}");
        let paused = workload("apps/v1", "Deployment", &name, "replicas: 2, paused: true");
        format!("{}{paused}", budget(&name, "", &[(&name, "{kind: Deployment}")]))
    };
    let create = async |text: String| world.apply(&text).await;
    futures::stream::iter((0..COUNT).map(pair)).for_each_concurrent(16, create).await;

    let from = Timestamp::now();
    let began = Instant::now();
    let mut operator = Operator::spawn(&world, "first", &[]);
    let counted = |b: &DatabaseBudget| b.status.as_ref().is_some_and(|s| s.peak == Some(6));
    until_some(world.api::<DatabaseBudget>(), COUNT, "budgets are counted", counted).await;
    println!("{COUNT} budgets were counted {:.1} s after the start", began.elapsed().as_secs_f64());
    operator.until_ready().await;
    // Where the lists take long, a budget first says what it waits for.
    let most = timeout(PATIENCE, each_was_written(&cluster, &world, from, COUNT)).await.expect("an audit of all");
    assert!(most <= 2, "one of them was written {most} times");

    world.apply(&pair(7).replace("replicas: 2", "replicas: 3")).await;
    world.until("w7", "one of them is followed", |b: &DatabaseBudget| row(b, "w7").peak_pods == 3).await;

    operator.kill();
    let from = Timestamp::now();
    let mut operator = Operator::spawn(&world, "second", &[]);
    operator.until_leads().await;
    let series = format!("dbbudget_peak_connections{{namespace=\"{}\",budget=\"w999\"}}", world.namespace);
    operator.until_metric(&series, |n| n == Some(6.0)).await;
    let written = writes(&cluster, &world, from);
    assert!(written.iter().all(|w| w.contains("leases/ dbbudget")), "a restart is no news: {written:?}");
}

#[tokio::test]
async fn a_restart_of_the_api_server_is_survived() {
    let cluster = OwnCluster::start();
    let world = World::on(&cluster, "outage").await;
    world.install().await;
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.apply(&deployment("api", 1)).await;
    let mut operator = Operator::spawn(&world, "operator", &[]);
    let peak = |pods| move |b: &DatabaseBudget| row(b, "api").peak_pods == pods;
    world.until("shop", "it is counted", peak(1)).await;

    cluster.control(&["restart", "apiserver"]);
    world.apply(&deployment("api", 2)).await;
    world.until("shop", "the change after the outage is followed", peak(2)).await;
    cluster.control(&["stop", "--now", "apiserver"]);
    operator.until_logged("election cannot").await;
    cluster.control(&["start", "apiserver"]);
    world.apply(&deployment("api", 3)).await;
    world.until("shop", "the change after the longer outage is followed", peak(3)).await;
    operator.until_ready().await;
    world.until("shop", "it is understood", |b| budget_is(b, "Ready", "Published")).await;
    assert_eq!(events(&world, "shop").await, [], "an outage of the API server is no news about a budget");
    let (status, log) = operator.terminate().await;
    assert!(status.success(), "{status}:\n{}", log.join("\n"));
}
