//! A budget, and a claim of its own.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::capacity::capacity;
use super::entry::{Entry, entry};
use super::house::preset;
use super::{Fault, Faults, Name, count};
use crate::api::policy::{Enforcement, Headroom as RawHeadroom, Restart, WhenExceeded};
use crate::api::reserved::{self, Reservation};
use crate::api::{DatabaseBudget, DatabaseClaim};
use crate::budget::capacity::Endpoint;
use crate::budget::connections::Connections;
use crate::budget::fit::Thresholds;
use crate::budget::rollout::Headroom;
use crate::catalogue::{Catalogue, CatalogueError};

/// A budget as it was meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Which one.
    pub name: Name,
    /// Generation of the spec it was parsed from.
    pub generation: Option<i64>,
    /// Since when it exists, in seconds since 1970; of two that claim one thing, the older rules.
    pub created: i64,
    /// Identity of the pool that is shared.
    pub database: Option<String>,
    /// Where its number comes from.
    pub capacity: Capacity,
    /// Kept for people.
    pub reserve: u32,
    /// Consumers that are not pods.
    pub outside: Vec<Outside>,
    /// Other namespaces that may claim.
    pub namespaces: Vec<LetIn>,
    /// Clients known to this budget.
    pub catalogue: Cow<'static, Catalogue>,
    /// How far dbbudget goes.
    pub enforcement: Enforcement,
    /// What shares leave room for.
    pub headroom: Headroom,
    /// When people are told.
    pub thresholds: Thresholds,
    /// What happens when it does not fit.
    pub when_exceeded: WhenExceeded,
    /// How new shares reach running pods.
    pub restart: Restart,
    /// Seconds that a killed container's backends may take to finish a query.
    pub drain: u32,
    /// Seconds that connections of a pod are kept which is gone without proof.
    pub quarantine: u32,
    /// Its own workloads.
    pub entries: Vec<Entry>,
    /// What people keep for a while; nothing where that cannot be read.
    pub reserved: Vec<Reservation>,
    /// Findings that its owner silenced.
    pub ignore: Vec<String>,
}

impl Budget {
    /// Budgets that it lists as outside.
    pub fn listed(&self) -> impl Iterator<Item = &str> {
        self.outside.iter().filter_map(|consumer| match &consumer.takes {
            OutsideOf::Budget(name) => Some(name.as_str()),
            OutsideOf::Connections(_) => None,
        })
    }

    /// What those outside consumers take that are no budgets.
    #[must_use]
    pub fn numbers_outside(&self) -> Connections {
        let numbers = self.outside.iter().map(|consumer| match consumer.takes {
            OutsideOf::Connections(n) => Connections::from(n),
            OutsideOf::Budget(_) => Connections::ZERO,
        });
        numbers.sum()
    }

    /// Whether the database is reached through a pooler in transaction mode.
    #[must_use]
    pub fn is_transaction(&self) -> bool {
        matches!(self.capacity, Capacity::Known { endpoint: Some(Endpoint::Transaction), .. })
    }
}

/// Where the number comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Capacity {
    /// Known from the object and the published tables.
    Known {
        /// Connections that clients can open.
        hard: u32,
        /// Connections that the server keeps to itself, of those that it is configured with.
        kept: u32,
        /// What of that is the server's side: connections that a pooler may open there.
        on_server: u32,
        /// In words.
        source: String,
        /// The endpoint, where it is Supabase's.
        endpoint: Option<Endpoint>,
    },
    /// The server is asked.
    Asked {
        /// Secret and key that hold the URL.
        secret: String,
        /// Key in the Secret.
        key: String,
        /// Used until the server has answered.
        expected: Option<u32>,
    },
}

/// A consumer that is not a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside {
    /// What people call it.
    pub name: String,
    /// What it takes.
    pub takes: OutsideOf,
}

/// What an outside consumer takes.
#[derive(Clone, Debug, PartialEq)]
pub enum OutsideOf {
    /// This many.
    Connections(u32),
    /// What another budget of this namespace may open on the server.
    Budget(String),
}

/// A namespace whose claims are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetIn {
    /// The namespace.
    pub namespace: String,
    /// For all its claims together.
    pub max_connections: Option<u32>,
    /// A higher priority counts as this.
    pub max_priority: Option<i32>,
}

/// A `DatabaseClaim` as it was meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Which one.
    pub name: Name,
    /// The budget it draws from.
    pub budget: Name,
    /// What it asks for.
    pub entry: Entry,
    /// Findings that its owner silenced.
    pub ignore: Vec<String>,
}

