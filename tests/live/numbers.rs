//! Numbers in status follow what happens in the cluster.

use dbbudget::api::DatabaseBudget;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};

use crate::operator::Operator;
use crate::things::{asks, budget, budget_is, deployment, row, status, template, workload};
use crate::world::{World, until_some};

#[tokio::test]
async fn replicas_and_pods_are_followed_from_before_the_workload_exists() {
    let world = World::new("replicas").await;
    world.install().await;
    let mut operator = Operator::start(&world).await;
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.until("shop", "its target is missed", |b: &DatabaseBudget| !row(b, "api").message.is_empty()).await;

    world.apply(&deployment("api", 2)).await;
    let is =
        |wanted, held| move |b: &DatabaseBudget| (row(b, "api").wanted, status(b).held) == (Some(wanted), Some(held));
    let seen = world.until("shop", "2 pods hold 6", is(6, 6)).await;
    assert!(budget_is(&seen, "WithinCapacity", "Healthy"), "{seen:#?}");
    world.apply(&deployment("api", 40)).await;
    world.until("shop", "40 pods hold 120", is(120, 120)).await;
    let seen = world.until("shop", "it is exceeded", |b| budget_is(b, "WithinCapacity", "Exceeded")).await;
    assert_eq!(status(&seen).free, Some(-20));
    world.apply(&deployment("api", 1)).await;
    world.until("shop", "1 pod holds 3", is(3, 3)).await;
    let of = format!("{{namespace=\"{}\",budget=\"shop\"}}", world.namespace);
    operator.until_metric(&format!("dbbudget_held_connections{of}"), |n| n == Some(3.0)).await;
}

#[tokio::test]
async fn every_kind_of_target_counts() {
    let world = World::new("kinds").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    let entries = [
        ("deployment", "{kind: Deployment}"),
        ("statefulset", "{kind: StatefulSet}"),
        ("daemonset", "{kind: DaemonSet}"),
        ("replicaset", "{kind: ReplicaSet}"),
        ("job", "{kind: Job}"),
        ("cronjob", "{kind: CronJob}"),
        ("named", "{kind: Deployment, name: other}"),
        ("selected", "{kind: StatefulSet, selector: {matchLabels: {app: chosen}}}"),
    ];
    world.apply(&budget("shop", "", &entries)).await;
    world.apply(&deployment("deployment", 2)).await;
    world.apply(&deployment("other", 1)).await;
    for (name, replicas) in [("statefulset", 2), ("chosen", 3)] {
        world.apply(&workload("apps/v1", "StatefulSet", name, &format!("replicas: {replicas}, serviceName: x"))).await;
    }
    world.apply(&workload("apps/v1", "DaemonSet", "daemonset", "minReadySeconds: 0")).await;
    world.apply(&workload("apps/v1", "ReplicaSet", "replicaset", "replicas: 4")).await;
    world.apply(&job("job", 2)).await;
    world.apply(&cron_job("cronjob", 3)).await;

    let nodes = world.nodes().await;
    let expected = [
        ("deployment", 2),
        ("statefulset", 2),
        ("daemonset", nodes),
        ("replicaset", 4),
        ("job", 2),
        ("cronjob", 3),
        ("named", 1),
        ("selected/chosen", 3),
    ];
    let wanted = move |b: &DatabaseBudget| {
        expected.iter().all(|(name, pods)| row(b, name).peak_pods == *pods && row(b, name).wanted == Some(3 * pods))
    };
    world.until("shop", "each is wanted", wanted).await;
    // A CronJob's pods come with its next run.
    let held = move |b: &DatabaseBudget| {
        let without = expected.iter().filter(|(name, _)| *name != "cronjob");
        without.into_iter().all(|(name, pods)| row(b, name).held == Some(3 * pods))
    };
    world.until("shop", "each holds", held).await;
    world.cluster.kubectl(&["create", "job", "now", "--from=cronjob/cronjob", "-n", &world.namespace]).expect("a run");
    world.until("shop", "the run holds", |b: &DatabaseBudget| row(b, "cronjob").held == Some(9)).await;
}

/// A Job whose pods run for an hour.
fn job(name: &str, parallelism: u32) -> String {
    format!("apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec: {}\n", job_spec(name, parallelism))
}

