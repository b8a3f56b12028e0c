//! A ledger as it is stored, and as it is computed with.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::DynamicObject;

use crate::api::ledger::{self as stored, DatabaseLedgerSpec};
use crate::api::workload::Source as ShownSource;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::{Bounds, Entry, Ledger, Moment, Phase, Quarantined, Uid, Values};

/// What counts for an entry whose pod may open as many as it likes: more than any database has.
pub const UNBOUNDED: u32 = 1_000_000;

/// Reads a ledger's object.
///
/// # Errors
/// Which field is wrong, what was found, and what is expected.
pub fn stored_ledger(object: &DynamicObject) -> Result<DatabaseLedgerSpec, String> {
    let spec: Result<DatabaseLedgerSpec, _> = serde_path_to_error::deserialize(&object.data["spec"]);
    let spec = spec.map_err(|error| format!("spec.{}: {}", error.path(), error.inner()))?;
    let entries = spec.entries.iter().map(|(uid, entry)| ("entries", uid, "", entry));
    let apart = spec.quarantine.iter().map(|(uid, kept)| ("quarantine", uid, ".entry", &kept.entry));
    for (list, uid, part, entry) in entries.chain(apart) {
        if let Some(key) = entry.values.as_ref().filter(|key| !spec.values.contains_key(*key)) {
            return Err(format!("spec.{list}.{uid}{part}: found values={key}, which is not in spec.values"));
        }
    }
    Ok(spec)
}

/// The ledger that is stored.
#[must_use]
pub fn ledger(spec: &DatabaseLedgerSpec) -> Ledger {
    let phase = match spec.phase {
        stored::Phase::Adopting => Phase::Adopting,
        stored::Phase::Leasing => Phase::Leasing,
    };
    let bounds = Bounds {
        allocatable: connections(spec.allocatable),
        reserve: connections(spec.reserve),
        generation: spec.budget_generation,
    };
    let values = spec.values.iter().map(|(key, values)| (key.as_str(), Arc::new(values.clone()))).collect();
    let entries = spec.entries.iter().map(|(uid, stored)| (uid.as_str().into(), entry(stored, &values)));
    let quarantine = spec.quarantine.iter().map(|(uid, kept)| (uid.as_str().into(), quarantined(kept, &values)));
    Ledger::stored(phase, bounds, entries.collect(), quarantine.collect())
}

/// What is stored beside the ledger itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// UID of the budget.
    pub budget_uid: String,
    /// The node of each pod, as far as it was noted.
    pub nodes: BTreeMap<Uid, Place>,
}

/// Where a pod runs, and how many seconds its kubelet gives it to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub node: Arc<str>,
    /// Seconds.
    pub grace: u32,
}

impl Beside {
    /// Reads it.
    #[must_use]
    pub fn of(spec: &DatabaseLedgerSpec) -> Self {
        let mut nodes = BTreeMap::new();
        for (node, pods) in &spec.nodes {
            let node: Arc<str> = node.as_str().into();
            for (grace, uids) in pods {
                let place = Place { node: node.clone(), grace: *grace };
                nodes.extend(uids.split(' ').map(|uid| (uid.into(), place.clone())));
            }
        }
        Self { budget_uid: spec.budget_uid.clone(), nodes }
    }

    fn stored_nodes(&self) -> BTreeMap<String, BTreeMap<u32, String>> {
        let mut nodes: BTreeMap<String, BTreeMap<u32, String>> = BTreeMap::new();
        for (uid, Place { node, grace }) in &self.nodes {
            let uids = nodes.entry(node.to_string()).or_default().entry(*grace).or_default();
            if !uids.is_empty() {
                uids.push(' ');
            }
            uids.push_str(uid);
        }
        nodes
    }
}

