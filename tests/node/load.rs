//! Work for servers: more of it at once than they may have sessions for.

use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::clients::folder;
use crate::world::PATIENCE;

/// A request: method and path, and a body in JSON where there is one.
pub type Request = (&'static str, &'static str, &'static str);

/// Sends each of these requests many times when the server is ready, answered or not: one by one, so that each of its
/// processes gets some.
pub async fn send(host: &str, port: u16, ready: &'static str, requests: &[Request]) {
    let address = format!("{host}:{port}");
    let up = async {
        while !matches!(ask(&address, ("GET", ready, "")).await.as_deref(), Ok(answer) if answer.contains(" 200 ")) {
            sleep(Duration::from_millis(200)).await;
        }
    };
    assert!(timeout(PATIENCE, up).await.is_ok(), "{address}{ready} never answered");
    for request in requests.iter().cycle().take(120).copied() {
        let address = address.clone();
        tokio::spawn(async move { drop(ask(&address, request).await) });
        sleep(Duration::from_millis(10)).await;
    }
}

async fn ask(address: &str, (method, path, body): Request) -> std::io::Result<String> {
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

/// Sends as many tasks to a queue, by the program that defines them.
pub fn tasks(program: &str, redis: &str) {
    let python = folder().join("web/bin/python");
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/python");
    let mut sent = Command::new(python);
    sent.arg(program).current_dir(scripts).stdin(Stdio::null());
    sent.envs([("REDIS_URL", redis), ("REQUESTS", "60"), ("PYTHONDONTWRITEBYTECODE", "1")]);
    let sent = sent.output().expect("python runs");
    assert!(sent.status.success(), "{program}: {}", String::from_utf8_lossy(&sent.stderr));
}
