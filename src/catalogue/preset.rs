//! What the catalogue says of one client. `clients.yaml` holds the data; its head explains it.

use super::{Knob, Url};
use serde::{Deserialize, Serialize};

/// How certain an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Run against a real server by `tests/clients`, and its sessions counted.
    Measured,
    /// Read in the source of the version named, not run.
    Read,
    /// Taken from the project's documentation or an older copy of its source.
    Cited,
    /// Follows from what it is built on; nobody has looked.
    Unverified,
}

/// A default that follows the node's CPUs: `CPUs × times + plus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PerNodeCpu {
    /// Connections per CPU.
    pub times: u32,
    /// And this many more.
    #[serde(default)]
    pub plus: u32,
}

/// One client-side pool as the client opens it when nothing is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineDefaults {
    /// Engines per process.
    #[serde(default = "one")]
    pub count: u32,
    /// Connections it keeps by default; absent: it opens as many as it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<u32>,
    /// Connections it opens on top by default.
    #[serde(default)]
    pub overflow: u32,
    /// The default follows the node's CPUs, and is `pool` at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_node_cpu: Option<PerNodeCpu>,
    /// The smallest limit that is safe.
    #[serde(default = "one")]
    pub min: u32,
    /// How a limit is split: overflow = floor(limit × percent ÷ 100).
    #[serde(default)]
    pub overflow_percent: u8,
    /// Whether it holds one connection per thread, so never more than its threads.
    #[serde(default)]
    pub per_thread: bool,
    /// Whether it opens its whole pool before the first query.
    #[serde(default)]
    pub eager: bool,
}

/// Connections outside the engines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Extra {
    /// Of each process: LISTEN, a heartbeat.
    pub per_process: u32,
    /// Of the pod as a whole.
    pub per_pod: u32,
    /// Settings that change these numbers; the first that matches the template counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<ExtraWhen>,
    /// What they are, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub what: String,
}

/// The extra connections under one setting of the template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtraWhen {
    /// `NAME=value` of the environment (value compared without case), or a flag such as `--no-services`.
    pub setting: String,
    /// Of each process, then.
    #[serde(default)]
    pub per_process: u32,
    /// Of the pod, then.
    #[serde(default)]
    pub per_pod: u32,
    /// Engines per process, then; absent: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engines: Option<u32>,
}

/// Whether a client works behind a pooler in transaction mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// As it is.
    Nothing,
    /// With the switch.
    Switch,
}

/// What a client needs behind a pooler in transaction mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransactionMode {
    /// Whether there is anything to do.
    pub needs: Need,
    /// URL parameters, `name=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub url: Vec<String>,
    /// Variables, `NAME=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// What to change in the code, where nothing outside it helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What breaks without it, or why nothing does.
    pub why: String,
}

/// How to give a client's connections a name that the server shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ConnectionName {
    /// The URL parameter that works, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The environment variable that works, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
}

/// The groups in which clients are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// Python libraries.
    Python,
    /// Node libraries.
    Node,
    /// Go libraries.
    Go,
    /// Rust libraries.
    Rust,
    /// JVM frameworks.
    Java,
    /// Ruby libraries.
    Ruby,
    /// .NET, Elixir, PHP.
    Other,
    /// Programs that are run as they come.
    Application,
    /// A budget's own (`spec.clients`).
    House,
}

/// One client software: what it opens, and what it obeys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preset {
    /// The name that `client:` refers to.
    pub name: String,
    /// Where it is listed.
    pub family: Family,
    /// For people.
    pub title: String,
    /// How certain this entry is.
    pub evidence: Evidence,
    /// The version looked at.
    pub version: String,
    /// Where the facts come from.
    pub source: String,
    /// What one should know before using it.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Each of its engines.
    pub engine: EngineDefaults,
    /// Variables it obeys. Where several set one quantity, each is written.
    #[serde(default)]
    pub env: Vec<Knob>,
    /// Its URL.
    #[serde(default)]
    pub url: Url,
    /// Flags it obeys. One that the template sets is rewritten there, for it beats the variable; a flag is added only
    /// where no variable sets its quantity.
    #[serde(default)]
    pub args: Vec<Knob>,
    /// The program that runs it, by its name in `servers`; absent: whatever the template's command is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Processes when the template's command is not a known server: 1 for runtimes that never fork (Go, the JVM);
    /// absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Connections outside the engines.
    #[serde(default)]
    pub extra: Extra,
    /// What transaction mode needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<TransactionMode>,
    /// How its connections are named.
    #[serde(default)]
    pub connection_name: ConnectionName,
    /// Without a knob: what to change in the code or around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl EngineDefaults {
    /// Connections of one engine by default; `None`: as many as it is asked for, or as the node's CPUs say.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        if self.per_node_cpu.is_some() {
            return None;
        }
        self.pool.map(|pool| pool.saturating_add(self.overflow))
    }

    /// A limit split into pool and overflow. The pool is 1 at least.
    #[must_use]
    pub fn split(&self, limit: u32) -> (u32, u32) {
        let percent = u64::from(self.overflow_percent.min(99));
        let overflow = u32::try_from(u64::from(limit) * percent / 100).unwrap_or(0);
        (limit.saturating_sub(overflow).max(1), overflow)
    }
}

impl Preset {
    /// Everything it obeys: variables, URL parameters, flags.
    pub fn knobs(&self) -> impl Iterator<Item = &Knob> {
        let own = self.url.env.iter().flat_map(|variable| &variable.parameters);
        self.env.iter().chain(&self.url.parameters).chain(own).chain(&self.args)
    }

    /// Whether anything outside the code can set how much one engine opens.
    #[must_use]
    pub fn has_knob(&self) -> bool {
        self.knobs().any(Knob::sizes_engine)
    }

    /// The only limit that can be set from outside, where the client ignores every other number.
    #[must_use]
    pub fn fixed_limit(&self) -> Option<u32> {
        self.knobs().find_map(|knob| knob.always)
    }
}

fn one() -> u32 {
    1
}
