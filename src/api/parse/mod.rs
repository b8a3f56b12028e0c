//! Objects as they were written, parsed once into types that need no second look. No I/O.
//!
//! Ranges, patterns and what fields forbid each other are the schema's: the API server holds objects to it, and
//! [`super::check()`] does for manifests that no server has seen. What is refused here is what no schema can know (a
//! client that is in no catalogue), and what an object stored before a rule existed would be misread as.

mod budget;
mod capacity;
mod entry;
mod house;
mod injected;
mod ledger;

use std::fmt;

pub use budget::{Budget, Capacity, Claim, LetIn, Outside, OutsideOf, budget, claim, unknown_clients};
pub use entry::{Container, Engine, Entry, Number, Selector, Target, Which};
pub use injected::{Injected, Setting, SettingValue, UrlSettings};
pub use ledger::{Beside, Place, UNBOUNDED, ledger, ledger_spec, stored_ledger};

/// Namespace and name of a budget or claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Name {
    /// A name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", dotted(pointer))]
pub struct Fault {
    /// JSON pointer to the field.
    pub pointer: String,
    /// What was found, what is allowed.
    pub what: String,
}

/// `/spec/workloads/0/name` as people write it, `spec.workloads[0].name: `, and nothing for the object itself.
fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match step.parse::<usize>() {
            Ok(index) => text.extend(["[", &index.to_string(), "]"]),
            Err(_) if text.is_empty() => text.push_str(&step),
            Err(_) => text.extend([".", &step]),
        }
    }
    if text.is_empty() { text } else { text + ": " }
}

/// Collects faults, so that all are reported and not the first alone.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, pointer: impl Into<String>, what: impl Into<String>) {
        self.0.push(Fault { pointer: pointer.into(), what: what.into() });
    }

    fn done<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// A number that the schema keeps from being negative.
fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}
