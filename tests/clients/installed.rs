//! What `prepare` installs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the clients are installed; installs them first.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let prepare = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/prepare");
        let output = Command::new(prepare).output().expect("bash runs");
        assert!(output.status.success(), "tests/clients/prepare: {}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}
