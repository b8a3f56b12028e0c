//! One workload's claim: an entry of a budget, or a `DatabaseClaim`.

use super::injected::{Injected, injected};
use super::{Faults, count};
use crate::api::container::{Container as RawContainer, Count as RawCount, Engine as RawEngine, OnConflict};
use crate::api::target::{KNOWN_KINDS, Operator, Selector as RawSelector, Target as RawTarget};
use crate::api::workload::{Source as RawSource, Workload as RawEntry};
use crate::budget::claim::Source;

/// One workload's claim on a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name: the entry's or the claim's.
    pub name: String,
    /// Where in the object it stands: a JSON pointer.
    pub pointer: String,
    /// Which workloads.
    pub target: Target,
    /// Who keeps connections when they run short.
    pub priority: i32,
    /// Who gets more of what is left.
    pub weight: u32,
    /// Where ScaleDown stops.
    pub min_replicas: Option<u32>,
    /// Pods that shares are computed for.
    pub size_for: Option<u32>,
    /// What it draws from.
    pub source: Source,
    /// Its containers; the shorthand `client` is one container with one engine.
    pub containers: Vec<Container>,
}

/// Which workloads a claim is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// One by name, or all that match.
    pub which: Which,
}

/// One workload, or several.
#[derive(Clone, Debug, PartialEq)]
pub enum Which {
    /// The one of this name.
    Named(String),
    /// Each that matches is a claim of its own.
    Selected(Selector),
}

/// A label selector that is not empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector(RawSelector);

impl Selector {
    /// Whether labels match.
    #[must_use]
    pub fn matches(&self, labels: &std::collections::BTreeMap<String, String>) -> bool {
        let equal = self.0.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal
            && self.0.match_expressions.iter().all(|r| {
                let found = labels.get(&r.key);
                match r.operator {
                    Operator::In => found.is_some_and(|v| r.values.contains(v)),
                    Operator::NotIn => found.is_none_or(|v| !r.values.contains(v)),
                    Operator::Exists => found.is_some(),
                    Operator::DoesNotExist => found.is_none(),
                }
            })
    }
}

/// What a claim says of one container.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Its name; empty: the template's only one.
    pub name: String,
    /// Where in the object it stands: a JSON pointer.
    pub pointer: String,
    /// Processes, where the claim says.
    pub processes: Option<Number>,
    /// Threads, where the claim says.
    pub threads: Option<Number>,
    /// Connections of each process outside the engines, where the claim says.
    pub extra_per_process: Option<u32>,
    /// Connections of the pod outside the engines, where the claim says.
    pub extra_per_pod: Option<u32>,
    /// The pools of each process.
    pub engines: Vec<Engine>,
}

/// A number, or the variable of the container that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    /// Itself.
    Count(u32),
    /// The variable.
    Env(String),
}

/// What a claim says of one engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// Where in the object it stands: a JSON pointer.
    pub pointer: String,
    /// Its preset.
    pub client: Option<String>,
    /// How many of it in each process.
    pub count: Option<u32>,
    /// Smallest limit.
    pub min: Option<u32>,
    /// Largest limit.
    pub max: Option<u32>,
    /// How a limit is split.
    pub overflow_percent: Option<u8>,
    /// Whether the template's own number counts as the limit.
    pub keep: bool,
    /// What to inject, beside the preset's.
    pub inject: Injected,
}

/// Parses an entry that stands at `at` in the object.
pub(super) fn entry(raw: &RawEntry, at: &str, faults: &mut Faults) -> Entry {
    let containers = if let Some(client) = &raw.client {
        vec![shorthand(client, at)]
    } else {
        let numbered = raw.containers.iter().enumerate();
        numbered.map(|(i, c)| container(c, &format!("{at}/containers/{i}"))).collect()
    };
    if containers.is_empty() {
        faults
            .add(at, "neither client nor containers is given: name the client software in client, or list containers");
    }
    Entry {
        name: raw.name.clone(),
        pointer: at.to_owned(),
        target: target(&raw.target, &raw.name, &format!("{at}/target"), faults),
        priority: raw.priority,
        weight: count(raw.weight).max(1),
        min_replicas: raw.min_replicas.map(count),
        size_for: raw.size_for.map(count),
        source: match raw.source {
            RawSource::Allocatable => Source::Allocatable,
            RawSource::Reserve => Source::Reserve,
        },
        containers,
    }
}

fn shorthand(client: &str, at: &str) -> Container {
    let engine = RawEngine { client: Some(client.to_owned()), ..RawEngine::default() };
    let pointer = format!("{at}/client");
    let engines = vec![Engine { pointer: pointer.clone(), ..self::engine(&engine, "") }];
    Container { engines, ..container(&RawContainer::default(), &pointer) }
}

fn target(raw: &RawTarget, name: &str, at: &str, faults: &mut Faults) -> Target {
    let known = KNOWN_KINDS.iter().find(|(kind, _)| *kind == raw.kind).map(|(_, api_version)| *api_version);
    let api_version = raw.api_version.as_deref().or(known);
    if api_version.is_none() {
        faults.add(format!("{at}/kind"), format!("kind {} needs apiVersion", raw.kind));
    }
    let which = match &raw.selector {
        None => Which::Named(raw.name.clone().unwrap_or_else(|| name.to_owned())),
        Some(selector) => Which::Selected(Selector(selector.clone())),
    };
    if raw.selector.as_ref().is_some_and(|s| s.match_labels.is_empty() && s.match_expressions.is_empty()) {
        faults.add(format!("{at}/selector"), "the selector is empty and would match every workload of its kind");
    }
    let group = api_version.unwrap_or_default().rsplit_once('/').map_or("", |(group, _)| group);
    Target { group: group.to_owned(), kind: raw.kind.clone(), which }
}

fn container(raw: &RawContainer, at: &str) -> Container {
    let extra = raw.extra.unwrap_or_default();
    Container {
        name: raw.name.clone(),
        pointer: at.to_owned(),
        processes: raw.processes.as_ref().and_then(number),
        threads: raw.threads.as_ref().and_then(number),
        extra_per_process: extra.per_process.map(count),
        extra_per_pod: extra.per_pod.map(count),
        engines: raw.engines.iter().enumerate().map(|(i, e)| engine(e, &format!("{at}/engines/{i}"))).collect(),
    }
}

fn number(raw: &RawCount) -> Option<Number> {
    raw.count.map(|n| Number::Count(count(n))).or_else(|| raw.env.clone().map(Number::Env))
}

fn engine(raw: &RawEngine, at: &str) -> Engine {
    Engine {
        name: raw.name.clone(),
        pointer: at.to_owned(),
        client: raw.client.clone(),
        count: raw.count.map(count),
        min: raw.min.map(count),
        max: raw.max.map(count),
        overflow_percent: raw.overflow_percent.and_then(|p| u8::try_from(p).ok()),
        keep: raw.on_conflict == OnConflict::Keep,
        inject: raw.inject.as_ref().map(injected).unwrap_or_default(),
    }
}
