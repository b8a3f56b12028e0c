//! Builds the answer from assessments.

use super::super::input::Input;
use super::report::{
    API_VERSION, BudgetReport, CapacityReport, ContainerReport, EngineReport, ExtraReport, FindingReport, Number,
    Report, TotalReport, WorkloadReport,
};
use crate::api::parse::Budget;
use crate::api::policy::Enforcement;
use crate::assess::claims::Drawing;
use crate::assess::injection::injection;
use crate::assess::shape::BuiltEngine;
use crate::assess::{Assessment, Finding, assess, rules};
use crate::budget::claim::{Claim, Source};
use crate::budget::fit::{Row, Verdict};
use crate::budget::rollout::Headroom;
use crate::budget::shape::{self, Count, Lowered};

/// Assesses all budgets of the input.
pub fn report(input: &Input) -> Report {
    let (mut budgets, mut findings) = (Vec::new(), Vec::new());
    for budget in input.snapshot.budgets() {
        let assessment = assess(budget, &input.snapshot);
        budgets.push(budget_report(budget, &assessment));
        findings.extend(assessment.findings);
    }
    findings.extend(rules::of_snapshot(&input.snapshot));
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let findings = findings.into_iter().map(|f| finding_report(f, input)).collect();
    Report { api_version: API_VERSION, budgets, findings, skipped: input.skipped.clone(), against: None }
}

fn finding_report(finding: Finding, input: &Input) -> FindingReport {
    let place = input.place(&finding.about, &finding.pointer);
    FindingReport {
        rule: finding.rule.as_str(),
        severity: finding.severity,
        budget: finding.budget.map(|b| b.to_string()),
        target: finding.about.to_string(),
        file: place.map(|(file, _)| file.to_owned()),
        line: place.map(|(_, at)| at.line),
        column: place.map(|(_, at)| at.column),
        message: finding.message,
        fix: finding.fix,
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fits => "Fits",
        Verdict::Exceeded => "Exceeded",
        Verdict::Infeasible => "Infeasible",
        Verdict::Unknown => "Unknown",
    }
}

const fn headroom(headroom: Headroom) -> &'static str {
    match headroom {
        Headroom::None => "None",
        Headroom::SharedSurge => "SharedSurge",
        Headroom::Surge => "Surge",
        Headroom::SurgeAndTerminating => "SurgeAndTerminating",
    }
}

fn budget_report(budget: &Budget, assessment: &Assessment) -> BudgetReport {
    let fit = &assessment.fit;
    let capacity = assessment.supply.capacity.map(|c| CapacityReport {
        hard: Number(c.hard),
        reserve: Number(c.reserve),
        outside: Number(c.outside),
        allocatable: Number(c.allocatable()),
        source: assessment.supply.source.clone(),
    });
    let drawings = assessment.claims.drawings.iter().zip(&assessment.claims.claims).zip(&fit.rows);
    BudgetReport {
        namespace: budget.name.namespace.clone(),
        name: budget.name.name.clone(),
        capacity,
        enforcement: format!("{:?}", budget.enforcement),
        headroom: headroom(budget.headroom),
        verdict: verdict(fit.total.verdict),
        as_written: TotalReport { verdict: verdict(fit.as_written.verdict), peak: Number(fit.as_written.peak) },
        peak: Number(fit.total.peak),
        surge_reserve: Number(fit.surge_reserve),
        workloads: drawings.map(|((d, c), row)| workload_report(budget, d, c, row)).collect(),
        ways_out: assessment.ways_out.iter().map(|way| rules::steps(way, budget)).collect(),
    }
}

fn workload_report(budget: &Budget, drawing: &Drawing, claim: &Claim, row: &Row) -> WorkloadReport {
    let mut limits = row.limits.iter().copied();
    let containers = drawing.built.iter().zip(&claim.shape.containers).map(|(built, container)| {
        let limits: Vec<Option<u32>> = limits.by_ref().take(container.engines.len()).collect();
        let engines = built.engines.iter().zip(&container.engines).zip(&limits);
        let shared = budget.enforcement != Enforcement::Observe;
        ContainerReport {
            name: built.name.clone(),
            processes: match container.processes {
                Count::Known(n) => Some(n),
                Count::AtLeast(_) => None,
            },
            lowered_to: match container.lowered {
                Lowered::To(n) => Some(n),
                Lowered::Never | Lowered::Possible => None,
            },
            processes_from: built.running.processes.from.clone(),
            threads: container.threads,
            extra: ExtraReport { per_process: container.extra.per_process, per_pod: container.extra.per_pod },
            engines: engines.map(|((b, e), limit)| engine_report(b, e, *limit, shared)).collect(),
            inject: injection(budget, built, container, &limits, row.per_pod),
        }
    });
    let containers = containers.collect();
    WorkloadReport {
        kind: drawing.key.kind.clone(),
        namespace: drawing.key.namespace.clone(),
        name: drawing.key.name.clone(),
        replicas: claim.pods.replicas,
        peak_pods: row.peak_pods,
        source: match claim.source {
            Source::Allocatable => "Allocatable",
            Source::Reserve => "Reserve",
        },
        containers,
        per_pod: Number(row.per_pod),
        allocated: Number(row.allocated),
        wanted: Number(row.wanted),
    }
}

fn engine_report(built: &BuiltEngine, engine: &shape::Engine, limit: Option<u32>, shared: bool) -> EngineReport {
    let split = limit.map(|limit| built.split(engine, limit, shared));
    EngineReport {
        name: built.name.clone(),
        client: built.client.clone(),
        count: engine.count,
        pool: split.map(|s| s.pool),
        overflow: split.map(|s| s.overflow),
        limit,
        as_written: engine.as_written.limit(),
        as_written_from: built.written.from.clone(),
    }
}
