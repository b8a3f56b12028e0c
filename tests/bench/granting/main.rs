//! Granting beside the floor, on a cluster that `run` starts: pods per second in bursts, latency when pods come one by one,
//! from a release to the next grant, API writes and CPU a pod, and what dbbudget takes while it holds many.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::cast_precision_loss)] // How benches fail, and figures for people.

mod cost;
mod floor;
mod load;
mod seen;

use std::time::Duration;

use cost::{Cost, Process};
use kube::Client;
use load::Load;
use seen::{Seen, quantiles};

const BURSTS: [u32; 3] = [100, 500, 2_000];
/// Both sides in turn, so often: one burst alone says little on a machine that the control plane shares.
const ROUNDS: usize = 3;
/// One pod each, so that none waits for another.
const PACE: Duration = Duration::from_millis(100);
const PACED: u32 = 200;
const RELEASES: u32 = 50;
/// Budgets that hold 10 000 pods: a ledger of all of them would be larger than an object may be.
const LEDGERS: u32 = 5;
const EACH: u32 = 2_000;

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default().await.expect("a cluster");
    let phases: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |phase: &str| phases.is_empty() || phases.iter().any(|one| one == phase);
    let seen = Seen::watch(&client);
    println!("nothing held: {}", Process::dbbudget().at_rest().await);
    let floor = Load::floor(&client, "floor").await;
    floor::run(&client, "floor");
    let leased = Load::leased(&client, "leased", 100_000, &["load"]).await;
    if wants("bursts") {
        println!("\nbursts: as one ReplicaSet makes them, medians of {ROUNDS} rounds");
        for pods in BURSTS {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                rounds.push((burst(&leased, &seen, pods).await, burst(&floor, &seen, pods).await));
            }
            beside(pods, &rounds);
        }
    }
    if wants("paced") {
        println!("\npaced: {PACED} pods, one each {} ms, ms from pod seen to gate gone", PACE.as_millis());
        let bare = paced(&floor, &seen).await;
        let ours = paced(&leased, &seen).await;
        println!("  floor     p50 {:.1}  p99 {:.1}", bare.0, bare.1);
        println!("  dbbudget  p50 {:.1}  p99 {:.1}  ({:.2} × p50)", ours.0, ours.1, ours.0 / bare.0);
    }
    if wants("release") {
        release(&client, &seen).await;
    }
    if wants("held") {
        held(&client, &seen).await;
    }
}

/// What one burst took.
struct Burst {
    per_second: f64,
    cost: Cost,
}

impl Burst {
    /// Milliseconds of the API server's CPU.
    fn api_server(&self) -> f64 {
        self.cost.api_server * 1_000.0
    }
}

fn beside(pods: u32, rounds: &[(Burst, Burst)]) {
    let n = f64::from(pods);
    let median = |of: fn(&(Burst, Burst)) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let ratio = median(|(ours, bare)| ours.per_second / bare.per_second);
    let [ours, bare] = [median(|(ours, _)| ours.per_second), median(|(_, bare)| bare.per_second)];
    println!("{pods:>5} pods: {ours:.0} pods/s, the floor {bare:.0}: {ratio:.2} of it");
    let ratio = median(|(ours, bare)| ours.api_server() / bare.api_server());
    let [ours, bare] = [median(|(ours, _)| ours.api_server()), median(|(_, bare)| bare.api_server())];
    println!("       API server {:.1} ms CPU a pod, the floor {:.1}: {ratio:.2} ×", ours / n, bare / n);
    println!("       dbbudget {:.2} ms CPU a pod", median(|(ours, _)| ours.cost.dbbudget) * 1_000.0 / n);
    println!("       {:.2} writes a pod", median(|(ours, _)| ours.cost.writes) / n);
}

async fn burst(load: &Load, seen: &Seen, pods: u32) -> Burst {
    seen.forget(&load.namespace);
    let before = Cost::so_far().await;
    load.scale("load", pods).await;
    seen.until(&load.namespace, "all run", |of| of.running() == pods as usize).await;
    let cost = Cost::so_far().await.since(&before);
    let took = seen.read(&load.namespace, seen::Pods::first_to_last);
    load.empty("load", seen).await;
    Burst { per_second: f64::from(pods) / took.as_secs_f64(), cost }
}

async fn paced(load: &Load, seen: &Seen) -> (f64, f64) {
    seen.forget(&load.namespace);
    let mut pace = tokio::time::interval(PACE);
    for pods in 1..=PACED {
        pace.tick().await;
        load.scale("load", pods).await;
    }
    seen.until(&load.namespace, "all run", |of| of.running() == PACED as usize).await;
    let latencies = seen.read(&load.namespace, seen::Pods::latencies);
    load.empty("load", seen).await;
    quantiles(latencies)
}

/// 100 connections, 100 pods that have them, and 100 that wait.
async fn release(client: &Client, seen: &Seen) {
    let load = Load::leased(client, "full", 100, &["holder", "waiter"]).await;
    load.scale("holder", 100).await;
    seen.until("full", "100 run", |of| of.running() == 100).await;
    load.scale("waiter", 100).await;
    seen.until("full", "100 wait", |of| of.waiting() == 100).await;
    let (mut from_deleted, mut from_ended) = (Vec::new(), Vec::new());
    for n in 1..=RELEASES {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let open = seen.read("full", seen::Pods::open);
        load.scale("holder", 100 - n).await;
        // Whoever has provably ended may have been replaced before it goes.
        seen.until("full", "the next one is let go", |of| of.open() > open && of.deleted().len() == n as usize).await;
        let (last, (ended, deleted)) = seen.read("full", |of| (of.last_open(), of.deleted()[n as usize - 1]));
        from_deleted.push(last.saturating_duration_since(deleted));
        from_ended.push(last.saturating_duration_since(ended));
    }
    println!(
        "\nrelease to grant: {RELEASES} times one pod of a full budget ends, ms until the next one's gate is gone"
    );
    for (from, latencies) in [("its DELETED event", from_deleted), ("its containers' end", from_ended)] {
        let (p50, p99) = quantiles(latencies);
        println!("  from {from}: p50 {p50:.1}  p99 {p99:.1}");
    }
    load.empty("holder", seen).await;
}

async fn held(client: &Client, seen: &Seen) {
    println!();
    let dbbudget = Process::dbbudget();
    for number in 0..LEDGERS {
        let load = Load::leased(client, &format!("held-{number}"), 100_000, &["load"]).await;
        load.scale("load", EACH).await;
        seen.until(&load.namespace, "all run", |of| of.running() == EACH as usize).await;
        if number == 0 || number + 1 == LEDGERS {
            println!("{} pods held: {}", (number + 1) * EACH, dbbudget.at_rest().await);
        }
    }
}
