//! What is known of the cluster: trimmed, indexed, in memory. Changes go in as calls, and each call answers which budgets
//! it concerns; the rest of the controller asks nobody else.
//!
//! | file | question it answers |
//! |---|---|
//! | [`item`] | what of an object is kept? |
//! | `objects` | which budgets does a change of a budget or claim concern? |
//! | `workloads` | and a change of a workload, autoscaler, pod or node? |
//! | [`pods`] | which pods of a workload hold connections, and how did others end? |
//! | `pod` | what is kept of one? |
//! | `shared` | how is the view filled and read, and who is told? |
//! | [`sources`] | what has to be watched, and how does each watch stand? |
//! | `needs` | what does one budget need to know? |
//! | [`follow`] | how does one watch reach the view? |
//! | `retries` | when is a watch that failed tried again? |
//! | [`locate`] | does the API server have a kind? |

pub mod follow;
pub mod item;
pub mod locate;
mod needs;
mod objects;
mod pod;
pub mod pods;
pub(super) mod retries;
mod shared;
pub mod sources;
mod workloads;

pub use needs::lets_in;
pub use shared::{Notice, Shared};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::api::parse::{Fault, Name};
use crate::api::policy::FailurePolicy;
use crate::api::status::{BudgetStatus, ClaimStatus, Scaled};
use crate::assess::Snapshot;
use crate::assess::snapshot::Nodes;
use crate::budget::ledger::Uid;
use crate::cluster::answers::{Answer, ProbeError};
use crate::workload::Key;
use item::{Item, Version};
use pods::{Gone, Holding, Pod, Pods};
use sources::{States, Watch};

/// Budgets that a change concerns, existing or not: a claim may name one that does not exist.
pub type Concerned = BTreeSet<Name>;

/// A budget or claim as it is stored, beside what it says.
#[derive(Clone, Debug)]
pub struct Stored<S> {
    /// Which version.
    pub version: Version,
    /// Its status.
    pub status: Option<S>,
    /// What is wrong with it; nothing: it is in the snapshot.
    pub faults: Vec<Fault>,
    /// The budget that a claim draws from; a budget's own name.
    pub budget: Name,
    /// A budget's failure policy.
    pub failure_policy: FailurePolicy,
}

/// What is known of the cluster.
#[derive(Debug, Default)]
pub struct View {
    snapshot: Snapshot,
    budgets: BTreeMap<Name, Stored<BudgetStatus>>,
    claims: BTreeMap<Name, Stored<ClaimStatus>>,
    /// Claims by the budget they name, those that say nothing readable included.
    claims_of: BTreeMap<Name, BTreeSet<Name>>,
    /// Workloads and autoscalers that could not be read, with why.
    unreadable: BTreeMap<Key, String>,
    /// Workloads whose template another one holds, by that one.
    template_users: BTreeMap<Key, BTreeSet<Key>>,
    /// Autoscalers in the snapshot.
    scalers: BTreeSet<Key>,
    pods: Pods,
    nodes: BTreeMap<String, Option<u32>>,
    /// Budgets whose numbers depend on nodes.
    on_nodes: BTreeSet<Name>,
    /// Ledgers whose budget leases no longer, and the namespaces of pods that still count in them.
    outlived: BTreeMap<Name, BTreeSet<String>>,
    /// What was lowered for budgets that are gone, and when they went.
    lowered: BTreeMap<Name, (Instant, Vec<Scaled>)>,
    answers: Arc<BTreeMap<Name, Answer>>,
    watches: States,
    /// The watches over budgets and claims; nothing is judged before they are filled.
    own: BTreeSet<Watch>,
    /// Where dbbudget's own pods are.
    own_namespace: Option<String>,
}

impl View {
    /// Adds or changes an object.
    pub fn apply(&mut self, item: Item) -> Concerned {
        match item {
            Item::Budget(budget) => self.apply_budget(*budget),
            Item::Claim(claim) => self.apply_claim(*claim),
            Item::Workload(key, read) => self.apply_workload(key, read),
            Item::Scaler(key, read) => self.apply_scaler(key, read),
            Item::Pod(pod) => {
                let changed = self.pods.apply(pod);
                self.pods_changed(changed)
            }
            Item::Job(job, cron_job) => {
                let changed = cron_job.and_then(|cron_job| self.pods.job_of(job, cron_job));
                self.concerned_by(changed)
            }
            Item::Node(name, cpus) => {
                self.nodes.insert(name, cpus);
                self.nodes_changed()
            }
        }
    }

