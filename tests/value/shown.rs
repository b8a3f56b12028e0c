//! What `dbbudget top` and `dbbudget explain` say of objects as a cluster stores them, and what the README shows of it.

use std::process::Command;

use dbbudget::api::DatabaseLedgerSpec;
use dbbudget::api::parse::{Name, stored_ledger};
use dbbudget::budget::ledger::Moment;
use dbbudget::cluster::view::item::RawPod;
use dbbudget::commands::explain::account::{Explained, State, explain};
use dbbudget::commands::explain::{Around, text};
use dbbudget::commands::top::report::report;
use dbbudget::commands::top::{Seen, table};
use serde_json::{Value, json};

/// 2026-11-26 12:00:00 UTC.
const NOW: Moment = Moment(1_795_694_400);
const SHAPE: &str = r#"[{"budget":"shop/db","claim":"shop/api","awaits":true,"containers":[{"name":"api","processes":1,
    "engines":[{"name":"default","count":1,"limit":1,"overflowPercent":40}]}]}]"#;

fn stored() -> Value {
    serde_yaml::from_str(include_str!("shown.yaml")).expect("YAML")
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("an object")
}

fn ledger(stored: &Value) -> DatabaseLedgerSpec {
    stored_ledger(&read(&stored["ledger"])).expect("it can be read")
}

fn around() -> Around {
    let stored = stored();
    let (budget, ledger) = (Some(read(&stored["budget"])), Some(ledger(&stored)));
    Around { name: Name::new("shop", "db"), budget, ledger, broken: None, claims: Vec::new(), unread: None }
}

fn pod(name: &str) -> RawPod {
    let stored = stored();
    let pod = &stored["pods"][name];
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-7d9c5f8b64", "uid": "r", "controller": true}]);
    let mut annotations = json!({});
    if pod["shape"] == true {
        annotations = json!({"dbbudget.dev/shape": SHAPE, "api.dbbudget.dev/db.default.pool": "1", "api.dbbudget.dev/db.default.overflow": "0"});
        if pod["gated"] != true {
            annotations["dbbudget.dev/granted.db"] = "3".into();
            annotations["api.dbbudget.dev/db.default.pool"] = "2".into();
            annotations["api.dbbudget.dev/db.default.overflow"] = "1".into();
        }
    }
    read(&json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": pod["uid"], "annotations": annotations,
            "labels": {"pod-template-hash": "7d9c5f8b64"}, "creationTimestamp": "2026-11-26T11:58:00Z",
            "ownerReferences": if pod["unowned"] == true { json!([]) } else { owner },
        },
        "spec": if pod["gated"] == true { json!({"schedulingGates": [{"name": "dbbudget.dev/lease"}]}) } else { json!({}) },
        "status": {"phase": "Running"},
    }))
}

