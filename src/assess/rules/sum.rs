//! Whether the sum fits, and what would make it.

use crate::api::parse::{Budget, Capacity};
use crate::api::policy::Enforcement;
use crate::assess::assessment::{Assessment, question};
use crate::assess::claims::Claims;
use crate::assess::finding::{About, Finding, Rule, Severity};
use crate::budget::capacity::{Endpoint, SUPABASE};
use crate::budget::claim::{Claim, Id, Source};
use crate::budget::connections::Connections;
use crate::budget::fit::{Question, Verdict, WayOut, fit};
use crate::budget::rollout::{Headroom, Pods, Strategy};

pub(super) fn findings(budget: &Budget, assessment: &Assessment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let question = question(budget, &assessment.supply, &assessment.claims);
    findings.extend(too_much(budget, assessment));
    findings.extend(autoscalers(&question, assessment));
    findings.extend(rollouts(budget, &question, assessment));
    findings.extend(sized_for_fewer(budget, assessment));
    findings
}

fn too_much(budget: &Budget, assessment: &Assessment) -> Option<Finding> {
    let allocatable = assessment.supply.capacity?.allocatable();
    let about = About::Budget(budget.name.clone());
    let ways: Vec<String> = assessment.ways_out.iter().map(|way| steps(way, budget).join("; ")).collect();
    let fix = if ways.is_empty() { "lower replicas, processes or pools".into() } else { ways.join("; or ") };
    let finding = |rule, message: String| Some(Finding::new(rule, about, "/spec/capacity", message, fix));
    let fit = &assessment.fit;
    match fit.total.verdict {
        Verdict::Infeasible => {
            let names = fit.left_out.iter().map(|&i| assessment.claims.claims[i].id.to_string()).collect::<Vec<_>>();
            let surge = match fit.surge_reserve {
                Connections::ZERO => String::new(),
                room => format!(", {room} of them room for one surging pod"),
            };
            let least = format!("the smallest safe pools need {}{surge}, of {allocatable} allocatable", fit.total.peak);
            let what = if fit.total.peak > allocatable {
                least
            } else {
                "the smallest safe pools need more than a namespace's maxConnections, or the reserve, allows".into()
            };
            finding(Rule::Infeasible, format!("{what}; left out: {}", names.join(", ")))
        }
        Verdict::Exceeded => finding(
            Rule::Exceeded,
            format!("workloads can open {} connections of {allocatable} allocatable", fit.total.peak),
        ),
        _ if fit.as_written.verdict == Verdict::Exceeded => {
            let message = format!(
                "as written, workloads can open {} connections of {allocatable} allocatable; with their shares {}",
                fit.as_written.peak, fit.total.peak
            );
            finding(Rule::Exceeded, message)
                .map(|f| Finding { fix: "nothing: dbbudget sizes the pools".into(), ..f.at(Severity::Note) })
        }
        _ => None,
    }
}

/// A way out, as instructions; several are to be followed together.
#[must_use]
pub fn steps(way: &WayOut, budget: &Budget) -> Vec<String> {
    match way {
        WayOut::Together(ways) => ways.iter().flat_map(|way| steps(way, budget)).collect(),
        way => vec![step(way, budget)],
    }
}

fn step(way: &WayOut, budget: &Budget) -> String {
    let list = |ids: &[Id]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match way {
        WayOut::Share => "set enforcement: Inject, and dbbudget sizes the pools".into(),
        WayOut::ReplaceInPlace { claims } => {
            format!("replace pods in place (maxSurge 0, maxUnavailable 1): {}", list(claims))
        }
        WayOut::ShareSurge => "let rollouts take turns: enforcement: Lease (headroom: SharedSurge)".into(),
        WayOut::FewerReplicas { claim, from, to } => {
            format!("run {} of {claim} instead of {from}", plural(*to, "replica", "replicas"))
        }
        WayOut::FewerProcesses { claim, container, from, to } => {
            format!("run {} in {claim}, container {container}, instead of {from}", plural(*to, "process", "processes"))
        }
        WayOut::MoreCapacity { hard } => more_capacity(budget, *hard),
        WayOut::Together(ways) => ways.iter().map(|way| step(way, budget)).collect::<Vec<_>>().join("; "),
    }
}

