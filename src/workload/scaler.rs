//! How far an autoscaler may raise a workload.

use serde::Deserialize;
use serde_json::Value;

use super::manager::{Managed, managed};
use super::read::{Metadata, Pods, ReadError, part};
use super::{Key, group_of};

/// KEDA's maximum when a `ScaledObject` sets none.
const KEDA_DEFAULT_MAXIMUM: u32 = 100;
/// What keeps KEDA from scaling out, as an annotation that is `true`.
pub const PAUSED: &str = "autoscaling.keda.sh/paused-scale-out";

/// An autoscaler's bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaler {
    /// The autoscaler itself.
    pub key: Key,
    /// Its API version.
    pub api_version: String,
    /// The workload it scales.
    pub target: Key,
    /// The most replicas it asks for.
    pub maximum: u32,
    /// The fewest.
    pub minimum: u32,
    /// Whether it may add pods now: it does not while scaling out is paused or disabled.
    pub grows: bool,
    /// Findings that its owner silenced.
    pub ignore: Vec<String>,
    /// Who writes it.
    pub managed: Managed,
}

impl Scaler {
    /// Whether it is KEDA's, and scaling out is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_keda() && !self.grows
    }

    /// Whether it is KEDA's.
    #[must_use]
    pub fn is_keda(&self) -> bool {
        self.key.kind == "ScaledObject"
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    scale_target_ref: Reference,
    max_replicas: Option<Pods>,
    max_replica_count: Option<Pods>,
    min_replicas: Option<Pods>,
    min_replica_count: Option<Pods>,
    behavior: Option<Value>,
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
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let (maximum, minimum, grows) = bounds(&kind, &spec, object);
    let reference = spec.scale_target_ref;
    let target = Key {
        group: group_of(reference.api_version.as_deref().unwrap_or("apps/v1")).to_owned(),
        kind: reference.kind.unwrap_or_else(|| "Deployment".into()),
        namespace: namespace.clone(),
        name: reference.name,
    };
    let key = Key { group: group_of(&api_version).to_owned(), kind, namespace, name: metadata.name };
    Ok(Scaler { key, api_version, target, maximum, minimum, grows, ignore, managed: managed(object) })
}

/// The most replicas it asks for, the fewest, and whether it may add any now.
fn bounds(kind: &str, spec: &Spec, object: &Value) -> (u32, u32, bool) {
    let pods = |field: Option<Pods>, unset: u32| field.map_or(unset, |n| n.0);
    if kind == "ScaledObject" {
        let annotations = object.pointer("/metadata/annotations");
        let is_paused = annotations.and_then(|all| all.get(PAUSED)?.as_str()) == Some("true");
        return (pods(spec.max_replica_count, KEDA_DEFAULT_MAXIMUM), pods(spec.min_replica_count, 0), !is_paused);
    }
    let policy = spec.behavior.as_ref().and_then(|b| b.pointer("/scaleUp/selectPolicy")?.as_str());
    (pods(spec.max_replicas, 1), pods(spec.min_replicas, 1), policy != Some("Disabled"))
}
