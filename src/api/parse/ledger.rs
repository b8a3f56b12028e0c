//! A ledger as it is stored, and as it is computed with.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::ledger::{self as stored, DatabaseLedgerSpec};
use crate::api::workload::Source as ShownSource;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::{Bounds, Entry, Ledger, Moment, Origin, Phase, Quarantined, Uid, Values};

/// What counts for an entry whose pod may open as many as it likes: more than any database has.
pub const UNBOUNDED: u32 = 1_000_000;

/// Reads a ledger.
///
/// # Errors
/// When an entry names values that are not there.
pub fn ledger(spec: &DatabaseLedgerSpec) -> Result<Ledger, String> {
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
    let entries = spec.entries.iter().map(|(uid, stored)| {
        let read = entry(stored, &values).map_err(|what| format!("spec.entries.{uid}: {what}"))?;
        Ok((uid.as_str().into(), read))
    });
    let quarantine = spec.quarantine.iter().map(|(uid, kept)| {
        let read = quarantined(kept, &values).map_err(|what| format!("spec.quarantine.{uid}.entry: {what}"))?;
        Ok((uid.as_str().into(), read))
    });
    let (entries, quarantine) = (entries.collect::<Result<_, String>>()?, quarantine.collect::<Result<_, String>>()?);
    Ok(Ledger::stored(phase, bounds, entries, quarantine))
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
    /// The key of some values: made of them, so that an entry's line is the same in every version of its ledger.
    fn of(&mut self, values: &Values) -> Option<String> {
        if values.is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        values.hash(&mut hasher);
        // Two that differ never share a key, whatever their hashes are.
        let mut keys = (hasher.finish() & 0xffff_ffff..).map(|hash| format!("{hash:08x}"));
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

fn entry(entry: &stored::Entry, values: &BTreeMap<&str, Values>) -> Result<Entry, String> {
    let values = entry.values.as_deref().map(|key| {
        let missing = || format!("values={key} is not in spec.values");
        values.get(key).cloned().ok_or_else(missing)
    });
    Ok(Entry {
        namespace: entry.namespace.clone(),
        name: entry.name.clone(),
        connections: seconds(entry.connections),
        origin: ORIGINS.iter().find(|(_, shown)| *shown == entry.origin).map_or(Origin::Granted, |(origin, _)| *origin),
        source: match entry.source {
            ShownSource::Allocatable => Source::Allocatable,
            ShownSource::Reserve => Source::Reserve,
        },
        values: values.transpose()?.unwrap_or_default(),
        since: moment(&entry.since),
        until: entry.until.as_ref().map(moment),
    })
}

fn stored_entry(entry: &Entry, keys: &mut Keys) -> stored::Entry {
    stored::Entry {
        namespace: entry.namespace.clone(),
        name: entry.name.clone(),
        connections: i32::try_from(entry.connections).unwrap_or(i32::MAX),
        origin: ORIGINS.iter().find(|(origin, _)| *origin == entry.origin).map(|(_, shown)| *shown).unwrap_or_default(),
        source: match entry.source {
            Source::Allocatable => ShownSource::Allocatable,
            Source::Reserve => ShownSource::Reserve,
        },
        values: keys.of(&entry.values),
        since: time(entry.since),
        until: entry.until.map(time),
    }
}

const ORIGINS: [(Origin, stored::Origin); 7] = [
    (Origin::Granted, stored::Origin::Granted),
    (Origin::Adopted, stored::Origin::Adopted),
    (Origin::Escaped, stored::Origin::Escaped),
    (Origin::Freed, stored::Origin::Freed),
    (Origin::Drain, stored::Origin::Drain),
    (Origin::Reserved, stored::Origin::Reserved),
    (Origin::Budget, stored::Origin::Budget),
];

fn quarantined(kept: &stored::Quarantined, values: &BTreeMap<&str, Values>) -> Result<Quarantined, String> {
    Ok(Quarantined {
        entry: entry(&kept.entry, values)?,
        why: kept.why.clone(),
        node: kept.node.clone(),
        since: moment(&kept.since),
        killed_after: seconds(kept.killed_after),
        until: moment(&kept.until),
    })
}

fn stored_quarantine(kept: &Quarantined, keys: &mut Keys) -> stored::Quarantined {
    stored::Quarantined {
        entry: stored_entry(&kept.entry, keys),
        why: kept.why.clone(),
        node: kept.node.clone(),
        since: time(kept.since),
        killed_after: i32::try_from(kept.killed_after).unwrap_or(i32::MAX),
        until: time(kept.until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::ledger::Wait;

    fn told(pool: &str) -> Values {
        Arc::new([("a.dbbudget.dev/b.default.pool".to_owned(), pool.to_owned())].into())
    }

    fn some() -> Ledger {
        let bounds = Bounds { allocatable: Connections::new(13), reserve: Connections::new(2), generation: 4 };
        let mut ledger = Ledger::born(bounds);
        for (place, (origin, _)) in ORIGINS.iter().enumerate() {
            let until = (*origin == Origin::Drain).then_some(Moment(2_000));
            let values = told(if place == 3 { "2" } else { "3" });
            let source = if place == 0 { Source::Reserve } else { Source::Allocatable };
            let (namespace, name) = ("shop".into(), format!("pod-{place}"));
            let (origin, since, connections) = (*origin, Moment(1_000), 3);
            ledger.enter(
                format!("uid-{place}").into(),
                Entry { namespace, name, connections, origin, source, values, since, until },
            );
        }
        let wait = Wait { node: Some("n1".into()), killed_after: 65, at_most: 900 };
        ledger.quarantine(&"uid-1".into(), "its object is gone".into(), Moment(1_500), wait);
        ledger
    }

    fn beside() -> Beside {
        let place = |(uid, grace): (&str, u32)| (uid.into(), Place { node: "n1".into(), grace });
        let nodes = [("uid-2", 30), ("uid-3", 30), ("uid-4", 600)].map(place).into();
        Beside { budget_uid: "u".into(), nodes }
    }

    #[test]
    fn what_is_stored_is_read_as_it_was() {
        let before = some();
        let spec = ledger_spec(&before, &beside());
        assert_eq!((spec.held, spec.budget_uid.as_str()), (21, "u"));
        assert_eq!(spec.values.len(), 2, "what most are told is stored once");
        assert_eq!(spec.nodes["n1"], [(30, "uid-2 uid-3".to_owned()), (600, "uid-4".to_owned())].into());
        let text = serde_json::to_string(&spec).expect("JSON");
        let read: DatabaseLedgerSpec = serde_json::from_str(&text).expect("a spec");
        assert_eq!((ledger(&read), Beside::of(&read)), (Ok(before), beside()));
    }

    #[test]
    fn an_entry_is_the_same_line_in_every_version() {
        let before = some();
        let mut after = before.clone();
        after.expire(Moment(3_000));
        after.enter("uid-0-later".into(), Entry { values: told("9"), ..Entry::default() });
        let [before, after] = [before, after].map(|ledger| ledger_spec(&ledger, &beside()));
        assert!(after.entries.iter().all(|(uid, now)| before.entries.get(uid).is_none_or(|then| then == now)));
        assert_eq!((before.entries.len(), after.entries.len()), (6, 6), "one has ended, and one has come");
    }

    #[test]
    fn values_that_are_not_there_are_told() {
        let mut spec = ledger_spec(&some(), &beside());
        spec.values.clear();
        let error = ledger(&spec).expect_err("nobody knows what to write");
        assert!(
            error.starts_with("spec.entries.uid-0: values=") && error.ends_with(" is not in spec.values"),
            "{error}"
        );
    }
}