/// Writes a ledger.
#[must_use]
pub fn ledger_spec(ledger: &Ledger, beside: &Beside) -> DatabaseLedgerSpec {
    let bounds = ledger.bounds();
    let held = [Source::Allocatable, Source::Reserve].map(|source| ledger.held(source)).into_iter().sum();
    let mut keys = Keys::default();
    DatabaseLedgerSpec {
        phase: match ledger.phase() {
            Phase::Adopting => stored::Phase::Adopting,
            Phase::Leasing => stored::Phase::Leasing,
        },
        allocatable: number(bounds.allocatable),
        reserve: number(bounds.reserve),
        budget_generation: bounds.generation,
        budget_uid: beside.budget_uid.clone(),
        held: number(held).into(),
        entries: ledger.entries().iter().map(|(uid, e)| (uid.to_string(), stored_entry(e, &mut keys))).collect(),
        quarantine: ledger
            .quarantined()
            .iter()
            .map(|(uid, kept)| (uid.to_string(), stored_quarantine(kept, &mut keys)))
            .collect(),
        values: keys.0,
        nodes: beside.stored_nodes(),
    }
}

/// Most pods of a workload are told the same, which is stored once.
#[derive(Default)]
struct Keys(BTreeMap<String, BTreeMap<String, String>>);

impl Keys {
    /// The key of some values. It is made of them, so that an entry's line hardly ever changes while others come and go.
    fn of(&mut self, values: &Values) -> Option<String> {
        if values.is_empty() {
            return None;
        }
        // FNV-1a, which is the same everywhere. Two that differ never share a key, whatever their hashes are.
        let text = values.iter().flat_map(|(key, value)| [key.as_str(), "=", value, " "]).flat_map(str::bytes);
        let hash = text.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mut keys = (u64::from(hash)..).map(|hash| format!("{hash:08x}"));
        let key = keys.find(|key| self.0.get(key).is_none_or(|known| known == values.as_ref()))?;
        self.0.entry(key.clone()).or_insert_with(|| values.as_ref().clone());
        Some(key)
    }
}

fn connections(n: i32) -> Connections {
    Connections::new(u64::try_from(n).unwrap_or(0))
}

fn number(n: Connections) -> i32 {
    n.bounded().and_then(|n| i32::try_from(n).ok()).unwrap_or(i32::MAX)
}

fn moment(time: &Time) -> Moment {
    Moment(time.0.as_second())
}

fn time(moment: Moment) -> Time {
    Time(Timestamp::from_second(moment.0).unwrap_or_default())
}

fn seconds(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

fn entry(entry: &stored::Entry, values: &BTreeMap<&str, Values>) -> Entry {
    Entry {
        namespace: entry.namespace.clone(),
        name: entry.name.clone(),
        connections: seconds(entry.connections),
        origin: entry.origin,
        source: match entry.source {
            ShownSource::Allocatable => Source::Allocatable,
            ShownSource::Reserve => Source::Reserve,
        },
        values: entry.values.as_deref().and_then(|key| values.get(key).cloned()).unwrap_or_default(),
        since: moment(&entry.since),
        until: entry.until.as_ref().map(moment),
    }
}

fn stored_entry(entry: &Entry, keys: &mut Keys) -> stored::Entry {
    stored::Entry {
        namespace: entry.namespace.clone(),
        name: entry.name.clone(),
        connections: i32::try_from(entry.connections).unwrap_or(i32::MAX),
        origin: entry.origin,
        source: match entry.source {
            Source::Allocatable => ShownSource::Allocatable,
            Source::Reserve => ShownSource::Reserve,
        },
        values: keys.of(&entry.values),
        since: time(entry.since),
        until: entry.until.map(time),
    }
}

fn quarantined(kept: &stored::Quarantined, values: &BTreeMap<&str, Values>) -> Quarantined {
    Quarantined {
        entry: entry(&kept.entry, values),
        why: kept.why.clone(),
        node: kept.node.clone(),
        since: moment(&kept.since),
        killed_after: kept.killed_after,
        until: moment(&kept.until),
    }
}

fn stored_quarantine(kept: &Quarantined, keys: &mut Keys) -> stored::Quarantined {
    stored::Quarantined {
        entry: stored_entry(&kept.entry, keys),
        why: kept.why.clone(),
        node: kept.node.clone(),
        since: time(kept.since),
        killed_after: kept.killed_after,
        until: time(kept.until),
    }
}

#[cfg(test)]
mod tests;
