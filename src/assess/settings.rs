//! Which settings carry an engine's share into its container, and which cannot be carried there.

use crate::catalogue::{Knob, Preset, Quantity, Query, Repeated, Syntax, TransactionMode, Zero};
use crate::workload::command::words;
use crate::workload::engines::{Knobs, url_variables};
use crate::workload::flags::{End, Spot, Unsure, end_of, number_of};
use crate::workload::template::{Container, Origin, Shown, Variable};
use crate::workload::url::parameters;

/// One setting that carries a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where it is written.
    pub place: Place,
    /// The variable, parameter or flag.
    pub name: String,
    /// What is written.
    pub value: Value,
    /// Whether it sets how much the engine opens.
    pub sizes: bool,
}

impl Setting {
    /// Whether it writes this name and value.
    #[must_use]
    pub fn is_switch(&self, (name, value): (&str, &str)) -> bool {
        self.name == name && matches!(&self.value, Value::Fixed(fixed) if fixed == value)
    }
}

/// Where a setting is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A variable of the container.
    Variable,
    /// A parameter of the URL that a variable holds.
    Parameter {
        /// The variable.
        variable: String,
        /// How its value is extended.
        url: UrlPlace,
    },
    /// A flag that stands in the container's words: its number is replaced there.
    Flag(Spot),
    /// A flag that is added.
    NewFlag(End),
}

/// How a URL is extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlPlace {
    /// It stands in the template: the parameter is merged into its query.
    Seen,
    /// It is a key of a Secret or ConfigMap: what is added begins with this character.
    Key(char),
    /// It comes from an `envFrom`: what is added begins with this character.
    Keys(char),
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number of the share.
    Number {
        /// Which one.
        quantity: Quantity,
        /// Whether 0 means 0 here; elsewhere it is never written.
        zero: bool,
    },
    /// As it stands.
    Fixed(String),
    /// The name of the pod, by which its connections are told from others.
    PodName,
}

/// A setting that cannot be carried into the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The variable that it would have been written to; empty: a flag.
    pub variable: String,
    /// Why it is not, in words.
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// The settings of one engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What is written.
    pub all: Vec<Setting>,
    /// What is not.
    pub undelivered: Vec<Undelivered>,
}

impl Settings {
    /// Whether something outside the code sets how much the engine opens.
    #[must_use]
    pub fn size_engine(&self) -> bool {
        self.all.iter().any(|setting| setting.sizes)
    }
}

/// What the settings of an engine are found from.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The container.
    pub container: &'a Container,
    /// What sizes the engine.
    pub knobs: &'a Knobs,
    /// Its preset.
    pub preset: Option<&'a Preset>,
    /// What the template sets stays as it is.
    pub keep: bool,
    /// The database is reached through a pooler in transaction mode.
    pub transaction: bool,
}