/// Parses a budget. `namespace` is that of objects that name none.
///
/// # Errors
/// Every field that cannot be understood.
pub fn budget(raw: &DatabaseBudget, namespace: &str) -> Result<Budget, Vec<Fault>> {
    let mut faults = Faults::default();
    let (spec, annotations) = (&raw.spec, raw.metadata.annotations.as_ref());
    let house: Vec<_> = spec.clients.iter().map(preset).collect();
    let catalogue = if house.is_empty() {
        Cow::Borrowed(Catalogue::builtin())
    } else {
        match Catalogue::builtin().extended_with(&house) {
            Ok(catalogue) => Cow::Owned(catalogue),
            Err(error) => {
                let (CatalogueError::Duplicate { index, .. }
                | CatalogueError::UnknownBase { index, .. }
                | CatalogueError::Cycle { index, .. }
                | CatalogueError::Invalid { index, .. }) = &error;
                faults.add(format!("/spec/clients/{index}"), error.to_string());
                Cow::Borrowed(Catalogue::builtin())
            }
        }
    };
    let numbered = spec.workloads.iter().enumerate();
    let entries: Vec<Entry> = numbered.map(|(i, w)| entry(w, &format!("/spec/workloads/{i}"), &mut faults)).collect();
    for entry in &entries {
        clients_known(entry, &catalogue, &mut faults);
    }
    let parsed = Budget {
        name: named(&raw.metadata, namespace),
        generation: raw.metadata.generation,
        created: raw.metadata.creation_timestamp.as_ref().map_or(0, |t| t.0.as_second()),
        database: spec.database.clone(),
        capacity: capacity(&spec.capacity, &mut faults),
        reserve: count(spec.reserve),
        outside: spec.outside.iter().map(outside).collect(),
        namespaces: spec.namespaces.iter().map(let_in).collect(),
        catalogue,
        enforcement: spec.enforcement,
        headroom: headroom(spec.headroom, spec.enforcement),
        thresholds: Thresholds {
            warning: count(spec.thresholds.warning_percent),
            critical: count(spec.thresholds.critical_percent),
        },
        when_exceeded: spec.when_exceeded,
        restart: spec.restart,
        drain: count(spec.drain_seconds),
        quarantine: count(spec.quarantine_seconds),
        entries,
        reserved: reserved::read(annotations).unwrap_or_default(),
        ignore: ignored(annotations),
    };
    faults.done(parsed)
}

/// Parses a claim. `namespace` is that of objects that name none.
///
/// # Errors
/// Every field that cannot be understood. Clients are looked up later, in the budget's catalogue.
pub fn claim(raw: &DatabaseClaim, namespace: &str) -> Result<Claim, Vec<Fault>> {
    let mut faults = Faults::default();
    let name = named(&raw.metadata, namespace);
    let entry = entry(&raw.spec.workload(&name.name), "/spec", &mut faults);
    let of = raw.spec.budget_ref.namespace.clone().unwrap_or_else(|| name.namespace.clone());
    let budget = Name::new(of, raw.spec.budget_ref.name.clone());
    faults.done(Claim { name, budget, entry, ignore: ignored(raw.metadata.annotations.as_ref()) })
}

/// The name of an object; `namespace` where it names none.
fn named(metadata: &ObjectMeta, namespace: &str) -> Name {
    Name::new(metadata.namespace.as_deref().unwrap_or(namespace), metadata.name.clone().unwrap_or_default())
}

fn ignored(annotations: Option<&std::collections::BTreeMap<String, String>>) -> Vec<String> {
    let rules = annotations.and_then(|a| a.get(crate::api::IGNORE)).map_or("", String::as_str);
    rules.split(',').map(|r| r.trim().to_owned()).filter(|r| !r.is_empty()).collect()
}

/// Every client of an entry is in the catalogue.
fn clients_known(entry: &Entry, catalogue: &Catalogue, faults: &mut Faults) {
    for fault in unknown_clients(entry, catalogue) {
        faults.0.push(fault);
    }
}

/// The clients of an entry that a catalogue does not have.
#[must_use]
pub fn unknown_clients(entry: &Entry, catalogue: &Catalogue) -> Vec<Fault> {
    let engines = entry.containers.iter().flat_map(|c| &c.engines);
    let unknown = engines.filter_map(|engine| {
        let name = engine.client.as_deref().filter(|name| catalogue.client(name).is_none())?;
        let hint = catalogue.nearest(name).map_or(String::new(), |near| format!("did you mean {near:?}? "));
        let what = format!("no client {name:?}; {hint}`dbbudget clients` lists them, and spec.clients adds your own");
        Some(Fault { pointer: engine.pointer.clone(), what })
    });
    unknown.collect()
}

fn headroom(raw: Option<RawHeadroom>, enforcement: Enforcement) -> Headroom {
    match raw {
        None if enforcement == Enforcement::Lease => Headroom::SharedSurge,
        None | Some(RawHeadroom::Surge) => Headroom::Surge,
        Some(RawHeadroom::None) => Headroom::None,
        Some(RawHeadroom::SharedSurge) => Headroom::SharedSurge,
        Some(RawHeadroom::SurgeAndTerminating) => Headroom::SurgeAndTerminating,
    }
}

fn outside(raw: &crate::api::sharing::Outside) -> Outside {
    let takes = match (&raw.budget_ref, raw.connections) {
        (Some(budget), _) => OutsideOf::Budget(budget.name.clone()),
        (None, connections) => OutsideOf::Connections(connections.map_or(0, count)),
    };
    Outside { name: raw.name.clone(), takes }
}

fn let_in(raw: &crate::api::sharing::Namespace) -> LetIn {
    LetIn {
        namespace: raw.name.clone(),
        max_connections: raw.max_connections.map(count),
        max_priority: raw.max_priority,
    }
}
