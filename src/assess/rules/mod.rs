//! Which findings there are, by what they look at.

mod between;
mod client;
mod sum;
mod workload;

use super::assessment::Assessment;
use super::finding::{About, Finding};
use super::snapshot::Snapshot;
use crate::api::parse::Budget;

pub use between::of_snapshot;
pub use sum::steps;

/// Everything to say of one budget, its claims and their workloads.
#[must_use]
pub fn of_budget(budget: &Budget, snapshot: &Snapshot, assessment: &Assessment) -> Vec<Finding> {
    let mut findings = sum::findings(budget, assessment);
    let claims = assessment.claims.drawings.iter().zip(&assessment.claims.claims);
    for ((drawing, claim), row) in claims.zip(&assessment.fit.rows) {
        findings.extend(workload::findings(drawing, snapshot));
        findings.extend(workload::lowered(drawing, claim));
        findings.extend(client::findings(budget, drawing, row));
    }
    findings.extend(between::findings(budget, snapshot, &assessment.claims.drawings));
    findings
}

/// Whether the object that a finding is about silences its rule.
#[must_use]
pub fn is_ignored(finding: &Finding, budget: &Budget, snapshot: &Snapshot) -> bool {
    let listed = |rules: &[String]| rules.iter().any(|rule| rule == finding.rule.as_str());
    match &finding.about {
        About::Budget(_) => listed(&budget.ignore),
        About::Claim(name) => snapshot.claim(name).is_some_and(|c| listed(&c.ignore)),
        About::Object(key) => {
            snapshot.workload(key).is_some_and(|w| listed(&w.ignore))
                || snapshot.scaler(key).is_some_and(|s| listed(&s.ignore))
        }
    }
}
