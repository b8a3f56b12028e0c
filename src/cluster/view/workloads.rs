//! Workloads, autoscalers, pods and nodes, and whom a change of one concerns.

use std::collections::BTreeSet;

use super::pods::Changed;
use super::sources::{Scope, Source, State, Watch};
use super::{Concerned, View};
use crate::api::parse::Name;
use crate::api::policy::Enforcement;
use crate::workload::read::ReadError;
use crate::workload::scaler::Scaler;
use crate::workload::{Key, Workload};

impl View {
    pub(super) fn apply_workload(&mut self, key: Key, read: Result<Box<Workload>, ReadError>) -> Concerned {
        let before = self.snapshot.workload(&key);
        match read {
            Ok(workload) => {
                let was_unreadable = self.unreadable.remove(&key).is_some();
                if before.is_some_and(|w| **w == *workload) && !was_unreadable {
                    return Concerned::new(); // its own status, most of the time
                }
                if let Some(of) = before.and_then(|w| w.template_of.clone()) {
                    self.template_users.entry(of).or_default().remove(&key);
                }
                if let Some(of) = workload.template_of.clone() {
                    self.template_users.entry(of).or_default().insert(key.clone());
                }
                self.snapshot.put_workload(*workload);
            }
            Err(error) => {
                if self.unreadable.get(&key) == Some(&error.what) {
                    return Concerned::new();
                }
                self.snapshot.remove_workload(&key);
                self.unreadable.insert(key.clone(), error.what);
            }
        }
        self.concerned_by([key])
    }

    pub(super) fn remove_workload(&mut self, key: &Key) -> Concerned {
        if let Some(of) = self.snapshot.workload(key).and_then(|w| w.template_of.clone())
            && let Some(users) = self.template_users.get_mut(&of)
        {
            users.remove(key);
            if users.is_empty() {
                self.template_users.remove(&of);
            }
        }
        let concerned = self.concerned_by([key.clone()]);
        // Its pods hold connections until they end, whether their owner is there or not.
        let left = self.snapshot.workload(key).filter(|_| self.pods.holders(key).next().is_some()).map(|w| w.deleted());
        match left {
            Some(left) => self.snapshot.put_workload(left),
            None => self.snapshot.remove_workload(key),
        }
        self.unreadable.remove(key);
        concerned
    }

    /// Whom a change of these workloads' pods concerns: where nobody sees it in a number, only those who make pods wait. A
    /// deleted workload is forgotten with its last pod.
    pub(super) fn pods_changed(&mut self, Changed { workloads, shown }: Changed) -> Concerned {
        let mut concerned = self.concerned_by(workloads.iter().cloned());
        let leases = |name: &Name| self.snapshot.budget(name).is_some_and(|b| b.enforcement == Enforcement::Lease);
        concerned.retain(|name| shown || leases(name));
        let counts = |namespaces: &BTreeSet<String>| workloads.iter().any(|key| namespaces.contains(&key.namespace));
        concerned.extend(self.outlived.iter().filter(|(_, of)| counts(of)).map(|(name, _)| name.clone()));
        for key in workloads {
            let gone = self.snapshot.workload(&key).is_some_and(|w| w.gone);
            if gone && self.pods.holders(&key).next().is_none() {
                self.snapshot.remove_workload(&key);
            }
        }
        concerned
    }

    pub(super) fn apply_scaler(&mut self, key: Key, read: Result<Box<Scaler>, ReadError>) -> Concerned {
        let before = self.snapshot.scaler(&key).map(|s| s.as_ref().clone());
        match read {
            Ok(scaler) => {
                self.unreadable.remove(&key);
                if before.as_ref() == Some(&*scaler) {
                    return Concerned::new();
                }
                let targets = before.map(|s| s.target).into_iter().chain([scaler.target.clone()]);
                let targets: Vec<Key> = targets.collect();
                self.scalers.insert(key);
                self.snapshot.put_scaler(*scaler);
                self.concerned_by(targets)
            }
            Err(error) => {
                tracing::warn!("{key} cannot be read and counts for nothing: {error}");
                self.unreadable.insert(key.clone(), error.what);
                self.remove_scaler(&key)
            }
        }
    }

