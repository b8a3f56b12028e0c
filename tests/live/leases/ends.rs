//! When connections come back: on proof that a pod has ended, and not before.

use dbbudget::api::parse::Beside;
use dbbudget::api::{DatabaseBudget, DatabaseLedger};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use super::{SIZED_FOR_3, full, leasing, operator, until_leasing, waits};
use crate::things::{deployment, row, status, workload};
use crate::world::{World, until_some};

#[tokio::test]
async fn a_pod_that_is_deleted_by_force_counts_until_its_kubelet_must_have_ended_it() {
    let world = World::new("forced").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    full(&world, 4).await;
    let runs = until_some::<Pod>(world.api(), 3, "pods run", |pod| !waits(pod)).await.remove(0);
    let (name, uid) = (runs.name_any(), runs.uid().expect("stored"));
    let force = ["delete", "pod", &name, "-n", &world.namespace, "--force", "--grace-period=0"];
    world.cluster.kubectl(&force).expect("deleted");
    let apart = |l: &DatabaseLedger| l.spec.quarantine.contains_key(&uid);
    let ledger = world.until("shop", "it is kept apart", apart).await;
    let kept = &ledger.spec.quarantine[&uid];
    assert_eq!((kept.node.as_deref(), kept.entry.connections), (runs.spec.and_then(|s| s.node_name).as_deref(), 3));
    let waits_on = world.get::<DatabaseBudget>("shop").await;
    assert_eq!(status(&waits_on).held, Some(9));
    // Its node renews its Lease: 5 s of grace, 1 s of drain and 25 s of gap later it is over.
    let over = |l: &DatabaseLedger| l.spec.quarantine.is_empty();
    world.until("shop", "it counts no longer", over).await;
    world.until("shop", "the next one runs", |b: &DatabaseBudget| row(b, "api").pods == 3).await;
}

/// It was not there when the pod ended, so it knows no better than that the pod is gone, and asks the node that was noted.
#[tokio::test]
async fn an_operator_that_was_away_asks_the_node_of_a_pod_that_went_meanwhile() {
    let world = World::new("away").await;
    let first = operator(&world).await;
    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    full(&world, 4).await;
    let noted = |l: &DatabaseLedger| Beside::of(&l.spec).nodes.len() == 3;
    let ledger = world.until("shop", "the nodes are noted", noted).await;
    let nodes = Beside::of(&ledger.spec).nodes;
    first.kill();
    let (uid, entry) = ledger.spec.entries.first_key_value().expect("it holds");
    world.cluster.kubectl(&["delete", "pod", &entry.name, "-n", &world.namespace]).expect("deleted");
    let _second = super::replica(&world, "second").await;
    let apart = |l: &DatabaseLedger| {
        l.spec
            .quarantine
            .get(uid)
            .is_some_and(|kept| kept.node.as_deref() == nodes.get(&**uid).map(|place| &*place.node))
    };
    world.until("shop", "it is kept apart", apart).await;
    world.until("shop", "it counts no longer", |l: &DatabaseLedger| l.spec.quarantine.is_empty()).await;
    world.until("shop", "three run again", |b: &DatabaseBudget| row(b, "api").pods == 3).await;
}

#[tokio::test]
async fn a_container_that_crashed_counts_twice_for_as_long_as_its_queries_may_take() {
    let world = World::new("crashed").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", SIZED_FOR_3).replace("drainSeconds: 1", "drainSeconds: 10")).await;
    until_leasing(&world, "shop").await;
    world.apply(&deployment("api", 1)).await;
    let pods = until_some::<Pod>(world.api(), 1, "pod runs", |pod| {
        pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
    });
    let pod = pods.await.remove(0);
    let mut statuses = json!(pod.status.as_ref().expect("there").container_statuses);
    let now = jiff::Timestamp::now();
    statuses[0]["restartCount"] = 1.into();
    statuses[0]["lastState"] =
        json!({"terminated": {"exitCode": 137, "startedAt": now, "finishedAt": now, "reason": "OOMKilled"}});
    let patch = json!({"status": {"containerStatuses": statuses}}).to_string();
    let crash =
        ["patch", "pod", &pod.name_any(), "-n", &world.namespace, "--subresource=status", "--type=merge", "-p", &patch];
    world.cluster.kubectl(&crash).expect("patched");
    world.until("shop", "it counts twice", |b: &DatabaseBudget| status(b).held == Some(6)).await;
    world.until("shop", "and once again", |b: &DatabaseBudget| status(b).held == Some(3)).await;
}

