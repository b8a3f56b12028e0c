//! `whenExceeded: ScaleDown` on a real cluster: real Deployments, a real `HorizontalPodAutoscaler`, real field managers.

use dbbudget::api::DatabaseBudget;
use dbbudget::api::status::Scaled;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, Patch, PatchParams};

use crate::cluster::OwnCluster;
use crate::injection::injecting;
use crate::late::definition;
use crate::metrics::Metric;
use crate::operator::Operator;
use crate::things::{budget_is, condition, deployment, status};
use crate::world::{World, documents, until};

/// What `scaling: true` adds to the chart's permissions, as far as these tests need it.
#[allow(clippy::needless_pass_by_value, reason = "what a change of permissions is")]
fn with_scaling(rbac: String) -> String {
    let add = "rules:\n  - {apiGroups: [apps], resources: [deployments], verbs: [get, patch]}\n  - {apiGroups: [apps], \
               resources: [deployments/scale], verbs: [patch]}\n  - {apiGroups: [autoscaling], resources: \
               [horizontalpodautoscalers], verbs: [get, patch]}\n  - {apiGroups: [keda.sh], resources: [scaledobjects], \
               verbs: [get, patch]}\n";
    rbac.replace("rules:\n", add)
}

/// `worker` may go down to 1 replica, and goes first; `api` is never scaled.
const ENTRIES: [(&str, &str); 2] =
    [("api", "{kind: Deployment}, priority: 10"), ("worker", "{kind: Deployment}, minReplicas: 1")];

fn scaling(connections: u32, entries: &[(&str, &str)]) -> String {
    injecting("shop", entries)
        .replace("workloads:", "whenExceeded: ScaleDown, workloads:")
        .replace("maxConnections: 20", &format!("maxConnections: {connections}"))
}

/// A pod of a Deployment that was there before the budget holds 3, as it is written.
async fn run(world: &World<'_>, deployments: &[(&str, u32)]) {
    for (name, replicas) in deployments {
        world.apply(&deployment(name, *replicas)).await;
    }
    for (name, replicas) in deployments {
        let available = i32::try_from(*replicas).expect("few");
        let is = move |d: &Deployment| d.status.as_ref().and_then(|s| s.available_replicas) == Some(available);
        world.until(name, "it is available", is).await;
    }
}

async fn spawn(world: &World<'_>, identity: &str) -> Operator {
    let arguments = ["--namespace", &world.namespace, "--restore-after", "2"];
    let mut operator = Operator::spawn(world, identity, &arguments);
    operator.until_ready().await;
    operator
}

fn replicas(deployment: &Deployment) -> Option<i32> {
    deployment.spec.as_ref().and_then(|spec| spec.replicas)
}

fn record(budget: &DatabaseBudget, name: &str) -> Option<Scaled> {
    status(budget).scaled.into_iter().find(|r| r.target.name == name)
}

fn says(budget: &DatabaseBudget, about: &str, words: &str) -> bool {
    condition(&status(budget).conditions, about).is_some_and(|c| c.message.contains(words))
}

fn is_ours(meta: &ObjectMeta) -> bool {
    meta.managed_fields.iter().flatten().any(|entry| entry.manager.as_deref() == Some("dbbudget/scale"))
}

fn kubectl_scale(world: &World<'_>, name: &str, replicas: u32) {
    let replicas = format!("--replicas={replicas}");
    let scale = ["scale", "deployment", name, &replicas, "-n", &world.namespace];
    world.cluster.kubectl(&scale).expect("scaled");
}

#[tokio::test]
async fn the_lowest_priority_goes_down_and_comes_back_though_the_operator_dies() {
    let world = World::new("scaling").await;
    world.install().await;
    run(&world, &[("api", 2), ("worker", 3)]).await;
    let operator = spawn(&world, "first").await;
    world.apply(&scaling(12, &ENTRIES)).await; // 15 are held
    let lacks = "and patch on deployments.apps/scale in the namespace";
    let told = |b: &DatabaseBudget| says(b, "WithinCapacity", lacks) && status(b).scaled.is_empty();
    let seen = world.until("shop", "the permission that is missing is named", told).await;
    let within = condition(&status(&seen).conditions, "WithinCapacity").expect("there").message.clone();
    assert_eq!(within.matches("Not scaled").count(), 1, "{within}");
    assert_eq!(replicas(&world.get("worker").await), Some(3));

    world.install_with(with_scaling).await;
    world.until("shop", "it is recorded", |b| record(b, "worker").is_some()).await;
    operator.kill();
    let operator = spawn(&world, "second").await;
    let fits = |b: &DatabaseBudget| record(b, "worker").is_some_and(|r| r.done) && status(b).held == Some(12);
    let seen = world.until("shop", "it fits", fits).await;
    let Scaled { from, to, undone, .. } = record(&seen, "worker").expect("recorded");
    assert_eq!((from, to, undone), (3, 2, 0), "no further than it must, and what it was is not forgotten");
    assert!(says(&seen, "ScaledDown", "worker from 3 to 2 replicas"), "{seen:#?}");
    assert!(budget_is(&seen, "ScaledDown", "Reduced") && !budget_is(&seen, "WithinCapacity", "Exceeded"));
    let worker: Deployment = world.get("worker").await;
    assert!(replicas(&worker) == Some(2) && is_ours(&worker.metadata));
    assert_eq!(replicas(&world.get("api").await), Some(2), "without minReplicas it is never scaled");

    // It stays so while it would not fit otherwise, whoever takes over.
    operator.kill();
    let _operator = spawn(&world, "third").await;
    world.apply(&scaling(40, &ENTRIES)).await;
    let restored = |d: &Deployment| replicas(d) == Some(3) && !is_ours(&d.metadata);
    world.until("worker", "it is restored and handed back", restored).await;
    let quiet =
        |b: &DatabaseBudget| status(b).scaled.is_empty() && condition(&status(b).conditions, "ScaledDown").is_none();
    world.until("shop", "nothing is lowered any more", quiet).await;

    world.apply(&scaling(12, &ENTRIES)).await;
    world.until("shop", "it is lowered again", |b| record(b, "worker").is_some_and(|r| r.done)).await;
    world.cluster.kubectl(&["delete", "dbb", "shop", "-n", &world.namespace]).expect("deleted");
    world.until("worker", "it is restored with the budget's end", restored).await;
}

