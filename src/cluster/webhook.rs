//! The webhook as the API server knows it: registered for the namespaces that have a claim, and for no others; removed
//! when nobody needs it. The leader keeps it so, also when someone else changes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::certificate::Certificate;
use super::one::One;
use crate::api::policy::FailurePolicy;
use crate::pod::keys::IS_OURS;

/// How the webhook is registered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the configuration.
    pub name: String,
    /// How the API server reaches it.
    pub address: Address,
}

/// How the API server reaches the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Through a Service, on port 443.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Directly: `https://127.0.0.1:9443`, beside the API server.
    Url(String),
}

/// Namespaces that have a claim, and what becomes of their pods while the webhook is away.
pub type Namespaces = BTreeMap<String, FailurePolicy>;

/// What is asked about pods, and where.
pub const PODS: &str = "/pods";
/// What is asked about Jobs.
pub const JOBS: &str = "/jobs";
/// Seconds that the API server waits for an answer.
pub const DEADLINE: u64 = 2;

/// Why this ended without being asked to.
#[derive(Debug, Error)]
pub enum Error {
    /// Whatever it is told by is gone.
    #[error("the parts that it serves ended")]
    Ended,
}

const FIELD_MANAGER: &str = "dbbudget/webhook";
const TIME_LIMIT: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(5);

/// The configuration for these namespaces; nothing where there are none.
#[must_use]
pub fn configuration(settings: &Settings, authorities: &str, namespaces: &Namespaces) -> Option<Value> {
    let of = |policy: FailurePolicy| -> Vec<&str> {
        namespaces.iter().filter(|(_, p)| **p == policy).map(|(name, _)| name.as_str()).collect()
    };
    let webhooks: Vec<Value> = [(FailurePolicy::Ignore, "ignore"), (FailurePolicy::Fail, "fail")]
        .into_iter()
        .map(|(policy, word)| (policy, word, of(policy)))
        .filter(|(.., names)| !names.is_empty())
        .flat_map(|(policy, word, names)| {
            let common = |name: &str, path: &str| {
                json!({
                    "name": format!("{name}-{word}.dbbudget.dev"),
                    "clientConfig": client_config(&settings.address, authorities, path),
                    "namespaceSelector": {"matchExpressions": [
                        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}
                    ]},
                    "objectSelector": {}, // all of them, also when someone else has narrowed it
                    "failurePolicy": format!("{policy:?}"),
                    "matchPolicy": "Equivalent",
                    "sideEffects": "None",
                    "timeoutSeconds": DEADLINE,
                    "admissionReviewVersions": ["v1"],
                    // Another webhook may add a container after us; a second look at what we have seen changes nothing.
                    "reinvocationPolicy": "IfNeeded",
                })
            };
            let (mut pods, mut jobs) = (common("pods", PODS), common("jobs", JOBS));
            pods["rules"] = rule("", "v1", "pods");
            // A pod that is bound to a node never waits for anything. It is looked at where it tells of a share.
            let concerned = format!(
                "!has(object.spec.nodeName) || object.spec.nodeName == '' || (has(object.metadata.annotations) && \
                 object.metadata.annotations.exists(k, {IS_OURS}))"
            );
            pods["matchConditions"] = json!([{"name": "unbound-or-telling", "expression": concerned}]);
            jobs["rules"] = rule("batch", "v1", "jobs");
            let owned = "has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, o.kind == 'CronJob')";
            jobs["matchConditions"] = json!([{"name": "of-a-cronjob", "expression": owned}]);
            [pods, jobs]
        })
        .collect();
    (!webhooks.is_empty()).then(|| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": settings.name, "labels": {"app.kubernetes.io/managed-by": "dbbudget"}},
            "webhooks": webhooks,
        })
    })
}

fn rule(group: &str, version: &str, resource: &str) -> Value {
    json!([{
        "apiGroups": [group], "apiVersions": [version], "resources": [resource], "operations": ["CREATE"],
        "scope": "Namespaced",
    }])
}

fn client_config(address: &Address, authorities: &str, path: &str) -> Value {
    let bundle = k8s_openapi::ByteString(authorities.as_bytes().to_vec());
    match address {
        Address::Url(url) => json!({"url": format!("{}{path}", url.trim_end_matches('/')), "caBundle": bundle}),
        Address::Service { namespace, name } => {
            json!({"service": {"namespace": namespace, "name": name, "path": path, "port": 443}, "caBundle": bundle})
        }
    }
}

