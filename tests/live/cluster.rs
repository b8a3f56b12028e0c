//! Starting and ending clusters.

use std::env;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// A Kubernetes that runs.
pub struct Cluster {
    kubeconfig: PathBuf,
}

/// One for a single test: to stop parts of it, or to see every request. It ends when it is dropped.
pub struct OwnCluster {
    cluster: Cluster,
    /// Only one test has a cluster of its own at a time: each takes most of a gigabyte.
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// The one that most tests share, each in a namespace of its own. It ends with this process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| {
            let given = env::var_os("DBBUDGET_TEST_KUBECONFIG");
            let cluster = given.clone().map_or_else(Self::start, |path| Self { kubeconfig: path.into() });
            if given.is_none() {
                cluster.control(&["kwok", "2"]); // so that pods start
            }
            cluster.install_crds();
            cluster
        })
    }

    /// A new one. It ends with this process.
    pub fn start() -> Self {
        Self { kubeconfig: up(None) }
    }

    /// The KUBECONFIG of an administrator.
    pub fn kubeconfig(&self) -> Kubeconfig {
        Kubeconfig::read_from(&self.kubeconfig).expect("a readable KUBECONFIG")
    }

    /// The file of it.
    pub fn kubeconfig_file(&self) -> &Path {
        &self.kubeconfig
    }

    /// An administrator. Each test needs its own: connections belong to the runtime that opened them.
    pub async fn client(&self) -> Client {
        client(self.kubeconfig()).await
    }

    /// Standard output and standard error of kubectl.
    pub fn kubectl(&self, args: &[&str]) -> Result<(String, String), String> {
        let beside = self.folder().join("bin/kubectl");
        let program = if beside.exists() { beside } else { "kubectl".into() };
        let mut command = Command::new(program);
        let output = command.arg("--kubeconfig").arg(&self.kubeconfig).args(args).output();
        let output = output.map_err(|error| format!("kubectl does not run: {error}"))?;
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        if output.status.success() { Ok((out, err)) } else { Err(format!("kubectl {args:?}: {out}{err}")) }
    }

    /// Runs a verb of `tests/cluster/cluster`, to stop or start a part, or to add nodes.
    pub fn control(&self, args: &[&str]) {
        let output = script(args).env("CLUSTER_DIR", self.folder()).output().expect("bash runs");
        assert!(output.status.success(), "cluster {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn install_crds(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", &folder.to_string_lossy()];
        let (_, said) = self.kubectl(&apply).unwrap_or_else(|error| panic!("crds/ is refused: {error}"));
        assert!(!said.contains("Warning"), "the API server warns about crds/: {said}");
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "-f", &folder.to_string_lossy()];
        self.kubectl(&established).unwrap_or_else(|error| panic!("crds/ is not served: {error}"));
    }

    /// What belongs to it, the KUBECONFIG of an administrator first of all.
    pub fn folder(&self) -> &Path {
        self.kubeconfig.parent().expect("a file is in a folder")
    }
}

impl OwnCluster {
    /// Starts it.
    pub fn start() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("dbbudget-live-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let own = Self { cluster: Cluster { kubeconfig: up(Some(&env::temp_dir().join(name))) }, _turn: turn };
        own.cluster.install_crds();
        own
    }

    /// Lines of the audit log, one JSON object per finished request.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder().join("audit.log")).expect("an audit log");
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Deref for OwnCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        let down = script(&["down"]).env("CLUSTER_DIR", self.folder()).status();
        if !down.is_ok_and(|status| status.success()) {
            eprintln!("the cluster in {} did not go down; it will when this process ends", self.folder().display());
        }
    }
}

/// A client of a KUBECONFIG.
pub async fn client(kubeconfig: Kubeconfig) -> Client {
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.expect("a usable KUBECONFIG");
    config.default_retry = false;
    provide_tls();
    Client::try_from(config).expect("a client")
}

/// Chooses the TLS library's cryptography for this process, as `dbbudget run` does.
pub fn provide_tls() {
    // An error says that it has been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Starts a cluster that ends with this process, and returns its KUBECONFIG.
fn up(folder: Option<&Path>) -> PathBuf {
    let mut command = script(&["up", "--audit", "--owner", &std::process::id().to_string()]);
    if let Some(folder) = folder {
        command.env("CLUSTER_DIR", folder);
    }
    let output = command.stderr(Stdio::piped()).output().expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "no cluster, and so no test on one: {said}\nset DBBUDGET_TEST_KUBECONFIG to use an existing cluster"
    );
    let out = String::from_utf8_lossy(&output.stdout);
    PathBuf::from(out.lines().last().expect("`cluster up` prints the path of the KUBECONFIG"))
}

fn script(args: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/cluster"));
    command.args(args).stdin(Stdio::null()).env_remove("CLUSTER_DIR");
    command
}
