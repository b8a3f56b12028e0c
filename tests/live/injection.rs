//! Pods are born with their share: the real API server asks the real webhook, and answers with what it stores.

use dbbudget::api::DatabaseBudget;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::operator::Operator;
use crate::things::{budget, budget_is, claim, condition, deployment, row, status, template};
use crate::world::{World, until, until_some};

/// A budget of 20 that injects, with these entries.
pub fn injecting(name: &str, entries: &[(&str, &str)]) -> String {
    budget(name, "", entries)
        .replace("enforcement: Observe", "enforcement: Inject")
        .replace("maxConnections: 100", "maxConnections: 20")
}

/// Waits until the API server has the webhook, or until it has it no more.
pub async fn until_registered(world: &World<'_>, registered: bool) {
    let api: Api<MutatingWebhookConfiguration> = Api::all(world.client.clone());
    if registered {
        until(api, &world.namespace, "the webhook is registered", |c: &MutatingWebhookConfiguration| {
            c.webhooks.as_ref().is_some_and(|all| !all.is_empty())
        })
        .await;
        world.until_asked().await;
    } else {
        kube::runtime::wait::await_condition(api, &world.namespace, kube::runtime::conditions::is_deleted(""))
            .await
            .ok();
    }
}

fn env<'a>(container: &'a Container, name: &str) -> Option<&'a EnvVar> {
    container.env.as_ref()?.iter().find(|variable| variable.name == name)
}

/// The number that a container's variable will have.
fn number(pod: &Pod, name: &str) -> Option<u32> {
    let variable = env(pod.spec.as_ref()?.containers.first()?, name)?;
    let path = variable.value_from.as_ref()?.field_ref.as_ref()?.field_path.clone();
    let key = path.strip_prefix("metadata.annotations['")?.strip_suffix("']")?;
    pod.annotations().get(key)?.parse().ok()
}

fn limit(pod: &Pod) -> Option<u32> {
    Some(number(pod, "DB_POOL_SIZE")? + number(pod, "DB_MAX_OVERFLOW")?)
}

/// 20 for 4 pods of 3: each keeps them.
#[tokio::test]
async fn a_deployments_pods_have_their_share_and_follow_a_change() {
    let world = World::new("inject").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    world.apply(&injecting("shop", &[("api", "{kind: Deployment}")])).await;
    until_registered(&world, true).await;
    world.apply(&deployment("api", 4)).await;
    let pods = until_some::<Pod>(world.api(), 4, "pods have a share", |pod| limit(pod).is_some()).await;
    let allowed = |pod: &Pod| limit(pod).is_some_and(|limit| (1..=3).contains(&limit));
    assert!(pods.iter().all(allowed), "{pods:#?}");
    let seen = world.until("shop", "all pods are known", |b: &DatabaseBudget| row(b, "api").pods == 4).await;
    assert!(status(&seen).held.is_some_and(|held| held <= 12), "{seen:#?}");

    let overridden = |event: &Event| {
        let note = event.note.as_deref().unwrap_or_default();
        event.reason.as_deref() == Some("Overridden") && note.contains("/api (DB_MAX_OVERFLOW, DB_POOL_SIZE)")
    };
    until_some::<Event>(world.api(), 1, "event tells what is overridden", overridden).await;

    // 20 for 20 pods: each gets 1. Those that run keep what they were born with.
    world.apply(&deployment("api", 20)).await;
    world.until("shop", "all 20 run", |b: &DatabaseBudget| row(b, "api").pods == 20).await;
    let restart = ["rollout", "restart", "deployment/api", "-n", &world.namespace];
    world.cluster.kubectl(&restart).expect("restarted");
    let settled = |b: &DatabaseBudget| row(b, "api").pods == 20 && status(b).held == Some(20);
    let seen = world.until("shop", "every pod holds 1", settled).await;
    world.until("shop", "all pods have it", |b: &DatabaseBudget| budget_is(b, "Injected", "AllPods")).await;
    assert_eq!(row(&seen, "api").engines[0].limit, Some(1));
}

