//! How far an autoscaler may raise a workload.

use serde::Deserialize;
use serde_json::Value;

use super::read::{Metadata, Pods, ReadError, part};
use super::{Key, group_of};

/// KEDA's maximum when a `ScaledObject` sets none.
const KEDA_DEFAULT_MAXIMUM: u32 = 100;

/// An autoscaler's bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaler {
    /// The autoscaler itself.
    pub key: Key,
    /// The workload it scales.
    pub target: Key,
    /// The most replicas it asks for.
    pub maximum: u32,
    /// Findings that its owner silenced.
    pub ignore: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    scale_target_ref: Reference,
    max_replicas: Option<Pods>,
    max_replica_count: Option<Pods>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Reference {
    api_version: Option<String>,
    kind: Option<String>,
    name: String,
}

/// Reads a `HorizontalPodAutoscaler` or a KEDA `ScaledObject`.
///
/// # Errors
/// A field that is not what its kind says, with a JSON pointer to it.
pub fn scaler(object: &Value, default_namespace: &str) -> Result<Scaler, ReadError> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let metadata: Metadata = part(object, "metadata")?;
    let spec: Spec = part(object, "spec")?;
    let (namespace, ignore) = (metadata.namespace_or(default_namespace), metadata.ignored());
    let kind = text("kind");
    let maximum = match kind.as_str() {
        "ScaledObject" => spec.max_replica_count.map_or(KEDA_DEFAULT_MAXIMUM, |n| n.0),
        _ => spec.max_replicas.map_or(1, |n| n.0),
    };
    let reference = spec.scale_target_ref;
    let target = Key {
        group: group_of(reference.api_version.as_deref().unwrap_or("apps/v1")).to_owned(),
        kind: reference.kind.unwrap_or_else(|| "Deployment".into()),
        namespace: namespace.clone(),
        name: reference.name,
    };
    let key = Key { group: group_of(&text("apiVersion")).to_owned(), kind, namespace, name: metadata.name };
    Ok(Scaler { key, target, maximum, ignore })
}
