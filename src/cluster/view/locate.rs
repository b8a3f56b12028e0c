//! Whether the API server has a kind, and under which path.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use kube::discovery::{self, ApiCapabilities};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::sources::Source;

/// Kinds that every API server has: group, kind, version, plural. Anything else is looked up.
const EVERYWHERE: [(&str, &str, &str, &str); 9] = [
    ("apps", "Deployment", "v1", "deployments"),
    ("apps", "StatefulSet", "v1", "statefulsets"),
    ("apps", "DaemonSet", "v1", "daemonsets"),
    ("apps", "ReplicaSet", "v1", "replicasets"),
    ("batch", "Job", "v1", "jobs"),
    ("batch", "CronJob", "v1", "cronjobs"),
    ("autoscaling", "HorizontalPodAutoscaler", "v2", "horizontalpodautoscalers"),
    ("", "Pod", "v1", "pods"),
    ("", "Node", "v1", "nodes"),
];

/// Custom resources, as far as they decide whether a kind exists: how often the definitions of each API group changed.
/// Nothing: they may not be watched, and kinds that are missing are looked for now and then.
pub type Definitions = Option<BTreeMap<String, u64>>;

/// A new kind is in discovery a moment after its definition says so.
const DISCOVERY_LAGS: u32 = 8;
/// How often a missing kind is looked for where definitions may not be watched.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The resource of a source, if it needs no look-up.
#[must_use]
pub fn everywhere(source: &Source) -> Option<ApiResource> {
    let resource = |group: &str, kind: &str, version: &str, plural: &str| {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    };
    let (group, kind) = source.group_kind();
    match source {
        Source::Budgets => Some(resource(group, kind, crate::api::VERSION, "databasebudgets")),
        Source::Claims => Some(resource(group, kind, crate::api::VERSION, "databaseclaims")),
        Source::Definitions => Some(resource(group, kind, "v1", "customresourcedefinitions")),
        _ => {
            let known = EVERYWHERE.iter().find(|(g, k, ..)| (*g, *k) == (group, kind));
            known.map(|(group, kind, version, plural)| resource(group, kind, version, plural))
        }
    }
}

/// Looks a kind up. Nothing: the API server does not have it.
///
/// # Errors
/// When the API server does not answer, or must not be asked.
pub async fn look_up(client: &Client, source: &Source) -> Result<Option<ApiResource>, kube::Error> {
    let (group, kind) = source.group_kind();
    // What has no replicas is no workload, whatever a claim says: nobody makes dbbudget read Secrets this way.
    let scales = |capabilities: &ApiCapabilities| {
        !source.is_chosen() || capabilities.subresources.iter().any(|(r, _)| r.plural == "scale")
    };
    match discovery::group(client, group).await {
        Ok(found) => Ok(found.recommended_kind(kind).filter(|(_, c)| scales(c)).map(|(resource, _)| resource)),
        Err(kube::Error::Discovery(_)) => Ok(None),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the resource of a kind as soon as the API server has it. `absent` is called while it does not.
pub async fn appears(
    client: &Client,
    source: &Source,
    definitions: &mut watch::Receiver<Definitions>,
    absent: impl Fn(),
) -> ApiResource {
    let (group, kind) = source.group_kind();
    let mut looks = 0;
    loop {
        let seen = mark(&definitions.borrow(), group);
        match look_up(client, source).await {
            Ok(Some(resource)) => return resource,
            Ok(None) => absent(),
            Err(error) => tracing::warn!("cannot look for {kind}.{group}: {error}"),
        }
        if looks < DISCOVERY_LAGS && looks > 0 {
            sleep(Duration::from_millis(50 << looks)).await;
            looks += 1;
            continue;
        }
        match seen {
            None => sleep(LOOK_AGAIN).await,
            Some(seen) => {
                // Also looked at every so often: an aggregated API has no definition.
                let news = definitions.wait_for(|now| mark(now, group) != Some(seen));
                drop(timeout(RARELY, news).await);
            }
        }
        looks = 1;
    }
}

/// How often a missing kind is looked for although its definition did not change.
const RARELY: Duration = Duration::from_secs(600);

fn mark(definitions: &Definitions, group: &str) -> Option<u64> {
    definitions.as_ref().map(|groups| groups.get(group).copied().unwrap_or(0))
}
