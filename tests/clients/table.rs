//! Which clients are run, and how. What is expected of them is in the catalogue.

mod applications;
mod libraries;
mod servers;

pub use applications::applications;
pub use libraries::{node, others, python};
pub use servers::servers;

use crate::case::Case;

/// All of them.
pub fn all() -> Vec<Case> {
    [python(), node(), others(), servers(), applications()].concat()
}
