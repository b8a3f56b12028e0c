//! How many connections each engine takes as written.

use super::command::{call, flag_value, words};
use super::processes::Context;
use super::template::{Container, Shown};
use super::url::parameters;
use crate::budget::shape::{UNLIMITED, Written};
use crate::catalogue::{Knob, Preset, Quantity, Repeated, UrlVariable, Zero};

/// What an engine takes as written, and what was noticed on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsWritten {
    /// The limit.
    pub limit: Written,
    /// Of the limit, what is opened on top.
    pub overflow: u32,
    /// Where it stands, in words.
    pub from: String,
    /// Settings of the template that size it.
    pub set: Vec<Set>,
    /// Variables that would size it, but come from where the template does not show them.
    pub unseen: Vec<String>,
    /// Whether the number follows the CPUs of the node.
    pub follows_node_cpus: bool,
}

/// A setting of the template that sizes an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The variable, the URL's variable, or the flag.
    pub name: String,
    /// In words: `DB_POOL_SIZE=2`, `pool in DATABASE_URL`.
    pub what: String,
    /// What it sizes.
    pub quantity: Quantity,
    /// The number as written.
    pub number: i64,
    /// What the client makes of it.
    pub effect: Effect,
}

/// What a client makes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is what it says.
    Counts,
    /// As if it were not there.
    Ignored,
    /// No limit at all.
    Unlimited,
    /// Nobody has tried what the client makes of it.
    Untried,
    /// The client does not start.
    Fatal,
    /// The client uses this number, whatever it is told.
    Always(u32),
}

/// The knobs of an engine: the preset's, and those that its claim adds or replaces.
#[derive(Clone, Debug, Default)]
pub struct Knobs {
    /// Variables.
    pub env: Vec<Knob>,
    /// Parameters of any of its URLs.
    pub url: Vec<Knob>,
    /// Variables that hold a URL, each with the parameters of that URL alone.
    pub url_env: Vec<UrlVariable>,
    /// Flags.
    pub args: Vec<Knob>,
}

impl Knobs {
    /// Those of a preset.
    #[must_use]
    pub fn of(preset: Option<&Preset>) -> Self {
        let Some(preset) = preset else { return Self::default() };
        Self {
            env: preset.env.clone(),
            url: preset.url.parameters.clone(),
            url_env: preset.url.env.clone(),
            args: preset.args.clone(),
        }
    }

    /// Whether anything outside the code sizes the engine.
    #[must_use]
    pub fn size_engine(&self) -> bool {
        let own = self.url_env.iter().flat_map(|variable| &variable.parameters);
        self.env.iter().chain(&self.url).chain(own).chain(&self.args).any(Knob::sizes_engine)
    }

    /// Parameters of a variable's URL: those of any, and its own, which replace them.
    pub fn of_url<'a>(&'a self, variable: &str) -> impl Iterator<Item = &'a Knob> {
        let own = self.url_env.iter().find(|v| v.name == variable).map(|v| v.parameters.as_slice()).unwrap_or_default();
        self.url.iter().filter(move |knob| own.iter().all(|o| o.name != knob.name)).chain(own)
    }
}

/// Variables of a container whose value is a connection URL or string, or whose name says so.
pub fn url_variables<'a>(
    container: &'a Container,
    named: &'a [UrlVariable],
) -> impl Iterator<Item = (&'a str, &'a Shown)> {
    let looks = |name: &str| name.ends_with("DATABASE_URL") || name.ends_with("DATABASE_URI") || name.ends_with("_DSN");
    container.env.iter().filter_map(move |v| {
        let is_one = match &v.value {
            Shown::Value(text) => parameters(text).is_some(),
            Shown::From(_) => looks(&v.name) || named.iter().any(|n| n.name == v.name),
        };
        is_one.then_some((v.name.as_str(), &v.value))
    })
}

/// Finds what one engine takes as written.
#[must_use]
pub fn as_written(context: &Context, knobs: &Knobs) -> AsWritten {
    let (set, unseen) = settings(context, knobs);
    let (mut limit, overflow, from) = combine(context, &set);
    let numbers = knobs.env.iter().filter(|k| k.sizes_engine()).map(|k| k.name.as_str());
    let hidden = |name: &str| unseen.iter().any(|u| u.starts_with(name) || u.ends_with(name));
    if let (Written::Limit(n), true) = (limit, numbers.into_iter().any(hidden)) {
        limit = Written::AtLeast(n); // a number that nobody sees may be larger
    }
    let sized =
        set.iter().any(|s| matches!(s.quantity, Quantity::Pool | Quantity::Limit) && s.effect != Effect::Ignored);
    let follows_node_cpus = !sized && context.preset.is_some_and(|p| p.engine.per_node_cpu.is_some());
    AsWritten { limit, overflow, from, set, unseen, follows_node_cpus }
}

