//! Events: one for each change of state, none for each pass, none again after a restart.

use dbbudget::api::DatabaseBudget;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;

use crate::operator::Operator;
use crate::things::{budget, budget_is, deployment, row, status};
use crate::world::{World, until_some};

/// Reasons of the events about a budget, with how often each was repeated.
pub async fn events(world: &World<'_>, name: &str) -> Vec<(String, i32)> {
    let events = world.api::<Event>().list(&ListParams::default()).await.expect("events").items;
    let about = events.into_iter().filter(|e| e.regarding.as_ref().is_some_and(|r| r.name.as_deref() == Some(name)));
    let mut found: Vec<_> =
        about.map(|e| (e.reason.unwrap_or_default(), e.series.map_or(1, |series| series.count))).collect();
    found.sort();
    found
}

#[tokio::test]
async fn there_is_one_event_for_each_change_of_state() {
    let world = World::new("events").await;
    world.install().await;
    let operator = Operator::start(&world).await;
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.apply(&deployment("api", 1)).await;
    let held = |n| move |b: &DatabaseBudget| row(b, "api").held == Some(n);
    world.until("shop", "1 pod holds", held(3)).await;
    assert_eq!(events(&world, "shop").await, [], "that a budget has room is no news");

    for replicas in [34, 35, 36, 37] {
        world.apply(&deployment("api", replicas)).await;
        world.until("shop", "they hold", held(i64::from(replicas) * 3)).await;
    }
    let reason = |reason: &'static str| move |e: &Event| e.reason.as_deref() == Some(reason);
    let told = until_some(world.api::<Event>(), 1, "events of Exceeded", reason("Exceeded")).await;
    assert_eq!(
        (told[0].type_.as_deref(), told[0].reporting_controller.as_deref()),
        (Some("Warning"), Some("dbbudget"))
    );
    world.apply(&deployment("api", 1)).await;
    let settled = |b: &DatabaseBudget| budget_is(b, "WithinCapacity", "Healthy") && row(b, "api").held == Some(3);
    world.until("shop", "there is room, and one pod is left", settled).await;
    until_some(world.api::<Event>(), 1, "events of Healthy", reason("Healthy")).await;
    let before = events(&world, "shop").await;
    let of = |reason| before.iter().filter(|(r, _)| r == reason).map(|(_, count)| count).sum::<i32>();
    assert_eq!((of("Exceeded"), of("Healthy")), (1, 1), "{before:?}");

    operator.kill();
    let written = world.get::<DatabaseBudget>("shop").await.metadata.resource_version;
    let mut operator = Operator::spawn(&world, "successor", &["--namespace", &world.namespace]);
    operator.until_leads().await;
    let series = format!("dbbudget_held_connections{{namespace=\"{}\",budget=\"shop\"}}", world.namespace);
    operator.until_metric(&series, |n| n == Some(3.0)).await; // it has looked at the budget
    assert_eq!(world.get::<DatabaseBudget>("shop").await.metadata.resource_version, written, "nothing was news");
    assert_eq!(events(&world, "shop").await, before, "events were repeated");
    world.apply(&deployment("api", 2)).await;
    let seen = world.until("shop", "the successor follows", held(6)).await;
    assert_eq!(status(&seen).held, Some(6));
}
