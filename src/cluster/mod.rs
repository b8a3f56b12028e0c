//! What is read from and written to the cluster, and to the databases it uses.

pub mod answers;
pub mod certificate;
pub mod confirm;
pub mod lease;
mod one;
pub mod postgres;
pub mod view;
pub mod webhook;
pub mod write;
