//! The commands that people ask a cluster with.

use std::process::{Command, Stdio};
use std::time::Duration;

use dbbudget::api::ledger::Phase;
use dbbudget::api::{DatabaseBudget, DatabaseLedger};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::Value;

use crate::leases::leasing;
use crate::operator::{Operator, dbbudget};
use crate::things::{deployment, row, status};
use crate::world::{World, until_some};

/// Three of six pods have their connections, 3 each, and one connection is left.
async fn three_wait(world: &World<'_>) -> Operator {
    world.install().await;
    let mut operator = Operator::spawn(world, "operator", &["--namespace", &world.namespace, "--adopt-after", "1"]);
    operator.until_ready().await;
    world.apply(&(deployment("api", 0) + &leasing("db", "", &[("api", "{kind: Deployment}, sizeFor: 3")]))).await;
    world.until("db", "shares are published", |b: &DatabaseBudget| !row(b, "api").engines.is_empty()).await;
    world.until("db", "it grants", |ledger: &DatabaseLedger| ledger.spec.phase == Phase::Leasing).await;
    world.apply(&deployment("api", 6)).await;
    let why = "It needs 3, and 0 are free for it.";
    let three = |b: &DatabaseBudget| {
        let queue = status(b).queue;
        queue.len() == 3 && queue.iter().all(|waiting| waiting.why == why)
    };
    world.until("db", "three wait", three).await;
    let runs = |pod: &Pod| pod.spec.iter().all(|spec| spec.scheduling_gates.is_none());
    until_some::<Pod>(world.api(), 3, "pods were let go", runs).await;
    operator
}

/// Names of pods that wait, and of those that do not.
async fn pods(world: &World<'_>) -> (Vec<String>, Vec<String>) {
    let pods = world.api::<Pod>().list(&ListParams::default().labels("app=api")).await.expect("pods").items;
    let waits = |pod: &Pod| pod.spec.iter().any(|spec| spec.scheduling_gates.is_some());
    let (waiting, others): (Vec<Pod>, Vec<Pod>) = pods.into_iter().partition(waits);
    let names = |pods: Vec<Pod>| pods.iter().map(ResourceExt::name_any).collect();
    (names(waiting), names(others))
}

/// What a command says that has to succeed.
fn told(world: &World<'_>, args: &[&str]) -> String {
    let (code, out, said) = dbbudget(world, &[args, &["-n", &world.namespace]].concat());
    assert_eq!(code, 0, "{args:?}: {out}{said}");
    println!("$ dbbudget {}\n{out}{said}", args.join(" "));
    out
}

fn refused(world: &World<'_>, args: &[&str], says: &str) {
    let (code, out, said) = dbbudget(world, &[args, &["-n", &world.namespace]].concat());
    println!("$ dbbudget {}\n{out}{said}", args.join(" "));
    assert!(code == 1 && out.is_empty() && said.contains(says), "{args:?}: {code}: {out}{said}");
}

