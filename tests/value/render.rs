//! Shares written into manifests: nothing else changes, a second time changes nothing, and the plan of the outcome fits
//! without dbbudget.

use std::path::Path;
use std::process::{Command, Stdio};

use clap::Parser;
use dbbudget::cli::{Cli, Command as Chosen};
use dbbudget::commands::render;
use serde_json::Value;

use super::plans::plan;

/// Exit status, what was printed, and what was said.
fn rendered(arguments: &[&str], stdin: &str) -> (u8, String, String) {
    let line = ["dbbudget", "render"].into_iter().chain(arguments.iter().copied());
    let Chosen::Render(args) = Cli::try_parse_from(line).expect("arguments").command else { panic!("no render") };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let exit = render::run(&args, &mut stdin.as_bytes(), &mut out, &mut errors).expect("written");
    (exit, String::from_utf8(out).expect("text"), String::from_utf8(errors).expect("text"))
}

/// Renders text, and the outcome once more: nothing changes the second time.
fn twice(text: &str) -> String {
    let (exit, once, said) = rendered(&["-f", "-"], text);
    assert!(exit < 2, "{said}");
    assert_eq!(rendered(&["-f", "-"], &once).1, once, "the second time changes something");
    once
}

const BUDGET: &str = "\
apiVersion: dbbudget.dev/v1alpha1
kind: DatabaseBudget
metadata: {name: shop}
spec:
  capacity: {static: {maxConnections: 9}}   # what RDS gives
  headroom: None
  workloads: [{name: api, target: {kind: Deployment}, client: CLIENT}]
---
";

/// 6 for 2 pods: 3 each.
fn with(client: &str, workload: &str) -> String {
    let budget = BUDGET.replace("CLIENT", client);
    let once = twice(&format!("{budget}{workload}"));
    once.strip_prefix(&budget).unwrap_or_else(|| panic!("the budget was changed: {once}")).to_owned()
}

const HEAD: &str =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  replicas: 2\n  template:\n    spec:\n";

#[test]
fn comments_order_and_quotes_stay() {
    let before = format!(
        "{HEAD}      containers:   # two of them\n        - name: app\n          image: app:1  # pinned\n          command: [uvicorn, app]\n\
         \x20         env:\n            # the pool\n            - name: DB_POOL_SIZE   # by hand\n              value: '20'  # too many\n\
         \x20           - name: LAST\n              value: |\n                two\n                lines\n          # done\n          ports: []\n"
    );
    let after = before.replace("value: '20'  #", "value: \"3\"  #").replace(
        "            # the pool\n",
        "            # the pool\n            - {name: DB_MAX_OVERFLOW, value: \"0\"}\n",
    );
    assert_eq!(with("sqlalchemy-env", &before), after);
}

#[test]
fn what_is_missing_is_added_beside_the_image() {
    let before = format!(
        "{HEAD}      containers:\n        - name: app\n          image: app:1\n          command: [uvicorn, app]\n"
    );
    let lines = "          env:\n            - {name: DB_POOL_SIZE, value: \"3\"}\n            - {name: DB_MAX_OVERFLOW, value: \"0\"}\n";
    let after = before.replace("          command", &format!("{lines}          command"));
    assert_eq!(with("sqlalchemy-env", &before), after);
}

#[test]
fn brackets_stay_brackets() {
    let before = format!(
        "{HEAD}      containers: [{{name: app, command: [uvicorn, app], env: [{{name: A, value: \"b,]\"}}]}}]\n"
    );
    let pair = "{name: DB_POOL_SIZE, value: \"3\"}, {name: DB_MAX_OVERFLOW, value: \"0\"}, ";
    assert_eq!(with("sqlalchemy-env", &before), before.replace("env: [", &format!("env: [{pair}")));
    let bare = format!("{HEAD}      containers: [{{name: app, command: [uvicorn, app]}}]\n");
    let pair = "env: [{name: DB_POOL_SIZE, value: \"3\"}, {name: DB_MAX_OVERFLOW, value: \"0\"}], ";
    assert_eq!(with("sqlalchemy-env", &bare), bare.replace("{name: app", &format!("{{{pair}name: app")));
}

