//! Variables that come from ConfigMaps among the manifests, as the kubelet would set them. Secrets are never read.

use serde_json::Value;

use super::plans::plan;

const FIXED: &str = "
apiVersion: dbbudget.dev/v1alpha1
kind: DatabaseBudget
metadata: {name: shop}
spec:
  capacity: {static: {maxConnections: 103}}
  workloads: [{name: api, target: {kind: Deployment}, client: sqlalchemy-env}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: pool}
data: {SIZE: '3', DB_POOL_SIZE: '4', DB_MAX_OVERFLOW: '1', WEB_CONCURRENCY: '2'}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: small}
data: {DB_POOL_SIZE: '2'}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: bare}
data: {DB_POOL_SIZE: 2}
---
apiVersion: v1
kind: Secret
metadata: {name: pool-secret}
stringData: {DB_POOL_SIZE: '1', WEB_CONCURRENCY: '1'}
";

/// A plan in which the only container has this, beside ConfigMaps and a Secret.
fn planned(container: &str) -> Value {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    let workload = format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec: {{replicas: 2, template: {{spec: \
         {{containers: [{{name: api, command: [gunicorn, app], {container}}}]}}}}}}\n"
    );
    std::fs::write(file.path(), format!("{FIXED}{workload}")).expect("writable");
    let (_, out, _) = plan(&["-f".to_owned(), file.path().display().to_string(), "-o".to_owned(), "json".to_owned()]);
    serde_json::from_str(&out).expect("JSON")
}

/// Processes, what one engine takes as written, and where it stands.
fn found(container: &str) -> (Value, Value, Value) {
    let container = planned(container)["budgets"][0]["workloads"][0]["containers"][0].clone();
    let engine = &container["engines"][0];
    (container["processes"].clone(), engine["asWritten"].clone(), engine["asWrittenFrom"].clone())
}

#[test]
fn every_key_of_a_config_map_is_a_variable() {
    let from = "DB_POOL_SIZE=4 of ConfigMap pool, DB_MAX_OVERFLOW=1 of ConfigMap pool";
    assert_eq!(found("envFrom: [{configMapRef: {name: pool}}]"), (2.into(), 5.into(), from.into()));
}

#[test]
fn one_key_under_another_name() {
    let env = "env: [{name: DB_POOL_SIZE, valueFrom: {configMapKeyRef: {name: pool, key: SIZE}}}]";
    // gunicorn runs 1 worker by default, and an engine opens 10 on top
    assert_eq!(found(env), (1.into(), 13.into(), "DB_POOL_SIZE=3 of ConfigMap pool".into()));
}

#[test]
fn the_later_source_wins_and_env_wins_over_both() {
    let both = "envFrom: [{configMapRef: {name: pool}}, {configMapRef: {name: small}}]";
    assert_eq!(found(both).1, 3);
    assert_eq!(found(&format!("{both}, env: [{{name: DB_POOL_SIZE, value: '7'}}]")).1, 8);
}

#[test]
fn prefixes_and_references_to_other_variables() {
    let env = "envFrom: [{prefix: DB_POOL_, configMapRef: {name: pool}}], env: [{name: DB_MAX_OVERFLOW, value: '$(DB_POOL_SIZE)'}]";
    assert_eq!(found(env).1, 6);
}

#[test]
fn secrets_stay_unread_and_are_named() {
    for (env, said) in [
        ("envFrom: [{secretRef: {name: pool-secret}}]", "Secret pool-secret may set DB_POOL_SIZE or DB_MAX_OVERFLOW"),
        (
            "env: [{name: DB_POOL_SIZE, valueFrom: {secretKeyRef: {name: pool-secret, key: DB_POOL_SIZE}}}]",
            "DB_POOL_SIZE comes from Secret pool-secret",
        ),
        ("envFrom: [{configMapRef: {name: elsewhere}}]", "ConfigMap elsewhere may set DB_POOL_SIZE"),
        (
            "env: [{name: DB_POOL_SIZE, valueFrom: {configMapKeyRef: {name: small, key: SIZE}}}]",
            "ConfigMap small, which has no key SIZE",
        ),
    ] {
        assert_eq!(found(env).1, 15, "{env}");
        let report = planned(env);
        let findings = report["findings"].as_array().expect("findings");
        let of_rule = findings.iter().filter(|f| f["rule"] == "unseen-value");
        let messages: Vec<&str> = of_rule.filter_map(|f| f["message"].as_str()).collect();
        assert!(messages.iter().any(|message| message.contains(said)), "{env}: {messages:?}");
    }
    // What may set the number of workers makes it unknown.
    assert_eq!(found("envFrom: [{secretRef: {name: pool-secret}}]").0, Value::Null);
}

/// The other tests show that it is no mistake where nobody refers to it.
#[test]
fn a_number_without_quotes_is_refused_where_it_is_used() {
    let report = planned("envFrom: [{configMapRef: {name: bare}}]");
    assert_eq!(report["errors"][0]["message"], "ConfigMap default/bare: data.DB_POOL_SIZE is no text");
}