fn settings(context: &Context, knobs: &Knobs) -> (Vec<Set>, Vec<String>) {
    let container = context.container;
    let (mut set, mut unseen) = (Vec::new(), Vec::new());
    for knob in knobs.env.iter().filter(|k| k.sizes_engine()) {
        // The name itself wins over the others that the client reads.
        let named = std::iter::once(&knob.name).chain(&knob.aliases).find(|name| container.variable(name).is_some());
        let Some(name) = named else { continue };
        match container.variable(name) {
            Some(Shown::Value(text)) => {
                let what = format!("{name}={text}{}", container.whence(name));
                match setting(knob, name, &what, text) {
                    Some(found) => set.push(found),
                    None => unseen.push(format!("{name} is no number that can be read")),
                }
            }
            Some(Shown::From(source)) => unseen.push(format!("{name} comes from {source}")),
            None => {}
        }
    }
    let names: Vec<&str> = knobs.env.iter().filter(|k| k.sizes_engine()).map(|k| k.name.as_str()).collect();
    if set.is_empty() && unseen.is_empty() && !names.is_empty() {
        unseen.extend(container.env_from.iter().map(|source| format!("{source} may set {}", names.join(" or "))));
    }
    let last = context.preset.is_some_and(|p| p.url.repeated == Repeated::Last);
    for (variable, shown) in url_variables(container, &knobs.url_env) {
        match shown {
            Shown::Value(text) => {
                let pairs = parameters(text).unwrap_or_default();
                for knob in knobs.of_url(variable).filter(|k| k.sizes_engine()) {
                    for name in std::iter::once(&knob.name).chain(&knob.aliases) {
                        if let Some(value) = pairs.get(name, last) {
                            let what = format!("{name}={value} in {variable}{}", container.whence(variable));
                            set.extend(setting(knob, variable, &what, value));
                        }
                    }
                }
            }
            Shown::From(source) if knobs.of_url(variable).any(Knob::sizes_engine) => {
                unseen.push(format!("{variable} comes from {source}"));
            }
            Shown::From(_) => {}
        }
    }
    let args = call(container, context.catalogue, None).map_or_else(|| words(container), |call| call.args);
    for knob in knobs.args.iter().filter(|k| k.sizes_engine()) {
        if let Some((flag, value)) = flag_value(&args, std::slice::from_ref(&knob.name)) {
            set.extend(setting(knob, flag, &format!("{flag} {value}"), value));
        }
    }
    (set, unseen)
}

fn setting(knob: &Knob, name: &str, what: &str, text: &str) -> Option<Set> {
    let quantity = knob.quantity?;
    let number: i64 = text.trim().parse().ok().or_else(|| knob.always.map(i64::from))?;
    let effect = match (knob.always, number) {
        (Some(n), _) => Effect::Always(n),
        (None, n) if n < 0 && knob.negative_unlimited => Effect::Unlimited,
        (None, n) if n < 0 => Effect::Ignored,
        (None, 0) => match knob.zero {
            Zero::Unlimited => Effect::Unlimited,
            Zero::Ignored => Effect::Ignored,
            Zero::Fatal => Effect::Fatal,
            Zero::Unverified => Effect::Untried,
            Zero::Zero => Effect::Counts,
        },
        _ => Effect::Counts,
    };
    Some(Set { name: name.to_owned(), what: what.to_owned(), quantity, number, effect })
}

/// Puts the template's settings and the client's defaults together: the limit, what of it is overflow, and where both
/// stand.
fn combine(context: &Context, set: &[Set]) -> (Written, u32, String) {
    let number = |s: &Set| match s.effect {
        Effect::Always(n) => n,
        _ => u32::try_from(s.number).unwrap_or(UNLIMITED), // none that counts is negative
    };
    // Of several settings the largest counts: they may be of different pools.
    let sized = |quantity: Quantity| {
        let counting = set.iter().filter(|s| s.quantity == quantity && s.effect != Effect::Ignored);
        counting.max_by_key(|s| number(s))
    };
    if let Some(unlimited) = set.iter().find(|s| matches!(s.effect, Effect::Unlimited | Effect::Untried)) {
        return (Written::Unlimited, 0, format!("{}: no limit that is known", unlimited.what));
    }
    if let Some(limit) = sized(Quantity::Limit) {
        return (Written::Limit(number(limit)), 0, limit.what.clone());
    }
    let (pool, overflow) = (sized(Quantity::Pool), sized(Quantity::Overflow));
    let Some(defaults) = context.preset.map(|p| (&p.engine, &p.name)) else {
        if set.is_empty() {
            return (Written::Unlimited, 0, "nothing says how many".into());
        }
        let (kept, on_top) = (pool.map_or(0, number), overflow.map_or(0, number));
        return (Written::Limit(kept.saturating_add(on_top)), on_top, join(pool, overflow));
    };
    let (engine, name) = defaults;
    let extra = overflow.map_or(engine.overflow, number);
    if let Some(pool) = pool {
        return (Written::Limit(number(pool).saturating_add(extra)), extra, join(Some(pool), overflow));
    }
    let from = match overflow {
        Some(overflow) => format!("default of {name}, {}", overflow.what),
        None => format!("default of {name}"),
    };
    let (limit, from) = match (engine.per_node_cpu, context.node_cpus, engine.pool) {
        (Some(per), Some(cpus), least) => {
            let follows = cpus.saturating_mul(per.times).saturating_add(per.plus).max(least.unwrap_or(0));
            (Written::Limit(follows.saturating_add(extra)), format!("{from}: the node's {cpus} CPUs"))
        }
        (Some(_), None, least) => {
            (Written::AtLeast(least.unwrap_or(1)), format!("{from}: the CPUs of the node, not known"))
        }
        (None, _, Some(pool)) => (Written::Limit(pool.saturating_add(extra)), from),
        (None, _, None) => (Written::Unlimited, format!("{from}: no limit")),
    };
    (limit, extra, from)
}

fn join(pool: Option<&Set>, overflow: Option<&Set>) -> String {
    let parts: Vec<&str> = [pool, overflow].into_iter().flatten().map(|s| s.what.as_str()).collect();
    parts.join(", ")
}