/// Keeps the configuration as it should be while this replica leads, and as it is while nobody knows what it should be:
/// `namespaces` are nothing until all budgets are known. `registered` is told which ones are; `trouble` what stands in
/// the way.
///
/// # Errors
/// When what tells it of namespaces, certificates or the election ends.
pub async fn run(
    client: Client,
    settings: Settings,
    mut leader: watch::Receiver<bool>,
    mut namespaces: watch::Receiver<Option<Arc<Namespaces>>>,
    mut certificate: watch::Receiver<Option<Arc<Certificate>>>,
    registered: watch::Sender<Option<Arc<Namespaces>>>,
    trouble: impl Fn(Option<String>),
) -> Result<(), Error> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client);
    let what = format!("the MutatingWebhookConfiguration {}", settings.name);
    let mut stored = One::new(api.clone(), &settings.name, what);
    let mut registration = Registration { api, settings, known: false, stored: None, written: None, trouble };
    let mut look = None;
    loop {
        let leads = *leader.borrow_and_update();
        let wanted = namespaces.borrow_and_update().clone();
        let shown = certificate.borrow_and_update().clone();
        if let Some(wanted) = wanted.filter(|_| leads && look.is_none_or(|at| at <= Instant::now())) {
            look = registration.bring_about(&wanted, shown.as_deref()).await.then(|| Instant::now() + RETRY);
            registered.send_replace(registration.is_written().then_some(wanted));
        }
        tokio::select! {
            stored = stored.next() => match stored {
                Ok(stored) => {
                    (registration.known, registration.stored) = (true, stored);
                    registration.say(None);
                }
                Err(refused) => registration.say(Some(refused)),
            },
            changed = leader.changed() => changed.map_err(|_| Error::Ended)?,
            changed = namespaces.changed() => changed.map_err(|_| Error::Ended)?,
            changed = certificate.changed() => changed.map_err(|_| Error::Ended)?,
            () = sleep_until(look.unwrap_or_else(Instant::now)), if look.is_some() => look = None,
        }
    }
}

/// The configuration as it is stored, and as it was last written.
struct Registration<T> {
    api: Api<MutatingWebhookConfiguration>,
    settings: Settings,
    /// Whether it has been read.
    known: bool,
    stored: Option<MutatingWebhookConfiguration>,
    /// What was written, and the version that this made.
    written: Option<(Value, Option<String>)>,
    trouble: T,
}

impl<T: Fn(Option<String>)> Registration<T> {
    fn say(&self, sentence: Option<String>) {
        (self.trouble)(sentence.map(|sentence| format!("the webhook is not registered: {sentence}")));
    }

    /// Whether what is stored is what was written last.
    fn is_written(&self) -> bool {
        let version = self.stored.as_ref().and_then(|c| c.metadata.resource_version.clone());
        self.written.as_ref().is_some_and(|(_, of)| *of == version)
    }

    /// Writes or removes it where that is needed. Answers whether to try again later.
    async fn bring_about(&mut self, namespaces: &Namespaces, certificate: Option<&Certificate>) -> bool {
        if !self.known {
            return false;
        }
        let version = self.stored.as_ref().and_then(|c| c.metadata.resource_version.clone());
        if namespaces.is_empty() {
            return self.stored.is_some() && !self.remove().await;
        }
        let Some(certificate) = certificate else { return false };
        let Some(wanted) = configuration(&self.settings, &certificate.authorities, namespaces) else { return false };
        if self.written.as_ref().is_some_and(|(written, of)| *written == wanted && *of == version) {
            return false;
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&wanted);
        match timeout(TIME_LIMIT, self.api.patch(&self.settings.name, &params, &patch)).await {
            Ok(Ok(stored)) => {
                tracing::info!(namespaces = namespaces.len(), "the webhook is registered");
                self.written = Some((wanted, stored.metadata.resource_version.clone()));
                self.stored = Some(stored);
                self.say(None);
                false
            }
            Ok(Err(error)) => {
                self.say(Some(error.to_string()));
                true
            }
            Err(_) => {
                self.say(Some(format!("registering it took longer than {TIME_LIMIT:?}")));
                true
            }
        }
    }

    /// Nobody needs it. Answers whether it is gone.
    async fn remove(&mut self) -> bool {
        let removed = timeout(TIME_LIMIT, remove(&self.api, &self.settings.name)).await;
        match removed {
            Ok(Ok(())) => {
                tracing::info!("the webhook is no longer registered: no budget needs it");
                (self.stored, self.written) = (None, None);
                self.say(None);
                true
            }
            Ok(Err(error)) => {
                self.say(Some(format!("it cannot be removed: {error}")));
                false
            }
            Err(_) => {
                self.say(Some(format!("removing it took longer than {TIME_LIMIT:?}")));
                false
            }
        }
    }
}

/// Removes a configuration, if it is there.
///
/// # Errors
/// When the API server refuses, or is not reached.
pub async fn remove(api: &Api<MutatingWebhookConfiguration>, name: &str) -> Result<(), kube::Error> {
    match api.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(|_| ()),
    }
}

#[cfg(test)]
mod tests;
