//! `dbbudget run` as people run it: the real binary, with the permissions of the chart and no others.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use kube::config::Kubeconfig;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::{PATIENCE, World};

/// Where it listens if a test says nothing else.
const DEFAULTS: [[&str; 2]; 3] =
    [["--listen", "127.0.0.1:0"], ["--webhook-listen", "127.0.0.1:0"], ["--webhook-url", "https://127.0.0.1:0"]];

/// A running operator.
pub struct Operator {
    process: Child,
    log: watch::Receiver<Log>,
    identity: String,
    _credentials: TempDir,
}

/// What it has said.
#[derive(Default)]
struct Log {
    lines: Vec<serde_json::Value>,
    ended: bool,
}

impl Operator {
    /// Starts one for this world's namespace alone, and waits until it is ready.
    pub async fn start(world: &World<'_>) -> Self {
        let mut operator = Self::spawn(world, "operator", &["--namespace", &world.namespace]);
        operator.until_ready().await;
        operator
    }

    /// Starts one with its permissions, identity and further arguments.
    pub fn spawn(world: &World<'_>, identity: &str, args: &[&str]) -> Self {
        let credentials = TempDir::new().expect("a temporary folder");
        let kubeconfig = credentials.path().join("kubeconfig");
        let text = serde_yaml::to_string(&credentials_of(world)).expect("YAML");
        std::fs::write(&kubeconfig, text).expect("written");
        // Ends with the thread of its test, also when that is killed.
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_dbbudget"), "run", "--log-format", "json"])
            .args(["--identity", identity, "--lease-namespace", &world.namespace])
            .args(["--webhook-name", &world.namespace])
            .args(DEFAULTS.iter().filter(|[flag, _]| !args.contains(flag)).flatten())
            .args(args)
            .env("KUBECONFIG", &kubeconfig)
            .env("RUST_LOG", "info,dbbudget=debug")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the operator runs");
        let (tell, log) = watch::channel(Log::default());
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(serde_json::Value::String(line));
                tell.send_modify(|log| log.lines.push(line));
            }
            tell.send_modify(|log| log.ended = true);
        });
        Self { process, log, identity: identity.into(), _credentials: credentials }
    }

    /// Waits until it is ready, which it may cease to be again.
    pub async fn until_ready(&mut self) {
        let is_ready = |log: &Log| {
            let told = log.lines.iter().rfind(|l| l["message"] == "ready" || l["message"] == "not ready");
            log.ended || told.is_some_and(|line| line["message"] == "ready")
        };
        let wait = async {
            loop {
                drop(self.log.wait_for(is_ready).await.expect("the reader of the log runs"));
                let (status, page) = self.get("/readyz").await;
                if (status, page.as_str()) == (200, "ready\n") {
                    return;
                }
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{} never was ready", self.identity);
    }

    /// Waits until it leads.
    pub async fn until_leads(&mut self) {
        self.until_said("leading").await;
    }

    /// Waits for a message in its log, and returns that line.
    pub async fn until_said(&mut self, message: &str) -> serde_json::Value {
        let find = |log: &Log| log.lines.iter().rfind(|line| line["message"] == message).cloned();
        let waited = timeout(PATIENCE, self.log.wait_for(|log| find(log).is_some() || log.ended)).await;
        let found = waited.ok().and_then(|log| find(&log.expect("the reader of the log runs")));
        found.unwrap_or_else(|| panic!("{} never said {message:?}", self.identity))
    }

    /// Waits for a line with these words.
    pub async fn until_logged(&mut self, words: &str) {
        let find = |log: &Log| log.lines.iter().any(|line| line.to_string().contains(words));
        let waited = timeout(PATIENCE, self.log.wait_for(|log| find(log))).await.is_ok();
        assert!(waited, "{} never logged {words:?}", self.identity);
    }

    /// All lines it has written, as text.
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().lines.iter().map(ToString::to_string).collect()
    }

    /// Status and body of one of its pages.
    pub async fn get(&mut self, path: &str) -> (u16, String) {
        let line = self.until_said("listening").await;
        let address: SocketAddr = line["address"].as_str().expect("an address").parse().expect("an address");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("received");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"), body.to_owned())
    }

    /// A number on its metrics page; nothing when there is no such series.
    pub async fn metric(&mut self, series: &str) -> Option<f64> {
        let (_, page) = self.get("/metrics").await;
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(line.parse().expect("a number"))
    }

    /// Scrapes until a number is as expected. Nobody is told when a metric changes.
    pub async fn until_metric(&mut self, series: &str, is: impl Fn(Option<f64>) -> bool) {
        let mut last = None;
        let scrape = async {
            let mut pause = tokio::time::interval(Duration::from_millis(50));
            loop {
                pause.tick().await;
                last = self.metric(series).await;
                if is(last) {
                    return;
                }
            }
        };
        let waited = timeout(PATIENCE, scrape).await.is_ok();
        assert!(waited, "{series} never was as expected, but {last:?}");
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.process.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "no SIG{name}");
    }

    /// Sends SIGTERM, waits for the end, and returns all it has written.
    pub async fn terminate(mut self) -> (ExitStatus, Vec<String>) {
        self.signal("TERM");
        (self.until_ended().await, self.log())
    }

    /// Sends SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }

    /// Waits until it ends by itself.
    pub async fn until_ended(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.log.wait_for(|log| log.ended)).await.is_ok();
        assert!(ended, "{} does not end", self.identity);
        self.process.wait().expect("ended")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let lines = self.log();
            let last = lines.len().saturating_sub(100);
            eprintln!("--- the last lines of {}\n{}", self.identity, lines[last..].join("\n"));
        }
    }
}

/// Runs another command of it as an administrator: its exit status, and what it writes to standard output and error.
pub fn dbbudget(world: &World<'_>, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbbudget"));
    let output = command.args(args).env("KUBECONFIG", world.cluster.kubeconfig_file()).output();
    let output = output.expect("dbbudget runs");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code().unwrap_or(-1), out, err)
}

/// The service account's.
fn credentials_of(world: &World<'_>) -> Kubeconfig {
    let create = ["create", "token", "dbbudget", "--namespace", &world.namespace, "--duration", "2h"];
    let (token, _) = world.cluster.kubectl(&create).expect("a token of the service account");
    let mut kubeconfig = world.cluster.kubeconfig();
    for user in &mut kubeconfig.auth_infos {
        user.auth_info = Some(kube::config::AuthInfo {
            token: Some(token.trim().to_owned().into()),
            ..kube::config::AuthInfo::default()
        });
    }
    kubeconfig
}
