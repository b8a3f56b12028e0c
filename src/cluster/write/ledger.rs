//! Ledgers, each written on condition that it is the very version that the write was computed from.

use axum::http;
use axum::http::header::{ACCEPT, HeaderValue};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};
use kube::core::{DynamicObject, PartialObjectMeta, Request};
use kube::{Api, CustomResourceExt, Resource, ResourceExt};

use super::{WriteError, Writer, limited};
use crate::api::DatabaseLedger;
use crate::api::ledger::DatabaseLedgerSpec;
use crate::api::parse::{self, Beside, Name, ledger_spec};
use crate::budget::ledger::Ledger;

/// Who writes. Only what creates a ledger records it.
const FIELD_MANAGER: &str = "dbbudget/ledger";
/// A ledger grows to no more. etcd takes three times as much; a pod that goes to quarantine takes up to three times what its
/// entry did, and all of them may go at once.
const LARGEST: usize = 1 << 19;

/// Asks for an answer without the entries, which are known.
const METADATA: HeaderValue = HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");

/// A ledger as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    metadata: ObjectMeta,
    /// What is stored beside its entries.
    pub beside: Beside,
}

/// A ledger's object, as it is read.
///
/// # Errors
/// What is wrong with it, and how to mend it with no more than dbbudget's own account may.
pub fn readable(object: &DynamicObject) -> Result<DatabaseLedgerSpec, String> {
    parse::stored_ledger(object).map_err(|error| {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        format!(
            "{error}; to mend it: kubectl get dbl {name} -n {namespace} -o yaml > ledger.yaml, edit that, and kubectl replace \
             -f ledger.yaml with --as and dbbudget's service account; or, once no container of a pod in its quarantine can run \
             any more, to begin anew by counting the pods there are: kubectl delete dbl {name} -n {namespace}, with the same --as"
        )
    })
}

fn what(name: &Name) -> String {
    format!("the DatabaseLedger {name}")
}

fn permission(verb: &str) -> impl Fn() -> String {
    let verb = verb.to_owned();
    move || format!("{verb} on databaseledgers.dbbudget.dev")
}

fn written_by_us() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() }
}

fn refused(name: &Name, why: &(impl ToString + ?Sized)) -> WriteError {
    WriteError::Refused { what: what(name), why: why.to_string() }
}

fn requests(name: &Name) -> Request {
    Request::new(DatabaseLedger::url_path(&(), Some(&name.namespace)))
}

