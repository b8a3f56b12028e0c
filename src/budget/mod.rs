//! The arithmetic of connections. Std only: no Kubernetes, no clock, no I/O.
//!
//! | file | question it answers |
//! |---|---|
//! | [`connections`] | what is a number of connections, and what can it not do? |
//! | [`shape`] | what does one pod hold, given the limit of each engine? |
//! | [`rollout`] | how many pods can a workload have at once? |
//! | [`claim`] | what does one workload ask for? |
//! | [`capacity`] | what does the database give, and who takes from it first? |
//! | [`divide`] | how is it shared? |
//! | [`lower`] | which processes are lowered where even the minimums would not fit? |
//! | [`scale`] | which workloads run fewer pods, where their owner allows it? |
//! | [`fit`] | does it fit, and what are the ways out? |
//! | [`ledger`] | who holds what now, and who may be given more? |
//!
//! Words: *pool* = connections one engine keeps, *overflow* = opened on top under load, *limit* = pool + overflow;
//! *engine* = one client-side pool; *process* = one OS process with its own engines; *share* = the limit given.

pub mod capacity;
pub mod claim;
pub mod connections;
pub mod divide;
pub mod fit;
pub mod ledger;
pub mod lower;
pub mod rollout;
pub mod scale;
pub mod shape;
mod ways_out;
