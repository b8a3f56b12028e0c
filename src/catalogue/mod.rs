//! What each client software really obeys, as data. `clients.yaml` holds it, and its head explains every field.

mod check;
mod house;
mod knob;
mod preset;
mod server;
#[cfg(test)]
mod tests;

pub use check::Fault;
pub use house::{CatalogueError, HouseKnob, HousePreset, HouseUrl};
pub use knob::*;
pub use preset::*;
pub use server::*;

use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

const BUILTIN: &str = include_str!("clients.yaml");

/// All clients and server programs that are known. The built-in one, or that extended with a budget's `spec.clients`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    servers: Vec<Server>,
    clients: Vec<Preset>,
}

/// What a URL parameter does to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It sets a quantity, or is a switch that the catalogue knows.
    Obeyed,
    /// The client cannot connect with it.
    Fatal,
    /// It looks like a cap and is none.
    Useless,
    /// A pool parameter of another client; nobody tried it here.
    Unverified,
    /// Nothing to do with pools: `sslmode`, `connect_timeout`.
    Unrelated,
}

impl Catalogue {
    /// The catalogue that comes with dbbudget.
    #[must_use]
    pub fn builtin() -> &'static Catalogue {
        #[expect(clippy::expect_used, reason = "the file is part of the program, and a test parses it")]
        static BUILTIN_CATALOGUE: LazyLock<Catalogue> =
            LazyLock::new(|| serde_yaml::from_str(BUILTIN).expect("clients.yaml is part of the program and parses"));
        &BUILTIN_CATALOGUE
    }

    /// The client of this name.
    #[must_use]
    pub fn client(&self, name: &str) -> Option<&Preset> {
        self.clients.iter().find(|client| client.name == name)
    }

    /// The server program of this name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.name == name)
    }

    /// All clients, grouped by family and by name within each; a house's own come last.
    pub fn clients(&self) -> impl Iterator<Item = &Preset> {
        self.clients.iter()
    }

    /// All server programs.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter()
    }

    /// The client whose name is most like this one, if any is like it.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let wanted = name.to_lowercase();
        let likeness = |client: &&Preset| strsim::jaro_winkler(&wanted, &client.name);
        let best = self.clients.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        (likeness(&best) > 0.75).then_some(best.name.as_str())
    }

    /// What a URL parameter does to a client. Exact names, as clients compare them.
    #[must_use]
    pub fn effect(&self, client: &Preset, parameter: &str) -> Effect {
        let url = &client.url;
        let has = |names: &[String]| names.iter().any(|name| name == parameter);
        let own = url.env.iter().flat_map(|variable| &variable.parameters);
        if url.parameters.iter().chain(own).any(|knob| knob.is_called(parameter)) {
            Effect::Obeyed
        } else if has(&url.fatal) {
            Effect::Fatal
        } else if has(&url.useless) {
            Effect::Useless
        } else if !self.is_pool_parameter(parameter) {
            Effect::Unrelated
        } else {
            match url.unknown {
                UnknownParameter::Fatal => Effect::Fatal,
                UnknownParameter::Ignored => Effect::Useless,
                UnknownParameter::Unverified => Effect::Unverified,
            }
        }
    }

    /// Whether some client has a pool parameter of this name, or one is widely believed to have it.
    fn is_pool_parameter(&self, parameter: &str) -> bool {
        parameter == "max_overflow"
            || self.clients.iter().any(|client| {
                let mut sizes = client.url.parameters.iter().filter(|knob| knob.sizes_engine());
                sizes.any(|knob| knob.is_called(parameter)) || client.url.useless.iter().any(|name| name == parameter)
            })
    }

    /// This catalogue with a house's own clients. An entry of a name that is known replaces it, and may extend it.
    ///
    /// # Errors
    /// A name given twice, an unknown or circular `extends`, or an entry that breaks the catalogue's rules.
    pub fn extended_with(&self, house: &[HousePreset]) -> Result<Catalogue, CatalogueError> {
        house::extend(self, house)
    }
}