    pub(super) fn remove_scaler(&mut self, key: &Key) -> Concerned {
        let target = self.snapshot.scaler(key).map(|s| s.target.clone());
        self.snapshot.remove_scaler(key);
        self.scalers.remove(key);
        self.concerned_by(target)
    }

    /// Budgets that are, or may be, about these workloads or those that borrow their template.
    pub(super) fn concerned_by(&self, keys: impl IntoIterator<Item = Key>) -> Concerned {
        let mut concerned = Concerned::new();
        for key in keys {
            for user in self.template_users.get(&key).into_iter().flatten() {
                concerned.extend(self.snapshot.budgets_concerned(user));
            }
            concerned.extend(self.snapshot.budgets_concerned(&key));
        }
        concerned
    }

    /// Forgets one object of a source.
    pub fn remove(&mut self, source: &Source, id: &Name) -> Concerned {
        let key = |(group, kind): (&str, &str)| Key {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        };
        match source {
            Source::Budgets => self.remove_budget(id),
            Source::Claims => self.remove_claim(id),
            Source::Workloads { .. } => self.remove_workload(&key(source.group_kind())),
            Source::Scalers { .. } => self.remove_scaler(&key(source.group_kind())),
            Source::Pods => {
                let changed = self.pods.remove(&(id.namespace.clone(), id.name.clone()));
                self.pods_changed(changed)
            }
            Source::Jobs => {
                self.pods.forget_job(&key(source.group_kind()));
                Concerned::new()
            }
            Source::Nodes => {
                self.nodes.remove(&id.name);
                self.nodes_changed()
            }
            Source::Definitions => Concerned::new(),
        }
    }

    /// Forgets whatever of a watch is not listed: it went while nobody watched.
    pub fn retain(&mut self, watch: &Watch, listed: &BTreeSet<Name>) -> Concerned {
        let gone: Vec<Name> = self.ids(watch).into_iter().filter(|id| !listed.contains(id)).collect();
        gone.iter().flat_map(|id| self.remove(&watch.source, id)).collect()
    }

    /// What is known of a watch's objects.
    fn ids(&self, watch: &Watch) -> Vec<Name> {
        let of_keys = |keys: Vec<&Key>| -> Vec<Name> {
            let (group, kind) = watch.source.group_kind();
            let keys = keys.into_iter().filter(|k| k.group == group && k.kind == kind);
            keys.map(|k| Name::new(k.namespace.clone(), k.name.clone())).collect()
        };
        let ids: Vec<Name> = match &watch.source {
            Source::Budgets => self.budgets.keys().cloned().collect(),
            Source::Claims => self.claims.keys().cloned().collect(),
            Source::Workloads { .. } => {
                of_keys(self.snapshot.workloads().map(|w| &w.key).chain(self.unreadable.keys()).collect())
            }
            Source::Scalers { .. } => of_keys(self.scalers.iter().chain(self.unreadable.keys()).collect()),
            Source::Pods => {
                self.pods.ids().map(|(namespace, name)| Name::new(namespace.clone(), name.clone())).collect()
            }
            Source::Jobs => of_keys(self.pods.jobs().collect()),
            Source::Nodes => self.nodes.keys().map(|name| Name::new("", name.clone())).collect(),
            Source::Definitions => Vec::new(),
        };
        let inside = |id: &Name| match &watch.scope {
            Scope::All => true,
            Scope::Namespace(namespace) => id.namespace == *namespace,
        };
        ids.into_iter().filter(inside).collect()
    }

    /// Notes how a watch stands (none: it starts, or has ended); answers the budgets that wait for it.
    pub fn set_state(&mut self, watch: &Watch, state: Option<State>) -> Concerned {
        if !self.watches.set(watch, state) {
            return Concerned::new();
        }
        let served = |name: &Name| {
            self.needs(name).iter().any(|need| {
                need.source == watch.source
                    && match &watch.scope {
                        Scope::All => true,
                        Scope::Namespace(namespace) => need.namespace.as_ref() == Some(namespace),
                    }
            })
        };
        match watch.source {
            Source::Budgets | Source::Claims => self.all_budgets(),
            _ => self.budgets.keys().filter(|name| served(name)).cloned().collect(),
        }
    }
}
