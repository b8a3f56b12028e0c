//! What a pod was born with: the annotation `dbbudget.dev/shape`. Later claims do not reach back into running pods, so
//! what a pod holds is told by what stands here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::keys;
use crate::budget::connections::Connections;
use crate::budget::shape::{Container, Count, Engine, Extra, Lowered, Role, Shape, Written};

/// Budgets that one pod may wait for. Nobody has that many databases; whoever writes an annotation by hand may.
const MOST_BUDGETS: usize = 16;

/// Everything that a pod draws, one entry for each claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pinned(pub Vec<Claim>);

/// What a pod draws by one claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The budget, as `namespace/name`.
    pub budget: String,
    /// The claim's row in the budget's status.
    pub claim: String,
    /// It waits until the budget's ledger has an entry for it. Until then its limits are the smallest ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits: bool,
    /// Its containers.
    pub containers: Vec<PinnedContainer>,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedContainer {
    /// Its name.
    pub name: String,
    /// When it runs: `init`, `sidecar`, or nothing for a main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<PinnedRole>,
    /// Its processes.
    pub processes: u32,
    /// Whether there may be more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// Threads of each, where they bound its connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Connections outside the engines, of each process.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub per_process: u32,
    /// Of the container as a whole.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub per_pod: u32,
    /// Its engines.
    pub engines: Vec<PinnedEngine>,
}

/// When a container runs that is no main one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PinnedRole {
    /// To its end, before the next one starts.
    Init,
    /// For the pod's life.
    Sidecar,
}

/// One engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedEngine {
    /// Its name.
    pub name: String,
    /// How many of it in each process.
    pub count: u32,
    /// The limit it was given, or takes as written; nothing: it opens as many as it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Whether it holds one connection per thread.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub per_thread: bool,
    /// The smallest limit that it may have, where it was granted another one.
    #[serde(skip)]
    pub smallest: Option<u32>,
    /// No share sets its limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
    /// How much of its limit is overflow, of a pod that waits.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub overflow_percent: u8,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
fn is_nothing(percent: &u8) -> bool {
    *percent == 0
}

impl Pinned {
    /// Reads it, with what was granted since; nothing where there is none, or it is not one of ours.
    #[must_use]
    pub fn read(annotations: &BTreeMap<String, String>) -> Option<Self> {
        let mut pinned: Self = serde_json::from_str(annotations.get(keys::SHAPE)?).ok()?;
        pinned.read_grants(annotations);
        Some(pinned)
    }

    /// What it draws from one budget, by one claim or several.
    #[must_use]
    pub fn only(&self, budget: &str) -> Self {
        Self(self.0.iter().filter(|claim| claim.budget == budget).cloned().collect())
    }

    /// What a pod holds by all of them.
    #[must_use]
    pub fn holds(&self) -> Connections {
        self.0.iter().map(Claim::holds).sum()
    }

    /// The same with the smallest limits.
    #[must_use]
    pub fn least(&self) -> Connections {
        let mut least = self.clone();
        for engine in least.0.iter_mut().flat_map(|claim| &mut claim.containers).flat_map(|c| &mut c.engines) {
            engine.limit = engine.smallest.or(engine.limit);
        }
        least.holds()
    }

    /// The budgets that a pod waits for, in the order in which it takes from them.
    #[must_use]
    pub fn awaited(&self) -> Vec<&str> {
        let mut budgets: Vec<&str> = self.0.iter().filter(|c| c.awaits).map(|c| c.budget.as_str()).collect();
        budgets.sort_unstable();
        budgets.dedup();
        budgets.truncate(MOST_BUDGETS);
        budgets
    }
}

impl Claim {
    /// What a pod holds that was born with this.
    #[must_use]
    pub fn holds(&self) -> Connections {
        if self.awaits && self.containers.iter().any(|container| container.at_least) {
            return Connections::UNBOUNDED; // nobody knows how many it would open
        }
        let shape = Shape { containers: self.containers.iter().map(PinnedContainer::unpinned).collect() };
        shape.as_written()
    }

    /// The limit of each engine, with its container and name.
    pub fn limits(&self) -> impl Iterator<Item = (&str, &str, Option<u32>)> {
        self.containers.iter().flat_map(|c| c.engines.iter().map(|e| (c.name.as_str(), e.name.as_str(), e.limit)))
    }
}

impl PinnedContainer {
    /// Pins a container with the limits that its engines are given.
    #[must_use]
    pub fn new(container: &Container, limits: &[Option<u32>], awaits: bool) -> Self {
        let engines = container.engines.iter().zip(limits).map(|(engine, limit)| PinnedEngine {
            name: engine.name.clone(),
            count: engine.count,
            limit: *limit,
            per_thread: engine.per_thread,
            smallest: None,
            fixed: awaits && !engine.sized,
            overflow_percent: if awaits { engine.overflow_percent } else { 0 },
        });
        Self {
            name: container.name.clone(),
            role: match container.role {
                Role::Main => None,
                Role::Init => Some(PinnedRole::Init),
                Role::Sidecar => Some(PinnedRole::Sidecar),
            },
            processes: container.processes(),
            at_least: matches!(container.processes, Count::AtLeast(_)) && !matches!(container.lowered, Lowered::To(_)),
            threads: container.threads,
            per_process: container.extra.per_process,
            per_pod: container.extra.per_pod,
            engines: engines.collect(),
        }
    }

    fn unpinned(&self) -> Container {
        let engines = self.engines.iter().map(|engine| Engine {
            name: engine.name.clone(),
            count: engine.count,
            min: 1,
            max: 1,
            overflow_percent: 0,
            per_thread: engine.per_thread,
            as_written: engine.limit.map_or(Written::Unlimited, Written::Limit),
            sized: true,
        });
        Container {
            name: self.name.clone(),
            role: match self.role {
                None => Role::Main,
                Some(PinnedRole::Init) => Role::Init,
                Some(PinnedRole::Sidecar) => Role::Sidecar,
            },
            processes: if self.at_least { Count::AtLeast(self.processes) } else { Count::Known(self.processes) },
            lowered: Lowered::Never,
            threads: self.threads,
            extra: Extra { per_process: self.per_process, per_pod: self.per_pod },
            engines: engines.collect(),
        }
    }
}
