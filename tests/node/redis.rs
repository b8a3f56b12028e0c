//! A throwaway Redis server, the broker of task queues.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// A server that pods reach.
pub struct Redis {
    host: String,
    port: u16,
    process: Child,
}

impl Redis {
    /// Starts one at an address of this machine.
    pub fn start(host: &str) -> Self {
        let port = TcpListener::bind((host, 0)).expect("a free port").local_addr().expect("bound").port();
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "redis-server", "--bind", host, "--port", &port.to_string()])
            .args(["--protected-mode", "no", "--save", "", "--dir", "/tmp"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is there: tests/prepare installs it");
        Self { host: host.to_owned(), port, process }
    }

    /// As clients name it.
    pub fn url(&self) -> String {
        format!("redis://{}:{}/0", self.host, self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