#[tokio::test]
async fn pods_that_were_there_before_are_told_and_counted_as_written() {
    let world = World::new("escaped").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    world.apply(&deployment("api", 2)).await;
    world.apply(&budget("shop", "", &[("api", "{kind: Deployment}")])).await;
    world.until("shop", "both hold 3", |b: &DatabaseBudget| status(b).held == Some(6)).await;
    world.apply(&injecting("shop", &[("api", "{kind: Deployment}")])).await;
    let seen = world.until("shop", "they escaped", |b| budget_is(b, "Injected", "Escaped")).await;
    assert_eq!(status(&seen).held, Some(6));
    let said = condition(&status(&seen).conditions, "Injected").expect("there").message.clone();
    let command = format!("kubectl -n {} rollout restart deployment/api", world.namespace);
    assert!(said.starts_with("2 of 2 pods run without a share") && said.contains(&command), "{said}");
    until_registered(&world, true).await;
    world.cluster.kubectl(&["rollout", "restart", "deployment/api", "-n", &world.namespace]).expect("restarted");
    world.until("shop", "all are replaced", |b: &DatabaseBudget| budget_is(b, "Injected", "AllPods")).await;
}

#[tokio::test]
async fn the_webhook_is_there_for_claimed_namespaces_alone_and_comes_back_when_it_is_deleted() {
    let world = World::new("scoped").await;
    world.install().await;
    let other = world.beside("other").await;
    let _operator = Operator::start(&world).await;
    world.apply(&injecting("shop", &[("api", "{kind: Deployment}")])).await;
    until_registered(&world, true).await;
    let api: Api<MutatingWebhookConfiguration> = Api::all(world.client.clone());
    let stored = api.get(&world.namespace).await.expect("registered");
    for webhook in stored.webhooks.iter().flatten() {
        assert_eq!((webhook.failure_policy.as_deref(), webhook.timeout_seconds), (Some("Ignore"), Some(2)));
        let selector = webhook.namespace_selector.as_ref().and_then(|s| s.match_expressions.as_ref()).expect("scoped");
        assert_eq!(selector[0].values.as_deref(), Some(&[world.namespace.clone()][..]));
    }
    other.apply(&deployment("api", 1)).await;
    let pods = until_some::<Pod>(other.api(), 1, "pod of another namespace", |_| true).await;
    assert_eq!(limit(&pods[0]), None);

    world.cluster.kubectl(&["delete", "mutatingwebhookconfiguration", &world.namespace]).expect("deleted");
    until_registered(&world, true).await;
    let narrow =
        json!([{"op": "add", "path": "/webhooks/0/objectSelector", "value": {"matchLabels": {"none": "of-them"}}}]);
    let patch = ["patch", "mutatingwebhookconfiguration", &world.namespace, "--type=json", "-p", &narrow.to_string()];
    world.cluster.kubectl(&patch).expect("patched");
    let all_pods = |c: &MutatingWebhookConfiguration| {
        let selectors = c.webhooks.iter().flatten().filter_map(|webhook| webhook.object_selector.as_ref());
        selectors.into_iter().all(|selector| selector.match_labels.is_none())
    };
    until(api.clone(), &world.namespace, "it is about all pods again", all_pods).await;
    let fail = injecting("shop", &[("api", "{kind: Deployment}")])
        .replace("headroom: None", "headroom: None, failurePolicy: Fail");
    world.apply(&fail).await;
    let is_fail = |c: &MutatingWebhookConfiguration| {
        c.webhooks.iter().flatten().all(|webhook| webhook.failure_policy.as_deref() == Some("Fail"))
    };
    until(api.clone(), &world.namespace, "it fails closed", is_fail).await;
    world.delete(&fail).await;
    until_registered(&world, false).await;
}

