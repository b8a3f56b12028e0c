//! The clients, each as it is usually run, and what it is expected to open.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::load::Request;

mod table;
pub use table::cases;

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

/// Where the clients are installed; installs them first.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let prepare = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/prepare");
        let output = Command::new(prepare).output().expect("bash runs");
        assert!(output.status.success(), "tests/clients/prepare: {}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
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
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
        let words = self.command.iter().map(|word| word.replace("{clients}", &clients));
        let command = serde_json::to_string(&words.collect::<Vec<_>>()).expect("JSON");
        let set = [
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("HOME", "/tmp"),
            ("REDIS_URL", redis),
            ("PYTHONPATH", "/clients/python"),
        ];
        let env = set.into_iter().chain(self.env.iter().copied());
        let env =
            env.map(|(name, value)| serde_json::json!({"name": name, "value": value.replace("{at}", at)}).to_string());
        let env = env.collect::<Vec<_>>().join(", ");
        let mounts = [
            ("usr", "/usr", "/usr"),
            ("lib", "/lib", "/lib"),
            ("lib64", "/lib64", "/lib64"),
            ("bin", "/bin", "/bin"),
            ("installed", clients.as_str(), clients.as_str()),
            ("clients", scripts, "/clients"),
        ];
        let mounted = mounts.map(|(name, _, path)| format!("{{name: {name}, mountPath: {path}}}")).join(", ");
        let volumes = mounts.map(|(name, path, _)| format!("{{name: {name}, hostPath: {{path: {path}}}}}")).join(", ");
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{replicas: {replicas}, strategy: {{type: \
             Recreate}}, selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: \
             {{terminationGracePeriodSeconds: 1, containers: [{{name: app, image: 'localhost/pause:1', imagePullPolicy: Never, \
             command: {command}, env: [{env}], volumeMounts: [{mounted}, {{name: tmp, mountPath: /tmp}}]}}], volumes: [{volumes}, {{name: tmp, emptyDir: {{}}}}]}}}}}}\n"
        )
    }
}
