//! Every rule finds what it is about, at the right line, and is silent where an annotation says so.
//!
//! `tests/findings` has a file for each rule. A line that ends in `# <- SEVERITY RULE: MESSAGE` is one at which that rule
//! must report a message that has this piece in it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dbbudget::assess::Rule;
use serde_json::Value;

use crate::plans::plan;

/// What a line must be reported for.
struct Mark {
    line: usize,
    severity: String,
    rule: String,
    says: String,
}

fn files() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/findings");
    let paths = std::fs::read_dir(folder).expect("findings").map(|entry| entry.expect("entry").path());
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read_to_string(&path).expect("readable"));
    paths.map(read).collect()
}

fn marks(text: &str) -> Vec<Mark> {
    let marked = text.lines().enumerate().filter_map(|(i, line)| Some((i + 1, line.split_once("# <- ")?.1)));
    let mark = |(line, mark): (usize, &str)| {
        let (severity, rest) = mark.split_once(' ').expect("a severity");
        let (rule, says) = rest.split_once(": ").expect("a rule and a message");
        Mark { line, severity: severity.into(), rule: rule.into(), says: says.into() }
    };
    marked.map(mark).collect()
}

fn findings(manifests: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("all.yaml");
    std::fs::write(&file, manifests).expect("written");
    let (_, out, _) = plan(&["-f", &file.display().to_string(), "-o", "json"].map(ToOwned::to_owned));
    let report: Value = serde_json::from_str(&out).expect("JSON");
    report["findings"].as_array().unwrap_or_else(|| panic!("{report:#}\n{manifests}")).clone()
}

#[test]
fn every_rule_finds_its_case_at_its_line() {
    let mut seen = BTreeSet::new();
    for (file, text) in files() {
        let found = findings(&text);
        let marks = marks(&text);
        assert!(!marks.is_empty(), "{file} marks no line");
        for mark in marks {
            let says = |f: &&Value| f["message"].as_str().is_some_and(|m| m.contains(&mark.says));
            let hit = found.iter().find(|f| f["rule"] == mark.rule.as_str() && f["line"] == mark.line).filter(says);
            let hit = hit.unwrap_or_else(|| panic!("{file}:{}: {} is not in {found:#?}", mark.line, mark.rule));
            assert_eq!(hit["severity"], mark.severity.as_str(), "{file}: {hit:#}");
            assert!(hit["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{file}: {hit:#}");
            seen.insert(mark.rule);
        }
    }
    let all: BTreeSet<String> = Rule::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(seen, all, "a rule without a case, or a case without a rule");
}

#[test]
fn an_annotation_silences_a_rule_where_it_stands() {
    for (file, text) in files() {
        let rules: Vec<String> = marks(&text).into_iter().map(|mark| mark.rule).collect();
        let quiet = format!(", annotations: {{dbbudget.dev/ignore: \"other, {}\"}}}}", rules.join(", "));
        let annotated = text.lines().map(|line| {
            let metadata = line.starts_with("metadata: {");
            (if metadata { line.replacen('}', &quiet, 1) } else { line.to_owned() }) + "\n"
        });
        let left = findings(&annotated.collect::<String>());
        assert!(left.iter().all(|f| !rules.iter().any(|rule| f["rule"] == rule.as_str())), "{file}: {left:#?}");
    }
}

#[test]
fn what_is_well_has_no_finding() {
    let manifests = include_str!("../findings/useless-url-parameter.yaml");
    let well = manifests
        .replace("client: pg", "client: sqlalchemy-env")
        .replace("?max=2", "?connect_timeout=10&sslmode=require");
    assert_ne!(well, manifests);
    assert_eq!(findings(&well), Vec::<Value>::new());
}