#[tokio::test]
async fn whoever_undoes_it_twice_is_right_until_the_spec_changes() {
    let world = World::new("contested").await;
    world.install_with(with_scaling).await;
    run(&world, &[("api", 2), ("worker", 3)]).await;
    let _operator = spawn(&world, "operator").await;
    world.apply(&scaling(12, &ENTRIES)).await;
    for undone in 0..2 {
        let lowered = move |b: &DatabaseBudget| record(b, "worker").is_some_and(|r| r.done && r.undone == undone);
        world.until("shop", "it is lowered", lowered).await;
        assert_eq!(replicas(&world.get("worker").await), Some(2));
        kubectl_scale(&world, "worker", 3);
    }
    let contested = |b: &DatabaseBudget| budget_is(b, "Contested", "UndoneTwice");
    let seen = world.until("shop", "it is contested", contested).await;
    assert!(says(&seen, "Contested", "worker from 3 to 2") && !budget_is(&seen, "ScaledDown", "Reduced"));
    world.until("shop", "all hold 15 again", |b: &DatabaseBudget| status(b).held == Some(15)).await;
    assert_eq!(replicas(&world.get("worker").await), Some(3), "it is left alone");

    world.apply(&scaling(11, &ENTRIES)).await;
    let again = |d: &Deployment| replicas(d) == Some(1);
    world.until("worker", "another spec begins anew", again).await;
    world.until("shop", "nobody contests it", |b| condition(&status(b).conditions, "Contested").is_none()).await;
}

/// A GitOps tool that applies server-side, and one that applies as `kubectl apply` does, with a mark of its own.
async fn own(world: &World<'_>, name: &str, way: &str) {
    let text = deployment(name, 3);
    if way == "tracking-id" {
        let mark = format!("argocd.argoproj.io/tracking-id=shop:apps/Deployment:{}/{name}", world.namespace);
        let file = world.cluster.folder().join(format!("{}.yaml", world.namespace));
        std::fs::write(&file, text).expect("written");
        let file = file.to_string_lossy().into_owned();
        world.cluster.kubectl(&["apply", "-n", &world.namespace, "-f", &file]).expect("applied");
        let annotate = ["annotate", "deployment", name, &mark, "-n", &world.namespace];
        world.cluster.kubectl(&annotate).expect("annotated");
        return;
    }
    let object: DynamicObject = documents(&text).remove(0);
    let params = PatchParams::apply(way).force();
    world.api_of(&object).await.patch(name, &params, &Patch::Apply(&object)).await.expect("applied");
}

#[tokio::test]
async fn what_a_gitops_tool_owns_is_left_to_it_and_the_next_one_goes_down() {
    for (way, owner) in [
        ("argocd-controller", "Argo CD"),
        ("kustomize-controller", "Flux"),
        ("tracking-id", "Argo CD, application shop"),
    ] {
        let world = World::new("gitops").await;
        world.install_with(with_scaling).await;
        own(&world, "worker", way).await;
        let is = |d: &Deployment| d.status.as_ref().and_then(|s| s.available_replicas) == Some(3);
        world.until("worker", "it is available", is).await;
        run(&world, &[("api", 2)]).await;
        let _operator = spawn(&world, "operator").await;
        let entries = [("api", "{kind: Deployment}, priority: 10, minReplicas: 1"), ENTRIES[1]];
        world.apply(&scaling(12, &entries)).await;
        world.until("shop", "the next one is lowered", |b| record(b, "api").is_some_and(|r| r.done)).await;
        assert_eq!(
            (replicas(&world.get("api").await), replicas(&world.get("worker").await)),
            (Some(1), Some(3)),
            "{way}"
        );
        let worker: Deployment = world.get("worker").await;
        assert!(!is_ours(&worker.metadata), "{way}");

        world.apply(&scaling(11, &entries)).await; // and now even that is not enough
        let change = format!(
            "Not scaled here, as {owner} owns it; in its source, change spec.replicas of Deployment {}/worker from 3 to 1.",
            world.namespace
        );
        let told = |b: &DatabaseBudget| says(b, "WithinCapacity", &change) && record(b, "worker").is_none();
        world.until("shop", "the change to make is printed", told).await;
    }
}

