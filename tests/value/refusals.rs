//! `plan` refuses what a real API server refuses, and nothing else: the same files, judged without a server. The live
//! tests hold the server to them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::plans::plan;

/// The API server's words for what a schema forbids, and ours. All other sentences are the same text.
const WORDS: [(&str, &str); 11] = [
    ("should be greater than or equal to ", "expected at least "),
    ("should be less than or equal to ", "expected at most "),
    ("Unsupported value: ", "found "),
    ("Duplicate value", "stands twice"),
    ("should match", "expected"),
    ("should have at least 1 items", "at least 1 is needed"),
    ("should be at least 1 chars long", "is empty"),
    ("may not be more than ", "at most "),
    ("Too many: 201: must have at most 200 items", "has 201 entries, at most 200 are allowed"),
    ("must be of type string", "expected text"),
    ("integer", "number"),
];

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refusals").join(folder);
    let entries = std::fs::read_dir(folder).expect("refusals").map(|e| e.expect("entry").path());
    let mut files: Vec<_> = entries.filter(|f| f.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}

fn planned(file: &Path, beside: Option<&Path>) -> (u8, Vec<Value>) {
    let mut arguments = vec!["-o".to_owned(), "json".to_owned()];
    for path in [Some(file), beside].into_iter().flatten() {
        arguments.extend(["-f".to_owned(), path.display().to_string()]);
    }
    let (exit, out, _) = plan(&arguments);
    let answer: Value = serde_json::from_str(&out).expect("JSON");
    (exit, answer["errors"].as_array().cloned().unwrap_or_default())
}

/// Whether an error stands where its field does: `DatabaseBudget shop: spec.capacity.static.maxConnections: …`.
fn points_at_its_field(error: &Value, text: &str) -> bool {
    let path = error["message"].as_str().and_then(|message| message.split(": ").nth(1)).expect("a path");
    let at = |number: &Value| usize::try_from(number.as_u64().expect("a place")).expect("small") - 1;
    let line = text.lines().nth(at(&error["line"])).unwrap_or_default();
    let found: String = line.chars().skip(at(&error["column"])).collect();
    let field = path.rsplit('.').next().unwrap_or(path);
    // An entry of a list has no name of its own to point at.
    field.ends_with(']') || found.starts_with(&format!("{field}:"))
}

#[test]
fn what_a_server_refuses_is_refused_without_one() {
    let files = files("");
    assert!(files.len() > 150, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).expect("readable");
        let said = text.lines().next().and_then(|line| line.strip_prefix("# refused: ")).expect("what is refused");
        let expected = WORDS.iter().fold(said.to_owned(), |said, (theirs, ours)| said.replace(theirs, ours));
        let (exit, errors) = planned(file, None);
        if exit != 2 {
            wrong.push(format!("{name}: exit {exit}"));
            continue;
        }
        if !errors.iter().any(|e| e["message"].as_str().is_some_and(|message| message.contains(&expected))) {
            wrong.push(format!("{name}: expected {expected:?}, found {errors:#?}"));
        }
        // The name that stands twice there is the default, which is not in the file.
        if name != "engine-unnamed-twice" && !errors.iter().all(|error| points_at_its_field(error, &text)) {
            wrong.push(format!("{name}: not the place of its field: {errors:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_server_accepts_is_accepted_without_one() {
    let beside = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    let budget = "apiVersion: dbbudget.dev/v1alpha1\nkind: DatabaseBudget\nmetadata: {name: beside, namespace: beside}\n\
                  spec: {capacity: {static: {maxConnections: 100}}}\n";
    std::fs::write(beside.path(), budget).expect("writable");
    let refused = files("accepted").into_iter().filter_map(|file| {
        let (exit, errors) = planned(&file, Some(beside.path()));
        (exit == 2 || !errors.is_empty()).then(|| format!("{}: {errors:#?}", file.display()))
    });
    let refused: Vec<_> = refused.collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
