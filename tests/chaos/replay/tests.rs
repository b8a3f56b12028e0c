//! Each rule, by the smallest record that breaks it.

use serde_json::{Value, json};

use super::*;

/// A pod of `api` that may hold 2; `more` is laid over it.
fn pod(more: &Value) -> Box<k8s_openapi::api::core::v1::Pod> {
    let mut pod = json!({"metadata": {"name": "api-1", "uid": "u", "labels": {"app": "api"}, "annotations":
        {"app.dbbudget.dev/db.default.limit": "2"}}, "spec": {"nodeName": "node-1", "containers": []}, "status": {}});
    json_patch::merge(&mut pod, more);
    Box::new(serde_json::from_value(pod).expect("a pod"))
}

fn runs() -> Change {
    Change::Pod(pod(&json!({})))
}

fn ended() -> Change {
    let stopped = json!([{"name": "app", "image": "x", "imageID": "x", "ready": false, "restartCount": 0, "state":
        {"terminated": {"exitCode": 0}}}]);
    Change::Pod(pod(&json!({"status": {"phase": "Succeeded", "containerStatuses": stopped}})))
}

/// A ledger of 4 connections with entries (`UID CONNECTIONS ORIGIN`, and what else their lines have).
fn ledger(entries: &[(&str, i32, &str)]) -> Change {
    ledger_of(4, entries)
}

fn ledger_of(allocatable: i32, entries: &[(&str, i32, &str)]) -> Change {
    let entry = |(uid, connections, origin): &(&str, i32, &str)| {
        ((*uid).to_owned(), format!("n/{uid} {connections} 2026-11-26T09:40:00Z origin={origin}").into())
    };
    let entries: serde_json::Map<String, Value> = entries.iter().map(entry).collect();
    let spec = json!({"phase": "Leasing", "allocatable": allocatable, "reserve": 0, "budgetGeneration": 1, "entries": entries});
    Change::Ledger("db".into(), Box::new(serde_json::from_value(spec).expect("a ledger")))
}

/// What is wrong with these changes, in this order.
fn wrong(changes: Vec<Change>) -> Vec<String> {
    replay((1..).zip(changes).collect()).wrong
}

const GRANTED: (&str, i32, &str) = ("u", 2, "Granted");

#[test]
fn a_pod_that_is_granted_runs_and_ends_is_fine() {
    let fine = vec![ledger(&[]), ledger(&[GRANTED]), runs(), ended(), ledger(&[])];
    assert_eq!(wrong(fine), [] as [&str; 0]);
}

#[test]
fn a_pod_without_an_entry_is_seen() {
    assert!(wrong(vec![ledger(&[]), runs()])[0].contains("has no entry"));
    assert!(wrong(vec![ledger(&[("u", 1, "Granted")]), runs()])[0].contains("its entry says 1"));
}

#[test]
fn an_entry_that_leaves_too_early_is_seen() {
    assert!(wrong(vec![ledger(&[GRANTED]), runs(), ledger(&[])])[0].contains("dropped the entry of api-1, which runs"));
    let vanished = vec![ledger(&[GRANTED]), runs(), Change::PodGone(pod(&json!({}))), ledger(&[])];
    assert!(wrong(vanished)[0].contains("which nobody saw end"));
}

#[test]
fn a_grant_that_does_not_fit_is_seen() {
    let more = [GRANTED, ("v", 3, "Granted")];
    assert!(wrong(vec![ledger(&[GRANTED]), ledger(&more)])[0].contains("5 of 4, with grants to [\"v\"]"));
    let fact = [GRANTED, ("v", 3, "Drain until=2026-11-26T09:50:00Z")];
    assert_eq!(wrong(vec![ledger(&[GRANTED]), ledger(&fact)]), [] as [&str; 0], "a fact is a fact");
    assert_eq!(wrong(vec![ledger(&[GRANTED]), ledger_of(1, &[GRANTED])]), [] as [&str; 0], "so is a lowered capacity");
    assert!(wrong(vec![ledger(&[GRANTED]), ledger(&[("u", 5, "Granted")])]).iter().any(|w| w.contains("has changed")));
}

#[test]
fn a_pod_that_escaped_is_seen() {
    assert!(wrong(vec![ledger(&[]), ledger(&[("u", 2, "Escaped")])])[0].contains("u got into db as Escaped"));
}
