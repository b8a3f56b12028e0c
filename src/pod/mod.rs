//! A pod on its way to being stored, and what is written into it. Pure: JSON goes in and comes out.
//!
//! | file | question it answers |
//! |---|---|
//! | [`mod@inject`] | what does a pod look like with its shares? |
//! | `settle` | which number does each setting of a container have? |
//! | [`strip`] | and what did it look like without them? |
//! | [`container`] | how is one container's JSON changed? |
//! | [`keys`] | what are annotations and variables of ours called? |
//! | [`pinned`] | what was a pod born with? |
//! | [`grant`] | what is a waiting pod granted? |
//! | [`mod@workloads`] | to which workloads does a pod belong? |
//! | [`patch`] | which operations lead from one to the other, and would the API server take them? |
//!
//! Numbers are bound late. A variable of the container reads an annotation of its pod, so the number is settled when the
//! container starts, and the environment need not be known to whoever decides it.

pub mod container;
pub mod grant;
pub mod inject;
pub mod keys;
pub mod patch;
pub mod pinned;
mod settle;
pub mod strip;
pub mod workloads;

#[cfg(test)]
mod tests;

pub use inject::{Drawn, inject, write_down};
pub use workloads::workloads;
