//! The clients, each as it is usually run, and what it is expected to open.

use serde_json::{Value, json};

use crate::installed::folder;
use crate::load::Request;

mod table;
pub use table::{MLFLOW, PREFECT, WEB, cases};

/// One client.
pub struct Case {
    /// Its name here, and its Deployment's.
    pub name: &'static str,
    /// What the README calls it, and by what its share is set.
    pub row: &'static str,
    /// Its container in the budget.
    claim: &'static str,
    /// Its command; `{clients}` is the folder of what is installed.
    command: &'static [&'static str],
    /// Its variables; `{at}` is role, password, host, port and database, as in a URL.
    env: &'static [(&'static str, &'static str)],
    /// Who makes it work.
    pub load: Load,
    /// Connections of the database.
    capacity: u32,
    /// Sessions without dbbudget.
    pub as_written: Expected,
    /// Sessions with it.
    pub granted: Expected,
}

/// A number of sessions.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    Exactly(usize),
    /// Where what a program does by itself, and when, is its own matter.
    Between(usize, usize),
}

/// Who makes a client work.
pub enum Load {
    /// It does so itself.
    OfItsOwn,
    /// It is a server.
    Http { port: u16, ready: &'static str, requests: &'static [Request] },
    /// It takes tasks from a queue that this program fills.
    Tasks(&'static str),
}

impl Case {
    /// A budget of its own, and the smallest thing one has to say. Shares are for one pod, whether it runs or not.
    pub fn budget(&self) -> String {
        let Self { name, claim, capacity, .. } = self;
        format!(
            "apiVersion: dbbudget.dev/v1alpha1\nkind: DatabaseBudget\nmetadata: {{name: {name}}}\nspec: {{capacity: {{static: \
             {{maxConnections: {capacity}, serverReserved: 0}}}}, headroom: None, workloads: [{{name: {name}, target: {{kind: \
             Deployment}}, sizeFor: 1, containers: [{claim}]}}]}}\n"
        )
    }

    /// Its Deployment: programs of this machine, seen by a pod through mounts.
    pub fn deployment(&self, replicas: u32, at: &str, redis: &str) -> String {
        let (name, clients) = (self.name, folder().display().to_string());
        let words = self.command.iter().map(|word| word.replace("{clients}", &clients));
        let command = serde_json::to_string(&words.collect::<Vec<_>>()).expect("JSON");
        let env = self.env.iter().map(|(name, value)| json!({"name": name, "value": value.replace("{at}", at)}));
        let env = variables(redis).into_iter().chain(env).collect::<Value>();
        let (mounts, volumes) = mounted();
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{replicas: {replicas}, strategy: {{type: \
             Recreate}}, selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: \
             {{terminationGracePeriodSeconds: 1, containers: [{{name: app, image: '{IMAGE}', imagePullPolicy: Never, command: \
             {command}, env: {env}, volumeMounts: {mounts}}}], volumes: {volumes}}}}}}}\n"
        )
    }
}

/// The one image that the node has.
pub const IMAGE: &str = "localhost/pause:1";

/// What the images of clients would hold: their programs, through mounts of this machine, and a place to write to.
pub fn mounted() -> (Value, Value) {
    let clients = folder().display().to_string();
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
    let folders = [
        ("usr", "/usr", "/usr"),
        ("lib", "/lib", "/lib"),
        ("lib64", "/lib64", "/lib64"),
        ("bin", "/bin", "/bin"),
        ("installed", &clients, &clients),
        ("clients", scripts, "/clients"),
    ];
    let mounts = folders.map(|(name, _, path)| json!({"name": name, "mountPath": path}));
    let volumes = folders.map(|(name, path, _)| json!({"name": name, "hostPath": {"path": path}}));
    let tmp = (json!({"name": "tmp", "mountPath": "/tmp"}), json!({"name": "tmp", "emptyDir": {}}));
    (mounts.into_iter().chain([tmp.0]).collect(), volumes.into_iter().chain([tmp.1]).collect())
}

/// And what they would set.
pub fn variables(redis: &str) -> [Value; 4] {
    let set =
        [("PYTHONDONTWRITEBYTECODE", "1"), ("HOME", "/tmp"), ("REDIS_URL", redis), ("PYTHONPATH", "/clients/python")];
    set.map(|(name, value)| json!({"name": name, "value": value}))
}