/// Has a field refused that the definition of ledgers lacks, as an older one may. Otherwise it would be dropped unseen.
fn strict(
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<http::Request<Vec<u8>>, String> {
    let mut request = request.map_err(|error| error.to_string())?;
    let uri = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = uri.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    Ok(request)
}

fn with_remedy(error: WriteError) -> WriteError {
    match error {
        WriteError::Refused { what, why } if why.contains("strict decoding error") => {
            let why = format!("{why}; its definition is older than this dbbudget: apply the crds/ of this version");
            WriteError::Refused { what, why }
        }
        error => error,
    }
}

impl Writer {
    fn ledgers(&self, namespace: &str) -> Api<DatabaseLedger> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Reads a ledger, as all of etcd has it.
    ///
    /// # Errors
    /// When it was not read.
    pub async fn ledger(&self, name: &Name) -> Result<Option<(Stored, Ledger)>, WriteError> {
        let resource = DatabaseLedger::api_resource();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &name.namespace, &resource);
        let read = limited(what(name), &name.namespace, permission("get"), api.get_opt(&name.name)).await?;
        let Some(read) = read else { return Ok(None) };
        let spec = readable(&read).map_err(|why| WriteError::Unreadable { what: what(name), why })?;
        Ok(Some((Stored { metadata: read.metadata, beside: Beside::of(&spec) }, parse::ledger(&spec))))
    }

    /// Names of all ledgers; `namespaces`: of these alone.
    ///
    /// # Errors
    /// When they were not read.
    pub async fn ledger_names(&self, namespaces: Option<&[String]>) -> Result<Vec<Name>, WriteError> {
        let apis: Vec<(String, Api<DatabaseLedger>)> = match namespaces {
            None => vec![("default".to_owned(), Api::all(self.client.clone()))],
            Some(names) => names.iter().map(|name| (name.clone(), self.ledgers(name))).collect(),
        };
        let mut names = Vec::new();
        for (namespace, api) in apis {
            let params = ListParams::default();
            let read =
                limited("the DatabaseLedgers".into(), &namespace, permission("list"), api.list_metadata(&params));
            let of = |l: &kube::core::PartialObjectMeta<DatabaseLedger>| {
                Name::new(l.namespace().unwrap_or_default(), l.name_any())
            };
            names.extend(read.await?.items.iter().map(of));
        }
        Ok(names)
    }

    /// Creates a ledger, unless there is one.
    ///
    /// # Errors
    /// When it was not created, or nobody knows whether it was.
    pub async fn create_ledger(&self, name: &Name, ledger: &Ledger, beside: Beside) -> Result<Stored, WriteError> {
        let ledger = DatabaseLedger::new(&name.name, ledger_spec(ledger, &beside));
        let body = serde_json::to_vec(&ledger).map_err(|error| refused(name, &error))?;
        let metadata = self.send(name, "create", requests(name).create(&written_by_us(), body)).await?;
        Ok(Stored { metadata, beside })
    }

    /// Replaces a ledger, if it is still what this was computed from. A patch would be shorter, and cost the API server more:
    /// of 2 000 entries more than twice as much.
    ///
    /// # Errors
    /// When somebody else wrote it since, when it would be too large, or when nobody knows whether it was written.
    pub async fn replace_ledger(
        &self,
        name: &Name,
        from: &Stored,
        (before, after): (&Ledger, &Ledger),
        beside: Beside,
    ) -> Result<Stored, WriteError> {
        let mut ledger = DatabaseLedger::new(&name.name, ledger_spec(after, &beside));
        ledger.metadata.clone_from(&from.metadata);
        // Whoever is the only one to write needs no record of who owns which field: keeping it is a quarter of a write.
        ledger.metadata.managed_fields = Some(vec![ManagedFieldsEntry::default()]);
        let body = serde_json::to_vec(&ledger).map_err(|error| refused(name, &error))?;
        let entries = after.entries().len();
        if entries > before.entries().len() && body.len() > LARGEST {
            let why = format!(
                "with {entries} pods it would be larger than 512 KiB; split the budget {name} into several, each with a part \
                 of the capacity and of the workloads"
            );
            return Err(refused(name, &why));
        }
        let metadata = self.send(name, "update", requests(name).replace(&name.name, &written_by_us(), body)).await?;
        Ok(Stored { metadata, beside })
    }

    /// Sends a ledger, and asks for no more than its metadata: the rest is known.
    async fn send(
        &self,
        name: &Name,
        verb: &str,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<ObjectMeta, WriteError> {
        let mut request = strict(request).map_err(|why| refused(name, &why))?;
        request.headers_mut().insert(ACCEPT, METADATA);
        let write = self.client.request::<PartialObjectMeta<DatabaseLedger>>(request);
        let written = limited(what(name), &name.namespace, permission(verb), write).await.map_err(with_remedy)?;
        Ok(written.metadata)
    }

    /// Deletes a ledger, if it is still what this was computed from.
    ///
    /// # Errors
    /// When somebody else wrote it since, or nobody knows whether it is gone.
    pub async fn delete_ledger(&self, name: &Name, from: &Stored) -> Result<(), WriteError> {
        let ObjectMeta { uid, resource_version, .. } = from.metadata.clone();
        let version = Preconditions { uid, resource_version };
        let params = DeleteParams { preconditions: Some(version), ..DeleteParams::default() };
        let api = self.ledgers(&name.namespace);
        limited(what(name), &name.namespace, permission("delete"), api.delete(&name.name, &params)).await.map(drop)
    }
}
