//! By which claims a pod draws, as far as the pod itself and what was published tell.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::api::parse::{Budget, Claim, Entry, Target, Which};
use crate::api::policy::Enforcement;
use crate::api::status::WorkloadStatus;
use crate::budget::claim::Id;
use crate::cluster::view::{View, lets_in};
use crate::pod::Drawn;
use crate::workload::{Key, group_of};

/// A claim by which a pod draws, kept beyond the look at the view.
#[derive(Clone, Debug)]
pub struct Draw {
    budget: Arc<Budget>,
    source: Source,
    claim: Id,
    workload: Key,
    row: Option<WorkloadStatus>,
    explicit: bool,
}

/// Where a claim stands.
#[derive(Clone, Debug)]
enum Source {
    /// Among the budget's workloads.
    Listed(usize),
    /// In an object of its own.
    Claim(Arc<Claim>),
}

impl Draw {
    /// As the pod is to be given it.
    #[must_use]
    pub fn drawn(&self) -> Option<Drawn<'_>> {
        let entry = match &self.source {
            Source::Listed(at) => self.budget.entries.get(*at)?,
            Source::Claim(claim) => &claim.entry,
        };
        let (budget, claim, workload) = (&*self.budget, &self.claim, &self.workload);
        Some(Drawn { budget, claim, entry, workload, published: self.row.as_ref() })
    }
}

/// All claims on these workloads that inject: explicit targets before selectors, older budgets before younger ones.
#[must_use]
pub fn draws(view: &View, workloads: &[Key]) -> Vec<Draw> {
    let mut found: Vec<Draw> = workloads.iter().flat_map(|key| of_workload(view, key)).collect();
    found.sort_by(|a, b| {
        let rank = |d: &Draw| (Reverse(d.explicit), d.budget.created);
        rank(a).cmp(&rank(b)).then_with(|| (&a.budget.name, &a.claim).cmp(&(&b.budget.name, &b.claim)))
    });
    found
}

fn of_workload(view: &View, key: &Key) -> Vec<Draw> {
    let snapshot = view.snapshot();
    let mut found = Vec::new();
    for name in snapshot.budgets_concerned(key) {
        let Some(budget) = snapshot.budget(&name).filter(|b| b.enforcement != Enforcement::Observe) else { continue };
        if budget.name.namespace == key.namespace {
            let rows = view.budget(&name).and_then(|b| b.status.as_ref()).map(|s| s.workloads.as_slice());
            for (at, entry) in budget.entries.iter().enumerate() {
                found.extend(draw(budget, entry, &entry.name, Source::Listed(at), rows, key));
            }
        }
        for claim in snapshot.claims_on(&name).filter(|c| c.name.namespace == key.namespace) {
            if lets_in(budget, &claim.name.namespace) {
                let rows = view.claim(&claim.name).and_then(|c| c.status.as_ref()).map(|s| s.workloads.as_slice());
                let source = Source::Claim(claim.clone());
                found.extend(draw(budget, &claim.entry, &claim.name.name, source, rows, key));
            }
        }
    }
    found
}

/// The draw of an entry on a workload, if it is about it. What a selector matches, the leader has resolved and published.
fn draw(
    budget: &Arc<Budget>,
    entry: &Entry,
    name: &str,
    source: Source,
    rows: Option<&[WorkloadStatus]>,
    key: &Key,
) -> Option<Draw> {
    let Target { group, kind, which } = &entry.target;
    if (group, kind) != (&key.group, &key.kind) {
        return None;
    }
    let is_about = |row: &&WorkloadStatus| {
        let of = (group_of(&row.target.api_version), row.target.kind.as_str(), row.target.name.as_str());
        of == (key.group.as_str(), key.kind.as_str(), key.name.as_str()) && row.namespace == key.namespace
    };
    let published = |name: &str| rows.into_iter().flatten().filter(is_about).find(|row| row.name == name).cloned();
    let (name, row, explicit) = match which {
        Which::Named(target) if *target == key.name => (name.to_owned(), published(name), true),
        Which::Named(_) => return None,
        Which::Selected(_) => {
            let name = format!("{name}/{}", key.name);
            let row = published(&name)?;
            (name, Some(row), false)
        }
    };
    let claim = Id { namespace: key.namespace.clone(), name };
    Some(Draw { budget: budget.clone(), source, claim, workload: key.clone(), row, explicit })
}
