//! What a container is given for its share: by a preset, by a house's own preset, by its claim.

use serde_json::{Value, json};

use super::plans::plan;

const BUDGET: &str = "
apiVersion: dbbudget.dev/v1alpha1
kind: DatabaseBudget
metadata: {name: shop}
spec:
  capacity: {static: {maxConnections: 103}}
  headroom: None
";

/// The first container of the only workload of a plan: `spec` is the rest of the budget, `container` that of the template.
fn container(spec: &str, container: &str) -> Value {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    let workload = format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec: {{replicas: 2, template: {{spec: \
         {{containers: [{container}]}}}}}}\n"
    );
    std::fs::write(file.path(), format!("{BUDGET}{spec}{workload}")).expect("writable");
    let (_, out, _) = plan(&["-f".to_owned(), file.path().display().to_string(), "-o".to_owned(), "json".to_owned()]);
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert!(report.get("errors").is_none(), "{report:#}");
    report["budgets"][0]["workloads"][0]["containers"][0].clone()
}

/// 100 for 2 pods; each keeps the 10 that it takes today, and none of them is overflow.
#[test]
fn a_variable_of_the_house_is_read_and_injected_beside_those_of_the_extended_preset() {
    let spec = "
  clients:
    - {name: house, extends: sqlalchemy-env, env: [{name: DB_POOL, quantity: Pool}, {name: DB_POOL_TIMEOUT, value: '30'}]}
  workloads: [{name: api, target: {kind: Deployment}, containers: [{processes: {count: 1}, engines: [{client: house}]}]}]
";
    let template = "{name: api, env: [{name: DB_POOL, value: '7'}, {name: DB_MAX_OVERFLOW, value: '3'}]}";
    let found = container(spec, template);
    assert_eq!(found["engines"][0]["asWritten"], 10);
    assert_eq!(found["engines"][0]["asWrittenFrom"], "DB_POOL=7, DB_MAX_OVERFLOW=3");
    let expected = json!({"DB_POOL": "10", "DB_POOL_SIZE": "10", "DB_MAX_OVERFLOW": "0", "DB_POOL_TIMEOUT": "30"});
    assert_eq!(found["inject"]["env"], expected);
}

/// The house says that its pool is 3 by default and that `DB_POOL_SIZE` is the limit. Of 3, 0 % are overflow.
#[test]
fn a_name_that_the_extended_preset_has_is_replaced() {
    let spec = "
  clients:
    - name: house
      extends: sqlalchemy-env
      engine: {pool: 3, overflow: 0, overflowPercent: 0}
      env: [{name: DB_POOL_SIZE, quantity: Limit}]
  workloads: [{name: api, target: {kind: Deployment}, containers: [{processes: {count: 1}, engines: [{client: house}]}]}]
";
    let found = container(spec, "{name: api}");
    assert_eq!(found["engines"][0]["asWritten"], 3);
    assert_eq!(found["inject"]["env"], json!({"DB_POOL_SIZE": "3", "DB_MAX_OVERFLOW": "0"}));
}

/// pgxpool by its URL: as written 8 of `APP_URL`, beside a variable, a URL and a flag of the house with fixed values.
#[test]
fn urls_and_flags_of_the_house() {
    let spec = "
  clients:
    - name: house
      extends: pgxpool
      url: [{env: APP_URL, parameters: [{name: pool_max_conn_idle_time, value: 30s}]}]
      args: [{flag: --max-conns, quantity: Limit}, {flag: --pool-wait, value: 5s}]
  workloads: [{name: api, target: {kind: Deployment}, client: house}]
";
    let template = "{name: api, command: [api], env: [{name: APP_URL, value: 'postgres://u@h/d?pool_max_conns=8'}]}";
    let found = container(spec, template);
    assert_eq!(found["engines"][0]["asWritten"], 8);
    let url = json!({"APP_URL": {"pool_max_conns": "8", "pool_max_conn_idle_time": "30s"}});
    assert_eq!(found["inject"]["url"], url);
    assert_eq!(found["inject"]["args"], json!(["--max-conns=8", "--pool-wait=5s"]));
}

#[test]
fn what_a_claim_sets_is_injected_each_in_its_place() {
    let spec = "
  workloads:
    - name: api
      target: {kind: Deployment}
      containers:
        - processes: {count: 1}
          engines:
            - min: 1
              max: 4
              inject:
                env: [{name: POOL_TIMEOUT, value: '30'}]
                url:
                  - {env: WRITE_URL, parameters: [{name: max_conns, quantity: Limit}, {name: idle, value: 10s}]}
                  - {env: READ_URL, parameters: [{name: read_conns, quantity: Limit}]}
                args: [{flag: --pool-wait, value: 5s}]
";
    let template = "{name: api, command: [api], env: [{name: WRITE_URL, value: 'postgres://h/d'}, {name: READ_URL, value: 'postgres://h/d'}]}";
    let found = container(spec, template)["inject"].clone();
    assert_eq!(found["env"], json!({"POOL_TIMEOUT": "30"}));
    let url = json!({"WRITE_URL": {"max_conns": "4", "idle": "10s"}, "READ_URL": {"read_conns": "4"}});
    assert_eq!(found["url"], url);
    assert_eq!(found["args"], json!(["--pool-wait=5s"]));
}

#[test]
fn what_the_template_keeps_is_not_injected() {
    let spec = "
  workloads:
    - name: api
      target: {kind: Deployment}
      containers:
        - processes: {count: 1}
          engines:
            - client: sqlalchemy-env
              onConflict: Keep
              inject: {env: [{name: POOL_TIMEOUT, value: '30'}, {name: POOL_RECYCLE_TIME, value: '600'}]}
";
    let template = "{name: api, env: [{name: DB_POOL_SIZE, value: '2'}, {name: POOL_TIMEOUT, value: '5'}]}";
    assert_eq!(container(spec, template)["inject"]["env"], json!({"POOL_RECYCLE_TIME": "600"}));
}

#[test]
fn nothing_is_injected_where_a_budget_only_observes() {
    let spec = "
  enforcement: Observe
  workloads:
    - name: api
      target: {kind: Deployment}
      containers: [{engines: [{client: pg, inject: {env: [{name: POOL_TIMEOUT, value: '30'}]}}]}]
";
    assert_eq!(container(spec, "{name: api}")["inject"], json!({"env": {}, "url": {}, "args": []}));
}
