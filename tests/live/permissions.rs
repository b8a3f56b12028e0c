//! Permissions that are too narrow: what is missing is named, and nothing else suffers.

use dbbudget::api::DatabaseBudget;

use crate::injection::until_registered;
use crate::leases::leasing;
use crate::operator::Operator;
use crate::things::{budget, budget_is, condition, deployment, row, status};
use crate::world::World;

#[tokio::test]
async fn a_kind_that_may_not_be_read_is_named_and_the_others_count() {
    let world = World::new("cannot-read").await;
    world.install_with(|rbac| rbac.replace("[deployments, statefulsets, ", "[statefulsets, ")).await;
    world.apply(&deployment("api", 1)).await;
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.apply(&budget("other", "", &[("db", "{kind: StatefulSet}")])).await;
    let mut operator = Operator::spawn(&world, "operator", &["--namespace", &world.namespace]);
    let seen = world.until("shop", "it says so", |b| budget_is(b, "Ready", "Forbidden")).await;
    let said = condition(&status(&seen).conditions, "Ready").expect("Ready").message.clone();
    assert!(["list and watch", "deployments.apps"].iter().all(|part| said.contains(part)), "{said}");
    world.until("other", "the other one is understood", |b| budget_is(b, "Ready", "Published")).await;
    operator.until_leads().await;
    let (code, page) = operator.get("/readyz").await;
    assert!(code == 503 && page.contains("deployments.apps"), "{code}: {page}");

    world.install().await;
    world.until("shop", "it counts", |b: &DatabaseBudget| row(b, "api").held == Some(3)).await;
    operator.until_ready().await;
}

#[tokio::test]
async fn a_status_that_may_not_be_written_is_named_and_counted() {
    let world = World::new("cannot-write").await;
    world.install_with(|rbac| rbac.replace("databasebudgets/status, ", "")).await;
    world.apply(&budget("shop", "", &[])).await;
    let mut operator = Operator::spawn(&world, "operator", &["--namespace", &world.namespace]);
    operator.until_logged("patch on databasebudgets.dbbudget.dev/status").await;
    let refused = "dbbudget_api_writes_total{kind=\"budget\",outcome=\"forbidden\"}";
    operator.until_metric(refused, |count| count >= Some(1.0)).await;
    let (code, page) = operator.get("/readyz").await;
    assert!(code == 503 && page.contains("databasebudgets.dbbudget.dev/status"), "{code}: {page}");
    world.install().await;
    world.until("shop", "it is written", |b| budget_is(b, "Ready", "Published")).await;
    operator.until_ready().await;
}

#[tokio::test]
async fn a_ledger_or_a_pod_that_may_not_be_written_is_named_on_the_budget() {
    let world = World::new("cannot-lease").await;
    world.install_with(|rbac| rbac.replace("resources: [databaseledgers]", "resources: [nothing]")).await;
    let args = ["--namespace", &world.namespace, "--adopt-after", "1"];
    let mut operator = Operator::spawn(&world, "operator", &args);
    operator.until_leads().await;
    world.apply(&leasing("shop", "failurePolicy: Fail,", &[("api", "{kind: Deployment}")])).await;
    let stalled = |reason: &'static str| move |b: &DatabaseBudget| budget_is(b, "Stalled", reason);
    let said = |seen: &DatabaseBudget| condition(&status(seen).conditions, "Stalled").map(|said| said.message.clone());
    let seen = world.until("shop", "its ledger may not be read", stalled("LedgerFailed")).await;
    assert!(said(&seen).is_some_and(|said| said.contains("get on databaseledgers.dbbudget.dev")), "{seen:#?}");

    let patch = "      - patch # tells a waiting pod";
    world.install_with(|rbac| rbac.replace(patch, "      - get # tells a waiting pod")).await;
    until_registered(&world, true).await;
    world.apply(&deployment("api", 1)).await;
    let seen = world.until("shop", "its pods may not be let go", stalled("PodsFailed")).await;
    assert!(said(&seen).is_some_and(|said| said.contains("patch on pods")), "{seen:#?}");

    world.install().await;
    let runs = |b: &DatabaseBudget| row(b, "api").pods == 1 && said(b).is_none();
    world.until("shop", "its pod runs", runs).await;
}

#[tokio::test]
async fn an_election_that_may_not_be_held_is_named_and_nobody_is_ready() {
    let world = World::new("cannot-elect").await;
    world.install_with(|rbac| rbac.replace("resources: [leases]", "resources: [nothing]")).await;
    let mut operator = Operator::spawn(&world, "operator", &["--namespace", &world.namespace]);
    operator.until_logged("update on leases").await;
    let (code, page) = operator.get("/readyz").await;
    assert!(code == 503 && page.contains("leases of coordination.k8s.io"), "{code}: {page}");
    world.install().await;
    operator.until_leads().await;
    operator.until_ready().await;
}
