//! What each command of `dbbudget` does. One room per command, and `input` for those that read manifests.

pub mod clients;
pub mod crds;
pub mod input;
pub mod plan;
pub mod release;
pub mod render;
pub mod run;
