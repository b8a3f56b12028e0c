//! Every client that the catalogue calls measured, run as a plain process against a real PostgreSQL: what it opens as
//! written, what it opens with its share, and what it makes of URL parameters that are not its own. Nothing is skipped:
//! what cannot start fails.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // How tests fail.
#![allow(dead_code, reason = "each level uses its own part of what tests share")]

mod bench;
mod case;
mod installed;
#[path = "../node/load.rs"]
mod load;
#[path = "../live/patience.rs"]
mod patience;
mod pod;
#[path = "../node/pooler.rs"]
mod pooler;
#[path = "../live/postgres.rs"]
mod postgres;
mod process;
#[path = "../node/redis.rs"]
mod redis;
mod table;
#[path = "../node/wire.rs"]
mod wire;

use std::collections::BTreeSet;

use dbbudget::catalogue::{Catalogue, Evidence};

#[tokio::test(flavor = "multi_thread")]
async fn python_libraries() {
    bench::run(table::python()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_libraries() {
    bench::run(table::node()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_of_other_languages() {
    bench::run(table::others()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_queues() {
    bench::run(table::servers()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn applications() {
    bench::run(table::applications()).await;
}

/// So nothing is called measured without a test, and nothing is tested without being called so.
#[test]
fn what_is_called_measured_is_what_is_run() {
    let catalogue = Catalogue::builtin();
    let cases = || table::all().into_iter();
    let run: BTreeSet<String> = cases().map(|case| case.client.to_owned()).collect();
    let measured = catalogue.clients().filter(|client| client.evidence == Evidence::Measured);
    assert_eq!(run, measured.map(|client| client.name.clone()).collect());
    let run: BTreeSet<String> = cases().filter_map(|case| case.pod("", 0).server()).collect();
    let measured = catalogue.servers().filter(|server| server.evidence == Evidence::Measured);
    assert_eq!(run, measured.map(|server| server.name.clone()).collect());
}

/// So no knob is without a test.
#[test]
fn whatever_has_a_knob_is_run_with_a_share() {
    let catalogue = Catalogue::builtin();
    for client in catalogue.clients().filter(|client| client.evidence == Evidence::Measured && client.has_knob()) {
        let shared = table::all().into_iter().any(|case| case.client == client.name && case.share.is_some());
        assert!(shared, "{} has a knob that no case turns", client.name);
    }
}
