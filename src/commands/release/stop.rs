//! dbbudget is stopped before its hands are taken off: what runs would put them back.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Args, ReleaseError, say};
use crate::api::parse::Name;
use crate::cluster::confirm;
use crate::commands::reach::failed;

/// Pods get 30 s to end, and a replica's Lease runs out within 20 s.
const TIME_LIMIT: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(500);
/// How the chart labels what runs dbbudget.
const SELECTOR: &str = "app.kubernetes.io/name=dbbudget";

/// Stops dbbudget, and waits until nothing of it runs.
pub async fn stop(client: &Client, args: &Args) -> Result<(), ReleaseError> {
    let found = match &args.deployment {
        Some(given) => Some(given.clone()),
        None => find(client).await?,
    };
    let Some(deployment) = found else {
        say("no Deployment of dbbudget was found; if it runs elsewhere, stop it first");
        return Ok(());
    };
    if args.leave_running {
        return until_nobody_answers(client, &deployment).await;
    }
    match scale_down(client, &deployment).await? {
        Some(selector) => until_no_pods(client, &deployment, &selector).await,
        // Its pods may be on their way out, and nothing tells which ones those are.
        None => until_nobody_answers(client, &deployment).await,
    }
}

/// The one Deployment that runs dbbudget.
async fn find(client: &Client) -> Result<Option<Name>, ReleaseError> {
    let api: Api<Deployment> = Api::all(client.clone());
    let listed = api.list_metadata(&ListParams::default().labels(SELECTOR)).await;
    let listed = listed.map_err(failed("cannot look for the Deployment of dbbudget (say --deployment)"))?;
    let name =
        |d: &kube::core::PartialObjectMeta<Deployment>| Name::new(d.namespace().unwrap_or_default(), d.name_any());
    let mut names: Vec<Name> = listed.items.iter().map(name).collect();
    if names.len() > 1 {
        let all: Vec<String> = names.iter().map(ToString::to_string).collect();
        return Err(ReleaseError::Several(all.join(", ")));
    }
    Ok(names.pop())
}

/// Scales it to 0. Answers which pods are its own; nothing: it is gone.
async fn scale_down(client: &Client, name: &Name) -> Result<Option<String>, ReleaseError> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), &name.namespace);
    let patch = Patch::Merge(json!({"spec": {"replicas": 0}}));
    match api.patch_scale(&name.name, &PatchParams::default(), &patch).await {
        Ok(scale) => {
            say(&format!("the Deployment {name} is scaled to 0"));
            Ok(scale.status.and_then(|status| status.selector))
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            say(&format!("there is no Deployment {name} any more"));
            Ok(None)
        }
        Err(error) => Err(failed(format!("cannot scale the Deployment {name} to 0"))(error).into()),
    }
}

async fn until_no_pods(client: &Client, name: &Name, selector: &str) -> Result<(), ReleaseError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &name.namespace);
    let params = ListParams::default().labels(selector);
    let began = Instant::now();
    while began.elapsed() < TIME_LIMIT {
        let listed = api.list_metadata(&params).await.map_err(failed(format!("cannot list the pods of {name}")))?;
        if listed.items.is_empty() {
            say("none of its pods is left");
            return Ok(());
        }
        sleep(PAUSE).await;
    }
    Err(ReleaseError::StillRuns(name.to_string(), TIME_LIMIT, name.namespace.clone()))
}

/// Waits until no replica renews the Lease by which it says that it answers for the webhook. Only those write to pods.
async fn until_nobody_answers(client: &Client, name: &Name) -> Result<(), ReleaseError> {
    let (namespace, group) = (name.namespace.clone(), name.name.clone());
    let settings = confirm::Settings { namespace, group, identity: String::new() };
    let replicas = confirm::Replicas::new(client.clone(), &settings);
    let began = Instant::now();
    while began.elapsed() < TIME_LIMIT {
        let live = replicas.live().await.map_err(ReleaseError::Unread)?;
        if live == 0 {
            say("nobody answers for the webhook any more");
            return Ok(());
        }
        sleep(PAUSE).await;
    }
    Err(ReleaseError::StillRuns(name.to_string(), TIME_LIMIT, name.namespace.clone()))
}
