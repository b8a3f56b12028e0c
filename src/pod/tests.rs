//! Pods before and after: built, injected, compared. Each is injected twice, and the second time nothing changes.

use serde_json::{Value, json};

use super::inject::{Drawn, Injected, inject};
use super::patch::patch;
use crate::api::parse::{self, Budget};
use crate::api::status::{EngineStatus, LoweredStatus, WorkloadStatus};
use crate::api::{DatabaseBudget, check};
use crate::budget::claim::Id;
use crate::workload::Key;

/// A budget of 100 connections named `shop` with one entry, as YAML.
fn budget(entry: &str) -> Budget {
    let yaml = format!(
        "{{apiVersion: dbbudget.dev/v1alpha1, kind: DatabaseBudget, metadata: {{name: shop, namespace: s}}, spec: \
         {{capacity: {{static: {{maxConnections: 100}}}}, workloads: [{entry}]}}}}"
    );
    let checked = check("DatabaseBudget", &serde_yaml::from_str(&yaml).unwrap()).unwrap();
    let raw: DatabaseBudget = serde_json::from_value(checked).unwrap();
    parse::budget(&raw, "s").unwrap()
}

fn pod(container: &str) -> Value {
    serde_yaml::from_str(&format!("{{metadata: {{name: api-1}}, spec: {{containers: [{container}]}}}}")).unwrap()
}

fn key() -> Key {
    Key { group: "apps".into(), kind: "Deployment".into(), namespace: "s".into(), name: "api".into() }
}

/// Injects a published limit for the engine `default`, twice.
fn injected(entry: &str, pod: &Value, limit: Option<i64>) -> Injected {
    let budget = budget(entry);
    let (claim, workload) = (Id { namespace: "s".into(), name: "api".into() }, key());
    let engine = EngineStatus { container: "app".into(), name: "default".into(), limit, ..EngineStatus::default() };
    let row = WorkloadStatus { engines: vec![engine], ..WorkloadStatus::default() };
    let published = limit.map(|_| &row);
    let drawn = [Drawn { budget: &budget, claim: &claim, entry: &budget.entries[0], workload: &workload, published }];
    let once = inject(pod, &drawn).unwrap();
    let twice = inject(&once.pod, &drawn).unwrap();
    assert_eq!(once.pod, twice.pod, "the second look changes something");
    patch(pod, &once.pod).unwrap();
    once
}

fn entry(engine: &str) -> String {
    format!(
        "{{name: api, target: {{kind: Deployment}}, containers: [{{processes: {{count: 1}}, engines: [{engine}]}}]}}"
    )
}

/// The first container.
fn container(injected: &Injected) -> &Value {
    &injected.pod["spec"]["containers"][0]
}

fn annotations(injected: &Injected) -> Value {
    let mut all = injected.pod["metadata"]["annotations"].clone();
    all.as_object_mut().unwrap().remove("dbbudget.dev/shape");
    all
}

fn reads(name: &str, annotation: &str) -> Value {
    let path = format!("metadata.annotations['{annotation}']");
    json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
}

#[test]
fn variables_come_first_and_override_what_the_template_says() {
    let pod = pod("{name: app, env: [{name: A, value: '$(DB_POOL_SIZE)'}, {name: DB_POOL_SIZE, value: '9'}]}");
    let injected = injected(&entry("{client: sqlalchemy-env}"), &pod, Some(5));
    let expected = json!([
        reads("DB_POOL_SIZE", "app.dbbudget.dev/shop.default.pool"),
        reads("DB_MAX_OVERFLOW", "app.dbbudget.dev/shop.default.overflow"),
        {"name": "A", "value": "$(DB_POOL_SIZE)"},
    ]);
    assert_eq!(container(&injected)["env"], expected);
    let expected = json!({"app.dbbudget.dev/shop.default.pool": "5", "app.dbbudget.dev/shop.default.overflow": "0"});
    assert_eq!(annotations(&injected), expected);
    assert_eq!(injected.pinned.0[0].holds().bounded(), Some(5));
}

