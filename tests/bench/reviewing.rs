//! How long the webhook takes for a new pod, from the bytes of the API server's question to those of the answer: the
//! transport is left out. `allowed_as_it_is` is the floor: what any webhook on these libraries takes to let a pod through.
//! An item is a review.
#![allow(missing_docs, clippy::expect_used, reason = "a program that ends by panicking")]

use dbbudget::admission::review::{self, Outcome, Review};
use dbbudget::cluster::view::{View, item};
use divan::Bencher;
use divan::counter::ItemsCount;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse};
use serde_json::{Value, json};

/// Workloads of each budget.
const CLAIMS: u32 = 10;

fn main() {
    divan::main();
}

/// What the API server asks about a new pod of a Deployment of a team.
fn question(team: u32) -> Vec<u8> {
    let pod = include_str!("pod.yaml").replace("TEAM", &team.to_string());
    let pod: Value = serde_yaml::from_str(&pod).expect("YAML");
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let request = json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": kind, "resource": resource, "requestKind": kind,
        "requestResource": resource, "namespace": format!("team-{team}"), "operation": "CREATE", "dryRun": false,
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"}, "object": pod,
    });
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    serde_json::to_vec(&review).expect("JSON")
}

/// A budget of a team, with the shares that a leader published.
fn budget(team: u32) -> DynamicObject {
    let entry =
        |i: u32| json!({"name": format!("service-{i}"), "target": {"kind": "Deployment"}, "client": "sqlalchemy-env"});
    let row = |i: u32| {
        json!({
            "name": format!("service-{i}"), "namespace": format!("team-{team}"), "pods": 3, "peakPods": 4, "processes": 2,
            "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": format!("service-{i}")},
            "engines": [{"container": "app", "name": "default", "pool": 2, "overflow": 1, "limit": 3}], "perPod": 6,
        })
    };
    let (entries, rows): (Vec<_>, Vec<_>) = (0..CLAIMS).map(|i| (entry(i), row(i))).unzip();
    serde_json::from_value(json!({
        "apiVersion": "dbbudget.dev/v1alpha1", "kind": "DatabaseBudget",
        "metadata": {"name": "database", "namespace": format!("team-{team}"), "resourceVersion": "1", "generation": 1,
            "uid": format!("00000000-0000-0000-0000-{team:012}"), "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"capacity": {"static": {"maxConnections": 4000}}, "enforcement": "Inject", "workloads": entries},
        "status": {"observedGeneration": 1, "workloads": rows},
    }))
    .expect("an object")
}

/// One review, from bytes to bytes.
fn answered(view: &View, bytes: &[u8]) -> (Vec<u8>, Outcome) {
    let review: Review = serde_json::from_slice(bytes).expect("a review");
    let (answer, outcome) = review::pod(review, |draws| draws(view));
    (serde_json::to_vec(&answer).expect("JSON"), outcome)
}

fn measure(bencher: Bencher, budgets: u32, team: u32, expected: Outcome) {
    let mut view = View::default();
    for team in 0..budgets {
        view.apply(item::budget(budget(team)));
    }
    let bytes = question(team);
    assert_eq!(answered(&view, &bytes).1, expected);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| answered(&view, &bytes));
}

#[divan::bench]
fn allowed_as_it_is(bencher: Bencher) {
    let bytes = question(0);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let review: Review = serde_json::from_slice(&bytes).expect("a review");
        let request: AdmissionRequest<DynamicObject> = review.try_into().expect("a request");
        serde_json::to_vec(&AdmissionResponse::from(&request).into_review())
    });
}

#[divan::bench(args = [1, 100, 1_000, 10_000])]
fn given_its_share(bencher: Bencher, budgets: u32) {
    measure(bencher, budgets, budgets / 2, Outcome::Injected);
}

#[divan::bench(args = [1_000])]
fn of_nobody(bencher: Bencher, budgets: u32) {
    measure(bencher, budgets, budgets, Outcome::Untouched);
}
