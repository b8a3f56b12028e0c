//! A house's own clients: `spec.clients` of a budget, each built on one that is known.

use super::{Catalogue, Family, Fault, Knob, Preset, Quantity, Query, UrlVariable, Zero};
use std::collections::BTreeSet;

/// One entry of `spec.clients`. What is not given is as in the client that it extends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HousePreset {
    /// The name that `client:` refers to.
    pub name: String,
    /// A built-in client, or another of the house's own.
    pub extends: String,
    /// Variables, in addition; the same name replaces.
    pub env: Vec<HouseKnob>,
    /// URLs with parameters, in addition; the same variable replaces.
    pub url: Vec<HouseUrl>,
    /// Flags, in addition; the same flag replaces.
    pub args: Vec<HouseKnob>,
    /// Engines per process.
    pub count: Option<u32>,
    /// Connections an engine keeps when nothing is set.
    pub pool: Option<u32>,
    /// Connections it opens on top when nothing is set.
    pub overflow: Option<u32>,
    /// The smallest safe limit of an engine.
    pub min: Option<u32>,
    /// How a limit is split, 0 to 99.
    pub overflow_percent: Option<u8>,
    /// Processes when the template's command is not a known server.
    pub processes: Option<u32>,
    /// Connections of each process outside the engines.
    pub extra_per_process: Option<u32>,
    /// Connections of the pod outside the engines.
    pub extra_per_pod: Option<u32>,
}

/// A variable, a URL parameter or a flag with its dashes: `quantity` or `value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HouseKnob {
    /// Its name.
    pub name: String,
    /// What its number sets.
    pub quantity: Option<Quantity>,
    /// What is written instead of a number.
    pub value: Option<String>,
}

/// A variable that holds a URL, and what to add to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HouseUrl {
    /// The variable.
    pub env: String,
    /// Whether the URL has a query part.
    pub query: Query,
    /// Its parameters.
    pub parameters: Vec<HouseKnob>,
}

/// Why `spec.clients` cannot be used. `index` is the entry's place in the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Two entries of one name.
    #[error("client '{name}' is listed twice in spec.clients; give each a name of its own")]
    Duplicate {
        /// Its second place.
        index: usize,
        /// The name.
        name: String,
    },
    /// `extends` names nothing.
    #[error(
        "client '{name}' extends '{extends}', which is neither in the catalogue nor in spec.clients; \
         {}`dbbudget clients` lists them",
        hint(nearest.as_deref())
    )]
    UnknownBase {
        /// Its place.
        index: usize,
        /// The entry.
        name: String,
        /// What it names.
        extends: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// Entries that extend each other.
    #[error("client '{name}' never reaches the catalogue: {}; one of them must extend a client of the catalogue", path.join(" -> "))]
    Cycle {
        /// The place of the first.
        index: usize,
        /// The first.
        name: String,
        /// The names on the way, ending where it began.
        path: Vec<String>,
    },
    /// The result breaks a rule.
    #[error("client '{name}': {fault}")]
    Invalid {
        /// Its place.
        index: usize,
        /// The entry.
        name: String,
        /// The rule.
        fault: Fault,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("did you mean '{name}'? ")).unwrap_or_default()
}

pub(super) fn extend(base: &Catalogue, house: &[HousePreset]) -> Result<Catalogue, CatalogueError> {
    let mut names = BTreeSet::new();
    if let Some((index, entry)) = house.iter().enumerate().find(|(_, entry)| !names.insert(&entry.name)) {
        return Err(CatalogueError::Duplicate { index, name: entry.name.clone() });
    }
    let mut result = base.clone();
    for index in 0..house.len() {
        let preset = resolve(base, house, index)?;
        if let Some(fault) = preset.faults().into_iter().next() {
            return Err(CatalogueError::Invalid { index, name: preset.name, fault });
        }
        result.clients.retain(|client| client.name != preset.name);
        result.clients.push(preset);
    }
    Ok(result)
}

