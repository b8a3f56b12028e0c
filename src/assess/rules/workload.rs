//! What a workload's pods and processes make uncertain.

use crate::assess::claims::Drawing;
use crate::assess::finding::{About, Finding, Rule};
use crate::assess::snapshot::Snapshot;
use crate::budget::claim::Claim;
use crate::budget::shape::{Count, Lowered};
use crate::workload::Replicas;
use crate::workload::control::Control;

pub(super) fn findings(drawing: &Drawing, snapshot: &Snapshot) -> Vec<Finding> {
    let about = || About::Object(drawing.key.clone());
    let mut findings = Vec::new();
    for container in &drawing.built {
        let processes = &container.running.processes;
        let name = if container.name.is_empty() { "the container" } else { &container.name };
        if container.running.follows_node_cpus {
            let message = format!("how many processes {name} runs follows the CPUs of the node: {}", processes.from);
            let fix = "set the number in the command or in processes.count; plan counts with --node-cpus N";
            findings.push(Finding::new(Rule::NodeCpuDefault, about(), container.pointer.clone(), message, fix));
        } else if matches!(processes.value, Count::AtLeast(_)) {
            let message = format!("how many processes {name} runs is not known: {}", processes.from);
            let fix = "say it in the claim: containers[].processes: {count: N} or {env: NAME}";
            findings.push(Finding::new(Rule::WorkersUnknown, about(), container.pointer.clone(), message, fix));
        }
    }
    let Some(workload) = &drawing.workload else { return findings };
    if workload.overlaps && drawing.size_for.is_none() {
        let message = "its runs may overlap without bound (concurrencyPolicy Allow); one run is counted";
        let fix = "set concurrencyPolicy: Forbid, or sizeFor in the claim";
        findings.push(Finding::new(Rule::CronJobOverlap, about(), "/spec/concurrencyPolicy", message, fix));
    }
    if workload.replicas == Replicas::PerNode && snapshot.nodes.count.is_none() {
        let message = "how many nodes it runs on is not known; one is counted";
        findings.push(Finding::new(Rule::NodesUnknown, about(), "/spec", message, "plan counts with --nodes N"));
    }
    findings
}

/// Containers that get fewer processes than they ask for.
pub(super) fn lowered(drawing: &Drawing, claim: &Claim) -> Vec<Finding> {
    let containers = drawing.built.iter().zip(&claim.shape.containers);
    let findings = containers.filter_map(|(built, container)| {
        let Lowered::To(to) = container.lowered else { return None };
        let (Control::Variable(by) | Control::Flag { name: by, .. }) = built.control.as_ref()?;
        let (from, asked) = (&built.running.processes.from, container.processes.lower_bound());
        let message = format!(
            "{} runs {to} of its {asked} processes ({from}), set by {by}: even the smallest pools would not fit otherwise",
            built.name
        );
        let fix = "run fewer processes yourself, or give the budget more capacity";
        let about = About::Object(drawing.key.clone());
        Some(Finding::new(Rule::ProcessesLowered, about, built.pointer.clone(), message, fix))
    });
    findings.collect()
}
