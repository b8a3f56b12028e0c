//! A budget that another one lists as outside: a session pool on a database that other pods open directly.

use dbbudget::api::ledger::{Entry, Origin};
use dbbudget::api::{DatabaseBudget, DatabaseLedger};

use super::{SIZED_FOR_3, full, leasing, operator, until_leasing};
use crate::things::{budget_is, deployment, row, status};
use crate::world::World;

/// What its ledger records for another budget.
fn lent(ledger: &DatabaseLedger) -> Option<i32> {
    let is_lent = |entry: &&Entry| entry.origin == Origin::Budget;
    ledger.spec.entries.values().find(is_lent).map(|entry| entry.connections)
}

fn pool(connections: u32) -> String {
    leasing("shop", "", SIZED_FOR_3).replace("maxConnections: 10", &format!("maxConnections: {connections}"))
}

#[tokio::test]
async fn a_pool_grows_after_its_database_has_room_for_it_and_gives_back_what_it_no_longer_uses() {
    let world = &World::new("lending").await;
    let _operator = operator(world).await;
    world.apply(&pool(10)).await;
    full(world, 6).await;
    let outside = "outside: [{name: pool, budgetRef: {name: shop}}],";
    let database = leasing("rds", outside, &[("web", "{kind: Deployment}, sizeFor: 3")]);
    world.apply(&database.replace("maxConnections: 10", "maxConnections: 20")).await;
    until_leasing(world, "rds").await;
    world.apply(&deployment("web", 3)).await;
    let seen = world.until("rds", "its pods run", |b: &DatabaseBudget| row(b, "web").pods == 3).await;
    assert_eq!((status(&seen).held, status(&seen).free), (Some(9), Some(1)), "the pool's are not its pods'");
    world.until("rds", "the pool is recorded", |ledger: &DatabaseLedger| lent(ledger) == Some(10)).await;

    world.apply(&pool(13)).await;
    let over = |b: &DatabaseBudget| status(b).capacity.is_some_and(|capacity| capacity.outside == 13);
    world.until("rds", "the pool wants more", over).await;
    let followed = |ledger: &DatabaseLedger| ledger.spec.budget_generation == 2;
    let ledger = world.until("shop", "its ledger follows its spec", followed).await;
    assert_eq!((ledger.spec.allocatable, ledger.spec.held), (10, 9), "pods of the database hold what it wants");
    world.apply(&deployment("web", 2)).await;
    world.until("shop", "there is room for it", |ledger: &DatabaseLedger| ledger.spec.allocatable == 13).await;
    let recorded = world.until("rds", "it is recorded", |ledger: &DatabaseLedger| lent(ledger) == Some(13)).await;
    assert!(recorded.spec.held <= 20, "{recorded:#?}");

    world.apply(&pool(6)).await;
    let shrinks = |b: &DatabaseBudget| budget_is(b, "OverCommitted", "AboveAllocatable");
    world.until("shop", "it has less, and its pods hold more", shrinks).await;
    let ledger = |name: &'static str| async move {
        let api: kube::Api<DatabaseLedger> = world.api();
        api.get(name).await.expect("a ledger")
    };
    for _ in 0..20 {
        let (lender, pool) = (ledger("rds").await, ledger("shop").await); // what is held only shrinks
        assert!(lent(&lender).map(i64::from) >= Some(pool.spec.held), "{} of {:?}", pool.spec.held, lent(&lender));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    world.apply(&deployment("api", 0)).await;
    world.until("rds", "the rest is given back", |ledger: &DatabaseLedger| lent(ledger) == Some(6)).await;
}
