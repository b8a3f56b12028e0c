//! Lowers and restores one number of pods: replicas, an autoscaler's maximum, or whether KEDA scales out. What it is
//! based on is read anew, and the write reaches that version of the object or none.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::{WriteError, Writer, limited};
use crate::api::status::ScaledField;
use crate::cluster::view::item::{Item, read_scaler, read_workload};
use crate::cluster::view::locate::{everywhere, look_up};
use crate::cluster::view::sources::Source;
use crate::workload::manager::{Managed, SCALE_MANAGER};
use crate::workload::scaler::PAUSED;
use crate::workload::{Key, Replicas};

/// A version that changed in between is read this often; a rollout changes the status of its object all the time.
const TRIES: usize = 5;

/// One number to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub key: Key,
    /// Which number of it.
    pub field: ScaledField,
    /// The number that it was seen with.
    pub seen: i64,
    /// The number that it gets.
    pub to: i64,
    /// Whether it is its owner's again afterwards.
    pub release: bool,
}

/// How it went.
pub enum Outcome {
    /// It is, or with a trial would be, so; the object as it was read last.
    Done(Box<Item>),
    /// The object is not as it was seen; as it is now.
    Changed(Box<Item>),
}

/// An object as it was read.
struct Read {
    item: Item,
    object: DynamicObject,
    number: Option<i64>,
    managed: Managed,
}

impl Writer {
    /// Whether a change would be taken: nothing is recorded that is refused. Changes nothing.
    ///
    /// # Errors
    /// When it would not be, or nobody knows.
    pub async fn try_scale(&self, change: &Change) -> Result<Outcome, WriteError> {
        self.scale_with(change, true).await
    }

    /// Makes a change. Making it twice changes nothing.
    ///
    /// # Errors
    /// When it was not made, or nobody knows whether it was.
    pub async fn scale(&self, change: &Change) -> Result<Outcome, WriteError> {
        self.scale_with(change, false).await
    }

    async fn scale_with(&self, change: &Change, dry_run: bool) -> Result<Outcome, WriteError> {
        let target = Target::find(self, change).await?;
        let mut tries = 0;
        loop {
            let read = target.read().await?;
            if !change.fits(&read) {
                return Ok(Outcome::Changed(Box::new(read.item)));
            }
            tries += 1;
            match target.write(&read.object, dry_run).await {
                Err(WriteError::Conflict(_)) if tries < TRIES => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        if change.release && !dry_run {
            target.release().await?;
        }
        let after = target.read().await?;
        match after.number {
            Some(number) if number != change.to && !dry_run => {
                let why = format!("somebody else made it {number} at the same moment");
                Err(WriteError::Refused { what: target.what, why }) // at once again would be a fight
            }
            _ => Ok(Outcome::Done(Box::new(after.item))),
        }
    }
}

impl Change {
    /// Whether it still follows from the object: nothing is lowered that another one owns.
    fn fits(&self, read: &Read) -> bool {
        let lowers = match self.field {
            ScaledField::ScaleOut => self.to > self.seen,
            ScaledField::Replicas | ScaledField::MaxReplicas => self.to < self.seen,
        };
        let as_seen = [Some(self.seen), Some(self.to)].contains(&read.number);
        as_seen && (!lowers || read.managed.owner.is_none())
    }
}

/// Where a change goes.
struct Target<'a> {
    change: &'a Change,
    resource: ApiResource,
    api: Api<DynamicObject>,
    what: String,
}

impl<'a> Target<'a> {
    async fn find(writer: &Writer, change: &'a Change) -> Result<Self, WriteError> {
        let what = change.key.to_string();
        let (group, kind) = (change.key.group.clone(), change.key.kind.clone());
        let source = match change.field {
            ScaledField::Replicas => Source::Workloads { group, kind },
            ScaledField::MaxReplicas | ScaledField::ScaleOut => Source::Scalers { group, kind },
        };
        let mut resource = everywhere(&source);
        if resource.is_none() {
            let permission = || "discovery of API groups".to_owned();
            let found = look_up(&writer.client, &source);
            resource = limited(what.clone(), &change.key.namespace, permission, found).await?;
        }
        let resource = resource.ok_or_else(|| WriteError::Gone(what.clone()))?;
        let api = Api::namespaced_with(writer.client.clone(), &change.key.namespace, &resource);
        Ok(Self { change, resource, api, what })
    }

    /// One permission sentence for all of it: whoever may not read may not write either.
    fn permission(&self) -> String {
        let dotted = match self.resource.group.as_str() {
            "" => self.resource.plural.clone(),
            group => format!("{}.{group}", self.resource.plural),
        };
        match self.change.field {
            ScaledField::Replicas => format!("get and patch on {dotted}, and patch on {dotted}/scale"),
            ScaledField::MaxReplicas | ScaledField::ScaleOut => format!("get and patch on {dotted}"),
        }
    }

