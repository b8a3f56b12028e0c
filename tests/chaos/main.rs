//! Everything that may happen to a cluster, in an order that a seed says, and judges that never look away.
//!
//! A real node runs real clients, each of which opens its whole pool and keeps it, behind a pooler that takes as many sessions
//! as the budget says and refuses the next one. Fake nodes make bursts larger. Two replicas of the operator are killed, frozen,
//! and both away; the API server is restarted. Budgets have failure policy Fail, so nothing may escape, and whoever is refused
//! a connection was granted one that was not there.
//!
//! `SEED` chooses the order, `CHAOS_SECONDS` the length. What fails prints its seed, what was done, and what was seen.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // How tests fail.
#![allow(dead_code, reason = "each level uses its own part of what tests share")]

mod actions;
mod bench;
#[path = "../live/cluster.rs"]
mod cluster;
mod deck;
#[path = "../clients/installed.rs"]
mod installed;
mod judge;
mod objects;
#[path = "../live/operator.rs"]
mod operator;
#[path = "../live/patience.rs"]
mod patience;
#[path = "../node/pooler.rs"]
mod pooler;
#[path = "../live/postgres.rs"]
mod postgres;
mod progress;
mod quiet;
mod record;
mod replay;
mod replicas;
mod service;
#[path = "../live/things.rs"]
mod things;
#[path = "../node/wire.rs"]
mod wire;
#[path = "../live/world.rs"]
mod world;

use std::env;
use std::time::{Duration, Instant};

use bench::Bench;
use deck::Deck;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, and no number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_happens_takes_more_than_there_is() {
    let (seed, length) = (number("SEED", 1), Duration::from_secs(number("CHAOS_SECONDS", 60)));
    println!("chaos: SEED={seed} CHAOS_SECONDS={}", length.as_secs());
    let cluster = cluster::OwnCluster::start();
    let mut bench = Bench::start(&cluster).await;
    let (mut deck, end) = (Deck::new(seed), Instant::now() + length);
    while Instant::now() < end {
        let (action, pause) = deck.deal();
        bench.act(action).await;
        bench.wait(pause).await;
    }
    bench.end().await;
}
