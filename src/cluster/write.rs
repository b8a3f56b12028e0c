//! What is written to the cluster: the status of budgets and claims, events about them, ledgers, what they grant to pods,
//! and restarts of workloads. Each write has a time limit, and an error says which permission is missing.

pub mod ledger;
pub mod pod;
pub mod restart;
pub mod rules;
pub mod scale;

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use kube_runtime::events::{Event, EventType, Recorder, Reporter};
use serde::Serialize;
use serde_json::json;
use thiserror::Error;

use crate::api::parse::Name;
use crate::api::{GROUP, VERSION};
use crate::cluster::view::locate::everywhere;
use crate::cluster::view::sources::Source;

/// Owner of every field of a status; its own, so that nobody mistakes it for someone's spec.
const FIELD_MANAGER: &str = "dbbudget/status";
/// A write that takes longer has failed; the client's own retries are within it.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Why a write failed.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The object is gone, or another one of its name has taken its place.
    #[error("{0} is gone")]
    Gone(String),
    /// Someone else wrote at the same moment.
    #[error("{0} was changed by someone else at the same moment")]
    Conflict(String),
    /// A permission is missing.
    #[error("{0}")]
    Forbidden(String),
    /// The API server did not answer in time.
    #[error("writing {0} took longer than {TIME_LIMIT:?}")]
    TimedOut(String),
    /// The API server does not take it.
    #[error("{what} was refused: {why}")]
    Refused {
        /// What was written.
        what: String,
        /// The API server's reason.
        why: String,
    },
    /// It is stored, and makes no sense.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// What was read.
        what: String,
        /// Which field, what is wrong with it, and what to do.
        why: String,
    },
    /// The API server could not be reached, or failed.
    #[error("{what} could not be written: {why}")]
    Failed {
        /// What was to be written.
        what: String,
        /// Why not.
        why: String,
    },
}

impl WriteError {
    /// The error as a metric's label: one of a fixed list.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Gone(_) => "gone",
            Self::Conflict(_) => "conflict",
            Self::Forbidden(_) => "forbidden",
            Self::TimedOut(_) => "timeout",
            Self::Refused { .. } => "refused",
            Self::Unreadable { .. } => "unreadable",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether it lasts until somebody mends it.
    #[must_use]
    pub const fn needs_help(&self) -> bool {
        matches!(self, Self::Forbidden(_) | Self::Refused { .. } | Self::Unreadable { .. })
    }
}

/// Kinds whose status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `DatabaseBudget`.
    Budget,
    /// `DatabaseClaim`.
    Claim,
}

impl Kind {
    fn source(self) -> Source {
        match self {
            Self::Budget => Source::Budgets,
            Self::Claim => Source::Claims,
        }
    }

    /// As a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Claim => "claim",
        }
    }
}

/// One object of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// Its UID: a write never reaches another object of the same name.
    pub uid: String,
}

/// Writes to the cluster.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    recorder: Recorder,
}

impl Writer {
    /// A writer; `instance` tells replicas apart in events.
    #[must_use]
    pub fn new(client: Client, instance: Option<String>) -> Self {
        let reporter = Reporter { controller: "dbbudget".into(), instance };
        Self { recorder: Recorder::new(client.clone(), reporter), client }
    }

    /// Replaces the status of an object. Answers the object as it is stored now.
    ///
    /// # Errors
    /// When nothing was written, or nobody knows whether it was.
    pub async fn status<S: Serialize>(&self, object: &Object, status: &S) -> Result<DynamicObject, WriteError> {
        let (group, kind) = (GROUP, object.kind.source().group_kind().1.to_owned());
        let what = format!("the status of {kind} {}", object.name);
        let Some(resource) = everywhere(&object.kind.source()) else { return Err(WriteError::Gone(what)) };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &object.name.namespace, &resource);
        let patch = Patch::Apply(json!({
            "apiVersion": format!("{group}/{VERSION}"),
            "kind": kind,
            "metadata": {"name": object.name.name, "namespace": object.name.namespace, "uid": object.uid},
            "status": status,
        }));
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = api.patch_status(&object.name.name, &params, &patch);
        let permission = || format!("patch on {}.{group}/status", resource.plural);
        limited(what, &object.name.namespace, permission, written).await
    }

    /// Publishes an event about an object.
    ///
    /// # Errors
    /// When it was not written, or nobody knows whether it was.
    pub async fn event(&self, object: &Object, note: &Note) -> Result<(), WriteError> {
        let source = object.kind.source();
        let kind = source.group_kind().1;
        self.publish((&format!("{GROUP}/{VERSION}"), kind), &object.name, &object.uid, note).await
    }

    async fn publish(
        &self,
        (api_version, kind): (&str, &str),
        name: &Name,
        uid: &str,
        note: &Note,
    ) -> Result<(), WriteError> {
        let what = format!("the event {} of {kind} {name}", note.reason);
        let regarding = ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
            name: Some(name.name.clone()),
            namespace: Some(name.namespace.clone()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: note.reason.clone(),
            note: Some(note.text.clone()),
            action: "Assess".into(),
            secondary: None,
        };
        let permission = || "create and patch on events.events.k8s.io".to_owned();
        limited(what, &name.namespace, permission, self.recorder.publish(&event, &regarding)).await
    }
}

/// What an event says. Repeats within minutes are folded by reason, so the text has no numbers that change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether it is a warning.
    pub warning: bool,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub text: String,
}

async fn limited<T>(
    what: String,
    namespace: &str,
    permission: impl Fn() -> String,
    write: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, WriteError> {
    let error = match tokio::time::timeout(TIME_LIMIT, write).await {
        Ok(Ok(written)) => return Ok(written),
        Ok(Err(error)) => error,
        Err(_) => return Err(WriteError::TimedOut(what)),
    };
    Err(match error {
        kube::Error::Api(status) if status.is_not_found() => WriteError::Gone(what),
        // A UID that is no longer the object's is a conflict, too, and the next look tells.
        kube::Error::Api(status) if status.is_conflict() => WriteError::Conflict(what),
        // The answer to an event in a namespace on its way out.
        kube::Error::Api(status) if status.message.contains("being terminated") => WriteError::Gone(what),
        kube::Error::Api(status) if status.is_forbidden() => {
            let grant = permission();
            WriteError::Forbidden(format!(
                "dbbudget lacks a permission for {what}: grant it {grant} in the namespace {namespace} ({})",
                status.message
            ))
        }
        kube::Error::Api(status) if status.code < 500 && status.code != 429 => {
            WriteError::Refused { what, why: status.message }
        }
        error => WriteError::Failed { what, why: error.to_string() },
    })
}
