//! What database servers say when they are asked for their limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;

use crate::api::parse::Name;
use crate::budget::capacity::ServerLimits;

/// A server to be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// The budget that wants to know.
    pub budget: Name,
    /// Secret of the budget's namespace that holds the URL.
    pub secret: String,
    /// Key in it.
    pub key: String,
}

/// The limits, or why they are not known.
pub type Answer = Result<ServerLimits, ProbeError>;

/// Why a server's limits are not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ProbeError {
    /// One of a fixed list, for conditions and metrics.
    pub reason: &'static str,
    /// A sentence for people, without credentials.
    pub message: String,
}

/// The latest answers. A budget that is not in it has not been answered yet.
pub type Answers = watch::Receiver<Arc<BTreeMap<Name, Answer>>>;
