//! One client: how it is run, and what the catalogue lets one expect of it.

use dbbudget::catalogue::{Catalogue, Effect, Family, Preset};

use crate::load::Request;
use crate::pod::Pod;

/// A client as it is usually run.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its entry in the catalogue.
    pub client: &'static str,
    /// Its command, a word between spaces. `{web}`, `{prefect}` and `{mlflow}` are the programs of a Python environment,
    /// `{clients}` is all that is installed, `{here}` this folder, and `{port}` where it is to listen.
    pub command: &'static str,
    /// Its URL; `{at}` is role, password, host, port and database.
    pub url: &'static str,
    /// The variable that holds the URL.
    pub url_in: &'static str,
    /// Further variables.
    pub env: &'static [(&'static str, &'static str)],
    /// More of its engine in the claim.
    pub engine: &'static str,
    /// Who makes it work.
    pub load: Load,
    /// Connections that it may share with nobody; nothing where nothing outside its code sets how much it opens.
    pub share: Option<u32>,
    /// Whether it opens all that it may as written. Otherwise it opens one whole engine, and the rest is its own matter.
    pub exact: bool,
}

/// Who makes a client work.
#[derive(Clone, Copy)]
pub enum Load {
    /// It does so itself.
    OfItsOwn,
    /// It is a server. Its queries wait on these tables, which are locked once it is up.
    Http { ready: &'static str, requests: &'static [Request], tables: &'static str },
    /// It takes tasks from a queue that this program fills.
    Tasks(&'static str),
}

/// What most have in common.
pub const LIBRARY: Case = Case {
    client: "",
    command: "",
    url: "postgres://{at}",
    url_in: "DATABASE_URL",
    env: &[],
    engine: "",
    load: Load::OfItsOwn,
    share: None,
    exact: true,
};

impl Case {
    /// Its entry.
    pub fn preset(&self) -> &'static Preset {
        Catalogue::builtin().client(self.client).unwrap_or_else(|| panic!("{} is not in the catalogue", self.client))
    }

    /// As the API server would get it.
    pub fn pod(&self, at: &str, port: u16) -> Pod {
        Pod::new(self, &self.url.replace("{at}", at), port)
    }

    /// The same, with a parameter in its URL.
    pub fn pod_with(&self, parameters: &[&str], at: &str, port: u16) -> Pod {
        let url = self.url.replace("{at}", at);
        let joint = if url.contains('?') { '&' } else { '?' };
        let list: Vec<String> = parameters.iter().map(|name| format!("{name}=2")).collect();
        Pod::new(self, &format!("{url}{joint}{}", list.join("&")), port)
    }

    /// URL parameters that have this effect by the catalogue: those that it names, and one of another client. Which
    /// server runs a library makes no difference to its URL.
    pub fn parameters(&self, effect: Effect) -> Vec<&'static str> {
        if !matches!(self.load, Load::OfItsOwn) && self.preset().family != Family::Application {
            return Vec::new();
        }
        let url = &self.preset().url;
        let named = url.fatal.iter().chain(&url.useless).map(String::as_str);
        let all = named.chain(["connection_limit"]);
        let mut found: Vec<_> = all.filter(|name| Catalogue::builtin().effect(self.preset(), name) == effect).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}
