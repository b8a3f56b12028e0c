//! What series are told apart by.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::encoding::EncodeLabelSet;

use super::numbers::WorkloadNumbers;
use crate::api::parse::Name;

/// One budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfBudget {
    pub namespace: String,
    pub budget: String,
}

/// One reason of its fit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfFit {
    pub namespace: String,
    pub budget: String,
    pub reason: &'static str,
}

/// One of its workloads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub struct OfWorkload {
    pub namespace: String,
    pub budget: String,
    pub workload_namespace: String,
    pub workload: String,
}

/// One of its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub struct OfCondition {
    pub namespace: String,
    pub budget: String,
    pub r#type: String,
    pub status: String,
    pub reason: String,
}

/// A kind of error, from a fixed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfError {
    pub kind: &'static str,
}

/// A kind of object, and what became of it, from fixed lists.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfWrite {
    pub kind: &'static str,
    pub outcome: &'static str,
}

pub fn of_budget(name: &Name) -> OfBudget {
    OfBudget { namespace: name.namespace.clone(), budget: name.name.clone() }
}

pub fn of_fit(name: &Name, reason: &'static str) -> OfFit {
    OfFit { namespace: name.namespace.clone(), budget: name.name.clone(), reason }
}

pub fn of_condition(name: &Name, condition: &Condition) -> OfCondition {
    let OfBudget { namespace, budget } = of_budget(name);
    let Condition { type_, status, reason, .. } = condition.clone();
    OfCondition { namespace, budget, r#type: type_, status, reason }
}

pub fn of_workload(name: &Name, workload: &WorkloadNumbers) -> OfWorkload {
    OfWorkload {
        namespace: name.namespace.clone(),
        budget: name.name.clone(),
        workload_namespace: workload.namespace.clone(),
        workload: workload.name.clone(),
    }
}
