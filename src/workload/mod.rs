//! One workload as Kubernetes stores it, trimmed to what connections depend on. No I/O.
//!
//! | file | question it answers |
//! |---|---|
//! | [`owner`] | which workload does a pod belong to? |
//! | [`read`] | how many replicas, replaced how, running which containers? |
//! | [`template`] | which variables and command does a container have? |
//! | [`command`] | which program does a command start, with which flags? |
//! | [`flags`] | where does a flag's number stand? |
//! | [`processes`] | how many processes and threads is that? |
//! | [`control`] | what could lower their number? |
//! | [`engines`] | how many connections does each engine take as written? |
//! | [`url`] | what does a connection URL say? |
//! | [`progress`] | how far is the replacement of its pods? |
//! | [`manager`] | who else writes it? |
//! | [`scaler`] | how far may an autoscaler go? |

pub mod command;
pub mod control;
pub mod engines;
pub mod flags;
pub mod manager;
pub mod owner;
pub mod processes;
pub mod progress;
pub mod read;
pub mod scaler;
pub mod template;
pub mod url;

use std::collections::BTreeMap;
use std::fmt;

use crate::budget::rollout::Strategy;
use manager::Managed;
use progress::Progress;
use template::Template;

/// Which workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// API group, empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl Workload {
    /// What is left of it when it is deleted: its pods, until they end.
    #[must_use]
    pub fn deleted(&self) -> Self {
        let (replicas, strategy) = (Replicas::Count(0), Strategy::InPlace);
        Self { gone: true, replicas, strategy, overlaps: false, ..self.clone() }
    }
}

/// The group of an `apiVersion`: `apps` of `apps/v1`, nothing of `v1`.
#[must_use]
pub fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// How many pods a workload runs, before any autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// This many.
    Count(u32),
    /// One on each node it may run on.
    PerNode,
}

/// A workload, as far as connections are concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Which one.
    pub key: Key,
    /// Its API version.
    pub api_version: String,
    /// Labels of the object itself, for selectors.
    pub labels: BTreeMap<String, String>,
    /// Annotations that speak to dbbudget.
    pub ignore: Vec<String>,
    /// The object was deleted, and pods of it still hold connections.
    pub gone: bool,
    /// Pods asked for.
    pub replicas: Replicas,
    /// How they are replaced.
    pub strategy: Strategy,
    /// A CronJob that lets its runs overlap.
    pub overlaps: bool,
    /// Seconds after which a Job of it fails.
    pub deadline: Option<u32>,
    /// Another workload of this namespace that holds the template (Argo's `workloadRef`).
    pub template_of: Option<Key>,
    /// What each pod runs; nothing where the kind has none.
    pub template: Option<Template>,
    /// How far the replacement of its pods has come.
    pub progress: Progress,
    /// Who writes it.
    pub managed: Managed,
}
