//! What is known of the world at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::parse::{Budget, Claim, Name, Target, Which};
use crate::budget::capacity::ServerLimits;
use crate::workload::scaler::Scaler;
use crate::workload::{Key, Workload};

/// The nodes that pods run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// How many.
    pub count: Option<u32>,
    /// CPUs of the largest.
    pub cpus: Option<u32>,
}

/// Budgets, claims, workloads and autoscalers, with what is needed to find who concerns whom. Cloning is cheap: objects
/// are shared.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    budgets: BTreeMap<Name, Arc<Budget>>,
    claims: BTreeMap<Name, Arc<Claim>>,
    workloads: BTreeMap<Key, Arc<Workload>>,
    scalers: BTreeMap<Key, Arc<Scaler>>,
    /// What servers answered, by budget.
    pub answers: BTreeMap<Name, ServerLimits>,
    /// Numbers that replace a budget's capacity: `plan --capacity`.
    pub overrides: BTreeMap<Name, u32>,
    /// The nodes.
    pub nodes: Nodes,
    claims_of: BTreeMap<Name, BTreeSet<Name>>,
    /// Budgets that name a workload, each with how often.
    claimants: BTreeMap<Key, Tally>,
    /// Budgets that select workloads of a kind in a namespace, each with how often.
    selecting: BTreeMap<(String, String), Tally>,
    scaled_by: BTreeMap<Key, BTreeSet<Key>>,
}

impl Snapshot {
    /// Adds or replaces a budget.
    pub fn put_budget(&mut self, budget: Budget) {
        self.remove_budget(&budget.name);
        budget.entries.iter().for_each(|e| self.index(&budget.name, &e.target, &budget.name.namespace, true));
        self.budgets.insert(budget.name.clone(), Arc::new(budget));
    }

    /// Forgets a budget.
    pub fn remove_budget(&mut self, name: &Name) {
        if let Some(old) = self.budgets.remove(name) {
            old.entries.iter().for_each(|e| self.index(name, &e.target, &name.namespace, false));
        }
    }

    /// Adds or replaces a claim.
    pub fn put_claim(&mut self, claim: Claim) {
        self.remove_claim(&claim.name);
        self.index(&claim.budget, &claim.entry.target, &claim.name.namespace, true);
        self.claims_of.entry(claim.budget.clone()).or_default().insert(claim.name.clone());
        self.claims.insert(claim.name.clone(), Arc::new(claim));
    }

    /// Forgets a claim.
    pub fn remove_claim(&mut self, name: &Name) {
        let Some(old) = self.claims.remove(name) else { return };
        self.index(&old.budget, &old.entry.target, &name.namespace, false);
        if let Some(claims) = self.claims_of.get_mut(&old.budget) {
            claims.remove(name);
            if claims.is_empty() {
                self.claims_of.remove(&old.budget);
            }
        }
    }

    /// Adds or replaces a workload.
    pub fn put_workload(&mut self, workload: Workload) {
        self.workloads.insert(workload.key.clone(), Arc::new(workload));
    }

    /// Forgets a workload.
    pub fn remove_workload(&mut self, key: &Key) {
        self.workloads.remove(key);
    }

    /// Adds or replaces an autoscaler.
    pub fn put_scaler(&mut self, scaler: Scaler) {
        self.remove_scaler(&scaler.key);
        self.scaled_by.entry(scaler.target.clone()).or_default().insert(scaler.key.clone());
        self.scalers.insert(scaler.key.clone(), Arc::new(scaler));
    }

    /// Forgets an autoscaler.
    pub fn remove_scaler(&mut self, key: &Key) {
        if let Some(old) = self.scalers.remove(key)
            && let Some(scalers) = self.scaled_by.get_mut(&old.target)
        {
            scalers.remove(key);
            if scalers.is_empty() {
                self.scaled_by.remove(&old.target);
            }
        }
    }

    fn index(&mut self, budget: &Name, target: &Target, namespace: &str, add: bool) {
        let (group, kind, namespace) = (target.group.clone(), target.kind.clone(), namespace.to_owned());
        match &target.which {
            Which::Named(name) => {
                let key = Key { group, kind, namespace, name: name.clone() };
                tally(&mut self.claimants, &key, budget, add);
            }
            Which::Selected(_) => tally(&mut self.selecting, &(kind, namespace), budget, add),
        }
    }

    /// A budget.
    #[must_use]
    pub fn budget(&self, name: &Name) -> Option<&Arc<Budget>> {
        self.budgets.get(name)
    }

    /// All budgets, by name.
    pub fn budgets(&self) -> impl Iterator<Item = &Arc<Budget>> {
        self.budgets.values()
    }

    /// All claims, by name.
    pub fn claims(&self) -> impl Iterator<Item = &Arc<Claim>> {
        self.claims.values()
    }

    /// A claim.
    #[must_use]
    pub fn claim(&self, name: &Name) -> Option<&Arc<Claim>> {
        self.claims.get(name)
    }

    /// The claims that name a budget, let in or not.
    pub fn claims_on<'a>(&'a self, budget: &Name) -> impl Iterator<Item = &'a Arc<Claim>> {
        self.claims_of.get(budget).into_iter().flatten().filter_map(|name| self.claims.get(name))
    }

    /// A workload.
    #[must_use]
    pub fn workload(&self, key: &Key) -> Option<&Arc<Workload>> {
        self.workloads.get(key)
    }

    /// All workloads.
    pub fn workloads(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.workloads.values()
    }

    /// The workloads of a kind in a namespace.
    pub fn workloads_of<'a>(
        &'a self,
        group: &str,
        kind: &str,
        namespace: &str,
    ) -> impl Iterator<Item = &'a Arc<Workload>> {
        let key =
            |name: &str| Key { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() };
        // Names are DNS names: `~` sorts after all of them.
        self.workloads.range(key("")..key("~")).map(|(_, w)| w)
    }

    /// The autoscalers of a workload.
    pub fn scalers_of<'a>(&'a self, key: &Key) -> impl Iterator<Item = &'a Arc<Scaler>> {
        self.scaled_by.get(key).into_iter().flatten().filter_map(|key| self.scalers.get(key))
    }

    /// An autoscaler.
    #[must_use]
    pub fn scaler(&self, key: &Key) -> Option<&Arc<Scaler>> {
        self.scalers.get(key)
    }

    /// Budgets that claim, or may claim, a workload: those that name it, and those that select workloads of its kind.
    #[must_use]
    pub fn budgets_concerned(&self, key: &Key) -> BTreeSet<Name> {
        let named = self.claimants.get(key).into_iter().flatten();
        let selecting = self.selecting.get(&(key.kind.clone(), key.namespace.clone())).into_iter().flatten();
        named.chain(selecting).map(|(name, _)| name.clone()).collect()
    }
}

/// How often each budget does a thing.
type Tally = BTreeMap<Name, usize>;

fn tally<K: Ord + Clone>(map: &mut BTreeMap<K, Tally>, key: &K, budget: &Name, add: bool) {
    let counts = map.entry(key.clone()).or_default();
    let count = counts.entry(budget.clone()).or_default();
    *count = if add { *count + 1 } else { count.saturating_sub(1) };
    if *count == 0 {
        counts.remove(budget);
    }
    if counts.is_empty() {
        map.remove(key);
    }
}
