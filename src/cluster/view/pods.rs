//! Pods that hold connections, by the workload they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::pod::pinned::Pinned;
use crate::workload::Key;

/// A pod, trimmed to what its connections depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The objects it belongs to: its owner, and the Deployment or Rollout behind a `ReplicaSet`.
    pub owners: Vec<Key>,
    /// Whether it holds connections: a container has started, and the pod has not ended.
    pub holds: bool,
    /// Whether it is on its way out. It holds until it is gone.
    pub terminating: bool,
    /// What it was born with; nothing: it runs as it is written.
    pub pinned: Option<Arc<Pinned>>,
}

/// A pod that holds connections, as far as its numbers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whether it is on its way out.
    pub terminating: bool,
    /// What it was born with.
    pub pinned: Option<Arc<Pinned>>,
}

/// How many pods of a workload hold connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// All of them.
    pub pods: u64,
    /// Of these, the ones on their way out.
    pub terminating: u64,
}

/// The pods that hold connections; others are not kept.
#[derive(Debug, Default)]
pub struct Pods {
    by_owner: BTreeMap<Key, BTreeMap<String, Holder>>,
    /// Owners of each pod kept.
    owners: BTreeMap<(String, String), Vec<Key>>,
    /// The `CronJob` of a Job.
    cron_job_of: BTreeMap<Key, Key>,
    jobs_of: BTreeMap<Key, BTreeSet<Key>>,
    /// Jobs that are gone while their pods still end.
    gone: BTreeSet<Key>,
}

impl Pods {
    /// Adds, changes or drops a pod. Answers the workloads whose numbers change.
    pub fn apply(&mut self, pod: &Pod) -> Vec<Key> {
        let id = (pod.namespace.clone(), pod.name.clone());
        if !pod.holds {
            return self.remove(&id);
        }
        let known = self.owners.get(&id).is_some_and(|owners| *owners == pod.owners);
        let holder = Holder { terminating: pod.terminating, pinned: pod.pinned.clone() };
        let same = |key: &Key| self.by_owner.get(key).and_then(|p| p.get(&pod.name)) == Some(&holder);
        if known && pod.owners.iter().all(same) {
            return Vec::new();
        }
        let mut changed = self.remove(&id);
        for key in &pod.owners {
            self.by_owner.entry(key.clone()).or_default().insert(pod.name.clone(), holder.clone());
        }
        self.owners.insert(id, pod.owners.clone());
        changed.extend(self.with_cron_jobs(&pod.owners));
        changed
    }

    /// Drops a pod, by namespace and name. Answers the workloads whose numbers change.
    pub fn remove(&mut self, id: &(String, String)) -> Vec<Key> {
        let Some(owners) = self.owners.remove(id) else { return Vec::new() };
        let changed = self.with_cron_jobs(&owners);
        for key in &owners {
            if let Some(pods) = self.by_owner.get_mut(key) {
                pods.remove(&id.1);
                if pods.is_empty() {
                    self.by_owner.remove(key);
                    if self.gone.remove(key) {
                        self.forget_job(key);
                    }
                }
            }
        }
        changed
    }

    /// A Job made by a `CronJob`. Answers the `CronJob`, if that is news.
    pub fn job_of(&mut self, job: Key, cron_job: Key) -> Option<Key> {
        if self.cron_job_of.get(&job) == Some(&cron_job) {
            return None;
        }
        self.gone.remove(&job);
        self.jobs_of.entry(cron_job.clone()).or_default().insert(job.clone());
        self.cron_job_of.insert(job, cron_job.clone());
        Some(cron_job)
    }

    /// A Job that is gone. Its pods may outlive it, so what is known of them stays until the last one is gone, too.
    pub fn forget_job(&mut self, job: &Key) {
        if self.by_owner.contains_key(job) && self.cron_job_of.contains_key(job) {
            self.gone.insert(job.clone());
            return;
        }
        if let Some(cron_job) = self.cron_job_of.remove(job)
            && let Some(jobs) = self.jobs_of.get_mut(&cron_job)
        {
            jobs.remove(job);
            if jobs.is_empty() {
                self.jobs_of.remove(&cron_job);
            }
        }
    }

    /// Namespace and name of every pod kept.
    pub fn ids(&self) -> impl Iterator<Item = &(String, String)> {
        self.owners.keys()
    }

    /// Every Job that a `CronJob` made.
    pub fn jobs(&self) -> impl Iterator<Item = &Key> {
        self.cron_job_of.keys()
    }

    /// How many pods of a workload hold connections.
    #[must_use]
    pub fn holding(&self, key: &Key) -> Holding {
        let mut holding = Holding::default();
        for holder in self.holders(key) {
            holding.pods += 1;
            holding.terminating += u64::from(holder.terminating);
        }
        holding
    }

    /// The pods of a workload that hold connections.
    pub fn holders<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Holder> {
        let jobs = self.jobs_of.get(key).into_iter().flatten();
        std::iter::once(key).chain(jobs).filter_map(|key| self.by_owner.get(key)).flat_map(BTreeMap::values)
    }

    fn with_cron_jobs(&self, owners: &[Key]) -> Vec<Key> {
        owners.iter().chain(owners.iter().filter_map(|key| self.cron_job_of.get(key))).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(group: &str, kind: &str, name: &str) -> Key {
        Key { group: group.into(), kind: kind.into(), namespace: "shop".into(), name: name.into() }
    }

    fn pod(name: &str, owners: &[Key]) -> Pod {
        let (namespace, name) = ("shop".into(), name.into());
        Pod { namespace, name, owners: owners.to_vec(), holds: true, terminating: false, pinned: None }
    }

    #[test]
    fn a_pod_counts_for_its_replica_set_and_its_deployment_until_it_is_gone() {
        let (set, api) = (key("apps", "ReplicaSet", "api-1"), key("apps", "Deployment", "api"));
        let owners = [set.clone(), api.clone()];
        let mut pods = Pods::default();
        assert_eq!(pods.apply(&pod("a", &owners)), owners);
        assert!(pods.apply(&pod("a", &owners)).is_empty(), "nothing new");
        pods.apply(&Pod { terminating: true, ..pod("b", &owners) });
        assert_eq!(pods.holding(&api), Holding { pods: 2, terminating: 1 });
        assert_eq!(pods.apply(&Pod { holds: false, ..pod("a", &owners) }), owners);
        assert_eq!(pods.holding(&set), Holding { pods: 1, terminating: 1 });
        pods.remove(&("shop".into(), "b".into()));
        assert_eq!(pods.holding(&api), Holding::default());
    }

    #[test]
    fn a_pod_may_come_before_its_job_and_outlive_it() {
        let (job, cron_job) = (key("batch", "Job", "nightly-1"), key("batch", "CronJob", "nightly"));
        let mut pods = Pods::default();
        assert_eq!(pods.apply(&pod("a", std::slice::from_ref(&job))), std::slice::from_ref(&job));
        assert_eq!(pods.job_of(job.clone(), cron_job.clone()), Some(cron_job.clone()));
        assert_eq!(pods.holding(&cron_job).pods, 1);
        pods.forget_job(&job);
        assert_eq!(pods.holding(&cron_job).pods, 1, "the pod still ends");
        assert_eq!(pods.remove(&("shop".into(), "a".into())), [job.clone(), cron_job.clone()]);
        assert_eq!(pods.jobs().count(), 0);
    }
}
