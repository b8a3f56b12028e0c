//! What has to be watched, and how each watch stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::api::target::KNOWN_KINDS;
use crate::workload::group_of;

/// A kind of objects that is watched for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Budgets.
    Budgets,
    /// Claims.
    Claims,
    /// Names of custom resources: which kinds there are.
    Definitions,
    /// Nodes.
    Nodes,
    /// Workloads of a kind.
    Workloads {
        /// Its API group.
        group: String,
        /// Its kind.
        kind: String,
    },
    /// Autoscalers of a kind.
    Scalers {
        /// Its API group.
        group: String,
        /// Its kind.
        kind: String,
    },
    /// Pods.
    Pods,
    /// Owners of Jobs.
    Jobs,
}

impl Source {
    /// API group and kind of its objects.
    #[must_use]
    pub fn group_kind(&self) -> (&str, &str) {
        match self {
            Self::Budgets => (crate::api::GROUP, "DatabaseBudget"),
            Self::Claims => (crate::api::GROUP, "DatabaseClaim"),
            Self::Definitions => ("apiextensions.k8s.io", "CustomResourceDefinition"),
            Self::Nodes => ("", "Node"),
            Self::Workloads { group, kind } | Self::Scalers { group, kind } => (group, kind),
            Self::Pods => ("", "Pod"),
            Self::Jobs => ("batch", "Job"),
        }
    }
}

impl Source {
    /// Whether this is a kind that somebody's claim chose, beside those that every claim may be about.
    #[must_use]
    pub fn is_chosen(&self) -> bool {
        matches!(self, Self::Workloads { group, kind } if !KNOWN_KINDS.iter().any(|(k, v)| k == kind && group_of(v) == group))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.group_kind().1)
    }
}

/// Autoscalers that are looked for beside every workload.
pub const SCALERS: [(&str, &str); 2] = [("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject")];

/// What one budget needs to know: a source, in a namespace (none: of the whole cluster).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Of what.
    pub source: Source,
    /// Where.
    pub namespace: Option<String>,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            None => self.source.fmt(f),
            Some(namespace) => write!(f, "{} in {namespace}", self.source),
        }
    }
}

/// Where a watch looks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everywhere.
    All,
    /// In one namespace.
    Namespace(String),
}

/// One watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watch {
    /// Of what.
    pub source: Source,
    /// Where.
    pub scope: Scope,
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::All => self.source.fmt(f),
            Scope::Namespace(namespace) => write!(f, "{} in {namespace}", self.source),
        }
    }
}

/// How a watch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its first list is complete.
    Filled,
    /// The API server has no such kind.
    Absent,
    /// It may not be read; the sentence names the permission.
    Forbidden(String),
}

/// From this many namespaces on, one watch over all is cheaper for everybody than one each.
const MANY_NAMESPACES: usize = 20;

/// The watches that serve all needs. Where dbbudget is confined to namespaces (`confined`), it never looks beyond them.
#[must_use]
pub fn watches(needs: impl IntoIterator<Item = Need>, confined: bool) -> BTreeSet<Watch> {
    let mut namespaces: BTreeMap<Source, BTreeSet<Option<String>>> = BTreeMap::new();
    for need in needs {
        namespaces.entry(need.source).or_default().insert(need.namespace);
    }
    let scopes = |source: Source, namespaces: BTreeSet<Option<String>>| -> Vec<Watch> {
        if !confined && namespaces.len() > MANY_NAMESPACES {
            return vec![Watch { source, scope: Scope::All }];
        }
        let scope = |namespace: Option<String>| namespace.map_or(Scope::All, Scope::Namespace);
        namespaces.into_iter().map(|n| Watch { source: source.clone(), scope: scope(n) }).collect()
    };
    namespaces.into_iter().flat_map(|(source, namespaces)| scopes(source, namespaces)).collect()
}

/// How every watch stands; one that is not in it has not been filled yet.
#[derive(Debug, Default)]
pub struct States(BTreeMap<Watch, State>);

impl States {
    /// Notes how a watch stands (none: it starts, or has ended). Answers whether that is news.
    pub fn set(&mut self, watch: &Watch, state: Option<State>) -> bool {
        match state {
            None => self.0.remove(watch).is_some(),
            Some(state) => self.0.insert(watch.clone(), state.clone()).as_ref() != Some(&state),
        }
    }

    /// Whether anything is known of a watch.
    #[must_use]
    pub fn has(&self, watch: &Watch) -> bool {
        self.0.contains_key(watch)
    }

    /// How a watch stands.
    #[must_use]
    pub fn of(&self, watch: &Watch) -> Option<&State> {
        self.0.get(watch)
    }

    /// How the watch that serves a need stands.
    #[must_use]
    pub fn get(&self, need: &Need) -> Option<&State> {
        let watch = |scope| Watch { source: need.source.clone(), scope };
        let own = need.namespace.clone().and_then(|n| self.0.get(&watch(Scope::Namespace(n))));
        own.or_else(|| self.0.get(&watch(Scope::All)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(namespace: &str) -> Need {
        Need { source: Source::Pods, namespace: Some(namespace.into()) }
    }

    #[test]
    fn few_namespaces_are_watched_one_by_one_and_many_as_one() {
        let few: Vec<Need> = (0..3).map(|i| pods(&format!("n{i}"))).collect();
        assert_eq!(watches(few.clone(), false).len(), 3);
        let many: Vec<Need> = (0..50).map(|i| pods(&format!("n{i}"))).collect();
        assert_eq!(watches(many.clone(), false), [Watch { source: Source::Pods, scope: Scope::All }].into());
        assert_eq!(watches(many, true).len(), 50);
    }

    #[test]
    fn a_need_is_served_by_its_namespace_or_by_all() {
        let mut states = States::default();
        assert_eq!(states.get(&pods("a")), None);
        let all = Watch { source: Source::Pods, scope: Scope::All };
        assert!(states.set(&all, Some(State::Filled)));
        assert!(!states.set(&all, Some(State::Filled)), "no news");
        assert_eq!(states.get(&pods("a")), Some(&State::Filled));
        let one = Watch { scope: Scope::Namespace("a".into()), ..all };
        states.set(&one, Some(State::Absent));
        assert_eq!(states.get(&pods("a")), Some(&State::Absent));
    }
}
