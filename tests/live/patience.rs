//! How long tests wait.

use std::time::Duration;

/// Long enough for a busy machine of two cores; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(90);
