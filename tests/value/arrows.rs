//! Keeps the arrows between the rooms of `src/`: who may use whom.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may use. Whatever is not listed is forbidden.
const ARROWS: [(&str, &[&str]); 12] = [
    ("budget", &[]),
    ("catalogue", &["budget"]),
    ("api", &["catalogue", "budget"]),
    ("workload", &["api", "catalogue", "budget"]),
    ("assess", &["workload", "api", "catalogue", "budget"]),
    ("pod", &["assess", "workload", "api", "catalogue", "budget"]),
    ("manifests", &["assess", "workload", "api", "catalogue", "budget"]),
    ("cluster", &["pod", "assess", "workload", "api", "catalogue", "budget"]),
    ("serve", &["api", "catalogue", "budget"]),
    ("admission", &["serve", "cluster", "pod", "workload", "api", "catalogue", "budget"]),
    ("controller", &["serve", "cluster", "pod", "assess", "workload", "api", "catalogue", "budget"]),
    (
        "commands",
        &[
            "admission",
            "controller",
            "serve",
            "cluster",
            "pod",
            "manifests",
            "assess",
            "workload",
            "api",
            "catalogue",
            "budget",
        ],
    ),
];

fn sources(under: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(under).expect("src is readable").map(|e| e.expect("entry").path()) {
        if entry.is_dir() {
            files.extend(sources(&entry));
        } else if entry.extension().is_some_and(|e| e == "rs") {
            files.push(entry);
        }
    }
    files.sort();
    files
}

/// Rooms that a source file names after `crate::`, also inside `crate::{a::…, b::…}`.
fn rooms_used(text: &str) -> Vec<String> {
    let head = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = Vec::new();
    for after in text.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => rooms.push(head(after)),
            Some(list) => rooms.extend(list.split('}').next().unwrap_or(list).split(',').map(|item| head(item.trim()))),
        }
    }
    rooms
}

#[test]
fn nothing_points_back() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into();
    let mut wrong = Vec::new();
    for file in sources(&src) {
        let place = file.strip_prefix(&src).expect("below src");
        let room = place.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        if ["main.rs", "lib.rs", "cli.rs"].contains(&room.as_str()) {
            continue;
        }
        let may =
            allowed.get(room.as_str()).unwrap_or_else(|| panic!("src/{room} is no room of tests/value/arrows.rs"));
        for used in rooms_used(&fs::read_to_string(&file).expect("readable")) {
            if used != room && allowed.contains_key(used.as_str()) && !may.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", place.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point back:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_needs_the_standard_library_alone() {
    let budget = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/budget");
    for file in sources(&budget) {
        let text = fs::read_to_string(&file).expect("readable");
        for forbidden in ["std::fs", "std::net", "std::time", "std::env", "SystemTime", "Instant", "println!"] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", file.display());
        }
    }
}