fn explained(name: &str) -> Explained {
    explain(&pod(name), &[around()], NOW)
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn seen() -> Seen {
    let stored = stored();
    let mut seen = Seen::default();
    seen.budgets.insert(Name::new("shop", "db"), read(&stored["budget"]));
    seen.ledgers.insert(Name::new("shop", "db"), Ok(ledger(&stored)));
    seen.workloads = read(&stored["workloads"]);
    seen
}

#[test]
fn the_readme_shows_what_top_and_explain_say() {
    let readme = include_str!("../../README.md");
    let waits = "api-7d9c5f8b64-q8zrk";
    let shown = [
        ("$ dbbudget top -n shop".to_owned(), table(&report(&seen()), NOW)),
        (format!("$ dbbudget explain pod {waits} -n shop"), text(&explained(waits), NOW)),
    ];
    for (typed, said) in shown {
        let said = plain(&said);
        let (_, after) = readme
            .split_once(&format!("{typed}\n"))
            .unwrap_or_else(|| panic!("the README lacks {typed}, which says\n{said}"));
        assert!(after.starts_with(&said), "the README shows something else for {typed}, which says\n{said}");
    }
}

#[test]
fn who_is_not_shown_in_the_queue_is_told_by_the_ledger() {
    let one = explained("api-7d9c5f8b64-slb2s");
    let waits = one.budgets[0].waits.as_ref().expect("it waits");
    assert_eq!((one.state, waits.place, waits.of), (State::Waits, None, Some(2)));
    assert_eq!(waits.why, "It needs 1, and 0 are free for it.");
    assert!(
        waits.frees.starts_with("shop/nightly-29402-x9k2d, which is gone and counts with 2 until"),
        "{}",
        waits.frees
    );
}

#[test]
fn what_is_held_of_the_reserve_leaves_as_much_free() {
    let mut seen = seen();
    let line = "shop/migration-x5x2v 2 2026-11-26T11:50:00Z source=Reserve".parse().expect("a line");
    let ledger = seen.ledgers.values_mut().next().expect("one").as_mut().expect("it can be read");
    ledger.entries.insert("uid-9".into(), line);
    let of = &report(&seen).budgets[0];
    assert_eq!((of.held, of.free), (Some(9), Some(1)));
}

/// What holds for one that nobody can read is told of it, and of it alone.
#[test]
fn a_ledger_that_cannot_be_read_hides_no_other() {
    let (mut seen, broken) = (seen(), "spec.entries.uid-1: found \"shop/api\": no number of connections");
    seen.ledgers.insert(Name::new("shop", "other"), Err(broken.into()));
    let report = report(&seen);
    assert_eq!((report.budgets[0].held, report.budgets[1].held), (Some(9), None));
    assert_eq!(report.budgets[1].messages[0], format!("Its ledger cannot be read: {broken}."));
    let case = Around { ledger: None, broken: Some(broken.into()), ..around() };
    let explained = |of: &str| explain(&pod(of), std::slice::from_ref(&case), NOW);
    let said = plain(&text(&explained("api-7d9c5f8b64-q8zrk"), NOW));
    assert!(said.contains("why       Its ledger cannot be read.\n") && said.contains(broken), "{said}");
    assert!(!said.contains("place"), "its place is from before: {said}");
    let states = ["api-7d9c5f8b64-4wjgd", "api-7d9c5f8b64-frnf5", "psql"].map(|of| explained(of).state);
    assert_eq!(states, [State::Unread, State::Unread, State::Unclaimed], "whom it does not concern it does not hide");
}

#[test]
fn whoever_has_connections_is_told_by_whom_and_whoever_has_none_what_to_do() {
    let granted = explained("api-7d9c5f8b64-4wjgd");
    assert_eq!(
        (granted.state, granted.budgets[0].connections, granted.workload.as_deref()),
        (State::Granted, Some(3), Some("Deployment/api"))
    );
    let said = plain(&text(&granted, NOW));
    for part in [
        "budget    shop/db, by the claim shop/api\n",
        "granted   3 connections, given 140m ago\n",
        "values    api: overflow 1, pool 2\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let adopted = explained("api-7d9c5f8b64-frnf5");
    assert_eq!(adopted.state, State::Counted);
    assert!(plain(&text(&adopted, NOW)).contains("because   it ran before the ledger began\n"));
    let escaped = explained("api-7d9c5f8b64-wzv6x");
    assert_eq!((escaped.state, escaped.budgets[0].connections), (State::Escaped, Some(15)), "as it is written");
    assert!(plain(&text(&escaped, NOW)).contains("to size   kubectl -n shop rollout restart deployment/api\n"));
    let unclaimed = explained("psql");
    assert_eq!((unclaimed.state, unclaimed.budgets.len()), (State::Unclaimed, 0));
}

#[test]
fn a_budget_that_may_not_be_read_is_no_reason_to_say_nothing() {
    let hidden = Around { budget: None, ledger: None, unread: Some("not yours".into()), ..around() };
    let waits = explain(&pod("api-7d9c5f8b64-q8zrk"), std::slice::from_ref(&hidden), NOW);
    assert_eq!((waits.state, waits.budgets[0].connections), (State::Waits, Some(1)));
    assert!(plain(&text(&waits, NOW)).contains("why       You may not read its budget.\n"));
    assert_eq!(explain(&pod("api-7d9c5f8b64-wzv6x"), std::slice::from_ref(&hidden), NOW).state, State::Unread);
    let gone = Around { unread: None, ..hidden };
    let waits = explain(&pod("api-7d9c5f8b64-q8zrk"), &[gone], NOW);
    assert!(plain(&text(&waits, NOW)).contains("why       Its budget is gone.\n"));
}

#[test]
fn what_machines_read_is_versioned() {
    let top = serde_json::to_value(report(&seen())).expect("JSON");
    assert_eq!((&top["apiVersion"], &top["budgets"][0]["free"]), (&json!("top.dbbudget.dev/v1"), &json!(1)));
    let one = serde_json::to_value(explained("api-7d9c5f8b64-q8zrk")).expect("JSON");
    assert_eq!(
        (&one["apiVersion"], &one["budgets"][0]["waits"]["place"]),
        (&json!("explain.dbbudget.dev/v1"), &json!(1))
    );
}

#[test]
fn kubectl_starts_it_by_another_name_and_a_shell_completes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("kubectl-dbbudget");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dbbudget"), &link).expect("a link");
    let run = |args: &[&str]| {
        let output = Command::new(&link).args(args).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(run(&["explain", "pod", "--help"]).contains("Usage: kubectl dbbudget explain pod [OPTIONS] <NAME>"));
    let script = run(&["completion", "bash"]);
    for command in ["top", "explain", "reserve", "release"] {
        assert!(run(&["--help"]).contains(&format!("\n  {command} ")), "{command}");
        assert!(script.contains(&format!("dbbudget__subcmd__{command}")), "{command}");
    }
}
