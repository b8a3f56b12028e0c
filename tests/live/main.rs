//! Tests on a real API server, and where it matters a real PostgreSQL. `tests/cluster` starts the former; with
//! `DBBUDGET_TEST_KUBECONFIG` an existing cluster is used. Nothing is skipped: what cannot start fails.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // How tests fail.

mod answers;
mod certificate;
mod claims;
mod cluster;
mod commands;
mod crowd;
mod cut_off;
mod election;
mod events;
mod injection;
mod late;
mod leases;
mod metrics;
mod numbers;
mod operator;
mod patience;
mod permissions;
mod postgres;
mod refusals;
mod release;
mod replicas;
mod restarts;
mod scaling;
mod things;
mod world;
