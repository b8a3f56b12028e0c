//! Every plan of `tests/plans` against the numbers worked out there by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Parser;
use dbbudget::cli::{Cli, Command};
use dbbudget::commands::plan;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Expected {
    path: Option<String>,
    kustomize: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    exit: u8,
    #[serde(default)]
    budgets: BTreeMap<String, ExpectedBudget>,
    #[serde(default)]
    findings: BTreeSet<String>,
    #[serde(default)]
    may_find: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpectedBudget {
    capacity: Option<Value>,
    verdict: Option<Value>,
    as_written: Option<Value>,
    peak: Option<Value>,
    surge_reserve: Option<Value>,
    #[serde(default)]
    workloads: BTreeMap<String, ExpectedWorkload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExpectedWorkload {
    #[serde(default)]
    processes: BTreeMap<String, Value>,
    #[serde(default)]
    engines: BTreeMap<String, Value>,
    peak_pods: Option<Value>,
    per_pod: Option<Value>,
    wanted: Option<Value>,
    allocated: Option<Value>,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `dbbudget plan` as its command line would.
pub fn plan(arguments: &[String]) -> (u8, String, String) {
    let line = ["dbbudget".to_owned(), "plan".to_owned()].into_iter().chain(arguments.iter().cloned());
    let Command::Plan(args) = Cli::try_parse_from(line).expect("arguments").command else { panic!("no plan") };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let exit = plan::run(&args, &mut std::io::empty(), &mut out, &mut errors).expect("output");
    (exit, String::from_utf8(out).expect("text"), String::from_utf8(errors).expect("text"))
}

fn differences(expected: &Expected) -> Vec<String> {
    let mut arguments = vec!["-o".to_owned(), "json".to_owned()];
    let at = |path: &str| repository().join(path).display().to_string();
    arguments.extend(expected.path.iter().flat_map(|path| ["-f".to_owned(), at(path)]));
    arguments.extend(expected.kustomize.iter().flat_map(|path| ["-k".to_owned(), at(path)]));
    let is_path = |text: &str| repository().join(text).exists() && text.contains('/');
    arguments.extend(expected.args.iter().map(|a| if is_path(a) { at(a) } else { a.clone() }));
    let (exit, out, errors) = plan(&arguments);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{errors}"));
    let mut wrong = Vec::new();
    let mut compare = |what: String, found: &Value, expected: &Value| {
        let subset = match (found, expected) {
            (Value::Object(found), Value::Object(expected)) => expected.iter().all(|(k, v)| found.get(k) == Some(v)),
            _ => found == expected,
        };
        if !subset {
            wrong.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    compare("exit".into(), &exit.into(), &expected.exit.into());
    for (name, budget) in &expected.budgets {
        let found = find(&report["budgets"], name);
        let fields = [("capacity", &budget.capacity), ("verdict", &budget.verdict), ("asWritten", &budget.as_written)];
        for (field, value) in
            fields.into_iter().chain([("peak", &budget.peak), ("surgeReserve", &budget.surge_reserve)])
        {
            if let Some(value) = value {
                compare(format!("{name}.{field}"), &found[field], value);
            }
        }
        for (workload, expected) in &budget.workloads {
            workload_differences(
                &format!("{name}.{workload}"),
                find(&found["workloads"], workload),
                expected,
                &mut compare,
            );
        }
    }
    wrong.extend(finding_differences(&report["findings"], expected));
    wrong
}

/// Findings that must be there and are not, and errors and warnings that are not expected.
fn finding_differences(found: &Value, expected: &Expected) -> Vec<String> {
    let reported = |severities: &[&str]| -> BTreeSet<String> {
        let all = found.as_array().into_iter().flatten();
        let of = all.filter(|f| severities.contains(&f["severity"].as_str().unwrap_or_default()));
        of.map(|f| f["rule"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let missing: Vec<_> = expected.findings.difference(&reported(&["error", "warning", "note"])).cloned().collect();
    let allowed: BTreeSet<String> = expected.findings.union(&expected.may_find).cloned().collect();
    let unexpected: Vec<_> = reported(&["error", "warning"]).difference(&allowed).cloned().collect();
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!("not reported: {}", missing.join(", ")));
    }
    if !unexpected.is_empty() {
        wrong.push(format!("reported: {}\n{found:#}", unexpected.join(", ")));
    }
    wrong
}

fn find<'a>(list: &'a Value, name: &str) -> &'a Value {
    let all = list.as_array().into_iter().flatten();
    all.into_iter().find(|item| item["name"] == name).unwrap_or(&Value::Null)
}

fn workload_differences(
    name: &str,
    found: &Value,
    expected: &ExpectedWorkload,
    compare: &mut dyn FnMut(String, &Value, &Value),
) {
    let fields = [("peakPods", &expected.peak_pods), ("perPod", &expected.per_pod), ("wanted", &expected.wanted)];
    for (field, value) in fields.into_iter().chain([("allocated", &expected.allocated)]) {
        if let Some(value) = value {
            compare(format!("{name}.{field}"), &found[field], value);
        }
    }
    for (container, value) in &expected.processes {
        compare(format!("{name}.{container}.processes"), &find(&found["containers"], container)["processes"], value);
    }
    for (path, value) in &expected.engines {
        let (container, engine) = path.split_once('/').expect("container/engine");
        compare(format!("{name}.{path}"), find(&find(&found["containers"], container)["engines"], engine), value);
    }
}

#[test]
fn all_plans_are_what_was_worked_out_by_hand() {
    let folder = repository().join("tests/plans");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("plans").map(|e| e.expect("entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(files.len() >= 50, "{} plans", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).expect("readable");
        let expected: Expected = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let name = file.file_stem().map(Path::new).expect("name").display().to_string();
        wrong.extend(differences(&expected).into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
