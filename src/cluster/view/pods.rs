//! Pods that hold connections, by the workload they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

pub use super::pod::{Crash, Gate, Pod};
use crate::budget::ledger::Uid;
use crate::workload::Key;

/// A pod that is gone, as it was last seen.
#[derive(Clone, Debug)]
pub struct Gone {
    /// The pod.
    pub pod: Arc<Pod>,
    /// When that was noticed.
    pub at: Instant,
}

/// How many pods of a workload hold connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// All of them.
    pub pods: u64,
    /// Of these, the ones on their way out.
    pub terminating: u64,
}

/// The pods that have not ended.
#[derive(Debug, Default)]
pub struct Pods {
    all: BTreeMap<(String, String), Arc<Pod>>,
    by_owner: BTreeMap<Key, BTreeMap<String, Arc<Pod>>>,
    /// Those that have our gate.
    gated: BTreeSet<(String, String)>,
    /// Pods that are gone, by UID, until nobody needs to know how they ended.
    gone: BTreeMap<Uid, Gone>,
    /// The `CronJob` of a Job.
    cron_job_of: BTreeMap<Key, Key>,
    jobs_of: BTreeMap<Key, BTreeSet<Key>>,
    /// Jobs that are gone while their pods still end.
    jobs_gone: BTreeSet<Key>,
}

/// Workloads of a pod that changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Which ones.
    pub workloads: Vec<Key>,
    /// Whether numbers change that people see; otherwise it matters to whoever grants alone.
    pub shown: bool,
}

impl Pods {
    /// Adds, changes or drops a pod. One of another UID is another pod.
    pub fn apply(&mut self, pod: Pod) -> Changed {
        let id = (pod.namespace.clone(), pod.name.clone());
        let known = self.all.get(&id).cloned();
        if known.as_deref() == Some(&pod) {
            return Changed::default();
        }
        if pod.has_ended() {
            if let Some(known) = known.filter(|known| known.uid == pod.uid) {
                let pod = Arc::new(Pod { ready: pod.ready || known.ready, ..pod });
                self.gone.insert(pod.uid.clone(), Gone { pod, at: Instant::now() });
            }
            return self.drop_pod(&id);
        }
        let shown = known.as_ref().map_or(pod.holds, |known| known.shown() != pod.shown());
        let before = known.filter(|known| known.uid != pod.uid || known.owners != pod.owners);
        let mut workloads = Vec::new();
        if before.is_some() {
            workloads = self.remove(&id).workloads;
        }
        let pod = Arc::new(self.sharing(pod));
        for key in &pod.owners {
            self.by_owner.entry(key.clone()).or_default().insert(pod.name.clone(), pod.clone());
        }
        workloads.extend(self.with_cron_jobs(&pod.owners));
        if pod.gate.is_some() {
            self.gated.insert(id.clone());
        } else {
            self.gated.remove(&id);
        }
        self.all.insert(id, pod);
        Changed { workloads, shown }
    }

    /// A pod with what it was born with taken from a sibling, where that is the same: thousands are kept.
    fn sharing(&self, mut pod: Pod) -> Pod {
        let siblings = pod.owners.first().and_then(|owner| self.by_owner.get(owner));
        let ends = siblings.into_iter().flat_map(|all| [all.first_key_value(), all.last_key_value()]).flatten();
        if let Some((_, sibling)) = ends.into_iter().find(|(_, sibling)| sibling.pinned == pod.pinned) {
            pod.pinned.clone_from(&sibling.pinned);
        }
        pod
    }

    /// Drops a pod that is gone, and keeps how it was last seen for those who have to know.
    pub fn remove(&mut self, id: &(String, String)) -> Changed {
        if let Some(pod) = self.all.get(id).cloned() {
            self.gone.insert(pod.uid.clone(), Gone { pod, at: Instant::now() });
        }
        self.drop_pod(id)
    }

    /// The last state of a pod, as the watch tells with its deletion.
    pub fn last(&mut self, mut pod: Pod) {
        let id = (pod.namespace.clone(), pod.name.clone());
        if let Some(known) = self.all.get_mut(&id).filter(|known| known.uid == pod.uid) {
            pod.seen.last = true;
            pod.ready |= known.ready;
            pod.holds = known.holds; // people see that it does until it is removed
            *known = Arc::new(pod);
        }
    }

    /// The pods that have our gate.
    pub fn gated(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.gated.iter().filter_map(|id| self.all.get(id))
    }

    /// A pod that has not ended.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.all.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// A pod that is gone, as it was last seen.
    #[must_use]
    pub fn gone(&self, uid: &str) -> Option<&Gone> {
        self.gone.get(uid)
    }

    /// Forgets pods that are gone, where nobody needs them.
    pub fn forget_gone(&mut self, needed: impl Fn(&Uid, &Gone) -> bool) {
        self.gone.retain(|uid, gone| needed(uid, gone));
    }

    fn drop_pod(&mut self, id: &(String, String)) -> Changed {
        let Some(pod) = self.all.remove(id) else { return Changed::default() };
        self.gated.remove(id);
        let workloads = self.with_cron_jobs(&pod.owners);
        for key in &pod.owners {
            if let Some(pods) = self.by_owner.get_mut(key) {
                pods.remove(&id.1);
                if pods.is_empty() {
                    self.by_owner.remove(key);
                    if self.jobs_gone.remove(key) {
                        self.forget_job(key);
                    }
                }
            }
        }
        Changed { workloads, shown: pod.holds }
    }

