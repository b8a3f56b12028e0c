//! Objects that tests make. A pod of theirs holds 3 connections as written: `DB_POOL_SIZE` 2 and `DB_MAX_OVERFLOW` 1, one
//! process.

use dbbudget::api::status::{BudgetStatus, WorkloadStatus};
use dbbudget::api::{DatabaseBudget, DatabaseClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// A pod template with these labels.
pub fn template(app: &str) -> String {
    format!(
        "{{metadata: {{labels: {{app: {app}}}}}, spec: {{terminationGracePeriodSeconds: 5, containers: [{{name: app, \
         image: registry.k8s.io/pause:3.10, env: [{{name: DB_POOL_SIZE, value: '2'}}, {{name: DB_MAX_OVERFLOW, value: \
         '1'}}]}}]}}}}"
    )
}

/// A workload of a kind with replicas, a selector and a template.
pub fn workload(api_version: &str, kind: &str, name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nspec: \
         {{selector: {{matchLabels: {{app: {name}}}}}, {more}, template: {}}}\n",
        template(name)
    )
}

/// A Deployment.
pub fn deployment(name: &str, replicas: u32) -> String {
    workload("apps/v1", "Deployment", name, &format!("replicas: {replicas}"))
}

/// What a claim or a budget's entry says of a workload like those above.
pub fn asks(target: &str) -> String {
    format!("target: {target}, containers: [{{processes: {{count: 1}}, engines: [{{client: sqlalchemy-env}}]}}]")
}

/// A budget that observes, of 100 connections, and its entries (`NAME TARGET`).
pub fn budget(name: &str, more: &str, entries: &[(&str, &str)]) -> String {
    let entries: Vec<String> =
        entries.iter().map(|(name, target)| format!("{{name: {name}, {}}}", asks(target))).collect();
    format!(
        "---\napiVersion: dbbudget.dev/v1alpha1\nkind: DatabaseBudget\nmetadata: {{name: {name}}}\nspec: {{capacity: \
         {{static: {{maxConnections: 100, serverReserved: 0}}}}, enforcement: Observe, headroom: None, {more} workloads: [{}]}}\n",
        entries.join(", ")
    )
}

/// A claim on a budget.
pub fn claim(name: &str, budget: &str, target: &str) -> String {
    format!(
        "---\napiVersion: dbbudget.dev/v1alpha1\nkind: DatabaseClaim\nmetadata: {{name: {name}}}\nspec: {{budgetRef: \
         {budget}, {}}}\n",
        asks(target)
    )
}

/// A condition of a status.
pub fn condition<'a>(conditions: &'a [Condition], about: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == about)
}

/// Whether a condition has a reason.
pub fn is(conditions: &[Condition], about: &str, reason: &str) -> bool {
    condition(conditions, about).is_some_and(|condition| condition.reason == reason)
}

/// A budget's status; an empty one while there is none.
pub fn status(budget: &DatabaseBudget) -> BudgetStatus {
    budget.status.clone().unwrap_or_default()
}

/// A row of a budget's status.
pub fn row(budget: &DatabaseBudget, name: &str) -> WorkloadStatus {
    status(budget).workloads.into_iter().find(|row| row.name == name).unwrap_or_default()
}

/// Whether a budget's condition has a reason.
pub fn budget_is(budget: &DatabaseBudget, about: &str, reason: &str) -> bool {
    is(&status(budget).conditions, about, reason)
}

/// Whether a claim's condition has a reason.
pub fn claim_is(claim: &DatabaseClaim, about: &str, reason: &str) -> bool {
    claim.status.as_ref().is_some_and(|status| is(&status.conditions, about, reason))
}
