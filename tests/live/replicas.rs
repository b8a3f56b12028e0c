//! Two replicas of the operator, and what becomes of the second when the first ends.

use dbbudget::api::DatabaseBudget;
use k8s_openapi::api::coordination::v1::Lease;

use crate::operator::Operator;
use crate::things::{budget, deployment, row};
use crate::world::World;

async fn two(world: &World<'_>) -> (Operator, Operator) {
    world.install().await;
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.apply(&deployment("api", 1)).await;
    let mut first = Operator::spawn(world, "first", &["--namespace", &world.namespace]);
    first.until_leads().await;
    let mut second = Operator::spawn(world, "second", &["--namespace", &world.namespace]);
    second.until_ready().await;
    first.until_metric("dbbudget_leader", |n| n == Some(1.0)).await;
    second.until_metric("dbbudget_leader", |n| n == Some(0.0)).await;
    world.until("shop", "the first follows", |b: &DatabaseBudget| row(b, "api").held == Some(3)).await;
    (first, second)
}

async fn takes_over(world: &World<'_>, second: &mut Operator) {
    second.until_leads().await;
    second.until_metric("dbbudget_leader", |n| n == Some(1.0)).await;
    world.apply(&deployment("api", 2)).await;
    world.until("shop", "the second follows", |b: &DatabaseBudget| row(b, "api").held == Some(6)).await;
    let holder = |l: &Lease| l.spec.as_ref().and_then(|s| s.holder_identity.as_deref()) == Some("second");
    world.until("dbbudget", "the second holds the Lease", holder).await;
}

#[tokio::test]
async fn the_second_takes_over_when_the_leader_is_killed() {
    let world = World::new("killed").await;
    let (first, mut second) = two(&world).await;
    first.kill();
    takes_over(&world, &mut second).await;
}

#[tokio::test]
async fn a_leader_that_is_told_to_end_hands_over_first() {
    let world = World::new("sigterm").await;
    let (first, mut second) = two(&world).await;
    let (status, log) = first.terminate().await;
    assert!(status.success(), "it ended with {status}");
    let said = |message: &str| log.iter().position(|line| line.contains(message));
    let order = ["SIGTERM: stopping", "handed over", "\"stopped\""].map(said);
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?} in\n{}", log.join("\n"));
    takes_over(&world, &mut second).await;
}

#[tokio::test]
async fn a_replica_that_cannot_begin_says_why() {
    let world = World::new("cannot").await;
    world.install().await;
    let mut taken = Operator::start(&world).await;
    let address = taken.until_said("listening").await["address"].as_str().expect("an address").to_owned();
    let mut second = Operator::spawn(&world, "second", &["--listen", &address]);
    let status = second.until_ended().await;
    assert!(!status.success());
    let log = second.log().join("\n");
    assert!(log.contains(&format!("cannot listen on {address}")) && log.contains("--listen"), "{log}");
}
