//! Kinds that a cluster learns later: KEDA's and Argo's, and one of somebody's own with a /scale.

use dbbudget::api::DatabaseBudget;

use crate::cluster::OwnCluster;
use crate::operator::Operator;
use crate::things::{budget, budget_is, condition, deployment, row, status, workload};
use crate::world::World;

/// As small as a definition can be; the real ones say much more about the same fields.
pub fn definition(group: &str, version: &str, plural: &str, kind: &str) -> String {
    let singular = kind.to_lowercase();
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.{group}}}\nspec: \
         {{group: {group}, scope: Namespaced, names: {{plural: {plural}, singular: {singular}, kind: {kind}}}, versions: \
         [{{name: {version}, served: true, storage: true, subresources: {{scale: {{specReplicasPath: .spec.replicas, \
         statusReplicasPath: .status.replicas}}}}, schema: {{openAPIV3Schema: {{type: object, \
         x-kubernetes-preserve-unknown-fields: true}}}}}}]}}\n"
    )
}

const SCALED: &str = "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: api}
spec: {scaleTargetRef: {name: api}, maxReplicaCount: 20, triggers: []}
";

#[tokio::test]
async fn kinds_that_appear_later_are_picked_up() {
    let cluster = OwnCluster::start();
    let world = World::on(&cluster, "late").await;
    let workers =
        "  - {apiGroups: [example.com], resources: [workers], verbs: [list, watch]}\n  - apiGroups: [keda.sh]";
    world.install_with(|rbac| rbac.replace("  - apiGroups: [keda.sh]", workers)).await;
    let entries = [
        ("api", "{kind: Deployment}"),
        ("web", "{kind: Rollout}"),
        ("broken", "{kind: Rollout}"),
        ("worker", "{kind: Worker, apiVersion: example.com/v1}"),
    ];
    world.apply(&budget("shop", "", &entries)).await;
    world.apply(&deployment("api", 1)).await;
    let mut operator = Operator::spawn(&world, "operator", &[]);
    operator.until_ready().await;
    let peak = |name: &'static str, pods| move |b: &DatabaseBudget| row(b, name).peak_pods == pods;
    let seen = world.until("shop", "what exists is counted", peak("api", 1)).await;
    assert!(budget_is(&seen, "Ready", "Published"), "missing kinds are no error: {seen:#?}");
    let said = condition(&status(&seen).conditions, "Ready").expect("Ready").message.clone();
    assert!(said.contains("web") && said.contains("worker"), "{said}");

    for (group, version, plural, kind) in [
        ("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject"),
        ("argoproj.io", "v1alpha1", "rollouts", "Rollout"),
        ("example.com", "v1", "workers", "Worker"),
    ] {
        let text = definition(group, version, plural, kind);
        world.apply(&text).await;
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", &format!("{plural}.{group}")];
        cluster.kubectl(&established).expect("established");
    }
    world.apply(SCALED).await;
    let strategy = "strategy: {canary: {maxSurge: many}}, replicas: 3";
    world.apply(&workload("argoproj.io/v1alpha1", "Rollout", "broken", strategy)).await;
    world.apply(&workload("argoproj.io/v1alpha1", "Rollout", "web", "strategy: {canary: {}}, replicas: 3")).await;
    world.apply(&workload("example.com/v1", "Worker", "worker", "replicas: 5")).await;
    world.until("shop", "the ScaledObject's maximum counts", peak("api", 20)).await;
    world.until("shop", "the Rollout counts", peak("web", 3)).await;
    let seen = world.until("shop", "the other kind counts", peak("worker", 5)).await;
    assert_eq!(row(&seen, "worker").wanted, Some(15));
    let broken = |b: &DatabaseBudget| row(b, "broken").message.contains("many");
    world.until("shop", "a Rollout that cannot be read is named", broken).await;

    cluster.kubectl(&["delete", "crd", "scaledobjects.keda.sh"]).expect("deleted");
    world.until("shop", "the kind is gone again", peak("api", 1)).await;
}
