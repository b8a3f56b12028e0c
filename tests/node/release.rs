//! dbbudget as people install it: an image, and a release of the chart.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use tokio::sync::{Mutex, MutexGuard};

use crate::cluster::Cluster;

/// The image's name on the node.
const IMAGE: &str = "localhost/dbbudget:test";

/// A cluster with the machine's one real node, and dbbudget's image on it.
pub struct Node {
    pub cluster: Cluster,
}

/// One test at a time: there is one node, and releases of one chart share its custom resource definitions.
pub async fn turn() -> MutexGuard<'static, Node> {
    static NODE: OnceLock<Mutex<Node>> = OnceLock::new();
    NODE.get_or_init(|| Mutex::new(Node::start())).lock().await
}

impl Node {
    fn start() -> Self {
        let cluster = Cluster::start();
        cluster.control(&["node"]);
        let archive = tempfile::Builder::new().suffix(".tar").tempfile().expect("a file").into_temp_path();
        let image = root().join("deploy/image");
        let built = Command::new(image).arg(&*archive).args([IMAGE, env!("CARGO_BIN_EXE_dbbudget")]).output();
        let built = built.expect("bash runs");
        assert!(built.status.success(), "deploy/image: {}", String::from_utf8_lossy(&built.stderr));
        cluster.control(&["load", &archive.to_string_lossy()]);
        Self { cluster }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A release of the chart, named after its namespace.
pub struct Release<'a> {
    node: &'a Node,
    pub namespace: String,
}

impl<'a> Release<'a> {
    /// Installs it and waits until it is ready.
    pub fn install(node: &'a Node, namespace: &str, values: &[&str]) -> Self {
        let release = Self { node, namespace: namespace.to_owned() };
        node.cluster.kubectl(&["create", "namespace", namespace]).expect("created");
        let restricted = "pod-security.kubernetes.io/enforce=restricted";
        node.cluster.kubectl(&["label", "namespace", namespace, restricted]).expect("labelled");
        // Definitions that an earlier release left are this one's now.
        release.helm("install", &["--take-ownership"], values);
        release
    }

    /// Upgrades it and waits until that is done.
    pub fn upgrade(&self, values: &[&str]) {
        self.helm("upgrade", &[], values);
    }

    fn helm(&self, verb: &str, flags: &[&str], values: &[&str]) {
        let chart = root().join("charts/dbbudget");
        let (repository, tag) = IMAGE.split_once(':').expect("a tag");
        let image = format!("image.repository={repository},image.tag={tag},image.pullPolicy=Never");
        let mut command = self.command();
        command.args([verb, "dbbudget"]).arg(chart).args(flags).args(["--wait", "--timeout", "120s", "--set", &image]);
        run(command.args(values.iter().flat_map(|value| ["--set", value])));
    }

    fn command(&self) -> Command {
        let mut command = Command::new("helm");
        command.env("KUBECONFIG", self.node.cluster.folder().join("kubeconfig")).args(["--namespace", &self.namespace]);
        command
    }

    /// `helm test`.
    pub fn test(&self) {
        run(self.command().args(["test", "dbbudget", "--timeout", "60s"]));
    }

    /// `helm uninstall`.
    pub fn uninstall(&self) {
        run(self.command().args(["uninstall", "dbbudget", "--wait", "--timeout", "120s"]));
    }

    /// The name of what belongs to the whole cluster.
    pub fn cluster_wide(&self) -> String {
        if self.namespace == "dbbudget" { "dbbudget".into() } else { format!("{}-dbbudget", self.namespace) }
    }

    /// The user that it is.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:dbbudget", self.namespace)
    }
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = ["logs", "-n", &self.namespace, "-l", "app.kubernetes.io/name=dbbudget", "--tail=40"];
            let shown = self.node.cluster.kubectl(&logs);
            eprintln!("--- logs of {}\n{}", self.namespace, shown.map_or_else(|e| e, |(out, err)| out + &err));
        }
        let _ = self.command().args(["uninstall", "dbbudget", "--ignore-not-found"]).output();
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("helm is there: make test builds it");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {out}{err}");
}
