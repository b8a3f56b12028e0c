//! Metrics for Prometheus. Labels are names of budgets and workloads, and words from fixed lists.

mod labels;
mod numbers;
mod series;

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::api::conditions::fit;
use crate::api::parse::Name;
use labels::{
    OfBudget, OfCondition, OfError, OfFit, OfWorkload, OfWrite, of_budget, of_condition, of_fit, of_workload,
};
pub use numbers::{BudgetNumbers, WorkloadNumbers};
use series::Series;

/// What [`Metrics::encode`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every reason of `WithinCapacity`: one series each, so that an alert can name the one it means.
const FITS: [&str; 7] = [
    fit::HEALTHY,
    fit::WARNING,
    fit::CRITICAL,
    fit::EXCEEDED,
    fit::INFEASIBLE,
    fit::CAPACITY_UNKNOWN,
    fit::SECRET_FORBIDDEN,
];

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    budgets: [Family<OfBudget, Gauge>; 7],
    fit: Family<OfFit, Gauge>,
    conditions: Family<OfCondition, Gauge>,
    workloads: [Family<OfWorkload, Gauge>; 3],
    shown_conditions: Series<OfCondition>,
    shown_workloads: Series<OfWorkload>,
    durations: Histogram,
    errors: Family<OfError, Counter>,
    writes: Family<OfWrite, Counter>,
    reviews: Family<OfWrite, Counter>,
    review_durations: Histogram,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("dbbudget"),
            budgets: Default::default(),
            fit: Family::default(),
            conditions: Family::default(),
            workloads: Default::default(),
            shown_conditions: Series::default(),
            shown_workloads: Series::default(),
            // Milliseconds for one budget of a few workloads; seconds only when the API server is slow.
            durations: Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]),
            errors: Family::default(),
            writes: Family::default(),
            reviews: Family::default(),
            // A fraction of a millisecond; the API server waits 2 s.
            review_durations: Histogram::new([0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.1, 1.0]),
            leader: Gauge::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        let budgets = [
            ("capacity_connections", "Connections that clients can open at all"),
            ("allocatable_connections", "Connections to share: capacity less reserve and outside consumers"),
            ("peak_connections", "Connections that can be held at the same time; absent when unbounded or unknown"),
            ("held_connections", "Connections that started, unended pods can hold; absent when unbounded"),
            ("free_connections", "Allocatable less held; below zero when more is held than there is"),
            ("waiting_connections", "Connections that waiting pods ask for"),
            ("waiting_pods", "Pods that wait for their connections"),
        ];
        for ((name, help), family) in budgets.into_iter().zip(&self.budgets) {
            registry.register(name, help, family.clone());
        }
        registry.register("fit", "1 for the reason of the budget's condition WithinCapacity", self.fit.clone());
        registry.register("condition", "1 for each condition of the budget, as it is", self.conditions.clone());
        let workloads = [
            ("workload_allocated_connections", "Connections that all pods of the workload may hold together"),
            ("workload_wanted_connections", "Connections that its pods would hold as written, at the peak"),
            ("workload_held_connections", "Connections that its pods can hold now"),
        ];
        for ((name, help), family) in workloads.into_iter().zip(&self.workloads) {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "reconcile_duration_seconds",
            "How long it took to bring one budget up to date",
            self.durations.clone(),
        );
        registry.register("reconcile_errors", "Failed attempts to do so, by kind of error", self.errors.clone());
        registry.register("api_writes", "Writes to the API server, by kind of object and outcome", self.writes.clone());
        registry.register("admission_reviews", "Reviews answered, by kind of object and outcome", self.reviews.clone());
        registry.register(
            "admission_duration_seconds",
            "How long it took to answer a review once it was read",
            self.review_durations.clone(),
        );
        registry.register("leader", "1 on the replica that writes", self.leader.clone());
        self
    }

    /// Shows a budget's numbers, and those of its workloads in place of the earlier ones.
    pub fn budget(&self, name: &Name, numbers: &BudgetNumbers, workloads: &[WorkloadNumbers]) {
        let BudgetNumbers { hard, allocatable, peak, held, free, waiting, waiting_pods, fit } = *numbers;
        let labels = of_budget(name);
        let values = [hard, allocatable, peak, held, free, waiting, waiting_pods];
        self.budgets.iter().zip(values).for_each(|(family, value)| show(family, &labels, value));
        for reason in FITS {
            self.fit.get_or_create(&of_fit(name, reason)).set(i64::from(reason == fit));
        }
        self.keep_workloads(name, &workloads.iter().map(|workload| of_workload(name, workload)).collect());
        for workload in workloads {
            let labels = of_workload(name, workload);
            let values = [workload.allocated, workload.wanted, workload.held];
            self.workloads.iter().zip(values).for_each(|(family, value)| show(family, &labels, value));
        }
    }

    /// Shows a budget's conditions in place of the earlier ones, also where it has no numbers.
    pub fn conditions(&self, name: &Name, conditions: &[Condition]) {
        let now: BTreeSet<_> = conditions.iter().map(|condition| of_condition(name, condition)).collect();
        self.shown_conditions.replace(name, &now).iter().for_each(|gone| show(&self.conditions, gone, None));
        for labels in &now {
            show(&self.conditions, labels, Some(1));
        }
    }

    /// Removes every number of a budget.
    pub fn forget_numbers(&self, name: &Name) {
        let labels = of_budget(name);
        self.budgets.iter().for_each(|family| show(family, &labels, None));
        for reason in FITS {
            self.fit.remove(&of_fit(name, reason));
        }
        self.keep_workloads(name, &BTreeSet::new());
    }

    /// Removes every series of a budget.
    pub fn forget_budget(&self, name: &Name) {
        self.forget_numbers(name);
        self.conditions(name, &[]);
    }

    fn keep_workloads(&self, name: &Name, now: &BTreeSet<OfWorkload>) {
        for gone in self.shown_workloads.replace(name, now) {
            self.workloads.iter().for_each(|family| show(family, &gone, None));
        }
    }

    /// Counts an attempt to bring a budget up to date; an error by its kind, which is from a fixed list.
    pub fn reconciled(&self, took: Duration, outcome: Result<(), &'static str>) {
        self.durations.observe(took.as_secs_f64());
        if let Err(kind) = outcome {
            self.errors.get_or_create(&OfError { kind }).inc();
        }
    }

    /// Counts a write to the API server. Both labels are from fixed lists.
    pub fn written(&self, kind: &'static str, outcome: &'static str) {
        self.writes.get_or_create(&OfWrite { kind, outcome }).inc();
    }

    /// Counts an answer to a review. Both labels are from fixed lists.
    pub fn reviewed(&self, took: Duration, kind: &'static str, outcome: &'static str) {
        self.review_durations.observe(took.as_secs_f64());
        self.reviews.get_or_create(&OfWrite { kind, outcome }).inc();
    }

    /// Whether this replica writes.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// All of it, in the `OpenMetrics` text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail; an empty page would be visible as a failed scrape.
        if text::encode(&mut page, &self.registry).is_err() {
            page.clear();
        }
        page
    }
}

/// Sets a series, or removes it.
fn show<L>(family: &Family<L, Gauge>, labels: &L, value: Option<i64>)
where
    L: Clone + std::hash::Hash + Eq,
{
    match value {
        Some(value) => {
            family.get_or_create(labels).set(value);
        }
        None => {
            family.remove(labels);
        }
    }
}

#[cfg(test)]
mod tests;
