//! What real PostgreSQL servers answer, and what is said when they do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use dbbudget::api::DatabaseBudget;
use dbbudget::api::parse::Name;
use dbbudget::budget::capacity::ServerLimits;
use dbbudget::cluster::answers::{Answer, Answers, ProbeError, Wanted};
use dbbudget::cluster::postgres::{self, ask};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::cluster::{client, provide_tls};
use crate::operator::Operator;
use crate::postgres::{PASSWORD, Postgres};
use crate::things::{budget, budget_is, condition, status};
use crate::world::{PATIENCE, World};

fn error(answer: Answer) -> ProbeError {
    let error = answer.expect_err("limits that nobody can know");
    let told = [PASSWORD, "127.0.0.1", "postgres://", "lim@", "for role \"lim\""];
    assert!(!told.iter().any(|part| error.message.contains(part)), "tells too much: {}", error.message);
    error
}

fn says(answer: Answer, reason: &str, part: &str) {
    let error = error(answer);
    assert_eq!(error.reason, reason, "{}", error.message);
    assert!(error.message.contains(part), "no {part:?} in: {}", error.message);
}

#[tokio::test]
async fn the_limits_of_server_role_and_database_are_told() {
    let server = Postgres::start(&["max_connections=20", "superuser_reserved_connections=4"]);
    let login = format!("LOGIN PASSWORD '{PASSWORD}'");
    server
        .execute(&[&format!("CREATE ROLE app {login}"), &format!("CREATE ROLE lim {login} CONNECTION LIMIT 5")])
        .await;
    server.execute(&["CREATE DATABASE shop CONNECTION LIMIT 7"]).await;

    let plain = ServerLimits { max_connections: 20, reserved: 4, role: None, database: None };
    assert_eq!(ask(&server.url("app", "postgres", "")).await, Ok(plain));
    let limited = ServerLimits { role: Some(5), database: Some(7), ..plain };
    assert_eq!(ask(&server.url("lim", "shop", "")).await, Ok(limited));
    assert_eq!(ask(&server.url("postgres", "shop", "")).await, Ok(plain), "no limit binds a superuser");
    let as_applications_write_it = server.url("app", "postgres", "?pool_size=5&pgbouncer=true&sslmode=prefer");
    assert_eq!(ask(&as_applications_write_it).await, Ok(plain));
}

