//! What people ask dbbudget to keep for them for a while. Ledgers are dbbudget's alone, so they ask by an annotation of the
//! budget, which they may edit; the leader makes an entry of it when it fits.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

/// The annotation: a JSON list.
pub const RESERVED: &str = "dbbudget.dev/reserved";
/// More than people keep at the same time; a ledger has room for pods.
const MOST: usize = 50;
/// As in every number of connections.
const LARGEST: u32 = 1_000_000;

/// Connections that somebody keeps until a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reservation {
    /// What people call it; no two of a budget have the same.
    pub name: String,
    /// How many.
    pub connections: u32,
    /// When they come back by themselves.
    pub until: Time,
}

impl Reservation {
    /// The key of its entry. An entry never changes, so one that says something else is another one.
    #[must_use]
    pub fn key(&self) -> String {
        format!("reserved/{}/{}/{}", self.name, self.connections, self.until.0.as_second())
    }
}

/// Reads what is asked for.
///
/// # Errors
/// What is wrong with the annotation, in words.
pub fn read(annotations: Option<&BTreeMap<String, String>>) -> Result<Vec<Reservation>, String> {
    let Some(text) = annotations.and_then(|all| all.get(RESERVED)) else { return Ok(Vec::new()) };
    let read: Result<Vec<Reservation>, _> = serde_json::from_str(text);
    let asked =
        read.map_err(|error| format!("the annotation {RESERVED} is not what `dbbudget reserve` writes: {error}"))?;
    let names: BTreeSet<&str> = asked.iter().map(|one| one.name.as_str()).collect();
    let wrong = |what: &str| Err(format!("the annotation {RESERVED} {what}"));
    if names.len() < asked.len() {
        return wrong("has a name twice");
    }
    if asked.len() > MOST {
        return wrong(&format!("has more than {MOST} reservations"));
    }
    if asked.iter().any(|one| !(1..=LARGEST).contains(&one.connections)) {
        return wrong(&format!("asks for a number that is not between 1 and {LARGEST}"));
    }
    match names.iter().find(|name| !is_name(name)) {
        Some(name) => wrong(&format!("has the name {name:?}, which is not made of at most 63 of a-z, 0-9, - and .")),
        None => Ok(asked),
    }
}

/// Writes it; nothing: the annotation is not needed.
#[must_use]
pub fn written(asked: &[Reservation]) -> Option<String> {
    if asked.is_empty() { None } else { serde_json::to_string(asked).ok() }
}

/// Whether this may be the name of a reservation: what may be the name of an object, so that it fits where pods stand.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    (1..=63).contains(&name.len()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Reservation>, String> {
        read(Some(&BTreeMap::from([(RESERVED.to_owned(), text.to_owned())])))
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let text = r#"[{"name":"psql","connections":2,"until":"2026-11-26T12:30:00Z"}]"#;
        let read = of(text).expect("a reservation");
        assert_eq!((read.len(), read[0].key().as_str()), (1, "reserved/psql/2/1795696200"));
        assert_eq!(written(&read).as_deref(), Some(text));
        assert_eq!((written(&[]), super::read(None)), (None, Ok(Vec::new())));
    }

    #[test]
    fn what_nobody_can_keep_is_refused_as_a_whole() {
        let one = |name: &str, connections: &str| {
            format!(r#"{{"name":"{name}","connections":{connections},"until":"2026-11-26T12:30:00Z"}}"#)
        };
        for (text, says) in [
            ("psql", "not what"),
            (&format!("[{}]", one("psql", "0")), "not between"),
            (&format!("[{}]", one("psql", "1000001")), "not between"),
            (&format!("[{}]", one("psql", "-1")), "not what"),
            (&format!("[{}]", one("a/b", "1")), "a/b"),
            (&format!("[{}]", one("", "1")), "\"\""),
            (&format!("[{0},{0}]", one("psql", "1")), "twice"),
            (&format!("[{}]", (0..51).map(|n| one(&n.to_string(), "1")).collect::<Vec<_>>().join(",")), "more than 50"),
        ] {
            assert!(of(text).is_err_and(|error| error.contains(says)), "{text}");
        }
    }
}
