//! The webhook's certificate, when somebody meddles with its Secret.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::injection::{injecting, until_registered};
use crate::operator::Operator;
use crate::world::{World, until};

const SECRET: &str = "dbbudget-webhook";

/// Waits until the API server trusts what the Secret names, and is answered.
async fn until_trusted(world: &World<'_>, secret: &Secret) {
    let authorities = secret.data.as_ref().and_then(|data| data.get("ca.crt")).expect("authorities").clone();
    let trusts = |c: &MutatingWebhookConfiguration| {
        c.webhooks.iter().flatten().all(|webhook| webhook.client_config.ca_bundle.as_ref() == Some(&authorities))
    };
    until(Api::all(world.client.clone()), &world.namespace, "its authorities are trusted", trusts).await;
    world.until_asked().await;
}

#[tokio::test]
async fn a_secret_that_is_deleted_or_damaged_is_made_whole_and_pods_have_their_share() {
    let world = World::new("secret").await;
    world.install().await;
    let _operator = Operator::start(&world).await;
    world.apply(&injecting("shop", &[("api", "{kind: Deployment}")])).await;
    until_registered(&world, true).await;
    let first = world.get::<Secret>(SECRET).await;

    world.cluster.kubectl(&["delete", "secret", SECRET, "-n", &world.namespace]).expect("deleted");
    let second = world.until(SECRET, "it is made again", |s: &Secret| s.uid() != first.uid()).await;
    assert_ne!(second.data, first.data, "a new key");
    until_trusted(&world, &second).await;

    let damage = json!({"data": {"tls.crt": ByteString(b"no certificate".to_vec())}}).to_string();
    world.cluster.kubectl(&["patch", "secret", SECRET, "-n", &world.namespace, "-p", &damage]).expect("patched");
    let whole = |s: &Secret| s.data == second.data && s.resource_version() != second.resource_version();
    until_trusted(&world, &world.until(SECRET, "it is as it was", whole).await).await;

    let junk = json!({"data": {"state.json": ByteString(b"{".to_vec())}}).to_string();
    world.cluster.kubectl(&["patch", "secret", SECRET, "-n", &world.namespace, "-p", &junk]).expect("patched");
    let fresh = |s: &Secret| {
        let state = s.data.as_ref().and_then(|data| data.get("state.json"));
        state.is_some_and(|state| state.0.len() > 1) && s.data != second.data
    };
    until_trusted(&world, &world.until(SECRET, "it is made anew", fresh).await).await;
}