/// Asks for as many pods as its metric says.
fn autoscaler(maximum: u32) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: api}}\nspec: {{scaleTargetRef: \
         {{apiVersion: apps/v1, kind: Deployment, name: api}}, minReplicas: 2, maxReplicas: {maximum}, metrics: [{{type: \
         External, external: {{metric: {{name: load}}, target: {{type: AverageValue, averageValue: '1'}}}}}}], behavior: \
         {{scaleDown: {{stabilizationWindowSeconds: 0}}}}}}\n"
    )
}

fn maximum(scaler: &HorizontalPodAutoscaler) -> Option<i32> {
    scaler.spec.as_ref().map(|spec| spec.max_replicas)
}

fn is_limited(scaler: &HorizontalPodAutoscaler) -> bool {
    let conditions = scaler.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|c| c.type_ == "ScalingLimited" && c.reason.as_deref() == Some("TooManyReplicas"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)] // the metric is served while kubectl is waited for
async fn an_autoscalers_growth_stops_and_goes_on() {
    let cluster = OwnCluster::start();
    cluster.control(&["kwok", "1"]);
    let world = World::on(&cluster, "growth").await;
    let load = Metric::serve(&cluster, 3).await;
    world.install_with(with_scaling).await;
    run(&world, &[("api", 3), ("worker", 1)]).await;
    world.apply(&autoscaler(30)).await;
    let _operator = spawn(&world, "operator").await;
    let entries = [ENTRIES[0], ("worker", "{kind: Deployment}")];
    world.apply(&scaling(20, &entries)).await; // 31 pods of at least 1: infeasible
    let lowered = |h: &HorizontalPodAutoscaler| maximum(h) == Some(19) && is_ours(&h.metadata);
    world.until("api", "as far as the smallest pools need it", lowered).await;
    world.until("shop", "it fits", |b: &DatabaseBudget| record(b, "api").is_some_and(|r| r.done && r.from == 30)).await;

    world.apply(&scaling(11, &entries)).await; // 12 are held: not a single pod more
    world.until("api", "at the pods that run", |h| maximum(h) == Some(3)).await;
    world.until("shop", "both are told", |b| says(b, "ScaledDown", "api from 30 to 3 maxReplicas")).await;
    load.set(5);
    world.until("api", "it would go further", is_limited).await;
    assert_eq!(replicas(&world.get("api").await), Some(3), "and may not");

    world.apply(&scaling(50, &entries)).await;
    let restored = |h: &HorizontalPodAutoscaler| maximum(h) == Some(30) && !is_ours(&h.metadata);
    world.until("api", "it is restored and handed back", restored).await;
    world.until("api", "it goes on", |d: &Deployment| replicas(d) == Some(5)).await;
    world.until("shop", "nothing is lowered any more", |b: &DatabaseBudget| status(b).scaled.is_empty()).await;
}

#[tokio::test]
async fn keda_scales_out_no_more_until_there_is_room() {
    let cluster = OwnCluster::start();
    let world = World::on(&cluster, "keda").await;
    world.install_with(with_scaling).await;
    world.apply(&definition("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")).await;
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "scaledobjects.keda.sh"];
    cluster.kubectl(&established).expect("established");
    let scaled = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: queue, annotations: {team: a}}\nspec: \
                  {scaleTargetRef: {name: api}, maxReplicaCount: 30}\n";
    world.apply(scaled).await;
    world.apply(&deployment("api", 1)).await;
    let _operator = spawn(&world, "operator").await;
    world.apply(&scaling(20, &ENTRIES[..1])).await;
    world
        .until("shop", "it is paused", |b| record(b, "queue").is_some_and(|r| r.done && (r.from, r.to) == (0, 1)))
        .await;
    let api = world.api_of(&documents(scaled)[0]).await;
    let annotations = api.get("queue").await.expect("there").metadata.annotations.unwrap_or_default();
    assert_eq!(annotations.get("autoscaling.keda.sh/paused-scale-out").map(String::as_str), Some("true"));

    world.apply(&scaling(50, &ENTRIES[..1])).await;
    until(world.api(), "shop", "it is restored", |b: &DatabaseBudget| status(b).scaled.is_empty()).await;
    let object = api.get("queue").await.expect("there");
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["team"], "what others wrote stays");
    assert!(!is_ours(&object.metadata));
}
