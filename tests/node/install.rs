//! From `helm install` to `helm uninstall`, with the permissions of the chart and no others.

use std::collections::BTreeMap;

use dbbudget::api::{DatabaseBudget, DatabaseLedger};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use crate::release::{Node, Release, turn};
use crate::things::{budget, budget_is, row};
use crate::world::{PATIENCE, World, until, until_some};

/// A pod that does nothing, from the image that the node has.
const PAUSE: &str =
    "terminationGracePeriodSeconds: 1, containers: [{name: app, image: 'localhost/pause:1', imagePullPolicy: Never}]";

fn deployment(replicas: u32) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api}}\nspec: {{replicas: {replicas}, selector: \
         {{matchLabels: {{app: api}}}}, template: {{metadata: {{labels: {{app: api}}}}, spec: {{{PAUSE}}}}}}}\n"
    )
}

fn injecting() -> String {
    budget("db", "", &[("api", "{kind: Deployment}")]).replace("enforcement: Observe", "enforcement: Inject")
}

fn has_share(pod: &Pod) -> bool {
    pod.annotations().contains_key("app.dbbudget.dev/db.default.pool")
}

/// A pod of a Deployment as its `ReplicaSet` would make it, to be answered and not stored.
fn asked(deployment: &str) -> Pod {
    let text = "{metadata: {generateName: asked-, labels: {pod-template-hash: abc}, ownerReferences: [{apiVersion: apps/v1, kind: \
        ReplicaSet, name: NAME-abc, uid: u, controller: true}]}, spec: {containers: [{name: app, image: x}]}}";
    serde_yaml::from_str(&text.replace("NAME", deployment)).expect("a pod")
}

#[tokio::test(flavor = "multi_thread")]
async fn installed_upgraded_and_uninstalled_by_helm() {
    let node = &*turn().await;
    let release = Release::install(node, "dbbudget", &[]);
    let world = World::on(&node.cluster, "shop").await;
    world.apply(&(injecting() + &deployment(0))).await;
    world.until("db", "shares are published", |b: &DatabaseBudget| !row(b, "api").engines.is_empty()).await;
    let api: Api<MutatingWebhookConfiguration> = Api::all(world.client.clone());
    until(api.clone(), &release.cluster_wide(), "the webhook is registered", |_| true).await;
    world.until_asked().await;
    world.apply(&deployment(2)).await;
    let pods = until_some::<Pod>(world.api(), 2, "pods have their share", has_share).await;
    world
        .until("db", "all pods have it", |b: &DatabaseBudget| {
            row(b, "api").pods == 2 && (budget_is(b, "Injected", "AllPods") || budget_is(b, "Injected", "Outdated"))
        })
        .await;
    nobody_else_changes_what_counts(node, &world, &pods[0].name_any());
    release.test();
    no_pod_misses_its_share_during(&world, || release.upgrade(&["podAnnotations.changed=yes"])).await;

    // From here on nobody answers, and a registration that is left would keep pods of budgets with `Fail` from starting.
    one_waits(&world, "observed").await;
    release.upgrade(&["mode=observe"]);
    none_waits(&world).await;
    assert!(api.get_opt(&release.cluster_wide()).await.expect("an answer").is_none(), "the webhook outlives its mode");
    release.upgrade(&["mode=full"]);
    until(api.clone(), &release.cluster_wide(), "the webhook is registered again", |_| true).await;

    one_waits(&world, "uninstalled").await;
    release.uninstall();
    none_waits(&world).await;
    assert!(api.get_opt(&release.cluster_wide()).await.expect("an answer").is_none(), "the webhook is left");
    let kept = world.get::<DatabaseBudget>("db").await;
    assert!(kept.status.is_some(), "the definitions and their objects stay");
    world.cluster.kubectl(&["rollout", "restart", "deployment/api", "-n", &world.namespace]).expect("restarted");
    let is_new = |pod: &Pod| pod.labels().get("app").is_some_and(|app| app == "api") && !has_share(pod);
    until_some::<Pod>(world.api(), 2, "pods as they are written", is_new).await;
}

fn waits(pod: &Pod) -> bool {
    pod.spec
        .iter()
        .flat_map(|spec| spec.scheduling_gates.iter().flatten())
        .any(|gate| gate.name == "dbbudget.dev/lease")
}

/// A pod that waits: for a minute its ledger only takes in what runs.
async fn one_waits(world: &World<'_>, name: &str) {
    let workload = |replicas| {
        deployment(replicas)
            .replace("name: api}", &format!("name: {name}}}"))
            .replace("app: api", &format!("app: {name}"))
    };
    let leasing = budget(name, "", &[(name, "{kind: Deployment}")]);
    world.apply(&(workload(0) + &leasing.replace("enforcement: Observe, headroom: None", "enforcement: Lease"))).await;
    world.until(name, "shares are published", |b: &DatabaseBudget| !row(b, name).engines.is_empty()).await;
    until_gated(world, name).await;
    world.apply(&workload(1)).await;
    until_some::<Pod>(world.api(), 1, "pods wait", waits).await;
}

