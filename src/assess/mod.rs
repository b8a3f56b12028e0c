//! What fits: budgets, claims and workloads in, numbers and findings out. No I/O; `plan` reads the input from manifests,
//! `run` from a cluster.
//!
//! | file | question it answers |
//! |---|---|
//! | [`snapshot`] | what is known of the world at one moment? |
//! | [`claims`] | which workloads draw from a budget, and who is refused? |
//! | [`shape`] | what does each pod hold, and which of its numbers stand where? |
//! | [`capacity`] | what is there to divide? |
//! | [`assessment`] | the answer for one budget |
//! | [`finding`] | what people should know, and what to do |
//! | [`injection`] | what is set in a container for its share? |
//! | [`settings`] | what carries a share into a container, and what cannot be carried? |
//! | [`rules`] | which findings there are |

pub mod assessment;
pub mod capacity;
pub mod claims;
pub mod finding;
pub mod injection;
pub mod rules;
pub mod settings;
pub mod shape;
pub mod snapshot;

pub use assessment::{Assessment, assess};
pub use capacity::on_server;
pub use finding::{About, Finding, Rule, Severity};
pub use snapshot::Snapshot;
