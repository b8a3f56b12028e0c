//! Why a look at a budget or a ledger did not end well, and when it is worth another.

use std::time::Duration;

use thiserror::Error;

use crate::cluster::write::WriteError;

/// Why a look did not end well.
#[derive(Debug, Error)]
pub enum Failure {
    /// Something is not known yet.
    #[error("still waiting for {}", .0.join(", "))]
    Waiting(Vec<String>),
    /// A write failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Another replica writes now.
    #[error("this replica does not lead")]
    NotLeader,
}

impl Failure {
    /// The failure as a metric's label: one of a fixed list. Nothing: it is no error.
    #[must_use]
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Waiting(_) | Self::NotLeader => None,
            Self::Write(error) => Some(error.kind()),
        }
    }

    /// Whether it lasts until somebody mends it.
    #[must_use]
    pub fn needs_help(&self) -> bool {
        matches!(self, Self::Write(error) if error.needs_help())
    }

    /// After which time to try again first; nothing: not at all.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::NotLeader | Self::Write(WriteError::Gone(_)) => None,
            Self::Write(WriteError::Conflict(_)) => Some(Duration::from_millis(100)),
            Self::Waiting(_) | Self::Write(WriteError::TimedOut(_) | WriteError::Failed { .. }) => {
                Some(Duration::from_secs(1))
            }
            Self::Write(_) => Some(Duration::from_secs(10)),
        }
    }
}
