//! Teams with a budget each, and what the API server asks about their pods.

use kube::core::DynamicObject;
use serde_json::{Value, json};

/// Workloads of each budget.
const CLAIMS: u32 = 10;

/// What the API server asks about a new pod of a Deployment of a team.
pub fn question(team: u32) -> Vec<u8> {
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
pub fn budget(team: u32) -> DynamicObject {
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