#[test]
fn while_nothing_is_published_the_smallest_values_are_given() {
    let injected = injected(&entry("{client: sqlalchemy-env, min: 2}"), &pod("{name: app}"), None);
    let expected = json!({"app.dbbudget.dev/shop.default.pool": "2", "app.dbbudget.dev/shop.default.overflow": "0"});
    assert_eq!(annotations(&injected), expected);
}

#[test]
fn what_the_template_keeps_is_pinned_as_it_is() {
    let pod = pod("{name: app, env: [{name: DB_POOL_SIZE, value: '4'}, {name: DB_MAX_OVERFLOW, value: '1'}]}");
    let injected = injected(&entry("{client: sqlalchemy-env, onConflict: Keep}"), &pod, Some(9));
    assert_eq!(container(&injected), &pod["spec"]["containers"][0]);
    assert_eq!(injected.pinned.0[0].holds().bounded(), Some(5));
    let free = self::injected(&entry("{client: sqlalchemy-env, onConflict: Keep}"), &self::pod("{name: app}"), Some(9));
    assert_eq!(free.pinned.0[0].holds().bounded(), Some(9));
}

#[test]
fn what_follows_the_cpus_of_a_node_is_pinned_as_the_leader_counts_it() {
    let entry = entry("{client: pgxpool}");
    for (published, holds) in [(None, 4), (Some(2), 4), (Some(16), 16)] {
        let injected = injected(&entry, &pod(&format!("{{name: app, env: [{FROM_SECRET}]}}")), published);
        assert_eq!(injected.pinned.0[0].holds().bounded(), Some(holds), "published: {published:?}");
    }
}

