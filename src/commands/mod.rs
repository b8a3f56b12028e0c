//! What each command of `dbbudget` does. One room per command, `input` for those that read manifests, and `reach`
//! for those that ask a cluster.

pub mod clients;
pub mod crds;
pub mod explain;
pub mod input;
pub mod plan;
pub mod reach;
pub mod release;
pub mod render;
pub mod reserve;
pub mod run;
pub mod top;
pub mod words;
