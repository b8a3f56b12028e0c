//! What a change adds.

use serde::Serialize;

use super::report::{BudgetReport, Number, WorkloadReport};

/// The budgets before the change.
#[derive(Clone, Debug, Serialize)]
pub struct Against {
    /// As in the plan itself.
    pub budgets: Vec<BudgetReport>,
}

impl Against {
    /// The same budget before the change.
    pub fn budget(&self, now: &BudgetReport) -> Option<&BudgetReport> {
        self.budgets.iter().find(|b| (&b.namespace, &b.name) == (&now.namespace, &now.name))
    }
}

impl BudgetReport {
    /// The same workload in this budget.
    pub fn workload(&self, like: &WorkloadReport) -> Option<&WorkloadReport> {
        let key = |w: &WorkloadReport| (w.kind.clone(), w.namespace.clone(), w.name.clone());
        self.workloads.iter().find(|w| key(w) == key(like))
    }
}

/// `12 → 15`, or the number alone where nothing changed.
pub fn change(before: Option<Number>, now: Number) -> String {
    match before {
        Some(before) if before != now => format!("{} → {}", before.0, now.0),
        _ => now.0.to_string(),
    }
}
