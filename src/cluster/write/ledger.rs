//! Ledgers, each written on condition that it is the very version that the write was computed from.

use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use kube::core::DynamicObject;
use kube::{Api, CustomResourceExt, ResourceExt};
use serde_json::json;

use super::{WriteError, Writer, limited};
use crate::api::DatabaseLedger;
use crate::api::ledger::DatabaseLedgerSpec;
use crate::api::parse::{self, Beside, Name, at_most_bytes, difference, ledger_spec};
use crate::budget::ledger::Ledger;

/// Owner of every field of a ledger.
const FIELD_MANAGER: &str = "dbbudget/ledger";
/// An object takes no more; long before that, every write is slow.
const LARGEST: usize = 1 << 20;

/// A ledger as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    uid: String,
    resource_version: String,
    /// What is stored beside its entries.
    pub beside: Beside,
}

impl Stored {
    fn new(metadata: &ObjectMeta, beside: Beside) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        Self { uid: text(&metadata.uid), resource_version: text(&metadata.resource_version), beside }
    }
}

fn bytes(ledger: &Ledger, beside: &Beside) -> usize {
    serde_json::to_vec(&ledger_spec(ledger, beside)).map_or(0, |json| json.len())
}

fn what(name: &Name) -> String {
    format!("the DatabaseLedger {name}")
}

fn permission(verb: &str) -> impl Fn() -> String {
    let verb = verb.to_owned();
    move || format!("{verb} on databaseledgers.dbbudget.dev")
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
        let spec: DatabaseLedgerSpec = serde_path_to_error::deserialize(&read.data["spec"]).map_err(|error| {
            let Name { namespace, name: of } = name;
            let why = format!(
                "spec.{}: {}; to mend it, with --as and dbbudget's service account: kubectl edit dbl {of} -n {namespace}; or \
                 to begin anew, counting first whatever runs: kubectl delete dbl {of} -n {namespace}",
                error.path(),
                error.inner()
            );
            WriteError::Unreadable { what: what(name), why }
        })?;
        Ok(Some((Stored::new(&read.metadata, Beside::of(&spec)), parse::ledger(&spec))))
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
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        let api = self.ledgers(&name.namespace);
        let created = limited(what(name), &name.namespace, permission("create"), api.create(&params, &ledger)).await?;
        Ok(Stored::new(&created.metadata, beside))
    }

    /// Changes a ledger, if it is still what this was computed from.
    ///
    /// # Errors
    /// When somebody else wrote it since, when it would be too large, or when nobody knows whether it was written.
    pub async fn change_ledger(
        &self,
        name: &Name,
        from: &Stored,
        (before, after): (&Ledger, &Ledger),
        beside: Beside,
    ) -> Result<Stored, WriteError> {
        let grows = after.entries().len() > before.entries().len();
        if grows && at_most_bytes(after) > LARGEST && bytes(after, &beside) > LARGEST {
            let why = format!(
                "with {} pods it would be larger than 1 MiB; split the budget {name} into several, each with a part of the \
                 capacity and of the workloads",
                after.entries().len()
            );
            return Err(WriteError::Refused { what: what(name), why });
        }
        // Whoever is the only one to write needs no record of who owns which field: keeping it is a quarter of a write.
        let metadata = json!({"uid": from.uid, "resourceVersion": from.resource_version, "managedFields": [{}]});
        let patch = json!({
            "metadata": metadata,
            "spec": difference((before, &from.beside), (after, &beside)),
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let api = self.ledgers(&name.namespace);
        let patch = Patch::Merge(&patch);
        // The answer without the entries, which are known.
        let write = api.patch_metadata(&name.name, &params, &patch);
        let written = limited(what(name), &name.namespace, permission("patch"), write).await?;
        Ok(Stored::new(&written.metadata, beside))
    }

    /// Deletes a ledger, if it is still what this was computed from.
    ///
    /// # Errors
    /// When somebody else wrote it since, or nobody knows whether it is gone.
    pub async fn delete_ledger(&self, name: &Name, from: &Stored) -> Result<(), WriteError> {
        let version =
            Preconditions { uid: Some(from.uid.clone()), resource_version: Some(from.resource_version.clone()) };
        let params = DeleteParams { preconditions: Some(version), ..DeleteParams::default() };
        let api = self.ledgers(&name.namespace);
        limited(what(name), &name.namespace, permission("delete"), api.delete(&name.name, &params)).await.map(drop)
    }
}
