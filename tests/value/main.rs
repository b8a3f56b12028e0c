//! Tests that build a value, call a function and compare. No cluster needed; `plan -k` needs kubectl in the PATH.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod arrows;
mod bad_input;
mod bad_objects;
mod config_maps;
mod dividing;
mod findings;
mod house;
mod injection;
mod large_input;
mod plans;
mod refusals;
mod render;
mod scaling;
mod shown;
mod ways_out;
mod workers;
