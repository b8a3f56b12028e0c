//! A client's process and all that it starts.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::patience::PATIENCE;
use crate::pod::Container;

/// A running client.
pub struct Process {
    leader: Child,
    log: watch::Receiver<Log>,
    _folder: TempDir,
}

/// What it has written.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    ended: bool,
}

/// How the queries of a client ended, in its own words.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    pub ok: usize,
    pub failed: usize,
    pub errors: Vec<String>,
}

impl Process {
    /// Starts one, in an empty folder and with no variables of this process. It ends with the thread that starts it.
    pub fn start(container: &Container, redis: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let python = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/python");
        let (written, write) = std::io::pipe().expect("a pipe");
        let leader = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(&container.words)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", folder.path())
            .envs([("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONPATH", python), ("REDIS_URL", redis)])
            .envs(container.env.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(write.try_clone().expect("a pipe"))
            .stderr(write)
            .spawn()
            .expect("setpriv runs");
        let (tell, log) = watch::channel(Log::default());
        std::thread::spawn(move || {
            for line in BufReader::new(written).lines().map_while(Result::ok) {
                tell.send_modify(|log| log.lines.push(line));
            }
            tell.send_modify(|log| log.ended = true);
        });
        Self { leader, log, _folder: folder }
    }

    /// Waits until its queries have ended, and returns how; nothing when it ended itself instead.
    pub async fn report(&mut self) -> Option<Report> {
        let find = |log: &Log| log.lines.iter().find_map(|line| serde_json::from_str::<Report>(line).ok());
        let waited = timeout(PATIENCE, self.log.wait_for(|log| log.ended || find(log).is_some())).await.is_ok();
        assert!(waited, "it neither reports nor ends:\n{}", self.written());
        find(&self.log.borrow())
    }

    /// Waits until it ends, or says in libpq's words that it cannot connect, and returns whether all was well. MLflow
    /// goes on trying for minutes.
    pub async fn starts_with(&mut self, parameter: &str) -> bool {
        let refusal = format!("invalid connection option \"{parameter}\"");
        let refused = |log: &Log| log.lines.iter().any(|line| line.contains(&refusal));
        let waited = timeout(PATIENCE, self.log.wait_for(|log| log.ended || refused(log))).await.is_ok();
        assert!(waited, "with {parameter} in its URL it starts, or goes on trying:\n{}", self.written());
        let refused = refused(&self.log.borrow());
        !refused && self.leader.wait().expect("ended").success()
    }

    /// The last of what it has written.
    pub fn written(&self) -> String {
        let lines = &self.log.borrow().lines;
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = format!("-{}", self.leader.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.leader.wait();
        if std::thread::panicking() {
            eprintln!("--- the last that it wrote\n{}", self.written());
        }
    }
}