/// Follows `extends` down to the catalogue, then applies the entries on the way back. No recursion: the list is a user's.
fn resolve(base: &Catalogue, house: &[HousePreset], start: usize) -> Result<Preset, CatalogueError> {
    let mut chain = vec![&house[start]];
    loop {
        let entry = chain[chain.len() - 1];
        // An entry that extends its own name means the catalogue's.
        let next = house.iter().find(|other| other.name == entry.extends && other.name != entry.name);
        match next {
            Some(next) if chain.contains(&next) => {
                let path = chain.iter().chain([&next]).map(|entry| entry.name.clone()).collect();
                return Err(CatalogueError::Cycle { index: start, name: house[start].name.clone(), path });
            }
            Some(next) => chain.push(next),
            None => break,
        }
    }
    let last = chain[chain.len() - 1];
    let Some(known) = base.client(&last.extends) else {
        return Err(CatalogueError::UnknownBase {
            index: house.iter().position(|entry| entry.name == last.name).unwrap_or(start),
            name: last.name.clone(),
            extends: last.extends.clone(),
            nearest: base.nearest(&last.extends).map(str::to_owned),
        });
    };
    Ok(chain.iter().rev().fold(known.clone(), |preset, entry| apply(preset, entry)))
}

fn apply(mut preset: Preset, entry: &HousePreset) -> Preset {
    preset.title = format!("{} ({})", entry.name, preset.title);
    preset.name.clone_from(&entry.name);
    preset.family = Family::House;
    let rules = preset.clone();
    for knob in &entry.env {
        replace(&mut preset.env, with_rules(&rules, knob));
    }
    for url in &entry.url {
        let parameters = url.parameters.iter().map(|knob| with_rules(&rules, knob)).collect();
        preset.url.env.retain(|variable| variable.name != url.env);
        preset.url.env.push(UrlVariable { name: url.env.clone(), query: url.query, parameters });
    }
    for knob in &entry.args {
        replace(&mut preset.args, with_rules(&rules, knob));
    }
    numbers(preset, entry)
}

fn numbers(mut preset: Preset, entry: &HousePreset) -> Preset {
    let engine = &mut preset.engine;
    engine.count = entry.count.unwrap_or(engine.count);
    if entry.pool.is_some() {
        (engine.pool, engine.per_node_cpu) = (entry.pool, None);
    }
    engine.overflow = entry.overflow.unwrap_or(engine.overflow);
    engine.min = entry.min.unwrap_or(engine.min);
    engine.overflow_percent = entry.overflow_percent.unwrap_or(engine.overflow_percent);
    preset.processes = entry.processes.or(preset.processes);
    if entry.extra_per_process.is_some() || entry.extra_per_pod.is_some() {
        // What the house says is final: no setting of the template changes it.
        preset.extra.when.clear();
    }
    preset.extra.per_process = entry.extra_per_process.unwrap_or(preset.extra.per_process);
    preset.extra.per_pod = entry.extra_per_pod.unwrap_or(preset.extra.per_pod);
    preset
}

fn replace(knobs: &mut Vec<Knob>, knob: Knob) {
    match knobs.iter_mut().find(|known| known.name == knob.name) {
        Some(known) => *known = knob,
        None => knobs.push(knob),
    }
}

/// A new name for a quantity follows the rules of the client's own. Where the client had none, an overflow of 0 is taken
/// at its word: a house that names such a variable passes it on.
fn with_rules(base: &Preset, knob: &HouseKnob) -> Knob {
    let like = base.knobs().find(|known| knob.quantity.is_some() && known.quantity == knob.quantity);
    let zero = match (like, knob.quantity) {
        (Some(known), _) => known.zero,
        (None, Some(Quantity::Overflow)) => Zero::Zero,
        (None, _) => Zero::Unverified,
    };
    Knob {
        name: knob.name.clone(),
        aliases: Vec::new(),
        quantity: knob.quantity,
        value: knob.value.clone(),
        zero,
        negative_unlimited: like.is_some_and(|known| known.negative_unlimited),
        always: None,
    }
}
