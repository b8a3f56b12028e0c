use super::*;
use crate::api::DatabaseLedger;
use crate::api::ledger::entry::ORIGINS;
use crate::budget::ledger::{Origin, Wait};

fn told(pool: &str) -> Values {
    Arc::new([("a.dbbudget.dev/b.default.pool".to_owned(), pool.to_owned())].into())
}

fn object(spec: &DatabaseLedgerSpec) -> DynamicObject {
    let object = DatabaseLedger::new("shop", spec.clone());
    serde_json::from_value(serde_json::to_value(object).expect("JSON")).expect("an object")
}

fn some() -> Ledger {
    let bounds = Bounds { allocatable: Connections::new(13), reserve: Connections::new(2), generation: 4 };
    let mut ledger = Ledger::born(bounds);
    for (place, origin) in ORIGINS.iter().enumerate() {
        let ends = [(Origin::Drain, Moment(2_000)), (Origin::Reserved, Moment(9_000))];
        let until = ends.into_iter().find(|(ending, _)| ending == origin).map(|(_, at)| at);
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
    let read = stored_ledger(&object(&spec)).expect("it is one");
    assert_eq!((ledger(&read), Beside::of(&read)), (before, beside()));
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
fn values_whose_hashes_are_the_same_have_keys_of_their_own() {
    let mut keys = Keys::default();
    let first = keys.of(&told("3")).expect("some");
    keys.0.insert(first.clone(), [("other".to_owned(), "1".to_owned())].into());
    let second = keys.of(&told("3")).expect("some");
    assert_ne!(first, second);
    assert_eq!((keys.of(&told("3")).as_ref(), keys.0[&second].len()), (Some(&second), 1));
}

#[test]
fn what_cannot_be_read_is_named() {
    let mut spec = ledger_spec(&some(), &beside());
    let mut broken = object(&spec);
    broken.data["spec"]["entries"]["uid-2"] = "shop/api".into();
    let error = stored_ledger(&broken).expect_err("no line");
    assert!(error.starts_with("spec.entries.uid-2: found \"shop/api\": no number of connections; "), "{error}");
    spec.values.clear();
    for field in ["spec.entries.uid-0", "spec.quarantine.uid-1.entry"] {
        let error = stored_ledger(&object(&spec)).expect_err("nobody knows what to write");
        assert!(error.starts_with(&format!("{field}: found values=")), "{error}");
        spec.entries.clear();
    }
}
