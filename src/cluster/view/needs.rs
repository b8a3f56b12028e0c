//! What a budget needs to know.

use std::collections::BTreeSet;

use super::View;
use super::sources::{Need, SCALERS, Scope, Source, State, Watch, watches};
use crate::api::parse::{Budget, Capacity, Entry, Name, Which};
use crate::api::policy::{Enforcement, FailurePolicy};
use crate::cluster::answers::Wanted;
use crate::cluster::webhook::Namespaces;
use crate::workload::Key;

impl View {
    /// Everything that a budget's numbers depend on, apart from budgets and claims themselves. Claims of namespaces that
    /// are not let in ask for nothing, so that nobody makes dbbudget look where it has no business.
    #[must_use]
    pub fn needs(&self, name: &Name) -> BTreeSet<Need> {
        let Some(budget) = self.snapshot().budget(name) else { return BTreeSet::new() };
        let mut needs = BTreeSet::new();
        for entry in &budget.entries {
            self.needs_of(entry, &name.namespace, &mut needs);
        }
        let let_in = |namespace: &str| lets_in(budget, namespace);
        for claim in self.snapshot().claims_on(name).filter(|c| let_in(&c.name.namespace)) {
            self.needs_of(&claim.entry, &claim.name.namespace, &mut needs);
        }
        if self.on_nodes.contains(name) {
            needs.insert(Need { source: Source::Nodes, namespace: None });
        }
        needs
    }

    fn needs_of(&self, entry: &Entry, namespace: &str, needs: &mut BTreeSet<Need>) {
        let mut need = |source| {
            needs.insert(Need { source, namespace: Some(namespace.to_owned()) });
        };
        let (group, kind) = (entry.target.group.clone(), entry.target.kind.clone());
        if kind == "CronJob" {
            need(Source::Jobs);
        }
        if let Which::Named(name) = &entry.target.which {
            let key = Key { group: group.clone(), kind: kind.clone(), namespace: namespace.into(), name: name.clone() };
            if let Some(of) = self.snapshot().workload(&key).and_then(|w| w.template_of.clone()) {
                need(Source::Workloads { group: of.group, kind: of.kind });
            }
        } else {
            let borrowed = self.snapshot().workloads_of(&group, &kind, namespace).filter_map(|w| w.template_of.clone());
            borrowed.for_each(|of| need(Source::Workloads { group: of.group, kind: of.kind }));
        }
        need(Source::Workloads { group, kind });
        for (group, kind) in SCALERS {
            need(Source::Scalers { group: group.into(), kind: kind.into() });
        }
        need(Source::Pods);
    }

    /// The watches that all budgets need together.
    #[must_use]
    pub fn wanted_watches(&self, confined: bool) -> BTreeSet<Watch> {
        let mut needs: BTreeSet<Need> = self.snapshot().budgets().flat_map(|b| self.needs(&b.name)).collect();
        // Who waits is let go, also where no claim is left.
        let waiting = self.pods().gated().map(|pod| pod.namespace.clone());
        let counted = self.outlived.values().flatten().cloned();
        needs.extend(waiting.chain(counted).map(|namespace| Need { source: Source::Pods, namespace: Some(namespace) }));
        watches(needs, confined)
    }

    /// Namespaces whose pods get shares, and what becomes of them while the webhook is away: the strictest of their budgets
    /// decides.
    #[must_use]
    pub fn injected_namespaces(&self) -> Namespaces {
        let mut namespaces = Namespaces::new();
        for budget in self.snapshot().budgets().filter(|b| b.enforcement != Enforcement::Observe) {
            let policy = self.budget(&budget.name).map(|b| b.failure_policy).unwrap_or_default();
            for namespace in self.namespaces_of(budget).filter(|namespace| !self.stays_out_of(namespace)) {
                let known = namespaces.entry(namespace.clone()).or_insert(policy);
                if policy == FailurePolicy::Fail {
                    *known = policy;
                }
            }
        }
        namespaces
    }