#[test]
fn urls_and_secrets() {
    let seen = format!(
        "{HEAD}      containers:\n        - name: app\n          env:\n            - name: DATABASE_URL # here\n              value: postgres://h/d?a=b # there\n"
    );
    assert_eq!(with("pgxpool", &seen), seen.replace("postgres://h/d?a=b", "\"postgres://h/d?a=b&pool_max_conns=3\""));

    let parameters = "{env: DATABASE_URL, query: Absent, parameters: [{name: pool_max_conns, quantity: Limit}]}";
    let containers = format!("containers: [{{engines: [{{client: pgxpool, inject: {{url: [{parameters}]}}}}]}}]");
    let budget = BUDGET.replace("client: CLIENT", &containers);
    let unseen = format!(
        "{HEAD}      containers:\n        - name: app\n          env:\n            - name: DATABASE_URL\n              valueFrom: {{secretKeyRef: {{name: db, key: url}}}}\n"
    );
    let once = twice(&format!("{budget}{unseen}"));
    assert!(
        once.contains("{name: DBBUDGET_URL_DATABASE_URL, valueFrom: {secretKeyRef: {name: db, key: url}}}"),
        "{once}"
    );
    assert!(once.contains("{name: DATABASE_URL, value: \"$(DBBUDGET_URL_DATABASE_URL)?pool_max_conns=3\"}"), "{once}");
}

#[test]
fn an_anchor_that_others_use_is_not_changed_behind_their_back() {
    let shared = format!(
        "{HEAD}      containers:\n        - name: app\n          command: [uvicorn, app]\n          env: &shared [{{name: DB_POOL_SIZE, value: \"20\"}}]\n        - name: other\n          env: *shared\n"
    );
    let named = BUDGET.replace("client: CLIENT", "containers: [{name: app, engines: [{client: sqlalchemy-env}]}]");
    let (exit, out, said) = rendered(&["-f", "-"], &format!("{named}{shared}"));
    assert_eq!((exit, out.as_str()), (2, ""), "{said}");
    assert!(said.contains("<stdin>:9:1: Deployment default/api") && said.contains("anchor"), "{said}");
}

/// 6 for 1 + 1 pods of one limit, so 3 each; with another maximum for the second, the text cannot mean both.
#[test]
fn an_anchor_that_all_change_in_one_way_is_changed_once() {
    let workload = |name: &str, env: &str| {
        let head = HEAD.replace("name: api", &format!("name: {name}")).replace("replicas: 2", "replicas: 1");
        let document = format!(
            "{head}      containers:\n        - name: app\n          command: [uvicorn, app]\n          env: {env}\n"
        );
        document.replace('\n', "\n  ").replacen("apiVersion", "- apiVersion", 1).trim_end().to_owned() + "\n"
    };
    let env = "[{name: DB_POOL_SIZE, value: \"20\"}, {name: DB_MAX_OVERFLOW, value: \"9\"}]";
    let list = |env: &str| {
        let (api, jobs) = (workload("api", &format!("&e {env}")), workload("jobs", "*e"));
        format!("apiVersion: v1\nkind: List\nitems:\n{api}{jobs}")
    };
    let budget = |second: &str| {
        let second = format!("client: sqlalchemy-env}}, {{name: jobs, target: {{kind: Deployment}}, {second}");
        BUDGET.replace("client: CLIENT", &second)
    };
    let once = twice(&format!("{}{}", budget("client: sqlalchemy-env"), list(env)));
    let after = env.replace("\"20\"", "\"3\"").replace("\"9\"", "\"0\"");
    assert_eq!(once, format!("{}{}", budget("client: sqlalchemy-env"), list(&after)));
    let smaller = budget("containers: [{engines: [{client: sqlalchemy-env, max: 1}]}]");
    let (exit, out, said) = rendered(&["-f", "-"], &format!("{smaller}{}", list(env)));
    assert_eq!((exit, out.as_str()), (2, ""), "{said}");
    assert!(said.contains("Deployment default/jobs") && said.contains("anchor"), "{said}");
}

