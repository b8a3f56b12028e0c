//! What each command of `dbbudget` does. One room per command.

pub mod clients;
pub mod crds;
pub mod plan;
pub mod release;
pub mod render;
pub mod run;
