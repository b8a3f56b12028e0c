//! The switches of a budget: what dbbudget does about what it computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far dbbudget goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Enforcement {
    /// Compute and report; touch no pod.
    Observe,
    /// Size pods as they start.
    #[default]
    Inject,
    /// Pods also wait until their connections are free.
    Lease,
}

/// What an outage of dbbudget means for new pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FailurePolicy {
    /// They start without dbbudget.
    #[default]
    Ignore,
    /// They are refused until it is back.
    Fail,
}

/// What shares leave room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Headroom {
    /// Nothing beyond the replicas.
    None,
    /// The largest single surging pod, at its minimum.
    SharedSurge,
    /// Every workload's surge.
    Surge,
    /// Every workload's surge, and every old pod still closing.
    SurgeAndTerminating,
}

/// What happens when the sum does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WhenExceeded {
    /// Condition, event, metric.
    #[default]
    Alert,
    /// Also lower replicas of workloads that allow it.
    ScaleDown,
}

/// How new shares reach running pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Restart {
    /// As pods turn over.
    #[default]
    Never,
    /// One workload at a time is restarted.
    Rolling,
}

/// Where Healthy ends, in percent of held ÷ allocatable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, kube::KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = super::rules::warning_below_critical())]
pub struct Thresholds {
    /// WithinCapacity turns Warning at this percentage of held ÷ allocatable. Default 70; must be below criticalPercent.
    #[serde(default = "warning_percent")]
    #[schemars(range(min = 1, max = 100))]
    pub warning_percent: i32,
    /// WithinCapacity turns Critical at this percentage of held ÷ allocatable. Default 90.
    #[serde(default = "critical_percent")]
    #[schemars(range(min = 1, max = 100))]
    pub critical_percent: i32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { warning_percent: warning_percent(), critical_percent: critical_percent() }
    }
}

fn warning_percent() -> i32 {
    70
}

fn critical_percent() -> i32 {
    90
}
