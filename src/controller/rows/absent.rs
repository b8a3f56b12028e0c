//! Entries and claims whose workload does not exist.

use super::{Row, sentence};
use crate::api::parse::{Budget, Entry, Name, Which};
use crate::api::status::{TargetStatus, WorkloadStatus};
use crate::api::target::KNOWN_KINDS;
use crate::assess::{About, Finding, Rule};
use crate::budget::connections::Connections;
use crate::cluster::view::sources::{Need, Source as Watched, State};
use crate::cluster::view::{View, lets_in};
use crate::workload::{Key, group_of};

/// Each as a row that says so.
pub(super) fn absent(budget: &Budget, findings: &[Finding], view: &View) -> Vec<Row> {
    let own = budget.entries.iter().map(|entry| {
        let name = Name::new(budget.name.namespace.clone(), entry.name.clone());
        (About::Budget(budget.name.clone()), name, entry)
    });
    let let_in = |namespace: &str| lets_in(budget, namespace);
    let claims = view.snapshot().claims_on(&budget.name).filter(|c| let_in(&c.name.namespace));
    let claims = claims.map(|c| (About::Claim(c.name.clone()), c.name.clone(), &c.entry));
    let missing = own.chain(claims).filter_map(|(about, name, entry)| {
        let at = format!("{}/target", entry.pointer);
        let finding = findings
            .iter()
            .find(|f| f.rule == Rule::TargetNotFound && f.about == about && f.pointer.starts_with(&at))?;
        let shown = WorkloadStatus {
            name: name.name.clone(),
            namespace: name.namespace.clone(),
            target: target(entry),
            held: Some(0),
            allocated: Some(0),
            wanted: Some(0),
            message: why_absent(entry, &name.namespace, finding, view),
            ..WorkloadStatus::default()
        };
        let (source, held) = (entry.source, Connections::ZERO);
        Some(Row {
            about,
            entry: name,
            source,
            held,
            pods: 0,
            closing: 0,
            escaped: 0,
            outdated: 0,
            behind: 0,
            exists: false,
            shown,
        })
    });
    missing.collect()
}

fn target(entry: &Entry) -> TargetStatus {
    let name = match &entry.target.which {
        Which::Named(name) => name.clone(),
        Which::Selected(_) => String::new(),
    };
    let (group, kind) = (&entry.target.group, &entry.target.kind);
    let known = KNOWN_KINDS.iter().find(|(k, version)| k == kind && group_of(version) == group);
    let api_version = known.map_or_else(|| group.clone(), |(_, version)| (*version).to_owned());
    TargetStatus { api_version, kind: kind.clone(), name }
}

fn why_absent(entry: &Entry, namespace: &str, finding: &Finding, view: &View) -> String {
    let (group, kind) = (entry.target.group.clone(), entry.target.kind.clone());
    let need = Need {
        source: Watched::Workloads { group: group.clone(), kind: kind.clone() },
        namespace: Some(namespace.to_owned()),
    };
    match (view.state(&need), &entry.target.which) {
        (Some(State::Forbidden(sentence)), _) => format!("{sentence}."),
        (Some(State::Absent), _) => {
            let of = if group.is_empty() { kind } else { format!("{kind}.{group}") };
            format!(
                "This cluster has no kind {of} that can be scaled (with a /scale subresource); it counts once there is one."
            )
        }
        (_, Which::Named(name)) => {
            let key = Key { group, kind, namespace: namespace.to_owned(), name: name.clone() };
            match view.unreadable(&key) {
                Some(why) => format!("{key} cannot be read: {why}."),
                None => sentence(finding),
            }
        }
        _ => sentence(finding),
    }
}