#[tokio::test]
async fn a_full_server_says_so() {
    let server = Postgres::start(&["max_connections=8", "superuser_reserved_connections=3"]);
    let login = format!("LOGIN PASSWORD '{PASSWORD}'");
    server
        .execute(&[&format!("CREATE ROLE app {login}"), &format!("CREATE ROLE lim {login} CONNECTION LIMIT 1")])
        .await;
    server.execute(&["CREATE DATABASE shop CONNECTION LIMIT 1"]).await;

    let _lim = server.connect("lim", "postgres").await.expect("a connection");
    says(ask(&server.url("lim", "postgres", "")).await, "ServerFull", "role has as many");
    let _shop = server.connect("app", "shop").await.expect("a connection");
    says(ask(&server.url("app", "shop", "")).await, "ServerFull", "database has as many");
    let fill = async {
        let mut held = Vec::new();
        loop {
            while let Ok(client) = server.connect("app", "postgres").await {
                held.push(client);
            }
            // A backend that was still ending when the others were counted leaves a gap.
            if let Err(full) = ask(&server.url("app", "postgres", "")).await {
                return full;
            }
        }
    };
    says(Err(timeout(PATIENCE, fill).await.expect("a full server")), "ServerFull", "every connection");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told_apart_from_one_that_refuses() {
    let server = Postgres::start(&[]);
    server.execute(&[&format!("CREATE ROLE lim LOGIN PASSWORD '{PASSWORD}'")]).await;
    let good = server.url("lim", "postgres", "");
    says(ask(&good.replace(PASSWORD, "wrong")).await, "Refused", "password");
    says(ask(&good.replace("lim:", "nobody:")).await, "Refused", "password"); // the server does not tell which
    says(ask(&good.replace(&format!(":{PASSWORD}"), "")).await, "Refused", "proof of identity");
    says(ask(&server.url("lim", "nothing", "")).await, "Refused", "no database");
    says(ask(&server.url("lim", "postgres", "?sslmode=require")).await, "Refused", "TLS");
    drop(server);
    says(ask(&good).await, "Unreachable", "connection refused");
    says(ask(&good.replace("127.0.0.1", "no-such-host.invalid")).await, "Unreachable", "resolve");
}

#[tokio::test]
async fn tls_is_used_and_verified_as_the_url_asks() {
    provide_tls();
    let server = Postgres::with_tls();
    for mode in ["disable", "prefer", "require"] {
        let answer = ask(&server.url("postgres", "postgres", &format!("?sslmode={mode}"))).await;
        assert!(answer.is_ok(), "{mode}: {answer:?}");
    }
    for mode in ["verify-ca", "verify-full"] {
        says(ask(&server.url("postgres", "postgres", &format!("?sslmode={mode}"))).await, "Refused", "certificate");
    }
}

async fn until(answers: &mut Answers, what: &str, is: impl Fn(&BTreeMap<Name, Answer>) -> bool) {
    let waited = timeout(PATIENCE, answers.wait_for(|answers| is(answers))).await.is_ok();
    assert!(waited, "waited in vain until {what}: {:?}", answers.borrow());
}

#[tokio::test]
async fn only_the_secret_that_is_named_is_read_and_what_is_missing_is_said() {
    let world = World::new("secrets").await;
    let server = Postgres::start(&["max_connections=30"]);
    let limits = ServerLimits { max_connections: 30, reserved: 3, role: None, database: None };
    let url = server.url("postgres", "postgres", "");
    world.apply(&format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\nstringData: {{url: '{url}'}}")).await;

    let mut restricted = world.cluster.kubeconfig();
    for user in &mut restricted.auth_infos {
        let account = format!("system:serviceaccount:{}:default", world.namespace);
        user.auth_info.get_or_insert_default().impersonate = Some(account);
    }
    let budget = Name::new(world.namespace.clone(), "shop");
    let wants = |secret: &str, key: &str| {
        Arc::new(vec![Wanted { budget: budget.clone(), secret: secret.into(), key: key.into() }])
    };
    let (want, wanted) = watch::channel(wants("db", "url"));
    let (tell, mut answers) = watch::channel(Arc::default());
    let asking = tokio::spawn(postgres::run(client(restricted).await, wanted, tell));
    let reason = |answers: &BTreeMap<Name, Answer>| answers.get(&budget).map(|a| a.as_ref().err().map(|e| e.reason));

    until(&mut answers, "the Secret is forbidden", |a| reason(a) == Some(Some("SecretForbidden"))).await;
    let said = error(answers.borrow()[&budget].clone()).message;
    let names = ["resourceNames [db]", "verbs [get]", &world.namespace];
    assert!(names.iter().all(|part| said.contains(part)), "{said}");

    world.apply(&ROLE.replace("NAMESPACE", &world.namespace)).await;
    until(&mut answers, "the server has answered", |a| a.get(&budget) == Some(&Ok(limits))).await;
    want.send_replace(wants("db", "other"));
    until(&mut answers, "the key is missed", |a| reason(a) == Some(Some("KeyNotFound"))).await;
    want.send_replace(wants("missing", "url"));
    until(&mut answers, "the Secret is missed", |a| reason(a) == Some(Some("SecretNotFound"))).await;
    want.send_replace(Arc::default());
    until(&mut answers, "nothing is left of it", BTreeMap::is_empty).await;
    drop(want);
    asking.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_budget_counts_with_what_its_server_says_and_nobody_sees_the_url() {
    let world = World::new("asked").await;
    world.install().await;
    let server = Postgres::start(&["max_connections=30"]);
    let url = server.url("postgres", "postgres", "");
    world.apply(&format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\nstringData: {{url: '{url}'}}")).await;
    let operator = Operator::start(&world).await;
    let known = "static: {maxConnections: 100, serverReserved: 0}";
    let asked = "postgres: {secretKeyRef: {name: db, key: url}}";
    world.apply(&budget("shop", "", &[]).replace(known, asked)).await;
    let forbidden = |b: &DatabaseBudget| budget_is(b, "WithinCapacity", "SecretForbidden");
    let seen = world.until("shop", "the Secret is forbidden", forbidden).await;
    let said = condition(&status(&seen).conditions, "WithinCapacity").expect("there").message.clone();
    assert!(said.contains("resourceNames [db]"), "{said}");

    world.apply(&ROLE.replace("NAMESPACE", &world.namespace).replace("name: default", "name: dbbudget")).await;
    let told = |b: &DatabaseBudget| status(b).capacity.is_some_and(|c| c.hard == 27);
    let seen = world.until("shop", "the server's limit counts", told).await;
    let source = status(&seen).capacity.expect("known").source;
    assert!(source.contains("max_connections 30 less 3 reserved"), "{source}");
    let (ended, log) = operator.terminate().await;
    assert!(ended.success());
    let (events, _) = world.cluster.kubectl(&["get", "events", "-o", "yaml", "-n", &world.namespace]).expect("events");
    let shown = [log.join("\n"), events, serde_json::to_string(&seen).expect("JSON")];
    assert!(!shown.iter().any(|text| text.contains(PASSWORD)), "the password was shown");
}

const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: url}
rules: [{apiGroups: [''], resources: [secrets], resourceNames: [db, missing], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: url}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: url}
subjects: [{kind: ServiceAccount, name: default, namespace: NAMESPACE}]
";
