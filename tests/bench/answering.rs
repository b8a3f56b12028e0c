//! The webhook over HTTPS, as the API server asks it: 1 000 reviews of new pods each second with 1 000 budgets known,
//! beside as many that the same server answers with nothing. Each comes in its time whether the one before is answered or
//! not. Own time is the server's, from the last byte of the question to the answer; whole time is the client's.
#![allow(missing_docs, clippy::expect_used, reason = "a program that ends by panicking")]

mod team;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Request;
use dbbudget::admission::server;
use dbbudget::cluster::certificate::Certificate;
use dbbudget::cluster::view::{Shared, item};
use dbbudget::cluster::webhook::{JOBS, PODS};
use dbbudget::serve::health::Readiness;
use dbbudget::serve::metrics::Metrics;
use kube::{Client, Config};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

const BUDGETS: u32 = 1_000;
const PER_SECOND: u32 = 1_000;
const REVIEWS: u32 = 20_000;

/// A server, and a client that asks it.
struct Webhook {
    client: Client,
    metrics: Arc<Metrics>,
}

impl Webhook {
    fn start(shared: &Shared) -> Self {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
        let (chain, secret) = (key.cert.pem(), key.signing_key.serialize_pem());
        let certificate = Certificate { authorities: chain.clone(), chain, key: secret };
        let (kept, certificates) = watch::channel(Some(Arc::new(certificate)));
        let listener = server::listen(([127, 0, 0, 1], 0).into()).expect("an address");
        let port = listener.local_addr().expect("an address").port();
        let (metrics, ready) = (Arc::new(Metrics::default()), Readiness::default());
        let runs = server::run(listener, shared.clone(), metrics.clone(), ready, certificates, std::future::pending());
        tokio::spawn(async move {
            let outcome = runs.await;
            drop(kept);
            outcome
        });
        let mut config = Config::new(format!("https://localhost:{port}").parse().expect("a URL"));
        config.accept_invalid_certs = true;
        Self { client: Client::try_from(config).expect("a client"), metrics }
    }

    /// Asks one question after the other in their time, and answers how long each took.
    async fn ask(&self, path: &'static str, questions: &[Vec<u8>]) -> Vec<Duration> {
        let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut asked = Vec::new();
        for question in questions.iter().cycle().take(REVIEWS as usize) {
            ticks.tick().await;
            let (client, question) = (self.client.clone(), question.clone());
            asked.push(tokio::spawn(async move {
                let started = Instant::now();
                let request = Request::post(path).header("content-type", "application/json");
                let request = request.body(question).expect("a request");
                let answer: serde_json::Value = client.request(request).await.expect("an answer");
                assert_eq!(answer["response"]["allowed"], true);
                assert_eq!(answer["response"]["patch"].is_null(), path != PODS);
                started.elapsed()
            }));
        }
        let mut took = Vec::new();
        for asked in asked {
            took.push(asked.await.expect("answered"));
        }
        took.sort();
        took
    }

    /// Reviews that took the server at most a millisecond, and all, as its own metrics count them.
    fn within_a_millisecond(&self) -> (u32, u32) {
        let page = self.metrics.encode();
        let bucket = |bound: &str| {
            let prefix = format!("dbbudget_admission_duration_seconds_bucket{{le=\"{bound}\"}} ");
            page.lines().find_map(|line| line.strip_prefix(&prefix)?.parse().ok()).expect("a bucket")
        };
        (bucket("0.001"), bucket("+Inf"))
    }
}

fn part(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

/// Memory of this process, server and client together, in MiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).expect("a number") / 1_024
}

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (shared, _notices) = Shared::new();
    for team in 0..BUDGETS {
        shared.change(|view| view.apply(item::budget(team::budget(team))));
    }
    let questions: Vec<_> = (0..BUDGETS).map(team::question).collect();
    let (given, nothing) = (Webhook::start(&shared), Webhook::start(&shared));
    println!("{PER_SECOND} reviews/s, {REVIEWS} each time, {BUDGETS} budgets known");
    let mut medians = Vec::new();
    for round in 1..=3 {
        for (what, webhook, path) in [("given its share", &given, PODS), ("answered with nothing", &nothing, JOBS)] {
            let took = webhook.ask(path, &questions).await;
            let (fast, all) = webhook.within_a_millisecond();
            println!(
                "{round}  {what:22} whole time p50 {:>8.0?}  p99 {:>8.0?}   own time within 1 ms: {:.2} %   memory {} MiB",
                part(&took, 50),
                part(&took, 99),
                f64::from(fast) / f64::from(all) * 100.0,
                memory(),
            );
            medians.push(part(&took, 50).as_secs_f64());
        }
    }
    let sum = |which: usize| medians.iter().skip(which).step_by(2).sum::<f64>();
    println!("ratio of the medians of whole time: {:.2}", sum(0) / sum(1));
}
