//! The settings of one container, each with its number.

use serde_json::{Map, Value as Json};

use super::container::{Changes, UrlChange};
use super::inject::Drawn;
use super::keys;
use crate::assess::injection::Share;
use crate::assess::settings::{Place, Setting, UrlPlace, Value};
use crate::assess::shape::Built;
use crate::budget::connections::Connections;
use crate::budget::shape::{Container, Lowered};
use crate::catalogue::Quantity;
use crate::workload::control::Control;

/// When a number is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Binding {
    /// As the container starts, by an annotation of its pod.
    #[default]
    Late,
    /// As it is written.
    Now,
}

/// Writes the settings of one container.
pub(super) struct Settling<'a> {
    pub drawn: &'a Drawn<'a>,
    pub container: &'a Container,
    pub built: &'a Built,
    pub per_pod: Connections,
    pub changes: &'a mut Changes,
    pub annotations: &'a mut Map<String, Json>,
    pub binding: Binding,
}

impl Settling<'_> {
    /// Lowers the processes, by the flag or variable that sets them.
    pub fn processes(&mut self) {
        let (Lowered::To(processes), Some(control)) = (self.container.lowered, &self.built.control) else { return };
        match control {
            Control::Variable(name) => self.variable(name, "", Quantity::Processes, u64::from(processes)),
            Control::Flag { spot, .. } => {
                let text = self.number("", Quantity::Processes, u64::from(processes));
                self.changes.word(spot.clone(), text);
            }
        }
    }

    /// Sets a variable to a number.
    fn variable(&mut self, name: &str, engine: &str, quantity: Quantity, number: u64) {
        match self.binding {
            Binding::Now => self.changes.fixed(name, &number.to_string()),
            Binding::Late => {
                let key = self.annotation(engine, quantity, number);
                self.changes.bound(name, &key);
            }
        }
    }

    /// A number as it is written within a URL or a word.
    fn number(&mut self, engine: &str, quantity: Quantity, number: u64) -> String {
        if self.binding == Binding::Now {
            return number.to_string();
        }
        let variable = keys::variable(&self.drawn.budget.name.name, engine, quantity);
        let key = self.annotation(engine, quantity, number);
        self.changes.bound(&variable, &key);
        format!("$({variable})")
    }

    fn annotation(&mut self, engine: &str, quantity: Quantity, number: u64) -> String {
        let key = keys::annotation(&self.built.name, &self.drawn.budget.name.name, engine, quantity);
        self.annotations.insert(key.clone(), number.to_string().into());
        key
    }

    pub fn engines(&mut self, limits: &[Option<u32>]) {
        let engines = self.built.engines.iter().zip(&self.container.engines);
        for ((built, engine), limit) in engines.zip(limits) {
            let split = limit.filter(|_| built.is_sized()).map(|limit| engine.split(limit));
            let share = Share { split, container: self.container, per_pod: self.per_pod };
            for setting in &built.settings.all {
                self.setting(setting, &engine.name, &share);
            }
        }
    }

    fn setting(&mut self, setting: &Setting, engine: &str, share: &Share) {
        let Value::Number { quantity, zero } = &setting.value else { return self.constant(setting) };
        let Some(number) = share.number(*quantity).filter(|n| *n > 0 || *zero) else { return };
        if setting.place == Place::Variable {
            return self.variable(&setting.name, engine, *quantity, number);
        }
        let text = self.number(engine, *quantity, number);
        self.text(setting, text);
    }

    fn constant(&mut self, setting: &Setting) {
        match (&setting.place, &setting.value) {
            (Place::Variable, Value::Fixed(value)) => self.changes.fixed(&setting.name, value),
            // A manifest is read by people, and has only what it needs.
            (Place::Variable, Value::PodName) if self.binding == Binding::Late => self.changes.pod_name(&setting.name),
            (_, Value::Fixed(value)) => self.text(setting, value.clone()),
            (_, Value::PodName | Value::Number { .. }) => {}
        }
    }

    /// Writes text into a URL or a word.
    fn text(&mut self, setting: &Setting, text: String) {
        match &setting.place {
            Place::Variable => {}
            Place::Parameter { variable, url } => {
                let how = match url {
                    UrlPlace::Seen => UrlChange::InPlace,
                    UrlPlace::Key(joint) => UrlChange::Renamed(*joint),
                    UrlPlace::Keys(joint) => UrlChange::Over(*joint),
                };
                self.changes.parameter(variable, how, &setting.name, text);
            }
            Place::Flag(spot) => self.changes.word(spot.clone(), text),
            Place::NewFlag(end) => self.changes.flag(*end, format!("{}={text}", setting.name)),
        }
    }
}