fn plural(n: u32, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn more_capacity(budget: &Budget, needed: Connections) -> String {
    let (kept, endpoint) = match &budget.capacity {
        Capacity::Known { kept, endpoint, .. } => (*kept, *endpoint),
        Capacity::Asked { .. } => return format!("a database that gives {needed} connections"),
    };
    let needed = needed + kept.into();
    let least = needed.bounded().unwrap_or(u64::MAX);
    let Some(endpoint) = endpoint else { return format!("a maxConnections of {needed}") };
    let compute = SUPABASE.iter().find(|c| c.limit(endpoint).is_some_and(|n| u64::from(n) >= least)).map(|c| c.name);
    let or = |text: Option<&str>| text.map_or(String::new(), |name| format!(" (compute {name} has it by default)"));
    match endpoint {
        Endpoint::Session => {
            format!(
                "a pool_size of {needed}{}; or endpoint: Transaction, where clients can do without a session",
                or(compute)
            )
        }
        Endpoint::Transaction => format!("a pooler that takes {needed} clients{}", or(compute)),
        Endpoint::Direct => format!("a max_connections of {needed}{}; or a pooler in front", or(compute)),
    }
}

/// Autoscalers that go further than the budget, where the replicas written would fit.
fn autoscalers(question: &Question, assessment: &Assessment) -> Vec<Finding> {
    let Claims { claims, drawings, .. } = &assessment.claims;
    let raised: Vec<_> = drawings.iter().zip(claims).filter(|(d, _)| d.scaler.is_some()).collect();
    if raised.is_empty() || !matches!(assessment.fit.total.verdict, Verdict::Exceeded | Verdict::Infeasible) {
        return Vec::new();
    }
    let at_rest = claims.iter().zip(drawings).map(|(own, drawing)| Claim {
        pods: Pods {
            size_for: own.pods.size_for,
            certain: own.pods.certain,
            ..Pods::new(drawing.replicas, drawing.strategy)
        },
        ..own.clone()
    });
    let at_rest: Vec<_> = at_rest.collect();
    if !matches!(fit(&Question { claims: &at_rest, ..*question }).total.verdict, Verdict::Fits | Verdict::Unknown) {
        return Vec::new();
    }
    let finding = |(drawing, claim): &(&crate::assess::claims::Drawing, &Claim)| {
        let scaler = drawing.scaler.clone()?;
        let maximum = claim.pods.replicas;
        let message = format!(
            "it may raise {} to {maximum} pods, which do not fit; the {} written do",
            drawing.key, drawing.replicas
        );
        let fix = "lower its maximum, or set sizeFor in the claim".to_owned();
        Some(Finding::new(Rule::HpaMaximum, About::Object(scaler), "/spec", message, fix))
    };
    raised.iter().filter_map(finding).collect()
}

/// Rollouts that need room for a surging pod, where there is none.
fn rollouts(budget: &Budget, question: &Question, assessment: &Assessment) -> Vec<Finding> {
    let (Some(capacity), Claims { claims, drawings, .. }) = (question.capacity, &assessment.claims) else {
        return Vec::new();
    };
    let rows = &assessment.fit.rows;
    let drawn = claims.iter().zip(rows).filter(|(c, _)| c.source == Source::Allocatable);
    let at_rest: Connections = drawn.map(|(c, row)| row.per_pod * c.pods.sized(Headroom::None)).sum();
    let free = capacity.allocatable().less(at_rest);
    let blocked = claims.iter().zip(drawings).zip(rows).filter_map(|((claim, drawing), row)| {
        let of_pod = match budget.enforcement {
            Enforcement::Lease => claim.shape.at_minimum(), // a surging pod gets its minimum
            Enforcement::Observe | Enforcement::Inject => row.per_pod,
        };
        // A second set has to be complete before the first one ends; otherwise one pod is enough to go on.
        let set = matches!(drawing.strategy, Strategy::SecondSet { .. });
        let (new, needs) = match claim.pods.surge {
            pods if set => (format!("{pods} new pods, which need"), of_pod * u64::from(pods)),
            _ => ("a new pod, which needs".to_owned(), of_pod),
        };
        let stuck = claim.pods.surge > 0 && !drawing.strategy.proceeds_without_surge(claim.pods.replicas);
        (stuck && claim.source == Source::Allocatable && needs > free).then(|| {
            let only = if free == Connections::ZERO { "none is".into() } else { format!("only {free} are") };
            let needs = needs.bounded().map_or("as many as there are".to_owned(), |n| n.to_string());
            let message = format!("a rollout starts {new} {needs}, before an old one ends; at rest {only} free");
            let fix = match (set, budget.headroom) {
                (true, _) => "make room for the second set, or roll out pod by pod",
                (false, Headroom::None | Headroom::SharedSurge) => {
                    "set maxSurge: 0 and maxUnavailable: 1, or keep room for it with headroom: Surge"
                }
                (false, Headroom::Surge | Headroom::SurgeAndTerminating) => "set maxSurge: 0 and maxUnavailable: 1",
            };
            Finding::new(Rule::RolloutBlocked, About::Object(drawing.key.clone()), "/spec/strategy", message, fix)
        })
    });
    blocked.collect()
}

fn sized_for_fewer(budget: &Budget, assessment: &Assessment) -> Vec<Finding> {
    if budget.enforcement != Enforcement::Inject {
        return Vec::new(); // Lease lets further pods wait, Observe sizes nothing
    }
    let both = assessment.claims.claims.iter().zip(&assessment.claims.drawings);
    let fewer = both.filter(|(c, _)| c.pods.sized(budget.headroom) < c.pods.at_peak(budget.headroom));
    let finding = |(claim, drawing): (&crate::budget::claim::Claim, &crate::assess::claims::Drawing)| {
        let (sized, peak) = (claim.pods.sized(budget.headroom), claim.pods.at_peak(budget.headroom));
        let message = format!("shares are computed for {sized} pods, and there can be {peak}");
        let fix = "enforcement: Lease lets the further pods wait; or raise sizeFor";
        Finding::new(Rule::SizedForFewer, drawing.about.clone(), format!("{}/sizeFor", drawing.pointer), message, fix)
    };
    fewer.map(finding).collect()
}
