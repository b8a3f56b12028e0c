//! What processes of this machine and the API server's clients have spent.

use std::env::var;
use std::fmt;
use std::fs::read_to_string;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the kernel counts in (`getconf CLK_TCK`, 100 on every Linux that Kubernetes runs on).
const TICKS: f64 = 100.0;
/// So long a process is watched that has nothing to do.
const REST: Duration = Duration::from_secs(10);

/// A process.
pub struct Process(String);

/// What it takes.
pub struct AtRest {
    memory: f64,
    cpu: f64,
}

impl fmt::Display for AtRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dbbudget takes {:.0} MiB, and {:.1} % of a core", self.memory, self.cpu * 100.0)
    }
}

impl Process {
    pub fn dbbudget() -> Self {
        Self(var("DBBUDGET_PID").expect("run by tests/bench/granting/run"))
    }

    fn api_server() -> Self {
        Self(var("APISERVER_PID").expect("run by tests/bench/granting/run"))
    }

    /// Seconds so far.
    fn cpu(&self) -> f64 {
        let stat = read_to_string(format!("/proc/{}/stat", self.0)).expect("it runs");
        let fields = stat.rsplit(')').next().expect("fields").split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / TICKS
    }

    fn memory(&self) -> f64 {
        let status = read_to_string(format!("/proc/{}/status", self.0)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1_024.0
    }

    /// What it takes while nothing happens.
    pub async fn at_rest(&self) -> AtRest {
        tokio::time::sleep(REST).await;
        let before = self.cpu();
        tokio::time::sleep(REST).await;
        AtRest { memory: self.memory(), cpu: (self.cpu() - before) / REST.as_secs_f64() }
    }
}

/// What was spent: seconds of CPU, and dbbudget's writes.
pub struct Cost {
    pub api_server: f64,
    pub dbbudget: f64,
    pub writes: f64,
}

impl Cost {
    pub async fn so_far() -> Self {
        Self { api_server: Process::api_server().cpu(), dbbudget: Process::dbbudget().cpu(), writes: writes().await }
    }

    pub fn since(self, before: &Self) -> Self {
        Self {
            api_server: self.api_server - before.api_server,
            dbbudget: self.dbbudget - before.dbbudget,
            writes: self.writes - before.writes,
        }
    }
}

/// `dbbudget_api_writes_total` of its metrics page.
async fn writes() -> f64 {
    let mut stream = TcpStream::connect(var("DBBUDGET_METRICS").expect("an address")).await.expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: dbbudget\r\nConnection: close\r\n\r\n").await.expect("sent");
    let mut page = String::new();
    stream.read_to_string(&mut page).await.expect("received");
    let lines = page.lines().filter_map(|line| line.strip_prefix("dbbudget_api_writes_total")?.rsplit_once(' '));
    lines.map(|(_, count)| count.parse::<f64>().expect("a number")).sum()
}