#[tokio::test]
async fn a_cluster_is_asked_who_holds_what_and_why_others_wait() {
    let world = World::new("asked").await;
    let _operator = three_wait(&world).await;
    let (waiting, running) = pods(&world).await;
    let (waits, runs) = (waiting.first().expect("some wait"), running.first().expect("some do not"));

    let out = told(&world, &["explain", "pod", waits]);
    for part in ["of Deployment/api waits for its connections.", "3 connections, since", "1 of 10", " of 3 that wait"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(out.contains("It needs 3, and 0 are free for it.") && out.contains("The next pod to end, of "), "{out}");
    let json: Value = serde_json::from_str(&told(&world, &["explain", "pod", waits, "-o", "json"])).expect("JSON");
    assert_eq!((&json["state"], &json["budgets"][0]["connections"]), (&"Waits".into(), &3.into()));

    let out = told(&world, &["explain", "pod", runs]);
    for part in ["has its connections.", "by the claim", "3 connections, given", "app: overflow 0, pool 3"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    refused(&world, &["explain", "pod", &format!("{runs}x")], &format!("did you mean {runs}"));
    refused(&world, &["explain", "pod", "zookeeper"], "which has 6 others");
    let plain =
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: plain}\nspec: {containers: [{name: app, image: x}]}\n";
    world.apply(plain).await;
    assert!(told(&world, &["explain", "pod", "plain"]).contains("no claim is about it"));

    let out = told(&world, &["top"]);
    let row =
        |words: &str| out.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(words));
    assert!(row(&format!("{}/db Lease, Leasing 10 9 1 9 3 (3 wait)", world.namespace)), "{out}");
    assert!(row("Deployment/api 9") && row(&format!("{runs} 3 Granted")) && row(&format!("{waits} 3")), "{out}");
    let json: Value = serde_json::from_str(&told(&world, &["top", "db", "-o", "json"])).expect("JSON");
    assert_eq!((&json["budgets"][0]["free"], &json["budgets"][0]["holders"][0]["pods"]), (&1.into(), &3.into()));
    refused(&world, &["top", "nothing"], "which has");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_it_follows_what_happens() {
    let world = World::new("followed").await;
    let _operator = three_wait(&world).await;
    let top = format!("timeout --foreground -s INT 12 {} top -n {}", env!("CARGO_BIN_EXE_dbbudget"), world.namespace);
    let mut command = Command::new("script"); // a terminal
    command.args(["-qec", &top, "/dev/null"]).env("KUBECONFIG", world.cluster.kubeconfig_file()).stdin(Stdio::null());
    let terminal = command.stdout(Stdio::piped()).spawn().expect("a terminal");
    tokio::time::sleep(Duration::from_secs(3)).await; // until it has drawn
    told(&world, &["reserve", "1", "--for", "30m", "--name", "psql"]);
    let shown = terminal.wait_with_output().expect("it ends");
    let shown = String::from_utf8_lossy(&shown.stdout);
    let (before, after) = shown.split_once("psql").unwrap_or_else(|| panic!("it does not follow: {shown}"));
    assert!(
        before.starts_with("\x1b[?1049h") && before.contains("\x1b[33m") && before.contains("Deployment/api"),
        "{shown}"
    );
    assert!(after.contains("until ") && after.ends_with("\x1b[?1049l"), "the terminal is as it was before: {shown}");
}

#[tokio::test]
async fn people_keep_connections_for_a_while() {
    let world = World::new("kept").await;
    let _operator = three_wait(&world).await;
    let held = |n| move |b: &DatabaseBudget| status(b).held == Some(n);

    let out = told(&world, &["reserve", "1", "--for", "30m", "--name", "psql"]);
    assert!(out.starts_with(&format!("1 connection of {}/db kept as psql until ", world.namespace)), "{out}");
    world.until("db", "it is counted", held(10)).await;
    assert!(told(&world, &["top"]).contains("until "));
    refused(&world, &["reserve", "1", "--for", "30m", "--name", "more", "--timeout", "2s"], "0 of 10 are free");
    refused(
        &world,
        &["reserve", "2", "--for", "30m", "--name", "psql", "--timeout", "2s"],
        "nothing more is kept: after ",
    );
    let kept = world.get::<DatabaseLedger>("db").await.spec;
    let kept: Vec<&str> = kept.entries.keys().filter(|key| key.starts_with("reserved/")).map(String::as_str).collect();
    assert!(matches!(kept[..], [key] if key.starts_with("reserved/psql/1/")), "what was kept is kept on: {kept:?}");

    told(&world, &["reserve", "--release", "--name", "psql"]);
    world.until("db", "it is given back", held(9)).await;
    let budget = world.get::<DatabaseBudget>("db").await;
    assert!(!budget.annotations().contains_key("dbbudget.dev/reserved"), "{:?}", budget.annotations());
    for another in [false, true] {
        let bin = env!("CARGO_BIN_EXE_dbbudget");
        let mut command = Command::new("timeout");
        command.args(["--preserve-status", "-s", "INT", "4", bin, "reserve", "5", "--for", "30m", "--name", "psql"]);
        command.args(["-n", &world.namespace]).env("KUBECONFIG", world.cluster.kubeconfig_file());
        let waiting = command.stderr(Stdio::piped()).spawn().expect("it waits");
        let asked = |b: &DatabaseBudget| b.annotations().contains_key("dbbudget.dev/reserved");
        world.until("db", "it is asked for", asked).await;
        if another {
            told(&world, &["reserve", "1", "--for", "30m", "--name", "psql"]);
        }
        let stopped = waiting.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&stopped.stderr);
        assert!(stopped.status.code() == Some(1) && said.contains("stopped: it is not asked for any more"), "{said}");
        assert_eq!(asked(&world.get::<DatabaseBudget>("db").await), another, "only what it has asked for itself");
    }
    told(&world, &["reserve", "1", "--for", "10s", "--name", "psql"]);
    world.until("db", "it is counted", held(10)).await;
    world.until("db", "its end has come", held(9)).await;
    world.apply(&crate::things::budget("other", "", &[])).await;
    refused(&world, &["reserve", "1", "--for", "30m"], "has several budgets; say which one: db, other");
    refused(&world, &["reserve", "1", "--for", "30m", "other"], "does not lease (enforcement Observe)");
}