    async fn limited<T>(&self, write: impl Future<Output = Result<T, kube::Error>>) -> Result<T, WriteError> {
        limited(self.what.clone(), &self.change.key.namespace, || self.permission(), write).await
    }

    async fn read(&self) -> Result<Read, WriteError> {
        let object = self.limited(self.api.get(&self.change.key.name)).await?;
        let read = match self.change.field {
            ScaledField::Replicas => read_workload,
            ScaledField::MaxReplicas | ScaledField::ScaleOut => read_scaler,
        };
        let item = read(object.clone(), &self.resource);
        let (number, managed) = match &item {
            Item::Workload(_, Ok(workload)) => {
                let replicas = match workload.replicas {
                    Replicas::Count(n) => Some(i64::from(n)),
                    Replicas::PerNode => None,
                };
                (replicas, workload.managed.clone())
            }
            Item::Scaler(_, Ok(scaler)) if self.change.field == ScaledField::ScaleOut => {
                (Some(i64::from(scaler.is_paused())), scaler.managed.clone())
            }
            Item::Scaler(_, Ok(scaler)) => (Some(i64::from(scaler.maximum)), scaler.managed.clone()),
            _ => (None, Managed::default()),
        };
        Ok(Read { item, object, number, managed })
    }

    /// Applies the number to the version that was read. Forced, as nobody else owns it who would write it again.
    async fn write(&self, read: &DynamicObject, dry_run: bool) -> Result<(), WriteError> {
        let Change { key, field, to, .. } = self.change;
        let params = PatchParams { dry_run, ..PatchParams::apply(SCALE_MANAGER).force() };
        let mut metadata = json!({
            "name": key.name, "namespace": key.namespace, "uid": read.metadata.uid,
            "resourceVersion": read.metadata.resource_version,
        });
        let whole = |metadata: Value, rest: Value| {
            let mut object = json!({"apiVersion": self.resource.api_version, "kind": key.kind, "metadata": metadata});
            object["spec"] = rest;
            Patch::Apply(object)
        };
        match field {
            ScaledField::Replicas => {
                let scale = json!({
                    "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": to},
                });
                self.limited(self.api.patch_subresource("scale", &key.name, &params, &Patch::Apply(scale))).await?;
            }
            ScaledField::MaxReplicas => {
                let patch = whole(metadata, json!({"maxReplicas": to}));
                self.limited(self.api.patch(&key.name, &params, &patch)).await?;
            }
            ScaledField::ScaleOut => {
                if *to != 0 {
                    metadata["annotations"] = json!({PAUSED: "true"});
                }
                let patch = whole(metadata, json!({})); // an annotation that is applied no longer is removed
                self.limited(self.api.patch(&key.name, &params, &patch)).await?;
            }
        }
        Ok(())
    }

    /// Hands the number back. Applying nothing would remove it from the object, so that our entry among the managed
    /// fields is removed instead: then it is nobody's, as it stands.
    async fn release(&self) -> Result<(), WriteError> {
        for _ in 0..TRIES {
            let object = self.limited(self.api.get(&self.change.key.name)).await?;
            let Some(patch) = unmanage(&object) else { return Ok(()) };
            let params = PatchParams { field_manager: Some(SCALE_MANAGER.into()), ..PatchParams::default() };
            let patch = serde_json::from_value(patch).map(Patch::Json::<()>);
            let patch = patch.map_err(|e| WriteError::Failed { what: self.what.clone(), why: e.to_string() })?;
            match self.limited(self.api.patch(&self.change.key.name, &params, &patch)).await {
                Ok(_) | Err(WriteError::Conflict(_)) => {} // there may be another entry, or another version
                Err(error) => return Err(error),
            }
        }
        Err(WriteError::Conflict(self.what.clone()))
    }
}

/// The JSON patch that removes one of our entries among the managed fields; nothing: there is none.
fn unmanage(object: &DynamicObject) -> Option<Value> {
    let entries = object.metadata.managed_fields.as_deref()?;
    let ours = entries.iter().position(|entry| entry.manager.as_deref() == Some(SCALE_MANAGER))?;
    let version =
        json!({"op": "replace", "path": "/metadata/resourceVersion", "value": object.metadata.resource_version});
    let without = match entries.len() {
        1 => json!({"op": "replace", "path": "/metadata/managedFields", "value": [{}]}), // an empty list changes nothing
        _ => json!({"op": "remove", "path": format!("/metadata/managedFields/{ours}")}),
    };
    Some(json!([version, without]))
}