    /// Takes an object of ours as it is stored after a write. Its status is no news; anything else is. The answer to a
    /// write may come after the news of its deletion: what is not there any more stays away.
    pub fn wrote(&mut self, item: Item) -> Concerned {
        let known = match &item {
            Item::Budget(item) => match self.budgets.get_mut(&item.name) {
                Some(stored) if stored.version.uid == item.version.uid => {
                    stored.status.clone_from(&item.status);
                    true
                }
                _ => false,
            },
            Item::Claim(item) => match self.claims.get_mut(&item.name) {
                Some(stored) if stored.version.uid == item.version.uid => {
                    stored.status.clone_from(&item.status);
                    true
                }
                _ => false,
            },
            _ => true,
        };
        if known { self.apply(item) } else { Concerned::new() }
    }

    /// The objects that assessing starts from.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// A budget as it is stored.
    #[must_use]
    pub fn budget(&self, name: &Name) -> Option<&Stored<BudgetStatus>> {
        self.budgets.get(name)
    }

    /// A claim as it is stored.
    #[must_use]
    pub fn claim(&self, name: &Name) -> Option<&Stored<ClaimStatus>> {
        self.claims.get(name)
    }

    /// Names of all budgets, and of those that only claims speak of, or that something is to be restored of.
    #[must_use]
    pub fn all_budgets(&self) -> Concerned {
        self.budgets.keys().chain(self.claims_of.keys()).chain(self.lowered.keys()).cloned().collect()
    }

    /// The claims that name a budget, as they are stored.
    pub fn claims_on<'a>(&'a self, budget: &Name) -> impl Iterator<Item = (&'a Name, &'a Stored<ClaimStatus>)> {
        self.claims_of.get(budget).into_iter().flatten().filter_map(|name| self.claims.get_key_value(name))
    }

    /// Why a workload or autoscaler could not be read.
    #[must_use]
    pub fn unreadable(&self, key: &Key) -> Option<&str> {
        self.unreadable.get(key).map(String::as_str)
    }

    /// How many pods of a workload hold connections.
    #[must_use]
    pub fn holding(&self, key: &Key) -> Holding {
        self.pods.holding(key)
    }

    /// The pods of a workload that hold connections.
    pub fn holders<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Arc<Pod>> {
        self.pods.holders(key)
    }

    /// The pods that have not ended, and how others did.
    #[must_use]
    pub fn pods(&self) -> &Pods {
        &self.pods
    }

    /// Forgets how pods ended, where nobody needs to know.
    pub fn forget_gone(&mut self, needed: impl Fn(&Uid, &Gone) -> bool) {
        self.pods.forget_gone(needed);
    }

    /// Takes the last state of an object, which is about to be removed.
    pub fn last(&mut self, item: Item) {
        if let Item::Pod(pod) = item {
            self.pods.last(pod);
        }
    }

    /// Why a budget's server did not tell its limits.
    #[must_use]
    pub fn probe_error(&self, budget: &Name) -> Option<&ProbeError> {
        self.answers.get(budget)?.as_ref().err()
    }

    /// Takes what servers answered.
    pub fn put_answers(&mut self, answers: Arc<BTreeMap<Name, Answer>>) -> Concerned {
        let names: BTreeSet<&Name> = answers.keys().chain(self.answers.keys()).collect();
        let changed = names.into_iter().filter(|name| answers.get(*name) != self.answers.get(*name));
        let changed: Vec<Name> = changed.cloned().collect();
        let good = answers.iter().filter_map(|(name, answer)| Some((name.clone(), *answer.as_ref().ok()?)));
        self.snapshot.answers = good.collect();
        self.answers = answers;
        changed.iter().flat_map(|name| self.neighbours(name)).collect()
    }

    fn nodes_changed(&mut self) -> Concerned {
        let count = u32::try_from(self.nodes.len()).ok().filter(|count| *count > 0);
        let nodes = Nodes { count, cpus: self.nodes.values().flatten().max().copied() };
        if self.snapshot.nodes == nodes {
            return Concerned::new();
        }
        self.snapshot.nodes = nodes;
        self.on_nodes.clone()
    }
}

#[cfg(test)]
mod tests;
