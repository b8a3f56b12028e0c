//! Objects as they arrive, read and trimmed.

mod pod;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::object::{NotUsed, Object};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta, TypeMeta};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::pods::Pod;
use crate::api::claim::BudgetRef;
use crate::api::parse::{self, Budget, Claim, Fault, Name};
use crate::api::policy::FailurePolicy;
use crate::api::status::{BudgetStatus, ClaimStatus};
use crate::api::{DatabaseBudget, DatabaseBudgetSpec, DatabaseClaim, DatabaseClaimSpec};
use crate::workload::owner::controller;
use crate::workload::read::{ReadError, workload};
use crate::workload::scaler::{Scaler, scaler};
use crate::workload::{Key, Workload};
pub use pod::{RawPod, pod, seen};

/// An object of any kind that is watched.
#[derive(Clone, Debug)]
pub enum Item {
    /// A budget.
    Budget(Box<BudgetItem>),
    /// A claim.
    Claim(Box<ClaimItem>),
    /// A workload, or why it could not be read.
    Workload(Key, Result<Box<Workload>, ReadError>),
    /// An autoscaler, or why it could not be read.
    Scaler(Key, Result<Box<Scaler>, ReadError>),
    /// A pod.
    Pod(Pod),
    /// A Job, with the `CronJob` that made it.
    Job(Key, Option<Key>),
    /// A node and its CPUs.
    Node(String, Option<u32>),
}

/// What identifies one version of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Its UID: another object of the same name has another.
    pub uid: String,
    /// Its resource version, which grows with each change (Kubernetes KEP-5504).
    pub resource_version: Option<u64>,
    /// Generation of its spec.
    pub generation: Option<i64>,
}

/// A budget as it arrives.
#[derive(Clone, Debug)]
pub struct BudgetItem {
    /// Which one.
    pub name: Name,
    /// Which version of it.
    pub version: Version,
    /// What it says, or what is wrong with it.
    pub parsed: Result<Budget, Vec<Fault>>,
    /// Its failure policy, which has no effect on numbers.
    pub failure_policy: FailurePolicy,
    /// Its status as stored.
    pub status: Option<BudgetStatus>,
}

/// A claim as it arrives.
#[derive(Clone, Debug)]
pub struct ClaimItem {
    /// Which one.
    pub name: Name,
    /// Which version of it.
    pub version: Version,
    /// The budget it draws from, as far as that can be read.
    pub budget: Name,
    /// What it says, or what is wrong with it.
    pub parsed: Result<Claim, Vec<Fault>>,
    /// Its status as stored.
    pub status: Option<ClaimStatus>,
}

/// A node, as far as it is read.
pub type RawNode = Object<NotUsed, NodeStatus>;

/// A node's status, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeStatus {
    capacity: Option<BTreeMap<String, String>>,
}

fn id(meta: &ObjectMeta) -> Name {
    Name::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn version(meta: &ObjectMeta) -> Version {
    Version {
        uid: meta.uid.clone().unwrap_or_default(),
        resource_version: meta.resource_version.as_ref().and_then(|v| v.parse().ok()),
        generation: meta.generation,
    }
}

/// Reads a budget.
#[must_use]
pub fn budget(object: DynamicObject) -> Item {
    let name = id(&object.metadata);
    let spec: Result<DatabaseBudgetSpec, _> = part(&object.data, "spec");
    let failure_policy = spec.as_ref().map(|s| s.failure_policy).unwrap_or_default();
    Item::Budget(Box::new(BudgetItem {
        version: version(&object.metadata),
        status: part(&object.data, "status").ok(),
        parsed: spec.and_then(|spec| {
            let raw = DatabaseBudget { metadata: object.metadata, spec, status: None };
            parse::budget(&raw, &name.namespace)
        }),
        failure_policy,
        name,
    }))
}

/// Reads a claim.
#[must_use]
pub fn claim(object: DynamicObject) -> Item {
    let name = id(&object.metadata);
    let reference: Option<BudgetRef> = object.data.pointer("/spec/budgetRef").and_then(|r| part_of(r, "").ok());
    let reference = reference.unwrap_or_default();
    let spec: Result<DatabaseClaimSpec, _> = part(&object.data, "spec");
    Item::Claim(Box::new(ClaimItem {
        version: version(&object.metadata),
        budget: Name::new(reference.namespace.unwrap_or_else(|| name.namespace.clone()), reference.name),
        status: part(&object.data, "status").ok(),
        parsed: spec.and_then(|spec| {
            let raw = DatabaseClaim { metadata: object.metadata, spec, status: None };
            parse::claim(&raw, &name.namespace)
        }),
        name,
    }))
}

fn part<T: DeserializeOwned>(data: &Value, field: &str) -> Result<T, Vec<Fault>> {
    part_of(data.get(field).unwrap_or(&Value::Null), &format!("/{field}"))
}

fn part_of<T: DeserializeOwned>(value: &Value, at: &str) -> Result<T, Vec<Fault>> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string().replace(['.', '['], "/").replace(']', "");
        let path = if path == "/" || path.is_empty() { String::new() } else { format!("/{path}") };
        vec![Fault { pointer: format!("{at}{path}"), what: error.into_inner().to_string() }]
    })
}

/// The key of an object of a kind.
fn key(meta: &ObjectMeta, group: &str, kind: &str) -> Key {
    let Name { namespace, name } = id(meta);
    Key { group: group.to_owned(), kind: kind.to_owned(), namespace, name }
}

/// The object as it is stored; items of a list do not repeat their kind.
fn whole(mut object: DynamicObject, resource: &ApiResource) -> Value {
    object.types = Some(TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
    serde_json::to_value(object).unwrap_or_default()
}

/// Reads a workload of a kind.
#[must_use]
pub fn read_workload(object: DynamicObject, resource: &ApiResource) -> Item {
    let key = key(&object.metadata, &resource.group, &resource.kind);
    Item::Workload(key, workload(&whole(object, resource), "").map(Box::new))
}

/// Reads an autoscaler of a kind.
#[must_use]
pub fn read_scaler(object: DynamicObject, resource: &ApiResource) -> Item {
    let key = key(&object.metadata, &resource.group, &resource.kind);
    Item::Scaler(key, scaler(&whole(object, resource), "").map(Box::new))
}

/// Reads a Job's owner.
#[must_use]
pub fn job<K>(object: &PartialObjectMeta<K>) -> Item {
    let meta = &object.metadata;
    let owner = controller(meta).filter(|owner| owner.kind == "CronJob");
    let cron_job = owner.map(|owner| Key { name: owner.name.clone(), ..key(meta, "batch", "CronJob") });
    Item::Job(key(meta, "batch", "Job"), cron_job)
}

/// Reads a node. Runtimes count the CPUs of the machine, whatever of it pods may use.
#[must_use]
pub fn node(object: &RawNode) -> Item {
    let cpu = object.status.as_ref().and_then(|s| s.capacity.as_ref()?.get("cpu"));
    Item::Node(object.metadata.name.clone().unwrap_or_default(), cpu.and_then(|cpu| whole_cpus(cpu)))
}

/// `8` and `7900m` as whole CPUs, rounded up.
fn whole_cpus(quantity: &str) -> Option<u32> {
    match quantity.strip_suffix('m') {
        Some(thousandths) => thousandths.parse::<u32>().ok().map(|m| m.div_ceil(1_000)),
        None => quantity.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