#[tokio::test]
async fn a_pod_that_closes_slowly_holds_until_it_is_gone() {
    let world = World::new("slow").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    until_leasing(&world, "shop").await;
    let slow = deployment("api", 4).replace(
        "{labels: {app: api}}, spec",
        "{labels: {app: api}, annotations: {fake.dbbudget.dev/terminates: 6s}}, spec",
    );
    assert_ne!(slow, deployment("api", 4));
    world.apply(&slow).await;
    let told = |b: &DatabaseBudget| row(b, "api").pods == 3 && status(b).waiting_pods == Some(1);
    world.until("shop", "three run and one waits", told).await;
    world.cluster.kubectl(&["rollout", "restart", "deployment/api", "-n", &world.namespace]).expect("restarted");
    let judge = super::Judge::of(&world);
    let done = |d: &k8s_openapi::api::apps::v1::Deployment| {
        let status = d.status.clone().unwrap_or_default();
        status.observed_generation == d.metadata.generation && status.updated_replicas == Some(4)
    };
    world.until("api", "it is rolled out as far as there is room", done).await;
    assert!(judge.most() <= 10, "{}", judge.most());
}

#[tokio::test]
async fn jobs_give_back_what_they_held_when_they_are_done_and_migrations_draw_from_the_reserve() {
    let world = World::new("jobs").await;
    let _operator = operator(&world).await;
    let migrate = ("migrate", "{kind: Job}, source: Reserve");
    world.apply(&leasing("shop", "reserve: 3,", &[("api", "{kind: Deployment}, sizeFor: 2"), migrate])).await;
    until_leasing(&world, "shop").await;
    world.apply(&deployment("api", 3)).await;
    let full = |b: &DatabaseBudget| row(b, "api").pods == 2 && status(b).waiting_pods == Some(1);
    world.until("shop", "two run and one waits", full).await;
    world.apply(&job("migrate", "completions: 1")).await;
    let done = |j: &k8s_openapi::api::batch::v1::Job| j.status.as_ref().is_some_and(|s| s.succeeded == Some(1));
    world.until("migrate", "it runs although the rest is full", done).await;
    let returned = |l: &DatabaseLedger| l.spec.entries.len() == 2;
    world.until("shop", "it holds nothing any more", returned).await;
}

fn job(name: &str, more: &str) -> String {
    workload("batch/v1", "Job", name, more)
        .replace(&format!("selector: {{matchLabels: {{app: {name}}}}}, "), "")
        .replace("spec: {terminationGrace", "spec: {restartPolicy: Never, terminationGrace")
}

#[tokio::test]
async fn who_waiting_alone_does_not_help_is_told_what_does() {
    let world = World::new("urgent").await;
    let _operator = operator(&world).await;
    let entries = [("api", "{kind: Deployment}, sizeFor: 1"), ("late", "{kind: Job}"), ("db", "{kind: StatefulSet}")];
    world.apply(&leasing("shop", "", &entries)).await;
    until_leasing(&world, "shop").await;
    world.apply(&deployment("api", 12)).await;
    let full = |b: &DatabaseBudget| status(b).waiting_pods.is_some_and(|n| n > 0) && status(b).held >= Some(9);
    world.until("shop", "it is full", full).await;
    let set = workload("apps/v1", "StatefulSet", "db", "serviceName: db, replicas: 1");
    world.apply(&job("late", "activeDeadlineSeconds: 900")).await;
    world.apply(&set).await;
    let says = |b: &DatabaseBudget, pod: &str, what: &str| {
        status(b).queue.iter().any(|waiting| waiting.pod.starts_with(pod) && waiting.why.contains(what))
    };
    let job = |b: &DatabaseBudget| says(b, "late-", "kubectl patch job late -n ");
    world.until("shop", "the Job's deadline is named", job).await;
    world.until("shop", "the set's pod waits", |b: &DatabaseBudget| says(b, "db-0", "")).await;
    let changed =
        set.replace("metadata: {labels: {app: db}}", "metadata: {labels: {app: db}, annotations: {round: '2'}}");
    world.apply(&changed).await;
    let old = |b: &DatabaseBudget| says(b, "db-0", "kubectl delete pod db-0 -n ");
    world.until("shop", "the pod of the old template is named", old).await;
}
