//! The rules that every client of the catalogue keeps, built-in or a house's own.

use super::{EngineDefaults, Knob, Preset, Quantity, Zero};

/// A rule that an entry breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A number below 1.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// More than 99.
    #[error("overflowPercent must be at most 99, found {0}: the pool needs one connection")]
    Percent(u8),
    /// `min` above what it opens by default.
    #[error("min {min} is above {limit}, what an engine opens by default")]
    Floor {
        /// The floor.
        min: u32,
        /// The default pool + overflow.
        limit: u32,
    },
    /// An overflow knob without a pool knob.
    #[error(
        "the overflow is set by {overflow} and the pool by nothing, so the split must keep the pool at {pool} (overflowPercent 99, pool 1)"
    )]
    Unsplit {
        /// The knob.
        overflow: String,
        /// The fixed pool.
        pool: u32,
    },
    /// A number would be written that the client misreads.
    #[error("a limit of {limit} would write {name}=0, and 0 does not mean none there; raise min or overflowPercent")]
    Misread {
        /// The limit.
        limit: u32,
        /// The knob.
        name: String,
    },
    /// Neither quantity nor value.
    #[error("{0} needs a quantity or a value")]
    Empty(String),
    /// A name that may not be set in another's pod.
    #[error("{0} may not be set: it changes how programs are loaded or what they run, not a pool")]
    Forbidden(String),
}

/// The largest limit for which the split is tried; from there on no part of it can be 0.
const TRIED: u32 = 100;

impl Preset {
    /// The rules that this entry breaks; none if it is sound.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let engine = &self.engine;
        let numbers = [
            ("count", Some(engine.count)),
            ("min", Some(engine.min)),
            ("pool", engine.pool),
            ("processes", self.processes),
        ];
        faults.extend(numbers.iter().filter(|(_, number)| *number == Some(0)).map(|(name, _)| Fault::Zero(name)));
        if engine.overflow_percent > 99 {
            faults.push(Fault::Percent(engine.overflow_percent));
        }
        if let Some(limit) = engine.limit().filter(|limit| engine.min > *limit) {
            faults.push(Fault::Floor { min: engine.min, limit });
        }
        faults.extend(
            self.knobs()
                .filter(|knob| knob.quantity.is_none() && knob.value.is_none())
                .map(|knob| Fault::Empty(knob.name.clone())),
        );
        faults.extend(self.forbidden());
        faults.extend(self.unsplit());
        faults.extend(self.misread());
        faults
    }

    fn forbidden(&self) -> impl Iterator<Item = Fault> {
        let urls = self.url.env.iter().map(|variable| &variable.name);
        let names = self.env.iter().flat_map(|knob| std::iter::once(&knob.name).chain(&knob.aliases)).chain(urls);
        names.filter(|name| loads_code(name)).map(|name| Fault::Forbidden(name.clone()))
    }

    fn unsplit(&self) -> Option<Fault> {
        let sets = |quantity| self.knobs().find(|knob| knob.quantity == Some(quantity));
        let overflow = sets(Quantity::Overflow)?;
        let pool = self.engine.pool.unwrap_or(1);
        let kept = pool == 1 && self.engine.overflow_percent == 99;
        let free = sets(Quantity::Pool).is_some() || sets(Quantity::Limit).is_some();
        (!free && !kept).then(|| Fault::Unsplit { overflow: overflow.name.clone(), pool })
    }

    fn misread(&self) -> Option<Fault> {
        let limits = self.engine.min.max(1)..=TRIED;
        limits.into_iter().find_map(|limit| {
            let wrong = self.knobs().find(|knob| knob.misreads(&self.engine, limit))?;
            Some(Fault::Misread { limit, name: wrong.name.clone() })
        })
    }
}

impl Knob {
    /// Whether the number that this limit writes here means something else to the client.
    fn misreads(&self, engine: &EngineDefaults, limit: u32) -> bool {
        let (pool, overflow) = engine.split(limit);
        let number = match self.quantity {
            Some(Quantity::Pool) => pool,
            Some(Quantity::Overflow) => overflow,
            Some(Quantity::Limit) => limit,
            _ => return false,
        };
        number == 0 && self.zero != Zero::Zero
    }
}

/// Variables that make a program load or run something else.
fn loads_code(name: &str) -> bool {
    let name = name.to_uppercase();
    name == "PATH"
        || name.ends_with("_OPTIONS")
        || ["LD_", "PYTHON", "KUBERNETES_"].iter().any(|prefix| name.starts_with(prefix))
}