#[test]
fn a_url_in_plain_sight_is_merged_where_it_stands() {
    let pod = pod(
        "{name: app, env: [{name: PW, value: x}, {name: DATABASE_URL, value: 'postgres://u:$(PW)@h/d?pool_max_conns=9&a=b#c'}]}",
    );
    let injected = injected(&entry("{client: pgxpool}"), &pod, Some(3));
    let env = container(&injected)["env"].as_array().unwrap();
    assert_eq!(env[0], reads("DBBUDGET_SHOP.DEFAULT.LIMIT", "app.dbbudget.dev/shop.default.limit"));
    assert_eq!(env[1]["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name", "connections are named after the pod");
    let url = "postgres://u:$(PW)@h/d?pool_max_conns=$(DBBUDGET_SHOP.DEFAULT.LIMIT)&a=b#c";
    assert_eq!(env.last().unwrap()["value"], url);
}

const FROM_SECRET: &str = "{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: db, key: url}}}";

fn extended(query: &str) -> String {
    let parameters = "[{name: pool_max_conns, quantity: Limit}]";
    entry(&format!(
        "{{client: pgxpool, inject: {{url: [{{env: DATABASE_URL, query: {query}, parameters: {parameters}}}]}}}}"
    ))
}

#[test]
fn a_url_of_a_secret_is_renamed_and_extended_unread() {
    let before = pod(&format!("{{name: app, env: [{FROM_SECRET}, {{name: Z, value: '$(DATABASE_URL)'}}]}}"));
    for (query, joint) in [("Absent", '?'), ("Present", '&')] {
        let injected = injected(&extended(query), &before, Some(3));
        let env = container(&injected)["env"].as_array().unwrap();
        assert_eq!(env[2]["name"], "DBBUDGET_URL_DATABASE_URL");
        assert_eq!(env[2]["valueFrom"], json!({"secretKeyRef": {"name": "db", "key": "url"}}));
        let value = format!("$(DBBUDGET_URL_DATABASE_URL){joint}pool_max_conns=$(DBBUDGET_SHOP.DEFAULT.LIMIT)");
        assert_eq!(env[3], json!({"name": "DATABASE_URL", "value": value}));
        assert_eq!(env[4]["name"], "Z");
    }
}

#[test]
fn a_url_that_cannot_be_seen_is_left_alone_unless_its_query_is_known() {
    let before = pod(&format!("{{name: app, env: [{FROM_SECRET}]}}"));
    let url = |found: &Injected| container(found)["env"].as_array().unwrap().last().unwrap().clone();
    let found = injected(&entry("{client: pgxpool, max: 7}"), &before, Some(3));
    assert_eq!(url(&found), before["spec"]["containers"][0]["env"][0]);
    let optional = before.to_string().replace("\"key\":\"url\"", "\"key\":\"url\",\"optional\":true");
    let optional: Value = serde_json::from_str(&optional).unwrap();
    let found = injected(&extended("Absent"), &optional, Some(3));
    assert_eq!(url(&found), optional["spec"]["containers"][0]["env"][0]);
}

#[test]
fn a_url_of_an_env_from_is_extended_by_a_variable_of_its_name() {
    let before = pod("{name: app, envFrom: [{secretRef: {name: db}}]}");
    let found = injected(&extended("Present"), &before, Some(3));
    let expected = json!([
        reads("DBBUDGET_SHOP.DEFAULT.LIMIT", "app.dbbudget.dev/shop.default.limit"),
        {"name": "DATABASE_URL", "value": "$(DATABASE_URL)&pool_max_conns=$(DBBUDGET_SHOP.DEFAULT.LIMIT)"},
    ]);
    assert_eq!(container(&found)["env"], expected);
    let optional = pod("{name: app, envFrom: [{secretRef: {name: db, optional: true}}]}");
    assert_eq!(container(&injected(&extended("Present"), &optional, Some(3))), &optional["spec"]["containers"][0]);
}

#[test]
fn flags_are_rewritten_where_they_stand_and_added_where_they_do_not() {
    let flag = entry("{min: 1, max: 9, inject: {args: [{flag: --conns, quantity: Limit}]}}");
    let limit = "$(DBBUDGET_SHOP.DEFAULT.LIMIT)";
    let words =
        |command: &str| container(&injected(&flag, &pod(&format!("{{name: app, {command}}}")), Some(4))).clone();
    assert_eq!(words("command: [app], args: [--conns, '9', x]")["args"], json!(["--conns", limit, "x"]));
    assert_eq!(words("command: [app, --conns=9]")["command"], json!(["app", format!("--conns={limit}")]));
    assert_eq!(words("command: [app]")["args"], json!([format!("--conns={limit}")]));
    let script = words("command: [sh, -c, 'sleep 1; exec app --conns=9 # x']");
    assert_eq!(script["command"][2], format!("sleep 1; exec app --conns={limit} # x"));
    let script = words("command: [sh, -c, 'exec app']");
    assert_eq!(script["command"][2], format!("exec app --conns={limit}"));
    assert!(words("image: app").get("args").is_none(), "the image's own arguments would be replaced");
}

#[test]
fn what_others_wrote_under_our_names_goes() {
    let mut pod = pod("{name: app}");
    pod["metadata"]["annotations"] = json!({
        "app.dbbudget.dev/shop.default.pool": "50", "dbbudget.dev/shape": "[]", "example.test/x": "1"
    });
    let with = injected(&entry("{client: sqlalchemy-env}"), &pod, Some(1));
    assert_eq!(annotations(&with)["app.dbbudget.dev/shop.default.pool"], "1");
    let without = inject(&pod, &[]).unwrap();
    assert_eq!(without.pod["metadata"]["annotations"], json!({"example.test/x": "1"}));
}

#[test]
fn init_containers_and_sidecars_are_injected_too() {
    let pod: Value = serde_yaml::from_str(
        "{metadata: {}, spec: {initContainers: [{name: migrate}, {name: proxy, restartPolicy: Always}], containers: [{name: app}]}}",
    )
    .unwrap();
    let containers = ["migrate", "proxy", "app"].map(|name| {
        format!("{{name: {name}, processes: {{count: 1}}, engines: [{{client: sqlalchemy-env, min: 2}}]}}")
    });
    let entry = format!("{{name: api, target: {{kind: Deployment}}, containers: [{}]}}", containers.join(", "));
    let injected = injected(&entry, &pod, None);
    assert_eq!(annotations(&injected).as_object().unwrap().len(), 6);
    // max(app 2 + proxy 2, migrate 2)
    assert_eq!(injected.pinned.0[0].holds().bounded(), Some(4));
}

#[test]
fn of_two_budgets_of_one_name_the_first_rules() {
    let budgets = ["s", "t"].map(|namespace| {
        let mut budget = budget(&entry("{client: sqlalchemy-env}"));
        budget.name.namespace = namespace.into();
        budget
    });
    let (claim, workload) = (Id { namespace: "s".into(), name: "api".into() }, key());
    let drawn = [&budgets[0], &budgets[1]].map(|budget| Drawn {
        budget,
        claim: &claim,
        entry: &budget.entries[0],
        workload: &workload,
        published: None,
    });
    let injected = inject(&pod("{name: app}"), &drawn).unwrap();
    assert_eq!(injected.pinned.0.len(), 1);
    assert!(injected.left_out[0].contains("has the name of s/shop"), "{:?}", injected.left_out);
}

/// The limit of one process's engine and the processes that are left, by variable and by flag.
#[test]
fn processes_are_lowered_by_whatever_sets_them() {
    let budget = budget("{name: api, target: {kind: Deployment}, client: sqlalchemy-env}");
    let (claim, workload) = (Id { namespace: "s".into(), name: "api".into() }, key());
    let lowered = vec![LoweredStatus { container: "app".into(), processes: 2 }];
    let row = WorkloadStatus { lowered, ..WorkloadStatus::default() };
    let with = |container: &str| {
        let (pod, published) = (pod(container), Some(&row));
        let drawn =
            [Drawn { budget: &budget, claim: &claim, entry: &budget.entries[0], workload: &workload, published }];
        let once = inject(&pod, &drawn).unwrap();
        assert_eq!(once.pod, inject(&once.pod, &drawn).unwrap().pod, "the second look changes something");
        assert_eq!(once.pinned.0[0].holds().bounded(), Some(2));
        assert_eq!(annotations(&once)["app.dbbudget.dev/shop.processes"], "2");
        container_of(&once)
    };
    let by_flag = with("{name: app, command: [gunicorn, app, -w, '8']}");
    assert_eq!(by_flag["command"], json!(["gunicorn", "app", "-w", "$(DBBUDGET_SHOP.PROCESSES)"]));
    let by_variable = with("{name: app, command: [gunicorn, app], env: [{name: WEB_CONCURRENCY, value: '8'}]}");
    assert_eq!(by_variable["env"][0], reads("WEB_CONCURRENCY", "app.dbbudget.dev/shop.processes"));
}

fn container_of(injected: &Injected) -> Value {
    container(injected).clone()
}

/// Whoever may create a pod may write what looks like ours, as often as an object has room for it.
#[test]
fn thousands_of_names_like_ours_are_taken_back_at_once() {
    let (count, mut env) = (10_000, Vec::new());
    for i in 0..count {
        env.push(json!({"name": format!("DBBUDGET_URL_U{i}"), "value": "x"}));
        env.push(json!({"name": format!("U{i}"), "value": format!("$(DBBUDGET_URL_U{i})?a=$(DBBUDGET_N{i})")}));
        env.push(reads(&format!("DBBUDGET_N{i}"), &format!("app.dbbudget.dev/n{i}")));
        env.push(json!({"name": format!("V{i}"), "value": format!("$(DBBUDGET_N{i})$(W{i})$(DBBUDGET_$(")}));
    }
    let mut pod = json!({"metadata": {"annotations": {"app.dbbudget.dev/n7": "3"}}});
    pod["spec"] = json!({"containers": [{"name": "app", "env": env, "args": ["$(DBBUDGET_N7)"]}]});
    super::strip::strip(&mut pod);
    let left = pod["spec"]["containers"][0].clone();
    assert_eq!((left["env"].as_array().unwrap().len(), &left["args"]), (2 * count, &json!(["3"])));
    assert_eq!(left["env"][14], json!({"name": "U7", "value": "x"}));
    assert_eq!(left["env"][15], json!({"name": "V7", "value": "3$(W7)$(DBBUDGET_$("}));
}
