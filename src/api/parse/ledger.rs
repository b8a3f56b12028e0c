//! A ledger as it is stored, and as it is computed with.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::ledger::{self as stored, DatabaseLedgerSpec};
use crate::api::workload::Source as ShownSource;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::{Bounds, Entry, Ledger, Moment, Origin, Phase, Quarantined, Uid};

/// What counts for an entry whose pod may open as many as it likes: more than any database has.
pub const UNBOUNDED: u32 = 1_000_000;

/// Reads a ledger.
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
    let entries = spec.entries.iter().map(|(uid, e)| (uid.as_str().into(), entry(e))).collect();
    let quarantine = spec.quarantine.iter().map(|(uid, q)| (uid.as_str().into(), quarantined(q))).collect();
    Ledger::stored(phase, bounds, entries, quarantine)
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

impl Place {
    fn stored(&self) -> stored::Place {
        stored::Place { name: self.node.to_string(), grace_seconds: self.grace.into() }
    }
}

impl Beside {
    /// Reads it.
    #[must_use]
    pub fn of(spec: &DatabaseLedgerSpec) -> Self {
        let place = |place: &stored::Place| Place {
            node: place.name.as_str().into(),
            grace: u32::try_from(place.grace_seconds.max(0)).unwrap_or(u32::MAX),
        };
        let nodes = spec.nodes.iter().map(|(uid, known)| (uid.as_str().into(), place(known)));
        Self { budget_uid: spec.budget_uid.clone(), nodes: nodes.collect() }
    }
}

/// Writes a ledger.
#[must_use]
pub fn ledger_spec(ledger: &Ledger, beside: &Beside) -> DatabaseLedgerSpec {
    DatabaseLedgerSpec {
        nodes: beside.nodes.iter().map(|(uid, place)| (uid.to_string(), place.stored())).collect(),
        entries: ledger.entries().iter().map(|(uid, e)| (uid.to_string(), stored_entry(e))).collect(),
        quarantine: ledger.quarantined().iter().map(|(uid, q)| (uid.to_string(), stored_quarantine(q))).collect(),
        ..scalars(ledger, &beside.budget_uid)
    }
}

