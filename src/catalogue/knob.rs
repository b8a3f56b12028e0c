//! What a client obeys from outside: variables, URL parameters, flags.

use serde::{Deserialize, Serialize};

/// What a number that is injected stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Quantity {
    /// Connections one engine keeps.
    Pool,
    /// Connections one engine opens on top of its pool under load.
    Overflow,
    /// Pool + overflow of one engine.
    Limit,
    /// Operating-system processes of the container.
    Processes,
    /// Threads of each process.
    Threads,
    /// Everything the pod may hold.
    Connections,
}

/// What a client makes of the number 0 in a knob. Only `Zero` may ever be injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Zero {
    /// None, as one would expect.
    Zero,
    /// No limit at all: never to be injected, an error finding where a template sets it.
    Unlimited,
    /// As if it had not been set: the default applies.
    Ignored,
    /// The client refuses to start.
    Fatal,
    /// Nobody has tried.
    #[default]
    Unverified,
}

/// Something outside the code that the client obeys: a variable, a URL parameter or a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Knob {
    /// Its name, as the client reads it; a flag with its dashes.
    pub name: String,
    /// Other names it reads. `name` wins over them, so they are read in templates and never written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What its number sets; absent where it sizes nothing and is written as `value` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Written instead of a number: a timeout, or the switch of a pool whose size is fixed (see `always`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What 0 means here.
    #[serde(default)]
    pub zero: Zero,
    /// Whether a negative number means no limit (`max_overflow=-1`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub negative_unlimited: bool,
    /// The number the client uses whatever it is told (postgres.js: 1). A share below it must not be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<u32>,
}

/// What a client does with a URL parameter that it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnknownParameter {
    /// It cannot connect at all.
    Fatal,
    /// Harmless, and useless.
    Ignored,
    /// Nobody has tried.
    #[default]
    Unverified,
}

/// Which of a repeated URL parameter counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repeated {
    /// The first one.
    First,
    /// The last one.
    Last,
    /// The client cannot connect at all.
    Fatal,
    /// Nobody has tried.
    #[default]
    Unverified,
}

/// How parameters are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Syntax {
    /// `…?name=value&name=value`
    #[default]
    Uri,
    /// `…;Name=Value` (.NET)
    Keywords,
}

/// Whether a URL that cannot be seen has a query part already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Query {
    /// Nobody said.
    #[default]
    Unknown,
    /// It has none: parameters begin with `?`.
    Absent,
    /// It has one: parameters begin with `&`.
    Present,
}

/// A variable that holds a connection URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UrlVariable {
    /// The variable.
    pub name: String,
    /// Whether its value has a query part.
    #[serde(default, skip_serializing_if = "is_default")]
    pub query: Query,
    /// Parameters of this URL alone, beside those of the client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Knob>,
}

/// How a client reads its connection URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Url {
    /// How parameters are written.
    #[serde(skip_serializing_if = "is_default")]
    pub syntax: Syntax,
    /// Variables that hold it, beside `DATABASE_URL`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<UrlVariable>,
    /// Parameters that really work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Knob>,
    /// What pool parameters of other clients do.
    pub unknown: UnknownParameter,
    /// Parameters known to be fatal, most recommended first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fatal: Vec<String>,
    /// Parameters that look like a cap and are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub useless: Vec<String>,
    /// Which of two counts.
    pub repeated: Repeated,
}

impl Knob {
    /// Whether this is its name, or another that the client reads.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Whether it sets how much one engine opens.
    #[must_use]
    pub fn sizes_engine(&self) -> bool {
        matches!(self.quantity, Some(Quantity::Pool | Quantity::Overflow | Quantity::Limit))
    }
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
