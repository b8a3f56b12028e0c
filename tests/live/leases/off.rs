//! What becomes of waiting pods when nobody leases any more.

use dbbudget::api::ledger::Origin;
use dbbudget::api::{DatabaseBudget, DatabaseLedger};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Judge, SIZED_FOR_3, full, holds, leasing, operator, replica, until_leasing, waits};
use crate::things::{budget_is, claim, condition, deployment, row, status};
use crate::world::{World, until_some};

async fn until_all_run(world: &World<'_>) -> Vec<Pod> {
    until_some::<Pod>(world.api(), 6, "pods wait no longer", |pod| !waits(pod)).await
}

#[tokio::test]
async fn a_ledger_that_makes_no_sense_is_named_and_grants_on_when_it_is_mended() {
    let world = World::new("senseless").await;
    world.install().await;
    let first = replica(&world, "first").await;
    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    full(&world, 4).await;
    first.kill();
    let ledgers: Api<DatabaseLedger> = world.api();
    let change = Patch::Merge(json!({"spec": {"entries": {"somebody": "x/y two 2026-11-26T09:40:00Z"}}}));
    ledgers.patch("shop", &PatchParams::default(), &change).await.expect_err("changed, and its answer cannot be read");
    let _second = replica(&world, "second").await;
    let seen = world.until("shop", "it says so", |b: &DatabaseBudget| budget_is(b, "Stalled", "LedgerFailed")).await;
    let said = condition(&status(&seen).conditions, "Stalled").expect("there").message.clone();
    assert!(said.contains("spec.entries.somebody: found \"x/y two 2026"), "{said}");
    mend(&world, "two", "1");
    let goes_on =
        |b: &DatabaseBudget| condition(&status(b).conditions, "Stalled").is_none() && status(b).held == Some(10);
    world.until("shop", "it counts with what it says", goes_on).await;
}

/// As the condition says, with no more than dbbudget itself may.
fn mend(world: &World<'_>, found: &str, is: &str) {
    let kubectl = |args: &[&str]| world.cluster.kubectl(&[&["-n", &world.namespace], args].concat()).expect("done").0;
    let mended = kubectl(&["get", "dbl", "shop", "-o", "yaml"]).replace(found, is);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), mended).expect("written");
    let account = format!("system:serviceaccount:{}:dbbudget", world.namespace);
    kubectl(&["replace", "-f", &file.path().to_string_lossy(), "--as", &account]);
}

#[tokio::test]
async fn turned_off_its_pods_go_and_on_again_everything_is_counted_first() {
    let world = World::new("off").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    full(&world, 6).await;
    let sized = leasing("shop", "", SIZED_FOR_3).replace("enforcement: Lease", "enforcement: Inject");
    world.apply(&sized).await;
    until_all_run(&world).await;
    let seen = world.until("shop", "it holds what runs", |b: &DatabaseBudget| row(b, "api").pods == 6).await;
    assert_eq!((status(&seen).waiting_pods, status(&seen).held), (Some(0), Some(12)), "{seen:#?}");

    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    let over = |b: &DatabaseBudget| budget_is(b, "OverCommitted", "AboveAllocatable");
    let seen = world.until("shop", "it has adopted more than there is", over).await;
    let said = condition(&status(&seen).conditions, "OverCommitted").expect("there").message.clone();
    assert!(said.starts_with("The ledger holds 12, and 10 are allocatable"), "{said}");
    world.apply(&deployment("api", 2)).await;
    let fits = |b: &DatabaseBudget| status(b).held.is_some_and(|held| held <= 6);
    let seen = world.until("shop", "it fits again", fits).await;
    assert!(condition(&status(&seen).conditions, "OverCommitted").is_none());
    until_leasing(&world, "shop").await;
}

#[tokio::test]
async fn pods_of_a_budget_that_is_deleted_are_let_go_and_its_ledger_outlives_it() {
    let world = World::new("deleted").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    full(&world, 6).await;
    world.delete(&leasing("shop", "", SIZED_FOR_3)).await;
    let pods = until_all_run(&world).await;
    assert_eq!(pods.iter().map(holds).filter(|n| *n == 1).count(), 3, "those that waited have the smallest values");
    let freed = |l: &DatabaseLedger| l.spec.entries.values().filter(|e| e.origin == Origin::Freed).count() == 3;
    world.until("shop", "they are counted", freed).await;
    world.delete(&deployment("api", 6)).await;
    let gone = async {
        let api: Api<DatabaseLedger> = world.api();
        while api.get_opt("shop").await.expect("an answer").is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, gone).await.expect("a ledger that holds nothing goes");
}

#[tokio::test]
async fn pods_whose_claim_is_deleted_are_let_go_while_others_wait_on() {
    let world = World::new("claimless").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", SIZED_FOR_3)).await;
    full(&world, 6).await;
    let jobs = claim("jobs", "{name: shop}", "{kind: Deployment}");
    world.apply(&jobs).await;
    world.until("shop", "it knows the claim", |b: &DatabaseBudget| status(b).claims == Some(2)).await;
    world.apply(&deployment("jobs", 1)).await;
    let waits_too = |b: &DatabaseBudget| status(b).waiting_pods == Some(4);
    world.until("shop", "the fourth waits", waits_too).await;
    world.delete(&jobs).await;
    let is_free = |pod: &Pod| !waits(pod) && pod.metadata.labels.as_ref().is_some_and(|l| l["app"] == "jobs");
    until_some::<Pod>(world.api(), 1, "pod without a claim runs", is_free).await;
    world.until("shop", "the others wait on", |b: &DatabaseBudget| status(b).waiting_pods == Some(3)).await;
}

#[tokio::test]
async fn a_pod_that_slipped_past_is_counted_and_nothing_is_granted_until_it_fits() {
    let world = World::new("slipped").await;
    let _operator = operator(&world).await;
    world.apply(&leasing("shop", "", &[("api", "{kind: ReplicaSet}, sizeFor: 3")])).await;
    until_leasing(&world, "shop").await;
    let judge = Judge::of(&world);
    let set = crate::things::workload("apps/v1", "ReplicaSet", "api", "replicas: 1");
    let bound = set.replace("spec: {terminationGrace", "spec: {nodeName: fake-1, terminationGrace");
    world.apply(&bound.replace("replicas: 1", "replicas: 4")).await;
    let over =
        |b: &DatabaseBudget| budget_is(b, "OverCommitted", "AboveAllocatable") && budget_is(b, "Injected", "Escaped");
    let seen = world.until("shop", "four escaped", over).await;
    assert_eq!((status(&seen).held, judge.most()), (Some(12), 0));
    world.apply(&bound).await;
    let fits = |b: &DatabaseBudget| condition(&status(b).conditions, "OverCommitted").is_none();
    world.until("shop", "it fits again", fits).await;
}
