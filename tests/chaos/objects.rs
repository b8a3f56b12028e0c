//! The budgets and workloads that chaos is about.

use serde_json::{Value, json};

use crate::deck::Workload;
use crate::installed::folder;

/// Of the budget of real pods, and of the database behind the pooler.
pub const DATABASE: &str = "db";
/// Connections of it at first.
pub const CAPACITY: u32 = 20;
/// Of these, for people.
pub const RESERVE: u32 = 2;
/// Of the budget of fake pods.
pub const CROWD: &str = "crowd";

/// The budget that the pods of a workload draw from.
pub fn budget_of(app: &str) -> Option<&'static str> {
    match app {
        "api" | "web" | "queue" | "task" => Some(DATABASE),
        "crowd" => Some(CROWD),
        _ => None,
    }
}

/// Both.
pub fn budgets() -> String {
    let real = |name: &str, kind: &str, most: u32, more: &str| {
        format!(
            "{{name: {name}, target: {{kind: {kind}}}, {more} containers: [{{processes: {{count: 1}}, engines: [{{client: \
             pgxpool, max: {most}}}]}}]}}"
        )
    };
    let entries = [
        real("api", "Deployment", 3, ""),
        real("web", "Deployment", 3, "priority: 10, minReplicas: 1,"),
        real("queue", "StatefulSet", 2, ""),
        real("task", "CronJob", 1, ""),
    ];
    let crowd = "{name: crowd, target: {kind: Deployment}, containers: [{processes: {count: 1}, engines: [{client: \
                 sqlalchemy-env}]}]}";
    budget(DATABASE, CAPACITY, RESERVE, &entries.join(", ")) + &budget(CROWD, 60, 0, crowd)
}

fn budget(name: &str, capacity: u32, reserve: u32, entries: &str) -> String {
    format!(
        "---\napiVersion: dbbudget.dev/v1alpha1\nkind: DatabaseBudget\nmetadata: {{name: {name}}}\nspec: {{capacity: {{static: \
         {{maxConnections: {capacity}, serverReserved: 0}}}}, reserve: {reserve}, enforcement: Lease, failurePolicy: Fail, \
         drainSeconds: 2, quarantineSeconds: 60, workloads: [{entries}]}}\n"
    )
}

/// All workloads; `at`: role, password, host, port and database, as in a URL.
pub fn workloads(at: &str) -> String {
    let slowly = json!({"preStop": {"sleep": {"seconds": 4}}});
    let all = [
        deployment(Workload::Api, &real("api", at, 10, Some(slowly))),
        deployment(Workload::Web, &real("web", at, 5, None)),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "queue"}, "spec": {
            "serviceName": "queue", "replicas": Workload::Queue.pods().0, "selector": {"matchLabels": {"app": "queue"}},
            "template": real("queue", at, 5, None)}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "task"}, "spec": {
            "schedule": "0 4 1 1 *", "jobTemplate": {"spec": task(at)}}}),
        deployment(Workload::Crowd, &fake("crowd")),
    ];
    all.map(|object| format!("---\n{object}\n")).concat()
}

fn deployment(workload: Workload, template: &Value) -> Value {
    let name = workload.name();
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": workload.pods().0,
        "selector": {"matchLabels": {"app": name}}, "template": template}})
}

/// A pod of the real node: pgxpool, and more queries at once than it may have sessions for.
fn real(app: &str, at: &str, grace: u32, lifecycle: Option<Value>) -> Value {
    let program = folder().join("go").display().to_string();
    let mut container = container(at, &json!([program, "pgxpool"]));
    if let Some(lifecycle) = lifecycle {
        container["lifecycle"] = lifecycle;
    }
    json!({"metadata": {"labels": {"app": app}}, "spec": {"terminationGracePeriodSeconds": grace, "nodeSelector":
        {"kubernetes.io/hostname": "node-1"}, "containers": [container], "volumes": volumes()}})
}

/// What a run of the `CronJob` does: the same for some seconds, and then it is done.
pub fn task(at: &str) -> Value {
    let program = folder().join("go").display().to_string();
    let command = json!(["/bin/sh", "-c", format!("timeout 5 {program} pgxpool; exit 0")]);
    json!({"backoffLimit": 3, "ttlSecondsAfterFinished": 20, "template": {"metadata": {"labels": {"app": "task"}}, "spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 3, "nodeSelector": {"kubernetes.io/hostname": "node-1"},
        "containers": [container(at, &command)], "volumes": volumes()}}})
}

fn container(at: &str, command: &Value) -> Value {
    let mounts: Value = FOLDERS.iter().map(|name| json!({"name": name, "mountPath": format!("/{name}")})).collect();
    let mut mounts = mounts.as_array().expect("a list").clone();
    mounts.push(json!({"name": "installed", "mountPath": folder().display().to_string()}));
    json!({"name": "app", "image": "localhost/pause:1", "imagePullPolicy": "Never", "command": command, "volumeMounts": mounts,
        "env": [{"name": "DATABASE_URL", "value": format!("postgres://{at}?sslmode=disable")}, {"name": "REQUESTS", "value": "6"}]})
}

const FOLDERS: [&str; 4] = ["usr", "lib", "lib64", "bin"];

fn volumes() -> Value {
    let installed = json!({"name": "installed", "hostPath": {"path": folder().display().to_string()}});
    let of = |name: &&str| json!({"name": name, "hostPath": {"path": format!("/{name}")}});
    FOLDERS.iter().map(of).chain([installed]).collect()
}

/// A pod of a fake node. It takes some seconds to end.
fn fake(app: &str) -> Value {
    let env = json!([{"name": "DB_POOL_SIZE", "value": "2"}, {"name": "DB_MAX_OVERFLOW", "value": "1"}]);
    json!({"metadata": {"labels": {"app": app}, "annotations": {"fake.dbbudget.dev/terminates": "2s"}}, "spec": {
        "nodeSelector": {"kwok.x-k8s.io/node": "fake"}, "containers": [{"name": "app", "image": "fake", "env": env}]}})
}
