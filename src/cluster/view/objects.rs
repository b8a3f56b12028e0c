//! Budgets and claims, and whom a change of one concerns.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::item::{BudgetItem, ClaimItem, Version};
use super::{Concerned, Stored, View};
use crate::api::parse::{Entry, Name, Which};
use crate::api::policy::FailurePolicy;
use crate::api::status::Scaled;
use crate::workload::Key;

/// Whoever takes over has begun within this time.
const LATELY: Duration = Duration::from_secs(60);

impl Version {
    /// Whether a version that is already known is newer: a write's answer overtakes the watch.
    fn is_older_than(&self, known: &Self) -> bool {
        self.uid == known.uid && self.resource_version < known.resource_version
    }
}

impl View {
    pub(super) fn apply_budget(&mut self, item: BudgetItem) -> Concerned {
        let BudgetItem { name, version, parsed, failure_policy, status } = item;
        let stored = self.budgets.get(&name);
        if stored.is_some_and(|stored| version.is_older_than(&stored.version)) {
            return Concerned::new();
        }
        if stored.is_some_and(|stored| stored.version.uid != version.uid) {
            self.remove_budget(&name);
        }
        let stored = self.budgets.get(&name);
        let mut concerned = Concerned::new();
        // Someone else wrote the status, or it is another budget of the same name.
        if stored.is_none_or(|s| s.status != status || s.version.uid != version.uid) {
            concerned.insert(name.clone());
        }
        let (budget, faults) = match parsed {
            Ok(budget) => (Some(budget), Vec::new()),
            Err(faults) => (None, faults),
        };
        let same = stored.is_some_and(|s| s.faults == faults && s.failure_policy == failure_policy);
        let generation = stored.is_some_and(|s| s.version.generation == version.generation);
        if !(same && generation && self.snapshot.budget(&name).map(AsRef::as_ref) == budget.as_ref()) {
            concerned.extend(self.neighbours(&name));
            match budget {
                Some(budget) => self.snapshot.put_budget(budget),
                None => self.snapshot.remove_budget(&name),
            }
            concerned.extend(self.neighbours(&name));
        }
        self.budgets.insert(name.clone(), Stored { version, status, faults, budget: name, failure_policy });
        concerned
    }

    pub(super) fn remove_budget(&mut self, name: &Name) -> Concerned {
        let concerned = self.neighbours(name);
        self.snapshot.remove_budget(name);
        self.on_nodes.remove(name);
        let Some(removed) = self.budgets.remove(name) else { return Concerned::new() };
        let lowered = removed.status.into_iter().flat_map(|status| status.scaled);
        let lowered: Vec<Scaled> = lowered.filter(|record| record.given_up.is_none()).collect();
        if !lowered.is_empty() {
            self.lowered.retain(|_, (gone, _)| gone.elapsed() < LATELY);
            self.lowered.insert(name.clone(), (Instant::now(), lowered));
        }
        concerned
    }

    /// What was lowered for a budget of this name that went just now. Later, the numbers are their owners'.
    #[must_use]
    pub fn lowered_before(&self, name: &Name) -> &[Scaled] {
        let lately = self.lowered.get(name).filter(|(gone, _)| gone.elapsed() < LATELY);
        lately.map_or(&[], |(_, lowered)| lowered)
    }

    /// All of that is restored, or another budget's.
    pub fn forget_lowered(&mut self, name: &Name) {
        self.lowered.remove(name);
    }

    /// Budgets of a namespace whose spec nobody can make sense of.
    pub fn faulty<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Name> {
        let here =
            self.budgets.iter().filter(move |(name, stored)| name.namespace == namespace && !stored.faults.is_empty());
        here.map(|(name, _)| name)
    }