/// Both replicas of the webhook know what the leader has published.
async fn until_gated(world: &World<'_>, name: &str) {
    let (api, dry) = (world.api::<Pod>(), PostParams { dry_run: true, ..PostParams::default() });
    let mut in_a_row = 0;
    let asking = async {
        while in_a_row < 20 {
            let gated = waits(&api.create(&dry, &asked(name)).await.expect("created"));
            in_a_row = if gated { in_a_row + 1 } else { 0 };
        }
    };
    let waited = tokio::time::timeout(PATIENCE, asking).await.is_ok();
    assert!(waited, "new pods of {name} do not wait");
}

async fn none_waits(world: &World<'_>) {
    let pods = world.api::<Pod>().list(&ListParams::default()).await.expect("pods").items;
    assert!(pods.len() > 2 && !pods.iter().any(waits), "{pods:#?}");
    let ledgers = world.api::<DatabaseLedger>().list(&ListParams::default()).await.expect("ledgers").items;
    assert!(ledgers.is_empty(), "{ledgers:#?}");
}

/// Asks about pods without end while something happens. With failure policy Ignore, whoever is not answered is let in
/// without a share, and would be seen here.
async fn no_pod_misses_its_share_during(world: &World<'_>, happens: impl FnOnce()) {
    let (stop, stopped) = watch::channel(false);
    let api: Api<Pod> = world.api();
    let asking = tokio::spawn(async move {
        let (mut answered, mut missed) = (0, Vec::new());
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        while !*stopped.borrow() {
            let pod = api.create(&dry, &asked("api")).await.expect("created");
            if has_share(&pod) { answered += 1 } else { missed.push(answered) }
        }
        (answered, missed)
    });
    tokio::task::block_in_place(happens);
    stop.send(true).expect("it still asks");
    let (answered, missed) = asking.await.expect("it asked");
    assert!(
        missed.is_empty(),
        "{} of {} pods missed their share, after {missed:?}",
        missed.len(),
        answered + missed.len()
    );
    assert!(answered > 20, "only {answered} pods were asked about");
    println!("{answered} pods were asked about during the upgrade, and every one had its share");
}

/// As somebody who may edit everything in the namespace.
fn nobody_else_changes_what_counts(node: &Node, world: &World<'_>, pod: &str) {
    let of = ["-n", world.namespace.as_str()];
    let kubectl = |args: &[&str]| node.cluster.kubectl(&[args, &of].concat());
    kubectl(&["create", "rolebinding", "alice", "--clusterrole=edit", "--user=alice"]).expect("a binding");
    let alice = |args: &[&str]| kubectl(&[&["--as", "alice"], args].concat());
    alice(&["annotate", "pod", pod, "example.test/note=mine"]).expect("what is not ours is free");
    // Annotations are taken with a pod's status, too.
    let through_status = r#"{"metadata": {"annotations": {"app.dbbudget.dev/db.default.pool": "50"}}}"#;
    let error = kubectl(&["patch", "pod", pod, "--subresource=status", "--type=merge", "-p", through_status]);
    let error = error.expect_err("not even an administrator does");
    assert!(error.contains("only dbbudget writes them"), "{error}");
    let refused: BTreeMap<&str, [&str; 4]> = BTreeMap::from([
        ("only dbbudget writes them", ["annotate", "pod", pod, "app.dbbudget.dev/db.default.pool=50"]),
        ("only dbbudget writes it", ["label", "pod", pod, "dbbudget.dev/cronjob=nightly"]),
    ]);
    for (says, args) in refused {
        let error = alice(&[&args[..], &["--overwrite"]].concat()).expect_err("it is refused");
        assert!(error.contains(says), "{args:?}: {error}");
    }
    let error = alice(&["annotate", "pod", pod, "dbbudget.dev/shape-"]).expect_err("what is ours is not taken away");
    assert!(error.contains("only dbbudget writes them"), "{error}");
    // She may ask for connections, and read who has them.
    for (verb, kind, answer) in
        [("create", "databaseclaims", "yes"), ("list", "databaseledgers", "yes"), ("create", "databaseledgers", "no")]
    {
        let said = alice(&["auth", "can-i", verb, kind]).map_or_else(|error| error, |(out, _)| out);
        assert!(said.contains(answer), "{verb} {kind}: {said}");
    }
    // And not even an administrator writes a ledger.
    let ledger = "apiVersion: dbbudget.dev/v1alpha1\nkind: DatabaseLedger\nmetadata: {name: mine}\nspec: {phase: Leasing, \
        allocatable: 99, reserve: 0, budgetGeneration: 1}\n";
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), ledger).expect("written");
    let error = kubectl(&["create", "-f", &file.path().to_string_lossy()]).expect_err("it is refused");
    assert!(error.contains("only dbbudget writes it"), "{error}");
}
