//! Numbers and rules of the catalogue in words.

use crate::catalogue::{EngineDefaults, Evidence, Family, Knob, Preset, Quantity, Setting, Syntax, Zero};

pub(super) fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Measured => "measured",
        Evidence::Read => "read",
        Evidence::Cited => "cited",
        Evidence::Unverified => "unverified",
    }
}

pub(super) fn family(family: Family) -> &'static str {
    match family {
        Family::Python => "Python libraries",
        Family::Node => "Node libraries",
        Family::Go => "Go libraries",
        Family::Rust => "Rust libraries",
        Family::Java => "JVM frameworks",
        Family::Ruby => "Ruby libraries",
        Family::Other => ".NET, Elixir, PHP",
        Family::Application => "Programs as they come",
        Family::House => "The budget's own",
    }
}

/// What one engine opens by default, short: `5+10`.
fn engine(engine: &EngineDefaults) -> String {
    match (engine.per_node_cpu, engine.pool) {
        (Some(cpu), floor) => {
            let times = if cpu.times == 1 { "CPUs".to_owned() } else { format!("{}×CPUs", cpu.times) };
            let sum = if cpu.plus == 0 { times } else { format!("{times}+{}", cpu.plus) };
            floor.map_or(sum.clone(), |floor| format!("max({floor}, {sum})"))
        }
        (None, Some(pool)) if engine.overflow > 0 => format!("{pool}+{}", engine.overflow),
        (None, Some(pool)) => pool.to_string(),
        (None, None) if engine.per_thread => "1 per thread".to_owned(),
        (None, None) => "no limit".to_owned(),
    }
}

/// What a process opens by default, short: `2×(5+10) +4/pod`.
pub(super) fn opens(client: &Preset) -> String {
    let one = engine(&client.engine);
    let engines = match client.engine.count {
        1 => one,
        count if client.engine.overflow > 0 => format!("{count}×({one})"),
        count => format!("{count}×{one}"),
    };
    let (process, pod) = (client.extra.per_process, client.extra.per_pod);
    let parts = [engines, counted(process, ""), counted(pod, "/pod")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn counted(number: u32, unit: &str) -> String {
    if number == 0 { String::new() } else { format!("+{number}{unit}") }
}

/// The same as sentences without a full stop.
pub(super) fn opens_at_length(client: &Preset) -> String {
    let EngineDefaults { count, pool, overflow, per_thread, .. } = client.engine;
    let engines =
        if count == 1 { "One engine per process".to_owned() } else { format!("{count} engines per process, each") };
    let holds = match (client.engine.limit(), pool) {
        (Some(limit), Some(pool)) if overflow > 0 => {
            format!("{pool} kept + {overflow} under load = {limit} connections")
        }
        (Some(1), _) => "1 connection".to_owned(),
        (Some(limit), _) => format!("{limit} connections"),
        (None, _) if client.engine.per_node_cpu.is_some() => format!("{} connections", engine(&client.engine)),
        (None, _) if per_thread => "a connection for every thread, with no bound of its own".to_owned(),
        (None, _) => "as many connections as it is asked for".to_owned(),
    };
    let bounded = if per_thread && client.engine.limit().is_some() { ", and never more than its threads" } else { "" };
    let eager = if client.engine.eager { ", all of them before the first query" } else { "" };
    let colon = if count == 1 { ":" } else { "" };
    format!("{engines}{colon} {holds}{bounded}{eager}")
}

pub(super) fn quantity(knob: &Knob) -> &'static str {
    match knob.quantity {
        Some(Quantity::Pool) => "pool",
        Some(Quantity::Overflow) => "overflow",
        Some(Quantity::Limit) => "limit",
        Some(Quantity::Processes) => "processes",
        Some(Quantity::Threads) => "threads",
        Some(Quantity::Connections) => "connections of the pod",
        None => "a fixed value",
    }
}

/// What is odd about a knob.
pub(super) fn rules(knob: &Knob) -> String {
    let zero = match knob.zero {
        _ if knob.always.is_some() || knob.quantity.is_none() => None,
        Zero::Zero => Some("0 means none"),
        Zero::Unlimited => Some("0 means no limit"),
        Zero::Ignored => Some("0 is ignored: the default applies"),
        Zero::Fatal => Some("0 keeps it from starting"),
        Zero::Unverified => None,
    };
    let negative = knob.negative_unlimited.then_some("-1 means no limit");
    let always = knob.always.map(|number| format!("always {number}, whatever it is told"));
    let aliases = (!knob.aliases.is_empty()).then(|| format!("also read as {}", knob.aliases.join(", ")));
    let parts = [zero.map(str::to_owned), negative.map(str::to_owned), always, aliases];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// A URL parameter as it is written.
pub(super) fn parameter(syntax: Syntax, knob: &Knob) -> String {
    let value = knob.value.as_deref().unwrap_or("N");
    match syntax {
        Syntax::Uri => format!("?{}={value}", knob.name),
        Syntax::Keywords => format!("{}={value};", knob.name),
    }
}

/// Where a server's processes or threads are set: `-w, --workers, WEB_CONCURRENCY, otherwise 1`.
pub(super) fn setting(setting: &Setting) -> String {
    let mut names: Vec<String> = setting.args.iter().chain(&setting.env).cloned().collect();
    let default = match (setting.default, setting.per_node_cpu) {
        (Some(number), _) => number.to_string(),
        (None, Some(1)) => "the node's CPUs".to_owned(),
        (None, Some(times)) => format!("{times} × the node's CPUs"),
        (None, None) => "unknown".to_owned(),
    };
    if names.is_empty() {
        return default;
    }
    names.push(format!("otherwise {default}"));
    names.join(", ")
}