impl Wanted<'_> {
    /// Finds them.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let mut found = Settings::default();
        self.variables(&mut found);
        self.urls(&mut found);
        self.flags(&mut found);
        found
    }

    fn variables(&self, found: &mut Settings) {
        let set = |name: &str| self.container.variable(name).is_some();
        for knob in self.knobs.env.iter().filter(|knob| !(self.keep && set(&knob.name))) {
            found.all.extend(setting(knob, Place::Variable));
        }
        // A switch or a name that the template sets, or may set unseen, is the owner's.
        for (name, value) in self.switches(|t| &t.env).filter(|(name, _)| !set(name)) {
            let place = Place::Variable;
            found.all.push(Setting { place, name: name.into(), value: Value::Fixed(value.into()), sizes: false });
        }
        let named = self.preset.and_then(|p| p.connection_name.env.as_ref());
        if let Some(name) = named.filter(|name| !set(name) && self.container.env_from.is_empty()) {
            let (place, value) = (Place::Variable, Value::PodName);
            found.all.push(Setting { place, name: name.clone(), value, sizes: false });
        }
    }

    /// The pairs `name=value` that transaction mode asks for.
    fn switches(&self, of: fn(&TransactionMode) -> &Vec<String>) -> impl Iterator<Item = (&str, &str)> {
        let mode = self.preset.and_then(|p| p.transaction.as_ref()).filter(|_| self.transaction);
        mode.into_iter().flat_map(of).filter_map(|pair| pair.split_once('='))
    }

    fn urls(&self, found: &mut Settings) {
        let switches: Vec<Setting> =
            self.switches(|t| &t.url).map(|(name, value)| fixed_parameter(name, value)).collect();
        let wants = |variable: &str| self.knobs.of_url(variable).next().is_some() || !switches.is_empty();
        let sizes = |variable: &str| self.knobs.of_url(variable).any(Knob::sizes_engine);
        let variables = self.url_names();
        if variables.is_empty() && sizes("DATABASE_URL") {
            let why = "no variable of the container is known to hold its connection URL".to_owned();
            let fix = "say which one under inject.url, with query: Absent or Present if it comes from elsewhere".into();
            found.undelivered.push(Undelivered { variable: String::new(), why, fix });
        }
        for variable in variables.iter().filter(|variable| wants(variable)) {
            match self.url_place(variable) {
                Ok(url) => {
                    let place = || Place::Parameter { variable: variable.clone(), url };
                    let knobs = self.knobs.of_url(variable).filter(|knob| !(self.keep && self.has(variable, knob)));
                    found.all.extend(knobs.filter_map(|knob| setting(knob, place())));
                    found.all.extend(switches.iter().map(|s| Setting { place: place(), ..s.clone() }));
                }
                Err((why, fix)) if sizes(variable) => {
                    found.undelivered.push(Undelivered { variable: variable.clone(), why, fix });
                }
                Err(_) => {} // only a switch, which has a finding of its own
            }
        }
    }

    /// Whether a URL in plain sight has a parameter.
    fn has(&self, variable: &str, knob: &Knob) -> bool {
        let pairs = self.container.value(variable).and_then(parameters).unwrap_or_default();
        pairs.pairs.iter().any(|(name, _)| knob.is_called(name))
    }

    /// The variables that hold the connection URL: those the preset or the claim names, `DATABASE_URL`, or the only
    /// one that looks like it.
    fn url_names(&self) -> Vec<String> {
        let listed = self.knobs.url_env.iter().map(|v| v.name.as_str()).chain(["DATABASE_URL"]);
        let mut names: Vec<String> = Vec::new();
        for name in listed {
            let there = self.container.variable(name).is_some();
            if (there || self.stated(name) != Query::Unknown) && !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
        if names.is_empty() {
            let mut others = url_variables(self.container, &self.knobs.url_env).map(|(name, _)| name.to_owned());
            names.extend(others.next().filter(|_| others.next().is_none()));
        }
        names
    }

    /// What is said of the query of a URL that cannot be seen.
    fn stated(&self, variable: &str) -> Query {
        self.knobs.url_env.iter().find(|v| v.name == variable).map(|v| v.query).unwrap_or_default()
    }

    /// How the URL of a variable is extended, or why it is not, and what to do.
    fn url_place(&self, name: &str) -> Result<UrlPlace, (String, String)> {
        let syntax = self.preset.map(|p| p.url.syntax).unwrap_or_default();
        let variable = self.container.env.iter().rev().find(|v| v.name == name);
        let by_key = match variable {
            Some(Variable { origin: Origin::Literal, value: Shown::Value(text), .. }) => {
                return match parameters(text) {
                    Some(_) => Ok(UrlPlace::Seen),
                    None => Err((format!("{name} is no connection URL that can be read"), "correct the URL".into())),
                };
            }
            Some(Variable { origin: Origin::Key { optional: true }, .. }) => {
                let why = format!("{name} comes from a key that is marked optional, and may be missing");
                return Err((why, "remove optional: true, or say max in the claim".into()));
            }
            Some(Variable { origin: Origin::Key { optional: false }, .. }) => true,
            Some(Variable { origin: Origin::Keys, .. }) | None if !self.container.env_from_optional => false,
            Some(Variable { origin: Origin::Keys, .. }) | None => {
                let why = format!("{name} may come from an envFrom that is marked optional, and may be missing");
                return Err((why, "remove optional: true, or say max in the claim".into()));
            }
            Some(_) => return Err((format!("{name} comes from the downward API"), "say max in the claim".into())),
        };
        let (query, repeated) = (self.stated(name), self.preset.map(|p| p.url.repeated).unwrap_or_default());
        let joint = match (syntax, query, repeated) {
            (_, Query::Unknown, _) => {
                let why = format!("{name} cannot be seen, and whether it has a query (?name=value) is not said");
                let fix = format!("say so in the claim: inject.url: [{{env: {name}, query: Absent or Present, …}}]");
                return Err((why, fix));
            }
            (_, Query::Present, Repeated::Fatal) => {
                let why =
                    format!("{name} may have the parameter already, and a second one keeps the client from connecting");
                return Err((why, "put the parameter into the URL, or give a URL without a query".into()));
            }
            (Syntax::Keywords, ..) => ';',
            (Syntax::Uri, Query::Absent, _) => '?',
            (Syntax::Uri, Query::Present, _) => '&',
        };
        Ok(if by_key { UrlPlace::Key(joint) } else { UrlPlace::Keys(joint) })
    }

    fn flags(&self, found: &mut Settings) {
        let flags = words(self.container);
        for knob in &self.knobs.args {
            let names = std::slice::from_ref(&knob.name);
            let set = flags.iter().any(|word| word.split('=').next() == Some(knob.name.as_str()));
            // A variable that works makes a flag unnecessary, unless the template sets the flag, which then wins.
            let by_variable =
                !set && knob.quantity.is_some() && self.knobs.env.iter().any(|k| k.quantity == knob.quantity);
            if by_variable || (set && self.keep) {
                continue;
            }
            let place = match number_of(self.container, names) {
                Ok(Some(spot)) => Ok(Place::Flag(spot)),
                Ok(None) if set => Err(Unsure::NoNumber),
                Ok(None) => end_of(self.container).map(Place::NewFlag),
                Err(unsure) => Err(unsure),
            };
            match place {
                Ok(place) => found.all.extend(setting(knob, place)),
                Err(unsure) => found.undelivered.push(not_a_flag(&knob.name, unsure)),
            }
        }
    }
}

fn not_a_flag(flag: &str, unsure: Unsure) -> Undelivered {
    let why = match unsure {
        Unsure::Repeated => format!("{flag} stands in the command more than once"),
        Unsure::NoNumber => format!("{flag} is not followed by a plain number"),
        Unsure::NoPlace => format!("where {flag} belongs in the command is not certain"),
    };
    Undelivered { variable: String::new(), why, fix: format!("write {flag} and a number into the container's args") }
}

fn setting(knob: &Knob, place: Place) -> Option<Setting> {
    let value = match (&knob.value, knob.quantity) {
        (Some(value), _) => Value::Fixed(value.clone()), // also the switch of a pool whose size is fixed
        (None, Some(quantity)) => Value::Number { quantity, zero: knob.zero == Zero::Zero },
        (None, None) => return None,
    };
    Some(Setting { place, name: knob.name.clone(), value, sizes: knob.sizes_engine() })
}

fn fixed_parameter(name: &str, value: &str) -> Setting {
    Setting { place: Place::Variable, name: name.to_owned(), value: Value::Fixed(value.to_owned()), sizes: false }
}
