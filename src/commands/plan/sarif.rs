//! A plan as SARIF 2.1.0, which code scanning shows beside the lines.

use serde_json::{Value, json};

use super::report::{Failure, FindingReport, Report};
use crate::assess::Rule;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The findings of a plan.
pub fn log(report: &Report) -> Value {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.as_str(),
                "shortDescription": {"text": rule.describe().trim()},
                "defaultConfiguration": {"level": rule.severity().as_str()},
            })
        })
        .collect();
    run(&rules, &report.findings.iter().map(result).collect::<Vec<_>>())
}

/// Input that could not be read.
pub fn failure(failure: &Failure) -> Value {
    let results: Vec<Value> = failure
        .errors
        .iter()
        .map(|e| {
            let locations: Vec<Value> = e.file.iter().map(|file| location(file, e.line, e.column)).collect();
            json!({"ruleId": "bad-input", "level": "error", "message": {"text": e.message}, "locations": locations})
        })
        .collect();
    run(&[json!({"id": "bad-input", "shortDescription": {"text": "The manifests cannot be read."}})], &results)
}

fn run(rules: &[Value], results: &[Value]) -> Value {
    let driver = json!({"name": "dbbudget", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]})
}

fn result(finding: &FindingReport) -> Value {
    let text = format!("{}: {}\nFix: {}", finding.target, finding.message, finding.fix);
    let locations: Vec<Value> = finding.file.iter().map(|file| location(file, finding.line, finding.column)).collect();
    json!({
        "ruleId": finding.rule,
        "level": finding.severity.as_str(),
        "message": {"text": text},
        "locations": locations,
    })
}

fn location(file: &str, line: Option<u32>, column: Option<u32>) -> Value {
    let region = json!({"startLine": line.unwrap_or(1), "startColumn": column.unwrap_or(1)});
    json!({"physicalLocation": {"artifactLocation": {"uri": file}, "region": region}})
}
