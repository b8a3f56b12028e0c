//! The answer for one budget.

use super::capacity::{Supply, supply};
use super::claims::{Claims, claims};
use super::finding::Finding;
use super::rules;
use super::snapshot::Snapshot;
use crate::api::parse::Budget;
use crate::api::policy::Enforcement;
use crate::budget::fit::{Fit, Question, WayOut, fit, ways_out};
use crate::budget::lower::{lower, with};

/// What is known of one budget, and whether it fits.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// What there is to divide.
    pub supply: Supply,
    /// Who draws from it.
    pub claims: Claims,
    /// How it fits; its rows are in the order of the claims.
    pub fit: Fit,
    /// What would make it fit, cheapest first; empty where it does.
    pub ways_out: Vec<WayOut>,
    /// What people should know.
    pub findings: Vec<Finding>,
}

/// Assesses one budget on its own. What concerns no budget in particular is [`rules::of_snapshot`].
#[must_use]
pub fn assess(budget: &Budget, snapshot: &Snapshot) -> Assessment {
    let mut findings = Vec::new();
    let supply = supply(budget, snapshot, &mut findings);
    let mut claims = claims(budget, snapshot, &mut findings);
    let lowered = lower(&question(budget, &supply, &claims));
    claims.claims = with(&claims.claims, &lowered);
    let question = question(budget, &supply, &claims);
    let fit = fit(&question);
    let ways_out = ways_out(&question);
    let mut assessment = Assessment { supply, claims, fit, ways_out, findings };
    let noticed = rules::of_budget(budget, snapshot, &assessment);
    assessment.findings.extend(noticed);
    assessment.findings.retain(|f| !rules::is_ignored(f, budget, snapshot));
    for finding in &mut assessment.findings {
        finding.budget = Some(budget.name.clone());
    }
    assessment
        .findings
        .sort_by(|a, b| (b.severity, a.rule, &a.about, &a.pointer).cmp(&(a.severity, b.rule, &b.about, &b.pointer)));
    assessment
}

/// The budget as the arithmetic sees it.
#[must_use]
pub fn question<'a>(budget: &Budget, supply: &Supply, claims: &'a Claims) -> Question<'a> {
    Question {
        claims: &claims.claims,
        capacity: supply.capacity,
        caps: &claims.caps,
        headroom: budget.headroom,
        shared: budget.enforcement != Enforcement::Observe,
    }
}