    /// Where pods of a budget get no share in any case, and whether it has no others.
    #[must_use]
    pub fn left_out(&self, name: &Name) -> Option<(String, bool)> {
        let budget = self.snapshot().budget(name)?;
        let namespace = self.namespaces_of(budget).find(|namespace| self.stays_out_of(namespace))?;
        let all = self.namespaces_of(budget).all(|namespace| self.stays_out_of(namespace));
        let why = "dbbudget stays out of kube-system and of its own namespace, lest it keep itself from starting";
        Some((format!("pods of {namespace} get none, as {why}"), all))
    }

    fn namespaces_of<'a>(&'a self, budget: &'a Budget) -> impl Iterator<Item = &'a String> {
        let claims = self.snapshot().claims_on(&budget.name).map(|claim| &claim.name.namespace);
        let own = (!budget.entries.is_empty()).then_some(&budget.name.namespace);
        claims.filter(|namespace| lets_in(budget, namespace)).chain(own)
    }

    /// Whether pods of a namespace get no share, whoever claims it.
    #[must_use]
    pub fn stays_out_of(&self, namespace: &str) -> bool {
        namespace == "kube-system" || self.own_namespace.as_deref() == Some(namespace)
    }

    /// The servers that budgets want asked.
    #[must_use]
    pub fn wanted_answers(&self) -> Vec<Wanted> {
        let asked = self.snapshot().budgets().filter_map(|budget| match &budget.capacity {
            Capacity::Asked { secret, key, .. } => {
                Some(Wanted { budget: budget.name.clone(), secret: secret.clone(), key: key.clone() })
            }
            Capacity::Known { .. } => None,
        });
        asked.collect()
    }

    /// What a budget still waits for, in words. Nothing: all that is needed is known.
    #[must_use]
    pub fn unfilled(&self, name: &Name) -> Vec<String> {
        let own = self.own.iter().filter(|watch| !self.watches.has(watch)).map(|watch| format!("the list of {watch}"));
        let counted = self.outlived.get(name).into_iter().flatten().cloned();
        let counted = counted.map(|namespace| Need { source: Source::Pods, namespace: Some(namespace) });
        let needs = self.needs(name).into_iter().chain(counted).filter(|need| self.watches.get(need).is_none());
        own.chain(needs.map(|need| format!("the list of {need}"))).collect()
    }

    /// Whether budgets of a namespace are looked at; others are another dbbudget's.
    #[must_use]
    pub fn looks_at(&self, namespace: &str) -> bool {
        self.own.iter().any(|watch| match &watch.scope {
            Scope::All => true,
            Scope::Namespace(own) => own == namespace,
        })
    }

    /// Whether budgets and claims have been listed.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        !self.own.is_empty() && self.own.iter().all(|watch| self.watches.has(watch))
    }

    /// How the watch that serves a need stands; nothing: it has not been filled yet.
    #[must_use]
    pub fn state(&self, need: &Need) -> Option<&State> {
        self.watches.get(need)
    }

    /// Whether a budget's server is still to answer.
    #[must_use]
    pub fn unanswered(&self, name: &Name) -> bool {
        let asked = self.snapshot().budget(name).is_some_and(|b| matches!(b.capacity, Capacity::Asked { .. }));
        asked && !self.answers.contains_key(name)
    }

    /// What a budget needs and dbbudget may not read: where, and sentences that name the permission.
    #[must_use]
    pub fn forbidden(&self, name: &Name) -> BTreeSet<(Option<String>, String)> {
        let of_state = |place: Option<String>, state: Option<&State>| match state {
            Some(State::Forbidden(sentence)) => Some((place, sentence.clone())),
            _ => None,
        };
        let own = self.own.iter().filter_map(|watch| of_state(None, self.watches.of(watch)));
        let needs = self.needs(name).into_iter();
        own.chain(needs.filter_map(|need| of_state(need.namespace.clone(), self.watches.get(&need)))).collect()
    }

    /// Notes whether a budget's numbers depend on nodes. Answers whether that is news.
    pub fn set_on_nodes(&mut self, name: &Name, depends: bool) -> bool {
        if depends { self.on_nodes.insert(name.clone()) } else { self.on_nodes.remove(name) }
    }
}

/// Whether claims of a namespace are accepted.
#[must_use]
pub fn lets_in(budget: &Budget, namespace: &str) -> bool {
    budget.name.namespace == namespace || budget.namespaces.iter().any(|n| n.namespace == namespace)
}