fn job_spec(name: &str, parallelism: u32) -> String {
    let template = template(name)
        .replace("metadata: {", "metadata: {annotations: {fake.dbbudget.dev/runs: 1h}, ")
        .replace("spec: {", "spec: {restartPolicy: Never, ");
    format!("{{parallelism: {parallelism}, completions: {parallelism}, template: {template}}}")
}

fn cron_job(name: &str, parallelism: u32) -> String {
    format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: {name}}}\nspec: {{schedule: '0 0 29 2 *', \
         concurrencyPolicy: Forbid, jobTemplate: {{spec: {}}}}}\n",
        job_spec(name, parallelism)
    )
}

#[tokio::test]
async fn an_autoscalers_maximum_counts_and_its_raise_is_followed() {
    let world = World::new("autoscaler").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.apply(&deployment("api", 2)).await;
    let peak = |pods| move |b: &DatabaseBudget| row(b, "api").peak_pods == pods && status(b).peak == Some(3 * pods);
    world.until("shop", "2 replicas count", peak(2)).await;
    world.apply(&autoscaler(10)).await;
    world.until("shop", "the maximum counts", peak(10)).await;
    world.apply(&autoscaler(40)).await;
    world.until("shop", "the raise counts", peak(40)).await;
    world.until("shop", "it is exceeded", |b: &DatabaseBudget| budget_is(b, "WithinCapacity", "Exceeded")).await;
    world.delete(&autoscaler(40)).await;
    world.until("shop", "the replicas count again", peak(2)).await;
}

fn autoscaler(max: u32) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: api}}\nspec: {{scaleTargetRef: \
         {{apiVersion: apps/v1, kind: Deployment, name: api}}, minReplicas: 1, maxReplicas: {max}}}\n"
    )
}

#[tokio::test]
async fn pods_on_their_way_out_hold_until_they_are_gone() {
    let world = World::new("terminating").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    let slow = |version: u32| {
        let all_at_once = "replicas: 2, strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}";
        workload("apps/v1", "Deployment", "api", all_at_once)
            .replace(
                "template: {metadata: {",
                "template: {metadata: {annotations: {fake.dbbudget.dev/terminates: 1h}, ",
            )
            .replace("value: '1'}", &format!("value: '1'}}, {{name: VERSION, value: '{version}'}}"))
            .replace("terminationGracePeriodSeconds: 5", "terminationGracePeriodSeconds: 3600")
    };
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.apply(&slow(1)).await;
    let pods = |pods| move |b: &DatabaseBudget| row(b, "api").pods == pods && status(b).held == Some(3 * pods);
    world.until("shop", "2 pods hold", pods(2)).await;
    world.apply(&slow(2)).await;
    let leaving = |pod: &Pod| pod.metadata.deletion_timestamp.is_some();
    let old = until_some(world.api::<Pod>(), 2, "old pods are on their way out", leaving).await;
    world.until("shop", "old and new ones hold", pods(4)).await;
    for pod in old {
        let name = pod.metadata.name.expect("a name");
        world.api::<Pod>().delete(&name, &DeleteParams::default().grace_period(0)).await.expect("deleted");
    }
    world.until("shop", "the new ones hold", pods(2)).await;
    let left = world.api::<Pod>().list(&ListParams::default()).await.expect("pods");
    assert_eq!(left.items.len(), 2);
}

#[tokio::test]
async fn a_changed_budget_is_read_again() {
    let world = World::new("changed").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    world.apply(&deployment("api", 10)).await;
    let with = |more: &str| budget("shop", more, &[("api", "{kind: Deployment}")]);
    let free = |free| move |b: &DatabaseBudget| status(b).free == Some(free) && budget_seen(b);
    world.apply(&with("")).await;
    world.until("shop", "70 are free", free(70)).await;
    world.apply(&with("reserve: 20,")).await;
    world.until("shop", "50 are free", free(50)).await;
    world.apply(&with("reserve: 20, outside: [{name: elsewhere, connections: 60}],")).await;
    world.until("shop", "10 are missing", free(-10)).await;
    // A worker count in the claim.
    let two =
        with("").replace(&asks("{kind: Deployment}"), &asks("{kind: Deployment}").replace("count: 1", "count: 2"));
    world.apply(&two).await;
    world.until("shop", "two processes per pod hold twice as much", free(40)).await;
}

fn budget_seen(budget: &DatabaseBudget) -> bool {
    status(budget).observed_generation == budget.metadata.generation
}
