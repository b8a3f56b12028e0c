//! Which workloads a pod belongs to. The pod alone tells: its owner is named after the workload behind it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{Key, group_of};

/// The owner that controls an object.
#[must_use]
pub fn controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// The owner of a pod, and the workload behind it: a `ReplicaSet` is named after its Deployment and the hash of the
/// template, which the pod carries as a label.
#[must_use]
pub fn owners(meta: &ObjectMeta, namespace: &str) -> Vec<Key> {
    let Some(owner) = controller(meta) else { return Vec::new() };
    let key = |group: &str, kind: &str, name: &str| Key {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let mut keys = vec![key(group_of(&owner.api_version), &owner.kind, &owner.name)];
    let behind =
        [("pod-template-hash", "apps", "Deployment"), ("rollouts-pod-template-hash", "argoproj.io", "Rollout")];
    if owner.kind == "ReplicaSet" {
        keys.extend(behind.iter().filter_map(|(label, group, kind)| {
            let hash = meta.labels.as_ref()?.get(*label)?;
            Some(key(group, kind, owner.name.strip_suffix(hash)?.strip_suffix('-')?))
        }));
    }
    keys
}