    /// A Job made by a `CronJob`. Answers the `CronJob`, if that is news.
    pub fn job_of(&mut self, job: Key, cron_job: Key) -> Option<Key> {
        if self.cron_job_of.get(&job) == Some(&cron_job) {
            return None;
        }
        self.jobs_gone.remove(&job);
        self.jobs_of.entry(cron_job.clone()).or_default().insert(job.clone());
        self.cron_job_of.insert(job, cron_job.clone());
        Some(cron_job)
    }

    /// A Job that is gone. Its pods may outlive it, so what is known of them stays until the last one is gone, too.
    pub fn forget_job(&mut self, job: &Key) {
        if self.by_owner.contains_key(job) && self.cron_job_of.contains_key(job) {
            self.jobs_gone.insert(job.clone());
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
        self.all.keys()
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
            holding.terminating += u64::from(holder.terminating());
        }
        holding
    }

    /// The pods of a workload that hold connections.
    pub fn holders<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Arc<Pod>> {
        self.of(key).filter(|pod| pod.holds)
    }

    /// The pods of a workload that have not ended.
    pub fn of<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Arc<Pod>> {
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
    use crate::budget::ledger::ended::PodSeen;

    fn key(group: &str, kind: &str, name: &str) -> Key {
        Key { group: group.into(), kind: kind.into(), namespace: "shop".into(), name: name.into() }
    }

    fn pod(name: &str, owners: &[Key]) -> Pod {
        let (namespace, name, uid) = ("shop".into(), name.into(), name.into());
        Pod { namespace, name, uid, owners: owners.to_vec(), holds: true, ..Pod::default() }
    }

    fn ids(name: &str) -> (String, String) {
        ("shop".into(), name.into())
    }

    #[test]
    fn a_pod_counts_for_its_replica_set_and_its_deployment_until_it_is_gone() {
        let (set, api) = (key("apps", "ReplicaSet", "api-1"), key("apps", "Deployment", "api"));
        let owners = [set.clone(), api.clone()];
        let mut pods = Pods::default();
        assert_eq!(pods.apply(pod("a", &owners)), Changed { workloads: owners.to_vec(), shown: true });
        assert_eq!(pods.apply(pod("a", &owners)), Changed::default(), "nothing new");
        let ready = pods.apply(Pod { ready: true, ..pod("a", &owners) });
        assert_eq!(ready, Changed { workloads: owners.to_vec(), shown: false });
        let seen = PodSeen { deleting: true, ..PodSeen::default() };
        pods.apply(Pod { seen, ..pod("b", &owners) });
        assert_eq!(pods.holding(&api), Holding { pods: 2, terminating: 1 });
        assert!(pods.apply(Pod { holds: false, ..pod("a", &owners) }).shown);
        assert_eq!((pods.holding(&set), pods.of(&api).count()), (Holding { pods: 1, terminating: 1 }, 2));
        pods.remove(&ids("b"));
        assert_eq!(pods.holding(&api), Holding::default());
    }

    #[test]
    fn how_a_pod_ended_is_known_until_nobody_needs_it() {
        let mut pods = Pods::default();
        let ended = PodSeen { terminal: true, bound: true, ..PodSeen::default() };
        pods.apply(Pod { seen: ended, holds: false, ..pod("unknown", &[]) });
        pods.apply(Pod { ready: true, ..pod("a", &[]) });
        pods.apply(Pod { seen: ended, holds: false, ..pod("a", &[]) });
        pods.apply(pod("b", &[]));
        let seen = PodSeen { deleting: true, ..PodSeen::default() };
        pods.last(Pod { seen, holds: false, ..pod("b", &[]) });
        pods.remove(&ids("a"));
        assert!(pods.remove(&ids("b")).shown, "it held until now");
        let gone = |uid: &str| pods.gone(uid).map(|gone| (gone.pod.seen, gone.pod.ready));
        assert_eq!(gone("a"), Some((ended, true)));
        assert_eq!(gone("b"), Some((PodSeen { deleting: true, last: true, ..PodSeen::default() }, false)));
        assert!(pods.gone("unknown").is_none());
        pods.forget_gone(|uid, _| &**uid == "b");
        assert!(pods.gone("a").is_none() && pods.gone("b").is_some());
    }

    #[test]
    fn another_pod_of_the_same_name_is_another_pod() {
        let mut pods = Pods::default();
        pods.apply(pod("db-0", &[]));
        pods.apply(Pod { uid: "later".into(), ..pod("db-0", &[]) });
        assert!(pods.gone("db-0").is_some_and(|gone| !gone.pod.seen.last));
        assert_eq!(pods.ids().count(), 1);
    }

    #[test]
    fn a_pod_may_come_before_its_job_and_outlive_it() {
        let (job, cron_job) = (key("batch", "Job", "nightly-1"), key("batch", "CronJob", "nightly"));
        let mut pods = Pods::default();
        assert_eq!(pods.apply(pod("a", std::slice::from_ref(&job))).workloads, std::slice::from_ref(&job));
        assert_eq!(pods.job_of(job.clone(), cron_job.clone()), Some(cron_job.clone()));
        assert_eq!(pods.holding(&cron_job).pods, 1);
        pods.forget_job(&job);
        assert_eq!(pods.holding(&cron_job).pods, 1, "the pod still ends");
        assert_eq!(pods.remove(&ids("a")).workloads, [job.clone(), cron_job.clone()]);
        assert_eq!(pods.jobs().count(), 0);
    }
}