#[test]
fn the_examples_fit_without_dbbudget_once_they_are_rendered() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples");
    for example in ["astrid-fits", "rag-backend", "ai-dock", "saas-free-tier"] {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["budget.yaml", "workloads.yaml"] {
            std::fs::copy(root.join(example).join(file), folder.path().join(file)).expect("copied");
        }
        let path = folder.path().to_str().expect("UTF-8");
        assert_eq!(rendered(&["-f", path, "--in-place"], ""), (0, String::new(), String::new()), "{example}");
        let before = std::fs::read_to_string(root.join(example).join("workloads.yaml")).expect("text");
        let after = std::fs::read_to_string(folder.path().join("workloads.yaml")).expect("text");
        let comments = |text: &str| text.matches('#').count();
        assert_eq!(comments(&before), comments(&after), "{example}: {after}");
        let (exit, out, _) = plan(&["-f", path, "-o", "json"].map(ToOwned::to_owned));
        let report: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((exit, &report["budgets"][0]["asWritten"]["verdict"]), (0, &Value::from("Fits")), "{example}");
        assert_eq!(rendered(&["-f", path, "--in-place"], ""), (0, String::new(), String::new()));
        assert_eq!(std::fs::read_to_string(folder.path().join("workloads.yaml")).expect("text"), after, "{example}");
    }
}

#[test]
fn what_does_not_fit_is_said_and_exits_1() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/astrid");
    let (exit, out, said) = rendered(&["-f", root.to_str().expect("UTF-8")], "");
    assert_eq!((exit, said.as_str()), (1, "DatabaseBudget astrid/supabase: Infeasible; `dbbudget plan` says why\n"));
    assert!(out.contains("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"), "the smallest pools are written all the same");
}

/// Two files of an example, and the program under its other name.
fn with_function() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let function = folder.path().join("dbbudget-fn");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_dbbudget"), &function).expect("a link");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/rag-backend");
    for file in ["budget.yaml", "workloads.yaml"] {
        std::fs::copy(examples.join(file), folder.path().join(file)).expect("copied");
    }
    (folder, function)
}

/// As kustomize calls a function.
#[test]
fn as_a_function() {
    let (folder, function) = with_function();
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).expect("text");
    let all = format!("{}\n---\n{}", read("budget.yaml"), read("workloads.yaml"));
    let items: Vec<Value> = serde_yaml::from_multiple(&all).expect("objects");
    let list = serde_json::json!({"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items});
    std::fs::write(folder.path().join("list.json"), list.to_string()).expect("written");
    let stdin = std::fs::File::open(folder.path().join("list.json")).expect("there");
    let output = Command::new(&function).stdin(stdin).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_yaml::from_str(&String::from_utf8_lossy(&output.stdout)).expect("YAML");
    assert_eq!(
        (answer["kind"].as_str(), answer["items"].as_array().map(Vec::len)),
        (Some("ResourceList"), Some(items.len()))
    );
    let env = answer["items"].as_array().into_iter().flatten().find(|item| item["kind"] == "Deployment");
    let env = env.and_then(|d| d["spec"]["template"]["spec"]["containers"][0]["env"].as_array()).expect("variables");
    assert!(env.contains(&serde_json::json!({"name": "DB_POOL_SIZE", "value": "5"})), "{env:#?}");
}

/// As a plugin of `kubectl kustomize`, which takes no functions.
#[test]
fn as_a_plugin_of_kubectl_kustomize() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _) = with_function();
    let plugin = folder.path().join("plugins/dbbudget.dev/v1alpha1/shares");
    std::fs::create_dir_all(&plugin).expect("a folder");
    let script = format!("#!/bin/sh\nexec {} render -f -\n", env!("CARGO_BIN_EXE_dbbudget"));
    std::fs::write(plugin.join("Shares"), script).expect("written");
    std::fs::set_permissions(plugin.join("Shares"), PermissionsExt::from_mode(0o755)).expect("executable");
    let shares = "apiVersion: dbbudget.dev/v1alpha1\nkind: Shares\nmetadata: {name: shares}\n";
    std::fs::write(folder.path().join("shares.yaml"), shares).expect("written");
    let kustomization = "resources: [budget.yaml, workloads.yaml]\ntransformers: [shares.yaml]\n";
    std::fs::write(folder.path().join("kustomization.yaml"), kustomization).expect("written");
    let output = Command::new("kubectl")
        .args(["kustomize", "--enable-alpha-plugins", "."])
        .env("KUSTOMIZE_PLUGIN_HOME", folder.path().join("plugins"))
        .current_dir(folder.path())
        .output()
        .expect("kubectl is there: make test builds it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("name: DB_POOL_SIZE\n          value: \"5\""), "{text}");
}

#[test]
fn a_function_that_is_given_something_else_says_so() {
    let (_folder, function) = with_function();
    let output = Command::new(&function).stdin(Stdio::null()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("no ResourceList") && said.contains("severity: error"), "{said}");
}