/// All of it but entries.
fn scalars(ledger: &Ledger, uid: &str) -> DatabaseLedgerSpec {
    let bounds = ledger.bounds();
    let held = [Source::Allocatable, Source::Reserve].map(|source| ledger.held(source)).into_iter().sum();
    DatabaseLedgerSpec {
        phase: match ledger.phase() {
            Phase::Adopting => stored::Phase::Adopting,
            Phase::Leasing => stored::Phase::Leasing,
        },
        allocatable: number(bounds.allocatable),
        reserve: number(bounds.reserve),
        budget_generation: bounds.generation,
        budget_uid: uid.to_owned(),
        held: number(held).into(),
        entries: BTreeMap::new(),
        quarantine: BTreeMap::new(),
        nodes: BTreeMap::new(),
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

fn entry(entry: &stored::Entry) -> Entry {
    Entry {
        namespace: entry.namespace.clone(),
        name: entry.name.clone(),
        connections: seconds(entry.connections),
        origin: ORIGINS.iter().find(|(_, shown)| *shown == entry.origin).map_or(Origin::Granted, |(origin, _)| *origin),
        source: match entry.source {
            ShownSource::Allocatable => Source::Allocatable,
            ShownSource::Reserve => Source::Reserve,
        },
        values: entry.values.clone(),
        since: entry.since.as_ref().map(moment).unwrap_or_default(),
        until: entry.until.as_ref().map(moment),
    }
}

fn stored_entry(entry: &Entry) -> stored::Entry {
    stored::Entry {
        namespace: entry.namespace.clone(),
        name: entry.name.clone(),
        connections: i32::try_from(entry.connections).unwrap_or(i32::MAX),
        origin: ORIGINS.iter().find(|(origin, _)| *origin == entry.origin).map(|(_, shown)| *shown).unwrap_or_default(),
        source: match entry.source {
            Source::Allocatable => ShownSource::Allocatable,
            Source::Reserve => ShownSource::Reserve,
        },
        values: entry.values.clone(),
        since: Some(time(entry.since)),
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

fn quarantined(kept: &stored::Quarantined) -> Quarantined {
    Quarantined {
        entry: entry(&kept.entry),
        why: kept.why.clone(),
        node: kept.node.clone(),
        since: moment(&kept.since),
        killed_after: seconds(kept.killed_after),
        until: moment(&kept.until),
    }
}

fn stored_quarantine(kept: &Quarantined) -> stored::Quarantined {
    stored::Quarantined {
        entry: stored_entry(&kept.entry),
        why: kept.why.clone(),
        node: kept.node.clone(),
        since: time(kept.since),
        killed_after: i32::try_from(kept.killed_after).unwrap_or(i32::MAX),
        until: time(kept.until),
    }
}

/// What differs between two versions, as a merge patch of the spec: a burst of grants is a small write, however many hold
/// something already.
#[must_use]
pub fn difference(before: (&Ledger, &Beside), after: (&Ledger, &Beside)) -> serde_json::Value {
    let ((before, known), (after, beside)) = (before, after);
    let mut patch = serde_json::to_value(scalars(after, &beside.budget_uid)).unwrap_or_default();
    patch["entries"] = changes(before.entries(), after.entries(), stored_entry);
    patch["quarantine"] = changes(before.quarantined(), after.quarantined(), stored_quarantine);
    patch["nodes"] = changes(&known.nodes, &beside.nodes, Place::stored);
    patch
}

fn changes<T: PartialEq, S: serde::Serialize>(
    before: &BTreeMap<Uid, T>,
    after: &BTreeMap<Uid, T>,
    stored: impl Fn(&T) -> S,
) -> serde_json::Value {
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let gone = gone.map(|key| (key.to_string(), serde_json::Value::Null));
    let new = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    let new = new.map(|(key, value)| (key.to_string(), serde_json::to_value(stored(value)).unwrap_or_default()));
    serde_json::Value::Object(gone.chain(new).collect())
}

/// At most so many bytes of JSON, computed without writing any.
#[must_use]
pub fn at_most_bytes(ledger: &Ledger) -> usize {
    /// Names of fields, numbers, times and a UID.
    const AROUND: usize = 300;
    let of = |entry: &Entry| {
        let values = entry.values.iter().map(|(key, value)| key.len() + value.len() + 8);
        AROUND + entry.namespace.len() + entry.name.len() + values.sum::<usize>()
    };
    let apart = ledger.quarantined().values().map(|kept| AROUND + kept.why.len() * 2 + of(&kept.entry));
    AROUND + ledger.entries().values().map(of).chain(apart).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::ledger::Wait;
    use serde_json::json;

    fn some() -> Ledger {
        let bounds = Bounds { allocatable: Connections::new(13), reserve: Connections::new(2), generation: 4 };
        let mut ledger = Ledger::born(bounds);
        for (place, (origin, _)) in ORIGINS.iter().enumerate() {
            let until = (*origin == Origin::Drain).then_some(Moment(2_000));
            let values = [("a.dbbudget.dev/b.default.pool".to_owned(), "3".to_owned())].into();
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
        Beside { budget_uid: "u".into(), nodes: [("uid-2".into(), Place { node: "n1".into(), grace: 30 })].into() }
    }

    #[test]
    fn what_is_stored_is_read_as_it_was() {
        let before = some();
        let spec = ledger_spec(&before, &beside());
        let size = serde_json::to_vec(&spec).expect("JSON").len();
        assert!((size..3 * size).contains(&at_most_bytes(&before)), "{size}");
        assert_eq!((spec.held, spec.budget_uid.as_str()), (21, "u"));
        let text = serde_json::to_string(&spec).expect("JSON");
        assert_eq!(ledger(&serde_json::from_str(&text).expect("a spec")), before);
    }

    #[test]
    fn a_write_holds_what_changed() {
        let before = some();
        let mut after = before.clone();
        after.expire(Moment(3_000));
        after.seen_alive(&"uid-1".into());
        let patch = difference((&before, &beside()), (&after, &Beside { nodes: BTreeMap::new(), ..beside() }));
        assert_eq!(patch["entries"]["uid-4"], json!(null), "the drain has ended");
        assert_eq!(patch["nodes"], json!({"uid-2": null}));
        assert_eq!(patch["entries"]["uid-1"]["name"], "pod-1");
        assert_eq!(patch["entries"].as_object().map(serde_json::Map::len), Some(2));
        assert_eq!((&patch["quarantine"], &patch["held"]), (&json!({"uid-1": null}), &json!(18)));
    }
}
