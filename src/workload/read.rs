//! Reads a workload of any kind from its JSON.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::manager::managed;
use super::progress::progress;
use super::template::{ConfigMaps, PodTemplate, Template};
use super::{Key, Replicas, Workload, group_of};
use crate::budget::rollout::{Portion, Strategy};

/// A field that is not what its kind says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ReadError {
    /// JSON pointer to the field.
    pub pointer: String,
    /// What was found, and what was expected.
    pub what: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    namespace: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Metadata {
    pub(super) fn namespace_or(&self, default: &str) -> String {
        self.namespace.as_deref().unwrap_or(default).to_owned()
    }

    /// Findings that the object's owner silenced.
    pub(super) fn ignored(&self) -> Vec<String> {
        let rules = self.annotations.as_ref().and_then(|a| a.get(crate::api::IGNORE));
        rules.map(|rules| rules.split(',').map(|r| r.trim().to_owned()).collect()).unwrap_or_default()
    }
}

/// The fields of all kinds together; each kind uses its own.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    replicas: Option<Pods>,
    strategy: Option<StrategyField>,
    update_strategy: Option<StrategyField>,
    template: Option<PodTemplate>,
    workload_ref: Option<WorkloadRef>,
    parallelism: Option<Pods>,
    completions: Option<Pods>,
    pod_replacement_policy: Option<String>,
    concurrency_policy: Option<String>,
    job_template: Option<JobTemplate>,
    active_deadline_seconds: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JobTemplate {
    spec: Box<Spec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StrategyField {
    pub(super) r#type: Option<String>,
    pub(super) rolling_update: Option<Rolling>,
    canary: Option<Canary>,
    blue_green: Option<Value>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rolling {
    pub(super) max_surge: Option<IntOrPercent>,
    pub(super) max_unavailable: Option<IntOrPercent>,
    /// No pods depend on it, so that it may be whatever its kind makes of it.
    pub(super) partition: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Canary {
    #[serde(flatten)]
    rolling: Rolling,
    traffic_routing: Option<Value>,
    dynamic_stable_scale: Option<bool>,
    steps: Option<Vec<Step>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Step {
    set_canary_scale: Option<CanaryScale>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CanaryScale {
    replicas: Option<Pods>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkloadRef {
    api_version: Option<String>,
    kind: String,
    name: String,
}

/// A number of pods, as Kubernetes stores it: no larger than an `int32`.
#[derive(Deserialize, Clone, Copy)]
#[serde(try_from = "Value")]
pub(super) struct Pods(pub u32);

impl TryFrom<Value> for Pods {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = value.as_i64().and_then(|n| i32::try_from(n).ok()).and_then(|n| u32::try_from(n).ok());
        number.map(Self).ok_or_else(|| format!("found {}, expected a number of pods such as 2", short(&value)))
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(try_from = "Value")]
pub(super) struct IntOrPercent(pub(super) Portion);

impl TryFrom<Value> for IntOrPercent {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u32>().ok();
        let portion = match &value {
            Value::Number(n) => n.as_u64().and_then(|n| u32::try_from(n).ok()).map(Portion::Pods),
            Value::String(text) => text.strip_suffix('%').and_then(number).map(Portion::Percent),
            _ => None,
        };
        portion.map(Self).ok_or_else(|| {
            format!("found {}, expected a number of pods such as 1, or a percentage such as 25%", short(&value))
        })
    }
}

/// Reads a workload.
///
/// # Errors
/// A field that is not what its kind says, with a JSON pointer to it.
pub fn workload(object: &Value, default_namespace: &str) -> Result<Workload, ReadError> {
    workload_with(object, default_namespace, &|_| None)
}

/// Reads a workload beside ConfigMaps of its namespace.
///
/// # Errors
/// A field that is not what its kind says, with a JSON pointer to it.
pub fn workload_with(object: &Value, default_namespace: &str, maps: &ConfigMaps) -> Result<Workload, ReadError> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let metadata: Metadata = part(object, "metadata")?;
    let spec: Spec = part(object, "spec")?;
    let (namespace, ignore) = (metadata.namespace_or(default_namespace), metadata.ignored());
    let template_of = spec.workload_ref.as_ref().map(|r| Key {
        group: group_of(r.api_version.as_deref().unwrap_or("apps/v1")).to_owned(),
        kind: r.kind.clone(),
        namespace: namespace.clone(),
        name: r.name.clone(),
    });
    let (replicas, strategy) = pods(&kind, &spec);
    let progress = progress(object, &kind, (replicas, strategy), spec.update_strategy.as_ref());
    let (spec_of_pods, pointer) = match &spec.job_template {
        Some(job) => (&*job.spec, "/spec/jobTemplate/spec/template/spec"),
        None => (&spec, "/spec/template/spec"),
    };
    Ok(Workload {
        key: Key { group: group_of(&api_version).to_owned(), kind, namespace, name: metadata.name },
        api_version,
        labels: metadata.labels.unwrap_or_default(),
        ignore,
        gone: false,
        replicas,
        strategy,
        overlaps: spec.job_template.is_some() && spec.concurrency_policy.as_deref().is_none_or(|p| p == "Allow"),
        deadline: spec_of_pods.active_deadline_seconds.as_ref().and_then(|n| u32::try_from(n.as_u64()?).ok()),
        template_of,
        template: spec_of_pods.template.as_ref().map(|t| Template::new(t, pointer, maps)),
        progress,
        managed: managed(object),
    })
}

/// One field of an object, typed; a missing or null one is the default.
pub(super) fn part<T: DeserializeOwned + Default>(object: &Value, field: &str) -> Result<T, ReadError> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(T::default()),
        Some(value) if !value.is_object() => {
            let what = format!("{field}: found {}, expected a mapping", short(value));
            Err(ReadError { pointer: format!("/{field}"), what })
        }
        Some(value) => serde_path_to_error::deserialize(value).map_err(|error| {
            let steps = error.path().iter().map(|segment| match segment {
                serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
                serde_path_to_error::Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                _ => String::new(),
            });
            ReadError {
                pointer: format!("/{field}{}", steps.collect::<String>()),
                what: format!("{field}.{}: {}", error.path(), plain(&error.inner().to_string())),
            }
        }),
    }
}

/// A value in a few words.
fn short(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::String(text) if text.chars().count() > 63 => "a long text".to_owned(),
        other => other.to_string(),
    }
}

/// What serde says, in the words of YAML.
fn plain(said: &str) -> String {
    let parts = said.split_once(", expected ").filter(|(found, _)| !found.starts_with("found "));
    let Some((found, expected)) = parts else { return said.to_owned() };
    let found =
        ["invalid type: ", "invalid value: "].iter().find_map(|words| found.strip_prefix(words)).unwrap_or(found);
    let kinds = [("string \"", "\""), ("sequence", "a list"), ("map", "a mapping"), ("null", "nothing")];
    let renamed = kinds.iter().find_map(|(serde, yaml)| found.strip_prefix(serde).map(|rest| format!("{yaml}{rest}")));
    let value = found.split_once('`').and_then(|(_, value)| value.strip_suffix('`'));
    let found = renamed.or_else(|| value.map(ToOwned::to_owned)).unwrap_or_else(|| found.to_owned());
    let expected = match expected {
        "a string" => "text: put it in quotes",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        _ if expected.starts_with("struct ") || expected == "a map" => "a mapping",
        other => other,
    };
    format!("found {found}, expected {expected}")
}

fn pods(kind: &str, spec: &Spec) -> (Replicas, Strategy) {
    let replicas = Replicas::Count(spec.replicas.map_or(1, |r| r.0));
    let rolling = |field: Option<&StrategyField>| field.and_then(|s| s.rolling_update.clone()).unwrap_or_default();
    match kind {
        "Deployment" => {
            let recreate = spec.strategy.as_ref().is_some_and(|s| s.r#type.as_deref() == Some("Recreate"));
            (replicas, if recreate { Strategy::Recreate } else { rolling(spec.strategy.as_ref()).strategy() })
        }
        "DaemonSet" => {
            let surge = rolling(spec.update_strategy.as_ref()).max_surge.map_or(0, |s| s.0.up(100));
            (Replicas::PerNode, if surge > 0 { Strategy::TwicePerNode } else { Strategy::InPlace })
        }
        "Job" => job(spec),
        "CronJob" => {
            let (replicas, strategy) =
                spec.job_template.as_ref().map_or_else(|| job(spec), |template| job(&template.spec));
            let replace = spec.concurrency_policy.as_deref() == Some("Replace");
            (replicas, if replace { Strategy::ReplacesEnding } else { strategy })
        }
        "Rollout" => (replicas, spec.strategy.as_ref().map_or(Strategy::Recreate, rollout)),
        _ => (replicas, Strategy::InPlace),
    }
}

/// At most `parallelism` pods run, and no more than completions are missing.
fn job(spec: &Spec) -> (Replicas, Strategy) {
    let parallelism = spec.parallelism.map_or(1, |p| p.0);
    let pods = spec.completions.map_or(parallelism, |completions| parallelism.min(completions.0));
    let waits = spec.pod_replacement_policy.as_deref() == Some("Failed");
    (Replicas::Count(pods), if waits { Strategy::InPlace } else { Strategy::ReplacesEnding })
}

/// Argo Rollouts: with traffic routing the stable set stays whole beside the canary, and `maxSurge` is ignored.
fn rollout(strategy: &StrategyField) -> Strategy {
    let Some(canary) = strategy.canary.as_ref().filter(|_| strategy.blue_green.is_none()) else {
        return Strategy::SecondSet { pods: None };
    };
    if canary.traffic_routing.is_none() || canary.dynamic_stable_scale == Some(true) {
        return canary.rolling.strategy();
    }
    let scales = canary.steps.iter().flatten().filter_map(|s| Some(s.set_canary_scale.as_ref()?.replicas?.0));
    // The canary ends at weight 100, which is as many as the replicas, unless a step asked for more before.
    Strategy::SecondSet { pods: scales.max() }
}

impl Rolling {
    fn strategy(&self) -> Strategy {
        let or_quarter = |field: Option<IntOrPercent>| field.map_or(Portion::QUARTER, |p| p.0);
        Strategy::Rolling { surge: or_quarter(self.max_surge), unavailable: or_quarter(self.max_unavailable) }
    }
}
