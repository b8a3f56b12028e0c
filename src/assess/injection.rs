//! What dbbudget sets in a container for a share.

use std::collections::BTreeMap;

use serde::Serialize;

use super::settings::{Place, Setting, Value};
use super::shape::Built;
use crate::api::parse::Budget;
use crate::api::policy::Enforcement;
use crate::budget::connections::Connections;
use crate::budget::shape::{Container, Lowered, Split};
use crate::catalogue::Quantity;
use crate::workload::control::Control;

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
    if let (Lowered::To(processes), Some(control)) = (container.lowered, &built.control) {
        match control {
            Control::Variable(name) => drop(all.env.insert(name.clone(), processes.to_string())),
            Control::Flag { name, .. } => all.args.push(format!("{name}={processes}")),
        }
    }
    for ((engine, shape), limit) in built.engines.iter().zip(&container.engines).zip(limits) {
        let limit = limit.filter(|_| engine.is_sized());
        let share = Share { split: limit.map(|limit| shape.split(limit)), container, per_pod };
        for setting in &engine.settings.all {
            all.add(setting, &share);
        }
    }
    all
}

impl Injection {
    fn add(&mut self, setting: &Setting, share: &Share) {
        let Some(value) = share.value(&setting.value) else { return };
        let name = setting.name.clone();
        match &setting.place {
            Place::Variable => {
                self.env.insert(name, value);
            }
            Place::Parameter { variable, .. } => {
                self.url.entry(variable.clone()).or_default().insert(name, value);
            }
            Place::Flag(_) | Place::NewFlag(_) => self.args.push(format!("{name}={value}")),
        }
    }
}

/// What the numbers of one engine's settings are computed from.
#[derive(Clone, Copy)]
pub struct Share<'a> {
    /// The engine's limit; nothing where no share sets it.
    pub split: Option<Split>,
    /// Its container, with the processes and threads that it runs.
    pub container: &'a Container,
    /// What the pod holds.
    pub per_pod: Connections,
}

impl Share<'_> {
    /// A number of the share; nothing where it is not known, or no share sets it.
    #[must_use]
    pub fn number(&self, quantity: Quantity) -> Option<u64> {
        let split = self.split?;
        Some(match quantity {
            Quantity::Pool => u64::from(split.pool),
            Quantity::Overflow => u64::from(split.overflow),
            Quantity::Limit => u64::from(split.pool) + u64::from(split.overflow),
            Quantity::Processes => u64::from(self.container.processes()),
            Quantity::Threads => u64::from(self.container.threads?),
            Quantity::Connections => self.per_pod.bounded()?,
        })
    }

    fn value(&self, value: &Value) -> Option<String> {
        match value {
            Value::Number { quantity, zero } => {
                self.number(*quantity).filter(|n| *n > 0 || *zero).map(|number| number.to_string())
            }
            Value::Fixed(value) => Some(value.clone()),
            Value::PodName => Some("the name of the pod".into()),
        }
    }
}
