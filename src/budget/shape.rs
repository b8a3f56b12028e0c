//! What one pod holds, given the limit of each of its engines.

use super::connections::Connections;

/// The largest limit one engine can have; larger ones are refused on entry.
pub const MAX_LIMIT: u32 = 100_000;

/// One pod's containers, in the order in which the kubelet starts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Containers that hold connections; the others need not be listed.
    pub containers: Vec<Container>,
}

/// When a container runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next one starts.
    Init,
    /// A native sidecar: started in the order of init containers, stays for the pod's life.
    Sidecar,
    /// Runs beside the other main containers.
    #[default]
    Main,
}

/// A number that may be known only from below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Read somewhere that counts.
    Known(u32),
    /// Nobody can tell; at least this many.
    AtLeast(u32),
}

impl Count {
    /// The number, or its lower bound.
    #[must_use]
    pub const fn lower_bound(self) -> u32 {
        match self {
            Self::Known(n) | Self::AtLeast(n) => n,
        }
    }
}

/// One container and its engines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// When it runs.
    pub role: Role,
    /// OS processes, each with its own engines.
    pub processes: Count,
    /// What its processes are lowered to, where something outside the code can do that and nothing else fits.
    pub lowered: Lowered,
    /// Threads of each process, where they bound its connections.
    pub threads: Option<u32>,
    /// Connections outside the engines.
    pub extra: Extra,
    /// The pools of each process.
    pub engines: Vec<Engine>,
}

/// Whether a container's processes are lowered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lowered {
    /// Nothing outside the code can.
    #[default]
    Never,
    /// They could be.
    Possible,
    /// To this many.
    To(u32),
}

/// Connections outside the engines: LISTEN, a heartbeat, migrations at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// Of each process.
    pub per_process: u32,
    /// Of the container as a whole.
    pub per_pod: u32,
}

/// One client-side pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its name among the container's engines.
    pub name: String,
    /// How many of it each process has.
    pub count: u32,
    /// The smallest limit that is safe.
    pub min: u32,
    /// The largest limit that is wanted; never below `min`.
    pub max: u32,
    /// overflow = floor(limit × percent ÷ 100).
    pub overflow_percent: u8,
    /// It holds one connection per thread, so never more than its process has threads.
    pub per_thread: bool,
    /// The limit it takes without dbbudget.
    pub as_written: Written,
    /// A share sets its limit; otherwise it takes what it takes as written.
    pub sized: bool,
}

/// What an engine opens without dbbudget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// At most this many.
    Limit(u32),
    /// This many or more: the number follows something that is not known.
    AtLeast(u32),
    /// As many as it is asked for.
    Unlimited,
}

impl Written {
    /// The limit, or its lower bound; nothing where there is none.
    #[must_use]
    pub const fn limit(self) -> Option<u32> {
        match self {
            Self::Limit(n) | Self::AtLeast(n) => Some(n),
            Self::Unlimited => None,
        }
    }
}

/// A limit that bounds nothing, for engines that no setting outside their code can bound.
pub const UNLIMITED: u32 = u32::MAX;

/// A limit as clients are told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Connections kept; at least 1.
    pub pool: u32,
    /// Connections opened on top.
    pub overflow: u32,
}

impl Split {
    /// Divides a limit: this much of it in a hundred is overflow.
    #[must_use]
    pub fn of(limit: u32, overflow_percent: u8) -> Self {
        let percent = u64::from(overflow_percent.min(99));
        let overflow = u32::try_from(u64::from(limit) * percent / 100).unwrap_or(0);
        Self { pool: limit - overflow, overflow }
    }
}

impl Engine {
    /// Divides a limit into pool and overflow.
    #[must_use]
    pub fn split(&self, limit: u32) -> Split {
        Split::of(limit, self.overflow_percent)
    }

    const fn is_certain_as_written(&self) -> bool {
        !matches!(self.as_written, Written::AtLeast(_))
    }

    /// What one such engine can hold under a limit (nothing: unlimited).
    fn holds(&self, limit: Option<u32>, threads: Option<u32>) -> Connections {
        let limit = limit.filter(|&n| n != UNLIMITED);
        let bound = match (limit, threads.filter(|_| self.per_thread)) {
            (Some(limit), Some(threads)) => Some(limit.min(threads)),
            (limit, threads) => limit.or(threads),
        };
        bound.map_or(Connections::UNBOUNDED, Connections::from)
    }
}

