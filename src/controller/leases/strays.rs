//! Pods that wait for a budget although no claim on it rules them any more: they are let go, once that is certain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::facts::{Facts, Member, now};
use super::look::Context;
use crate::api::parse::{Entry, Name, Which};
use crate::budget::ledger::{Ledger, Uid};
use crate::cluster::view::pods::Pod;
use crate::cluster::view::{View, lets_in};
use crate::cluster::write::rules::Rules;

/// What a selector matches is published within this time.
const TO_BE_PUBLISHED: u32 = 60;

/// What was known when pods were found that nothing seems to rule.
#[derive(Clone, Debug, Default)]
pub struct Strays {
    /// The pods.
    pub pods: Vec<Arc<Pod>>,
    /// Of these, the ones whose namespace never had a part in the budget: what is written on them counts for nothing.
    pub strangers: BTreeSet<Uid>,
    /// The budget and its claims at that moment.
    known: Rules,
    /// A claim that nobody can make sense of: what it meant is not known. (Of such a budget nothing is concluded at all.)
    unreadable: bool,
}

impl Strays {
    /// Looks for them.
    #[must_use]
    pub fn of(view: &View, name: &Name, members: &BTreeMap<Uid, Member>, ledger: Option<&Ledger>) -> Self {
        let awaited = name.to_string();
        let waiting = view.pods().gated().filter(|pod| pod.waits_for(&awaited));
        let gated = waiting.filter(|pod| !members.contains_key(&pod.uid));
        let pods: Vec<Arc<Pod>> = gated.filter(|pod| !may_be_selected(view, name, pod)).cloned().collect();
        if pods.is_empty() {
            return Self::default();
        }
        let holds = |namespace: &str| ledger.is_some_and(|l| l.entries().values().any(|e| e.namespace == namespace));
        let takes_part = |namespace: &str| {
            let let_in = view.snapshot().budget(name).is_some_and(|budget| lets_in(budget, namespace));
            let_in || namespace == name.namespace || holds(namespace)
        };
        let strangers = pods.iter().filter(|pod| !takes_part(&pod.namespace)).map(|pod| pod.uid.clone()).collect();
        let version = |version: &crate::cluster::view::item::Version| (version.uid.clone(), version.generation);
        let claims = || view.claims_on(name);
        Self {
            pods,
            strangers,
            known: Rules {
                budget: view.budget(name).map(|stored| version(&stored.version)),
                claims: claims().map(|(claim, stored)| (claim.clone(), version(&stored.version))).collect(),
            },
            unreadable: claims().any(|(_, stored)| !stored.faults.is_empty()),
        }
    }
}

/// Whether a claim with a selector may be about it, whose matches are not published yet.
fn may_be_selected(view: &View, name: &Name, pod: &Pod) -> bool {
    let Some(budget) = view.snapshot().budget(name).filter(|_| pod.created.after(TO_BE_PUBLISHED) > now()) else {
        return false;
    };
    let pinned = pod.drawn_from(&name.to_string());
    let selects = |entry: &Entry, row: &str| matches!(entry.target.which, Which::Selected(_)) && row == entry.name;
    pinned.0.iter().filter_map(|claim| claim.claim.split('/').nth(1)).any(|row| {
        let claims = view.snapshot().claims_on(name).filter(|claim| claim.name.namespace == pod.namespace);
        budget.entries.iter().any(|entry| selects(entry, row))
            || claims.into_iter().any(|c| c.name.name == row && matches!(c.entry.target.which, Which::Selected(_)))
    })
}

/// Those that nothing rules for certain: the objects are read anew, after the pods were seen, and are the very versions
/// that were known then. Nothing: that is not certain yet.
pub async fn confirm(context: &Context, name: &Name, facts: &Facts) -> Option<Vec<Arc<Pod>>> {
    let Strays { pods, known, unreadable, .. } = &facts.strays;
    if pods.is_empty() {
        return Some(Vec::new());
    }
    if *unreadable {
        return None;
    }
    let namespaces = pods.iter().map(|pod| pod.namespace.as_str()).collect();
    match context.writer.rules(name, namespaces).await {
        Ok(stored) => {
            let same = stored.budget == known.budget
                && stored.claims.iter().all(|(claim, version)| known.claims.get(claim) == Some(version));
            same.then(|| pods.clone())
        }
        Err(error) => {
            tracing::warn!(budget = %name, "{error}; pods that nothing seems to rule wait on");
            None
        }
    }
}