/// Whoever begins does not know the budgets yet, which is not that there are none.
#[tokio::test]
async fn a_restart_takes_no_registration_away() {
    let world = World::new("restarted").await;
    world.install().await;
    let first = Operator::start(&world).await;
    world.apply(&injecting("shop", &[("api", "{kind: Deployment}")])).await;
    until_registered(&world, true).await;
    let api: Api<MutatingWebhookConfiguration> = Api::all(world.client.clone());
    let before = api.get(&world.namespace).await.expect("registered");
    first.terminate().await;
    let _second = Operator::start(&world).await;
    let url = |c: &MutatingWebhookConfiguration| c.webhooks.iter().flatten().find_map(|w| w.client_config.url.clone());
    let is_of_second = |c: &MutatingWebhookConfiguration| url(c).is_some() && url(c) != url(&before);
    let after = until(api, &world.namespace, "the second is registered", is_of_second).await;
    assert_eq!(after.uid(), before.uid(), "it was gone in between");
}

#[tokio::test]
async fn a_cronjobs_pods_are_known_by_their_label_also_when_a_job_is_made_by_hand() {
    let world = World::new("cronjob").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    world.apply(&injecting("shop", &[("nightly", "{kind: CronJob}")])).await;
    until_registered(&world, true).await;
    let template = template("nightly")
        .replace("metadata: {", "metadata: {annotations: {fake.dbbudget.dev/runs: 1h}, ")
        .replace("spec: {", "spec: {restartPolicy: Never, ");
    world
        .apply(&format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: nightly}}\nspec: {{schedule: '0 0 29 2 *', \
             concurrencyPolicy: Forbid, jobTemplate: {{spec: {{template: {template}}}}}}}\n"
        ))
        .await;
    let by_hand = ["create", "job", "by-hand", "--from=cronjob/nightly", "-n", &world.namespace];
    world.cluster.kubectl(&by_hand).expect("a run");
    let job: Job = world.get("by-hand").await;
    assert_eq!(job.labels().get("dbbudget.dev/cronjob").map(String::as_str), Some("nightly"));
    let pods = until_some::<Pod>(world.api(), 1, "pod of it has a share", |pod| limit(pod).is_some()).await;
    assert_eq!(pods[0].labels().get("dbbudget.dev/cronjob").map(String::as_str), Some("nightly"));
    world.until("shop", "it counts so", |b: &DatabaseBudget| budget_is(b, "Injected", "AllPods")).await;
}

#[tokio::test]
async fn a_pod_may_draw_from_two_budgets_and_nobody_writes_its_keys_but_us() {
    let world = World::new("two").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    // Without a pod its share would be the smallest.
    let for_one = [("api", "{kind: Deployment}, sizeFor: 1")];
    world.apply(&injecting("first", &for_one)).await;
    let second = injecting("second", &for_one).replace(
        "{client: sqlalchemy-env}",
        "{name: other, min: 1, max: 4, inject: {env: [{name: OTHER_POOL, quantity: Limit}]}}",
    );
    world.apply(&second).await;
    until_registered(&world, true).await;
    // Both shares are published before the first pod asks for them.
    world.apply(&deployment("api", 0)).await;
    for name in ["first", "second"] {
        world.until(name, "its share is published", |b: &DatabaseBudget| !row(b, "api").engines.is_empty()).await;
    }
    let lies =
        json!({"app.dbbudget.dev/first.default.pool": "50", "dbbudget.dev/shape": "[]", "example.test/kept": "yes"});
    world
        .apply(
            &deployment("api", 1).replace("{metadata: {labels", &format!("{{metadata: {{annotations: {lies}, labels")),
        )
        .await;
    let pods = until_some::<Pod>(world.api(), 1, "pod has both", |p| number(p, "OTHER_POOL").is_some()).await;
    assert!(limit(&pods[0]).is_some_and(|limit| limit <= 3), "{:#?}", pods[0]);
    assert_eq!(pods[0].annotations().get("example.test/kept").map(String::as_str), Some("yes"));
    for name in ["first", "second"] {
        world
            .until(name, "its pod has its share", |b: &DatabaseBudget| {
                row(b, "api").pods == 1 && budget_is(b, "Injected", "AllPods")
            })
            .await;
    }
}