/// The processes of a container to count with.
type Processes = fn(&Container) -> u32;
/// The limit of an engine, by its place among all; nothing: unlimited.
type Limit<'a> = dyn FnMut(usize, &Engine) -> Option<u32> + 'a;

impl Shape {
    /// All engines in the pod's order: the order of every list of limits.
    pub fn engines(&self) -> impl Iterator<Item = &Engine> {
        self.containers.iter().flat_map(|c| &c.engines)
    }

    /// Whether what the pod holds with its share is known: its processes, and engines that no share sets.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.processes_are_known() && self.engines().all(|e| e.sized || e.is_certain_as_written())
    }

    /// Whether what the pod holds as written is known.
    #[must_use]
    pub fn is_certain_as_written(&self) -> bool {
        self.processes_are_known() && self.engines().all(Engine::is_certain_as_written)
    }

    fn processes_are_known(&self) -> bool {
        self.containers.iter().all(|c| matches!(c.processes, Count::Known(_)))
    }

    /// What a pod holds as its template is written.
    #[must_use]
    pub fn as_written(&self) -> Connections {
        self.holds(Container::written_processes, &mut |_, engine| engine.as_written.limit())
    }

    /// What a pod holds with these limits, in the order of [`Shape::engines`]. A limit that is not listed counts as
    /// the engine's minimum.
    #[must_use]
    pub fn with_limits(&self, limits: &[u32]) -> Connections {
        self.with_each_limit(&mut |i, engine| Some(limits.get(i).copied().unwrap_or(engine.min)))
    }

    /// What a pod holds with the limits that are answered for each engine and its place.
    pub(super) fn with_each_limit(&self, limit: &mut Limit) -> Connections {
        self.holds(Container::processes, limit)
    }

    /// What a pod holds with every engine at its minimum.
    #[must_use]
    pub fn at_minimum(&self) -> Connections {
        self.with_limits(&[])
    }

    /// `max(Σ containers + Σ sidecars, max over init containers (it + the sidecars started before it))`.
    fn holds(&self, processes: Processes, limit: &mut Limit) -> Connections {
        let (mut first, mut mains, mut sidecars, mut starting) =
            (0, Connections::ZERO, Connections::ZERO, Connections::ZERO);
        for container in &self.containers {
            let held = container.holds(first, processes(container), limit);
            first += container.engines.len();
            match container.role {
                Role::Main => mains = mains + held,
                Role::Sidecar => sidecars = sidecars + held,
                Role::Init => starting = starting.max(held + sidecars),
            }
        }
        starting.max(mains + sidecars)
    }
}

impl Container {
    /// The processes that run with shares.
    #[must_use]
    pub fn processes(&self) -> u32 {
        match self.lowered {
            Lowered::To(n) => n,
            Lowered::Never | Lowered::Possible => self.written_processes(),
        }
    }

    fn written_processes(&self) -> u32 {
        self.processes.lower_bound()
    }

    /// `processes × (Σ count × limit + extra.perProcess) + extra.perPod`.
    fn holds(&self, first: usize, processes: u32, limit: &mut Limit) -> Connections {
        let engines = self.engines.iter().enumerate();
        let process: Connections = engines
            .map(|(i, engine)| engine.holds(limit(first + i, engine), self.threads) * u64::from(engine.count))
            .sum();
        (process + self.extra.per_process.into()) * u64::from(processes) + self.extra.per_pod.into()
    }

    /// What the container holds with these limits, the first of which is the one of its own first engine.
    #[must_use]
    pub fn with_limits(&self, limits: &[u32]) -> Connections {
        self.holds(0, self.processes(), &mut |i, engine| Some(limits.get(i).copied().unwrap_or(engine.min)))
    }

    /// What the container holds as its template is written.
    #[must_use]
    pub fn as_written(&self) -> Connections {
        self.holds(0, self.written_processes(), &mut |_, engine| engine.as_written.limit())
    }
}

#[cfg(test)]
mod tests;
