//! The answer in the shape that machines read: `plan.dbbudget.dev/v1`. Within v1 fields are only added.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::against::Against;
use crate::assess::Severity;
use crate::assess::injection::Injection;
use crate::budget::connections::Connections;
use crate::manifests::InputError;

/// The only version.
pub const API_VERSION: &str = "plan.dbbudget.dev/v1";

/// A whole plan.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// Budgets, by namespace and name.
    pub budgets: Vec<BudgetReport>,
    /// Findings, the worst first.
    pub findings: Vec<FindingReport>,
    /// Kinds that were passed over, each with how many.
    pub skipped: BTreeMap<String, usize>,
    /// With `--against`: the same budgets before the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// One budget.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetReport {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What there is; `null` while nobody knows.
    pub capacity: Option<CapacityReport>,
    /// Observe, Inject or Lease.
    pub enforcement: String,
    /// What shares leave room for.
    pub headroom: &'static str,
    /// Fits, Exceeded, Infeasible or Unknown.
    pub verdict: &'static str,
    /// What the manifests do without dbbudget.
    pub as_written: TotalReport,
    /// Σ allocated + surgeReserve; `null`: unbounded.
    pub peak: Number,
    /// Room for one surging pod.
    pub surge_reserve: Number,
    /// Its workloads.
    pub workloads: Vec<WorkloadReport>,
    /// What would make it fit, cheapest first; each is a list of changes to be made together.
    pub ways_out: Vec<Vec<String>>,
}

/// A capacity.
#[derive(Clone, Debug, Serialize)]
pub struct CapacityReport {
    /// What clients can open.
    pub hard: Number,
    /// Kept for people.
    pub reserve: Number,
    /// Taken by consumers that are not pods.
    pub outside: Number,
    /// hard − reserve − outside.
    pub allocatable: Number,
    /// Where the number comes from.
    pub source: String,
}

/// A verdict and its sum.
#[derive(Clone, Debug, Serialize)]
pub struct TotalReport {
    /// Fits, Exceeded or Unknown.
    pub verdict: &'static str,
    /// The sum; `null`: unbounded.
    pub peak: Number,
}

/// One workload.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReport {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The most replicas asked for, autoscalers included.
    pub replicas: u32,
    /// Pods at the peak.
    pub peak_pods: u64,
    /// Allocatable, or Reserve: then it does not count in the budget's peak.
    pub source: &'static str,
    /// Its claimed containers.
    pub containers: Vec<ContainerReport>,
    /// What a pod holds.
    pub per_pod: Number,
    /// What is set aside for it.
    pub allocated: Number,
    /// What it takes as written.
    pub wanted: Number,
}

/// One container.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerReport {
    /// Its name.
    pub name: String,
    /// OS processes; `null`: unknown, and counted as one.
    pub processes: Option<u32>,
    /// What they are lowered to, where even the smallest pools would not fit otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lowered_to: Option<u32>,
    /// Where that number stands, or why it is not known.
    pub processes_from: String,
    /// Threads of each process, where they bound its connections.
    pub threads: Option<u32>,
    /// Connections outside the engines.
    pub extra: ExtraReport,
    /// Its engines.
    pub engines: Vec<EngineReport>,
    /// What dbbudget sets in it.
    pub inject: Injection,
}

/// Connections outside the engines.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraReport {
    /// Of each process.
    pub per_process: u32,
    /// Of the pod.
    pub per_pod: u32,
}

/// One engine.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineReport {
    /// Its name.
    pub name: String,
    /// Its preset.
    pub client: Option<String>,
    /// How many of it in each process.
    pub count: u32,
    /// Connections kept; `null`: unbounded.
    pub pool: Option<u32>,
    /// Connections opened on top.
    pub overflow: Option<u32>,
    /// pool + overflow.
    pub limit: Option<u32>,
    /// What it takes as written; `null`: unbounded.
    pub as_written: Option<u32>,
    /// Where that number stands.
    pub as_written_from: String,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct FindingReport {
    /// The rule.
    pub rule: &'static str,
    /// error, warning or note.
    pub severity: Severity,
    /// The budget it concerns, as namespace/name.
    pub budget: Option<String>,
    /// The object it is about.
    pub target: String,
    /// File.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// What is so.
    pub message: String,
    /// What to do.
    pub fix: String,
}

/// A number of connections; unbounded is `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub Connections);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.bounded().serialize(serializer)
    }
}

/// Bad input, as machines read it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// Every mistake.
    pub errors: Vec<Mistake>,
}

/// One mistake in the input.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    /// File; `null` where it is not about one.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// What was found, and what was expected.
    pub message: String,
    /// What to do.
    pub fix: Option<String>,
}

impl Failure {
    /// All mistakes.
    pub fn new(mistakes: &[InputError]) -> Self {
        let mistake = |m: &InputError| Mistake {
            file: (!m.file.is_empty()).then(|| m.file.to_string()),
            line: m.place.map(|p| p.line),
            column: m.place.map(|p| p.column),
            message: m.what.clone(),
            fix: m.fix.clone(),
        };
        Self { api_version: API_VERSION, errors: mistakes.iter().map(mistake).collect() }
    }
}
