//! What dbbudget sets in a container for a share.

use std::collections::BTreeMap;

use serde::Serialize;

use super::shape::{Built, BuiltEngine};
use crate::api::parse::Budget;
use crate::api::policy::Enforcement;
use crate::budget::connections::Connections;
use crate::budget::shape::{Container, Engine};
use crate::catalogue::{Knob, Quantity, Zero};
use crate::workload::command::{flag_value, words};

/// Settings of one container, as its client reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Injection {
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Parameters, by the variable that holds the URL.
    pub url: BTreeMap<String, BTreeMap<String, String>>,
    /// Flags.
    pub args: Vec<String>,
}

/// What dbbudget sets in a container whose engines have these limits. Nothing in Observe.
#[must_use]
pub fn injection(
    budget: &Budget,
    built: &Built,
    container: &Container,
    limits: &[Option<u32>],
    per_pod: Connections,
) -> Injection {
    let mut all = Injection::default();
    if budget.enforcement == Enforcement::Observe {
        return all;
    }
    for ((engine, shape), limit) in built.engines.iter().zip(&container.engines).zip(limits) {
        // A template's number that is kept, and one that nothing outside the code sets, are not written.
        let kept = engine.keep && !(engine.written.set.is_empty() && engine.written.unseen.is_empty());
        let limit = limit.filter(|_| engine.knobs.size_engine() && !kept);
        Share { engine, shape, limit, built, container, per_pod }.add(&mut all);
    }
    all
}

/// One engine's limit, with what the quantities are computed from.
struct Share<'a> {
    engine: &'a BuiltEngine,
    shape: &'a Engine,
    limit: Option<u32>,
    built: &'a Built,
    container: &'a Container,
    per_pod: Connections,
}

impl Share<'_> {
    fn add(&self, all: &mut Injection) {
        let knobs = &self.engine.knobs;
        let flags = words(&self.built.template);
        let is_set = |knob: &Knob| {
            let name = std::slice::from_ref(&knob.name);
            self.built.template.variable(&knob.name).is_some() || flag_value(&flags, name).is_some()
        };
        let kept = |knob: &Knob| self.engine.keep && is_set(knob);
        for knob in knobs.env.iter().filter(|knob| !kept(knob)) {
            if let Some(value) = self.value(knob) {
                all.env.insert(knob.name.clone(), value);
            }
        }
        for variable in self.urls() {
            for knob in knobs.of_url(variable) {
                let Some(value) = self.value(knob) else { continue };
                all.url.entry(variable.to_owned()).or_default().insert(knob.name.clone(), value);
            }
        }
        // A variable that works makes a flag unnecessary, unless the template sets the flag, which then wins.
        let by_variable = |knob: &Knob| {
            let flagged = flag_value(&flags, std::slice::from_ref(&knob.name)).is_some();
            !flagged && knob.quantity.is_some() && knobs.env.iter().any(|k| k.quantity == knob.quantity)
        };
        for knob in knobs.args.iter().filter(|knob| !by_variable(knob) && !kept(knob)) {
            if let Some(value) = self.value(knob) {
                all.args.push(format!("{}={value}", knob.name));
            }
        }
    }

    /// The variables whose URLs carry parameters: those that the template has, else the one that it should have.
    fn urls(&self) -> Vec<&str> {
        let named: Vec<&str> = self.engine.knobs.url_env.iter().map(String::as_str).collect();
        let (there, missing): (Vec<&str>, _) =
            named.into_iter().partition(|name| self.built.template.variable(name).is_some());
        if there.is_empty() { vec![missing.first().copied().unwrap_or("DATABASE_URL")] } else { there }
    }

    /// The value of a knob; nothing where its number is not known, or would be misread.
    fn value(&self, knob: &Knob) -> Option<String> {
        let Some(quantity) = knob.quantity else { return knob.value.clone() };
        let limit = self.limit?;
        if knob.value.is_some() {
            return knob.value.clone(); // the switch of a pool whose size is fixed
        }
        let split = self.shape.split(limit);
        let number = match quantity {
            Quantity::Pool => u64::from(split.pool),
            Quantity::Overflow => u64::from(split.overflow),
            Quantity::Limit => u64::from(limit),
            Quantity::Processes => u64::from(self.container.processes.lower_bound()),
            Quantity::Threads => u64::from(self.container.threads?),
            Quantity::Connections => self.per_pod.bounded()?,
        };
        (number > 0 || knob.zero == Zero::Zero).then(|| number.to_string())
    }
}
