//! Who may draw from which budget, and what is said of those that clash or are broken.

use dbbudget::api::{DatabaseBudget, DatabaseClaim};

use crate::operator::Operator;
use crate::things::{budget, budget_is, claim, claim_is, condition, deployment, row, status};
use crate::world::World;

#[tokio::test]
async fn a_claim_of_another_namespace_counts_only_when_it_is_let_in() {
    let world = World::new("let-in").await;
    world.install().await;
    let jobs = world.beside("jobs").await;
    let both = ["--namespace", &world.namespace, "--namespace", &jobs.namespace];
    let mut operator = Operator::spawn(&world, "operator", &both);
    operator.until_ready().await;

    world.apply(&budget("shop", "", &[])).await;
    jobs.apply(&deployment("celery", 2)).await;
    let of = format!("{{namespace: {}, name: shop}}", world.namespace);
    jobs.apply(&claim("celery", &of, "{kind: Deployment}")).await;
    let refused = |c: &DatabaseClaim| claim_is(c, "Ready", "NamespaceNotLetIn");
    let seen = jobs.until("celery", "it is refused", refused).await;
    let said = condition(&seen.status.expect("a status").conditions, "Ready").expect("Ready").message.clone();
    assert!(said.contains(&jobs.namespace) && said.contains("spec.namespaces"), "{said}");
    assert_eq!(world.get::<DatabaseBudget>("shop").await.status.and_then(|s| s.held), Some(0));

    world.apply(&budget("shop", &format!("namespaces: [{{name: {}}}],", jobs.namespace), &[])).await;
    jobs.until("celery", "it counts", |c: &DatabaseClaim| {
        claim_is(c, "Ready", "Published") && c.status.as_ref().is_some_and(|s| s.held == Some(6))
    })
    .await;
    world.until("shop", "the claim is in the sum", |b: &DatabaseBudget| status(b).held == Some(6)).await;
}

#[tokio::test]
async fn a_claim_says_when_its_budget_is_missing_or_goes_away() {
    let world = World::new("missing").await;
    world.install().await;
    let mut operator = Operator::start(&world).await;
    world.apply(&deployment("celery", 1)).await;
    world.apply(&claim("celery", "{name: shop}", "{kind: Deployment}")).await;
    let missing = |c: &DatabaseClaim| claim_is(c, "Ready", "BudgetNotFound");
    world.until("celery", "its budget is missed", missing).await;
    world.apply(&budget("shop", "", &[])).await;
    let counts = |c: &DatabaseClaim| claim_is(c, "Ready", "Published");
    world.until("celery", "it counts", counts).await;
    let series = format!("dbbudget_capacity_connections{{namespace=\"{}\",budget=\"shop\"}}", world.namespace);
    operator.until_metric(&series, |n| n == Some(100.0)).await;

    world.delete(&budget("shop", "", &[])).await;
    world.until("celery", "its budget is missed again", missing).await;
    operator.until_metric(&series, |n| n.is_none()).await;
    let (_, page) = operator.get("/metrics").await;
    assert!(!page.contains("budget=\"shop\""), "series of a budget that is gone:\n{page}");
}

#[tokio::test]
async fn two_budgets_that_name_one_workload_say_so() {
    let world = World::new("conflict").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    world.apply(&deployment("api", 1)).await;
    for name in ["first", "second"] {
        world.apply(&budget(name, "", &[("api", "{kind: Deployment}")])).await;
    }
    for name in ["first", "second"] {
        let seen = world.until(name, "it is contested", |b| budget_is(b, "Conflicted", "SharedEngine")).await;
        let said = condition(&status(&seen).conditions, "Conflicted").expect("Conflicted").message.clone();
        assert!(said.contains("first") && said.contains("second") && said.contains("api"), "{said}");
    }
    world.delete(&budget("second", "", &[])).await;
    let alone = |b: &DatabaseBudget| condition(&status(b).conditions, "Conflicted").is_none();
    world.until("first", "it is alone", alone).await;
}

#[tokio::test]
async fn a_broken_object_delays_no_other() {
    let world = World::new("broken").await;
    world.install().await;
    // All of it is there before the operator, so that it meets the broken ones first.
    let broken = |name: &str| budget(name, "", &[("api", "{kind: Deployment}")]).replace("sqlalchemy-env", "no-such");
    world.apply(&broken("aaa")).await;
    world.apply(&claim("aaa", "{name: good}", "{kind: Deployment}").replace("sqlalchemy-env", "no-such")).await;
    world.apply(&budget("good", "", &[("api", "{kind: Deployment}")])).await;
    world.apply(&deployment("api", 2)).await;
    let _operator = Operator::start(&world).await;
    world.until("good", "the good one counts", |b: &DatabaseBudget| row(b, "api").held == Some(6)).await;
    let seen = world.until("aaa", "the broken one says so", |b| budget_is(b, "Ready", "Invalid")).await;
    let said = condition(&status(&seen).conditions, "Ready").expect("Ready").message.clone();
    assert!(said.contains("no-such") && said.contains("spec.workloads[0]"), "{said}");
    world.until("aaa", "so does the broken claim", |c: &DatabaseClaim| claim_is(c, "Ready", "Invalid")).await;
    world.apply(&deployment("api", 3)).await;
    world.until("good", "the good one is followed", |b: &DatabaseBudget| row(b, "api").held == Some(9)).await;
    world.apply(&budget("aaa", "", &[("other", "{kind: Deployment}")])).await;
    world.until("aaa", "it is mended", |b| budget_is(b, "Ready", "Published")).await;
}

#[tokio::test]
async fn what_is_expected_counts_where_nobody_may_ask() {
    let world = World::new("asked").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    let asked = budget("asked", "", &[]).replace("static: {maxConnections: 100, serverReserved: 0}", ASKED);
    world.apply(&asked).await;
    let expected = |b: &DatabaseBudget| status(b).capacity.is_some_and(|c| c.hard == 42);
    world.until("asked", "what is expected counts while nobody may ask", expected).await;
}

const ASKED: &str = "postgres: {secretKeyRef: {name: db, key: url}, expected: 42}";