    pub(super) fn apply_claim(&mut self, item: ClaimItem) -> Concerned {
        let ClaimItem { name, version, budget, parsed, status } = item;
        let stored = self.claims.get(&name);
        if stored.is_some_and(|stored| version.is_older_than(&stored.version)) {
            return Concerned::new();
        }
        let mut concerned = Concerned::new();
        if stored.is_none_or(|s| s.status != status || s.version.uid != version.uid) {
            concerned.insert(budget.clone());
        }
        let (claim, faults) = match parsed {
            Ok(claim) => (Some(claim), Vec::new()),
            Err(faults) => (None, faults),
        };
        let same = stored.is_some_and(|s| s.faults == faults && s.version.generation == version.generation);
        if !(same && self.snapshot.claim(&name).map(AsRef::as_ref) == claim.as_ref()) {
            concerned.extend(self.concerned_by_claim(&name));
            match claim {
                Some(claim) => self.snapshot.put_claim(claim),
                None => self.snapshot.remove_claim(&name),
            }
            self.unlist_claim(&name);
            self.claims_of.entry(budget.clone()).or_default().insert(name.clone());
        }
        let failure_policy = FailurePolicy::default();
        self.claims.insert(name.clone(), Stored { version, status, faults, budget, failure_policy });
        concerned.extend(self.concerned_by_claim(&name));
        concerned
    }

    pub(super) fn remove_claim(&mut self, name: &Name) -> Concerned {
        let concerned = self.concerned_by_claim(name);
        self.snapshot.remove_claim(name);
        self.unlist_claim(name);
        self.claims.remove(name);
        concerned
    }

    fn unlist_claim(&mut self, name: &Name) {
        let Some(stored) = self.claims.get(name) else { return };
        if let Some(claims) = self.claims_of.get_mut(&stored.budget) {
            claims.remove(name);
            if claims.is_empty() {
                self.claims_of.remove(&stored.budget);
            }
        }
    }

    /// The budget that a claim names, and all others that are about its workloads.
    fn concerned_by_claim(&self, name: &Name) -> Concerned {
        let mut concerned: Concerned = self.claims.get(name).map(|s| s.budget.clone()).into_iter().collect();
        if let Some(claim) = self.snapshot.claim(name) {
            concerned.extend(self.about_same(&claim.entry, &name.namespace));
        }
        concerned
    }

    /// A budget, those that count it as an outside consumer (however far up), those about the same database, and those
    /// about the same workloads.
    pub(super) fn neighbours(&self, name: &Name) -> Concerned {
        let mut concerned = Concerned::from([name.clone()]);
        let mut todo = vec![name.clone()];
        while let Some(child) = todo.pop() {
            let above = self.snapshot.budgets().filter(|b| b.name.namespace == child.namespace);
            let above = above.filter(|b| b.listed().any(|name| name == child.name));
            todo.extend(above.map(|b| b.name.clone()).filter(|name| concerned.insert(name.clone())));
        }
        let Some(budget) = self.snapshot.budget(name) else { return concerned };
        if budget.database.is_some() {
            let same = self.snapshot.budgets().filter(|b| b.database == budget.database);
            concerned.extend(same.map(|b| b.name.clone()));
        }
        for entry in &budget.entries {
            concerned.extend(self.about_same(entry, &name.namespace));
        }
        for claim in self.snapshot.claims_on(name) {
            concerned.extend(self.about_same(&claim.entry, &claim.name.namespace));
        }
        concerned
    }

    /// Budgets that are about the workloads of an entry.
    fn about_same(&self, entry: &Entry, namespace: &str) -> BTreeSet<Name> {
        let target = &entry.target;
        match &target.which {
            Which::Named(name) => self.snapshot.budgets_concerned(&Key {
                group: target.group.clone(),
                kind: target.kind.clone(),
                namespace: namespace.to_owned(),
                name: name.clone(),
            }),
            Which::Selected(selector) => {
                let workloads = self.snapshot.workloads_of(&target.group, &target.kind, namespace);
                let matching = workloads.filter(|w| selector.matches(&w.labels));
                matching.flat_map(|w| self.snapshot.budgets_concerned(&w.key)).collect()
            }
        }
    }
}
