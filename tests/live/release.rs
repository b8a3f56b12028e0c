//! `dbbudget release`, as people and the chart's hook run it.

use dbbudget::api::ledger::Phase;
use dbbudget::api::{DatabaseBudget, DatabaseLedger};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use crate::cluster::OwnCluster;
use crate::leases::leasing;
use crate::operator::{Operator, dbbudget};
use crate::things::{deployment, row, status};
use crate::world::World;

const OURS: &str = "dbbudget.dev/lease";
const OTHERS: &str = "example.test/mine";

fn gates(pod: &Pod) -> Vec<&str> {
    let gates = pod.spec.iter().flat_map(|spec| spec.scheduling_gates.iter().flatten());
    gates.map(|gate| gate.name.as_str()).collect()
}

async fn pods(world: &World<'_>) -> Vec<Pod> {
    world.api::<Pod>().list(&ListParams::default().labels("app=api")).await.expect("pods").items
}

/// A budget that has room for three of six pods, which somebody else keeps waiting, too.
async fn three_wait(world: &World<'_>) {
    let gated = format!("spec: {{schedulingGates: [{{name: {OTHERS}}}], terminationGracePeriodSeconds");
    let api = |replicas| deployment("api", replicas).replace("spec: {terminationGracePeriodSeconds", &gated);
    world.apply(&(api(0) + &leasing("shop", "", &[("api", "{kind: Deployment}, sizeFor: 3")]))).await;
    // A pod that comes before the first share is granted the smallest.
    world.until("shop", "shares are published", |b: &DatabaseBudget| !row(b, "api").engines.is_empty()).await;
    world.until("shop", "it grants", |ledger: &DatabaseLedger| ledger.spec.phase == Phase::Leasing).await;
    world.apply(&api(6)).await;
    world.until("shop", "three wait", |b: &DatabaseBudget| status(b).waiting_pods == Some(3)).await;
}

#[tokio::test]
async fn all_pods_are_let_go_and_nothing_of_dbbudget_is_left() {
    let cluster = OwnCluster::start();
    let world = World::on(&cluster, "released").await;
    let beside = world.beside("too").await;
    world.install().await;
    // In the place of the one that runs dbbudget.
    let labelled = "labels: {app: dbbudget, app.kubernetes.io/name: dbbudget}";
    world.apply(&deployment("dbbudget", 2).replacen("labels: {app: dbbudget}", labelled, 1)).await;
    let both = ["--namespace", &world.namespace, "--namespace", &beside.namespace, "--adopt-after", "1"];
    let mut operator = Operator::spawn(&world, "operator", &both);
    operator.until_ready().await;
    three_wait(&world).await;
    three_wait(&beside).await;
    operator.terminate().await;

    let place = format!("{}/dbbudget", world.namespace);
    let all = ["release", "--all", "--deployment", &place, "--webhook-name", &world.namespace];
    let (code, _, said) = dbbudget(&world, &[&all[..], &["--as", "nobody"]].concat());
    assert!(code == 1 && said.contains("cannot scale the Deployment") && said.contains("forbidden"), "{said}");
    assert!(pods(&world).await.iter().any(|pod| gates(pod).contains(&OURS)), "nothing was touched");

    let (code, out, said) = dbbudget(&world, &all);
    assert!(code == 0 && out.is_empty(), "{code}: {out}{said}");
    assert!(said.contains("6 pods were let go"), "{said}");
    println!("{said}");
    for world in [&world, &beside] {
        let pods = pods(world).await;
        assert!(pods.len() == 6 && pods.iter().all(|pod| gates(pod) == [OTHERS]), "{pods:#?}");
        let smallest =
            |pod: &&Pod| pod.annotations().get("app.dbbudget.dev/shop.default.pool").is_some_and(|n| n == "1");
        assert_eq!(pods.iter().filter(smallest).count(), 3, "those that waited keep what they were born with");
    }
    let ledgers: Api<DatabaseLedger> = Api::all(world.client.clone());
    assert_eq!(ledgers.list(&ListParams::default()).await.expect("ledgers").items, []);
    let webhooks: Api<MutatingWebhookConfiguration> = Api::all(world.client.clone());
    assert!(webhooks.get_opt(&world.namespace).await.expect("an answer").is_none());
    let stopped = world.get::<Deployment>("dbbudget").await;
    assert_eq!(stopped.spec.and_then(|spec| spec.replicas), Some(0));

    let (code, _, said) = dbbudget(&world, &["release", "--all"]);
    assert!(said.contains(&format!("the Deployment {place} is scaled to 0")), "it is found: {said}");
    assert!(code == 0 && said.contains("no pod waits\n") && said.contains("released\n"), "again: {code}: {said}");
}