#[tokio::test]
async fn a_claim_injects_in_its_namespace_if_it_is_let_in() {
    let world = World::new("letting").await;
    world.install().await;
    let tenant = world.beside("tenant").await;
    let of = format!("{{namespace: {}, name: shop}}", world.namespace);
    let mut operator =
        Operator::spawn(&world, "operator", &["--namespace", &world.namespace, "--namespace", &tenant.namespace]);
    operator.until_ready().await;
    tenant.apply(&claim("api", &of, "{kind: Deployment}")).await;
    world.apply(&injecting("shop", &[("own", "{kind: Deployment}")])).await;
    until_registered(&world, true).await;
    tenant.apply(&deployment("api", 1)).await;
    let pods = until_some::<Pod>(tenant.api(), 1, "pod that is not let in", |_| true).await;
    assert_eq!(limit(&pods[0]), None, "the budget did not let this namespace in");
    let opened = injecting("shop", &[("own", "{kind: Deployment}")])
        .replace("headroom: None,", &format!("headroom: None, namespaces: [{{name: {}}}],", tenant.namespace));
    world.apply(&opened).await;
    let api: Api<MutatingWebhookConfiguration> = Api::all(world.client.clone());
    let both = |c: &MutatingWebhookConfiguration| {
        let text = serde_json::to_string(&c.webhooks).unwrap_or_default();
        text.contains(&format!("\"{}\"", tenant.namespace))
    };
    until(api, &world.namespace, "the tenant is served", both).await;
    tenant.until_asked().await;
    tenant.cluster.kubectl(&["rollout", "restart", "deployment/api", "-n", &tenant.namespace]).expect("restarted");
    until_some::<Pod>(tenant.api(), 1, "pod that is let in", |pod| limit(pod).is_some()).await;
}

#[tokio::test]
async fn dry_runs_change_nothing_and_pods_bound_to_a_node_tell_nothing() {
    let world = World::new("dry").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    world.apply(&injecting("shop", &[("api", "{kind: Deployment}")])).await;
    until_registered(&world, true).await;
    let pod = |name: &str, more: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{pod-template-hash: abc}}, ownerReferences: \
             [{{apiVersion: apps/v1, kind: ReplicaSet, name: api-abc, uid: u, controller: true}}]}}\nspec: \
             {{{more} containers: [{{name: app, image: x}}]}}\n"
        )
    };
    let apply = |yaml: String, dry: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), yaml).expect("written");
        let args = ["create", "-n", &world.namespace, "-f", &file.path().to_string_lossy(), "-o", "json", dry];
        let (out, _) = world.cluster.kubectl(&args).expect("created");
        serde_json::from_str::<Pod>(&out).expect("a pod")
    };
    assert_eq!(limit(&apply(pod("dry", ""), "--dry-run=server")), Some(1), "the smallest, as none is published");
    assert_eq!(limit(&apply(pod("bound", "nodeName: nowhere,"), "--dry-run=none")), None);
    let lies =
        "{name: liar, annotations: {dbbudget.dev/shape: '[]', app.dbbudget.dev/shop.default.pool: '1', kept: 'yes'},";
    let liar = apply(pod("liar", "nodeName: nowhere,").replace("{name: liar,", lies), "--dry-run=none");
    assert_eq!(liar.annotations().iter().collect::<Vec<_>>(), [(&"kept".to_owned(), &"yes".to_owned())]);
    let all = world.api::<Pod>().list(&ListParams::default()).await.expect("pods").items;
    assert_eq!(all.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["bound", "liar"]);
}
