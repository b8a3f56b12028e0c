//! Tests on a real node: a kubelet, containerd, and dbbudget in pods of its own, installed by Helm. What clients open is
//! counted by a pooler in front of a real PostgreSQL. Nothing is skipped: what cannot start fails.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // How tests fail.
#![allow(dead_code, reason = "each level uses its own part of what tests share")]

mod back;
mod clients;
#[path = "../live/cluster.rs"]
mod cluster;
mod examples;
mod install;
#[path = "../clients/installed.rs"]
mod installed;
mod load;
mod observe;
#[path = "../live/patience.rs"]
mod patience;
mod pooler;
#[path = "../live/postgres.rs"]
mod postgres;
mod redis;
mod release;
mod sessions;
#[path = "../live/things.rs"]
mod things;
mod wire;
#[path = "../live/world.rs"]
mod world;
