//! Kustomizations, built with what is installed for it.

use std::path::Path;
use std::process::Command;

use crate::manifests::InputError;

/// Names of the file that makes a folder a kustomization.
const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How what it built is called, before the folder's name.
pub const LABEL: &str = "kustomize ";

/// Builds a kustomization: its manifests as one text.
pub fn build(folder: &Path) -> Result<String, InputError> {
    let label = folder.display().to_string();
    let fail =
        |what: String, fix: Option<String>| Err(InputError { file: label.as_str().into(), place: None, what, fix });
    if !folder.is_dir() {
        return fail("there is no such folder".into(), None);
    }
    if !FILES.iter().any(|name| folder.join(name).is_file()) {
        return fail("no kustomization.yaml in this folder".into(), Some(format!("plan its manifests: -f {label}")));
    }
    for (program, verbs) in [("kustomize", &["build"][..]), ("kubectl", &["kustomize"])] {
        match Command::new(program).args(verbs).arg(folder).output() {
            Ok(output) if output.status.success() => {
                return String::from_utf8(output.stdout)
                    .or_else(|_| fail(format!("{program} answered no UTF-8 text"), None));
            }
            Ok(output) => return fail(format!("{program} cannot build it: {}", said(&output.stderr)), None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return fail(format!("{program} does not start: {error}"), None),
        }
    }
    let fix = "install one, or render it elsewhere and use -f".to_owned();
    fail("neither kustomize nor kubectl is installed".into(), Some(fix))
}

/// What kubectl says, without its log line around it: `E1121 … "command failed" err="…"`.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    let inner = text.split_once("err=\"").and_then(|(_, rest)| rest.strip_suffix('"'));
    inner.map_or_else(|| text.trim_start_matches("Error: ").to_owned(), |inner| inner.replace("\\\"", "\""))
}
