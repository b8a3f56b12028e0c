//! One line of a ledger: `shop/api-7d9c5-4wjgd 3 2026-11-26T09:40:00Z values=9f3a1c02`. Each write sends and stores all of
//! them, so they are as short as a person can read.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize, Serializer};

use crate::api::workload::Source;
pub use crate::budget::ledger::Origin;

/// All of them.
pub const ORIGINS: [Origin; 7] =
    [Origin::Granted, Origin::Adopted, Origin::Escaped, Origin::Freed, Origin::Drain, Origin::Reserved, Origin::Budget];

/// By its name, as in a line.
impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

/// Connections given to one pod.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Entry {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod, or of what holds the connections instead.
    pub name: String,
    /// Connections it may hold.
    pub connections: i32,
    /// When the entry was made.
    pub since: Time,
    /// Why the entry is there.
    pub origin: Origin,
    /// What it counts against.
    pub source: Source,
    /// Under which key the ledger has the annotations to write when the gate is removed; nothing: there are none.
    pub values: Option<String>,
    /// When the entry ends by itself (Drain, Reserved).
    pub until: Option<Time>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name, connections, since, origin, source, values, until } = self;
        write!(f, "{namespace}/{name} {connections} {}", since.0)?;
        if *origin != Origin::default() {
            write!(f, " origin={origin:?}")?;
        }
        if *source != Source::default() {
            write!(f, " source={source:?}")?;
        }
        if let Some(values) = values {
            write!(f, " values={values}")?;
        }
        until.iter().try_for_each(|until| write!(f, " until={}", until.0))
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for Entry {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).map_err(|what| {
            format!("found {text:?}: {what}; expected NAMESPACE/NAME CONNECTIONS SINCE [origin=] [source=] [values=] [until=]")
        })
    }
}

fn read(text: &str) -> Result<Entry, String> {
    let mut words = text.split(' ');
    let mut next = |what: &str| words.next().filter(|word| !word.is_empty()).ok_or_else(|| format!("no {what}"));
    let (of, connections, since) = (next("name")?, next("number of connections")?, next("time")?);
    let of = of.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
    let (namespace, name) = of.ok_or("its name is not NAMESPACE/NAME")?;
    let number = connections.parse().ok().filter(|n| *n >= 0);
    let mut entry = Entry {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        connections: number.ok_or_else(|| format!("{connections:?} is no number of connections"))?,
        since: time(since)?,
        origin: Origin::default(),
        source: Source::default(),
        values: None,
        until: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("origin", name)) => entry.origin = named(name, &ORIGINS)?,
            Some(("source", name)) => entry.source = named(name, &[Source::Allocatable, Source::Reserve])?,
            Some(("values", key)) => entry.values = Some(key.to_owned()),
            Some(("until", at)) => entry.until = Some(time(at)?),
            _ => return Err(format!("{word:?} is unknown")),
        }
    }
    match (entry.origin, &entry.until) {
        (Origin::Drain | Origin::Reserved, None) => Err(format!("{:?} has no until=", entry.origin)),
        (Origin::Drain | Origin::Reserved, Some(_)) | (_, None) => Ok(entry),
        (_, Some(_)) => Err(format!("{:?} has no end, so no until=", entry.origin)),
    }
}

fn named<T: Copy + fmt::Debug>(name: &str, all: &[T]) -> Result<T, String> {
    let found = all.iter().find(|one| format!("{one:?}") == name);
    found.copied().ok_or_else(|| format!("{name:?} is none of {all:?}"))
}

fn time(text: &str) -> Result<Time, String> {
    text.parse().map(Time).map_err(|error| format!("{text:?} is no time: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for line in [
            "shop/api-7d9c5-4wjgd 3 2026-11-26T09:40:00Z values=9f3a1c02",
            "shop/api-7d9c5-frnf5 3 2026-11-26T09:40:00Z origin=Adopted source=Reserve",
            "shop/migration 1 2026-11-26T11:57:00Z origin=Reserved until=2026-11-26T12:30:00Z",
        ] {
            assert_eq!(line.parse::<Entry>().map(|entry| entry.to_string()).as_deref(), Ok(line));
        }
    }

    #[test]
    fn what_is_no_line_is_told() {
        for (line, what) in [
            ("", "no name"),
            ("api 3 2026-11-26T09:40:00Z", "its name is not NAMESPACE/NAME"),
            ("shop/ 3 2026-11-26T09:40:00Z", "its name is not NAMESPACE/NAME"),
            ("shop/api 3 2026-11-26T09:40:00Z until=2026-11-26T09:41:00Z", "Granted has no end, so no until="),
            ("shop/api 3 2026-11-26T09:40:00Z origin=Drain", "Drain has no until="),
            ("shop/api -3 2026-11-26T09:40:00Z", "\"-3\" is no number of connections"),
            ("shop/api 3", "no time"),
            ("shop/api 3 today", "\"today\" is no time"),
            ("shop/api 3 2026-11-26T09:40:00Z origin=Guessed", "\"Guessed\" is none of [Granted, Adopted, "),
            ("shop/api 3 2026-11-26T09:40:00Z source=Other", "\"Other\" is none of [Allocatable, Reserve]"),
            ("shop/api 3 2026-11-26T09:40:00Z 7", "\"7\" is unknown"),
        ] {
            let error = line.parse::<Entry>().expect_err(line);
            assert!(error.starts_with(&format!("found {line:?}: {what}")), "{error}");
        }
    }
}
