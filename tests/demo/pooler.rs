//! The pooler of `tests/node` by itself, for demos: `pooler FOLDER ADDRESS SERVER LIMIT DATABASE` gives a database as many
//! sessions. It writes into the folder where it listens, and at every change how many sessions the database has, had at most,
//! and refused. SIGHUP makes it count anew.

#![allow(clippy::expect_used, clippy::panic)] // How demos fail.
#![allow(dead_code, reason = "a demo uses a part of what tests have")]

use std::path::Path;

#[path = "../live/patience.rs"]
mod patience;
#[path = "../node/pooler.rs"]
mod pooler;
#[path = "../node/wire.rs"]
mod wire;

use pooler::{Limit, Pooler};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, at, server, limit, database] = &args[..] else {
        panic!("usage: pooler FOLDER ADDRESS SERVER LIMIT DATABASE")
    };
    let at = at.parse().expect("an IP address");
    let pooler = Pooler::start(at, server.parse().expect("an address and a port")).await;
    pooler.limit(database, Limit::Session(limit.parse().expect("a number")));
    let (mut changes, mut anew) = (pooler.changes(), signal(SignalKind::hangup()).expect("a signal"));
    loop {
        let all = changes.borrow_and_update().get(database).map(|pool| pool.all).unwrap_or_default();
        write(folder, "sessions", &format!("{} {} {}", all.now, all.peak, all.refused));
        write(folder, "address", &pooler.address.to_string());
        tokio::select! {
            told = changes.changed() => told.expect("the pooler runs"),
            _ = anew.recv() => pooler.count_anew(database),
        }
    }
}

/// As a whole, so that nobody reads half a line.
fn write(folder: &str, name: &str, line: &str) {
    let (path, new) = (Path::new(folder).join(name), Path::new(folder).join(format!(".{name}")));
    std::fs::write(&new, format!("{line}\n")).and_then(|()| std::fs::rename(&new, &path)).expect("written");
}
