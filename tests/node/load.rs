//! Work for servers: more of it at once than they may have sessions for.

use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::installed::folder;
use crate::patience::PATIENCE;

/// A request: method and path, and a body in JSON where there is one.
pub type Request = (&'static str, &'static str, &'static str);

/// What becomes of a request: all that was answered.
pub type Answer = JoinHandle<std::io::Result<String>>;

/// More requests than a server here may have sessions for.
pub const MANY: usize = 120;

/// Sends as many requests when the server is ready.
pub async fn send(host: &str, port: u16, ready: &'static str, requests: &[Request], count: usize) -> Vec<Answer> {
    until_ready(host, port, ready).await;
    flood(host, port, requests, count).await
}

/// Sends as many requests, answered or not: one by one, so that each of its processes gets some.
pub async fn flood(host: &str, port: u16, requests: &[Request], count: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for request in requests.iter().cycle().take(count).copied() {
        let address = format!("{host}:{port}");
        answers.push(tokio::spawn(async move { ask(&address, request).await }));
        sleep(Duration::from_millis(10)).await;
    }
    answers
}

/// Waits until a server answers.
pub async fn until_ready(host: &str, port: u16, ready: &'static str) {
    let address = format!("{host}:{port}");
    let up = async {
        while !matches!(ask(&address, ("GET", ready, "")).await, Ok(answer) if is_ok(&answer)) {
            sleep(Duration::from_millis(200)).await;
        }
    };
    assert!(timeout(PATIENCE, up).await.is_ok(), "{address}{ready} never answered");
}

/// Sends each of these requests once, and waits for the answers: what a server makes at its first request is made then.
pub async fn once(host: &str, port: u16, requests: &[Request]) {
    for request in requests {
        let answer = timeout(PATIENCE, ask(&format!("{host}:{port}"), *request)).await.expect("it answers");
        assert!(answer.as_ref().is_ok_and(|answer| is_ok(answer)), "{request:?}: {answer:?}");
    }
}

/// Whether an answer has status 200.
pub fn is_ok(answer: &str) -> bool {
    answer.split(' ').nth(1) == Some("200")
}

/// Sends one request.
pub async fn ask(address: &str, (method, path, body): Request) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// How many tasks are sent.
pub const TASKS: u32 = 60;

/// Sends them to a queue, by the program that defines them.
pub fn tasks(program: &[&str], redis: &str) {
    let python = folder().join("web/bin/python");
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/python");
    let mut sent = Command::new(python);
    sent.args(program).current_dir(scripts).stdin(Stdio::null());
    sent.envs([("REDIS_URL", redis), ("REQUESTS", &TASKS.to_string()), ("PYTHONDONTWRITEBYTECODE", "1")]);
    let sent = sent.output().expect("python runs");
    assert!(sent.status.success(), "{program:?}: {}", String::from_utf8_lossy(&sent.stderr));
}
