//! How many processes and threads a container runs, and where that number stands.
//!
//! Precedence: what the claim says, then the program's arguments, its arguments variable, its variables, its default,
//! then the preset's. A number that is written but cannot be read (`--workers $(nproc)`) is unknown, and so is a
//! command that no entry of the catalogue recognises. Nothing is guessed.

use super::command::{Call, call, flag_value};
use super::template::{Container, Shown};
use crate::budget::shape::Count;
use crate::catalogue::{Catalogue, Mode, Preset, Server, Setting};

/// A number and where it comes from, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The number.
    pub value: T,
    /// Where it stands.
    pub from: String,
}

/// What a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Processes.
    pub processes: Found<Count>,
    /// Threads of each, where they bound its connections.
    pub threads: Option<Found<u32>>,
    /// Whether the number of processes follows the CPUs of the node.
    pub follows_node_cpus: bool,
}

/// What a claim says of a number: itself, or the variable that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// The number.
    Count(u32),
    /// The variable.
    Env(&'a str),
}

/// The container in question, and what is known around it.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The container.
    pub container: &'a Container,
    /// Clients and servers.
    pub catalogue: &'a Catalogue,
    /// The preset of the container's first engine that has one.
    pub preset: Option<&'a Preset>,
    /// CPUs of the nodes that pods run on, where known.
    pub node_cpus: Option<u32>,
}

/// Finds the processes and threads of a container.
#[must_use]
pub fn running(context: &Context, processes: Option<Said>, threads: Option<Said>) -> Running {
    let assumed = context.preset.and_then(|p| p.server.as_deref()).and_then(|name| context.catalogue.server(name));
    let call = call(context.container, context.catalogue, assumed);
    let mut running = match &call {
        Some(call) => of_call(context, call),
        None => without_call(context, assumed),
    };
    if let Some(said) = processes {
        running.follows_node_cpus = false;
        running.processes = said_count(context.container, said, "processes");
    }
    match threads.map(|said| said_count(context.container, said, "threads")) {
        Some(Found { value: Count::Known(n), from }) => running.threads = Some(Found { value: n, from }),
        Some(_) => running.threads = None, // a bound that cannot be read bounds nothing
        None => {}
    }
    running
}

fn said_count(container: &Container, said: Said, field: &str) -> Found<Count> {
    match said {
        Said::Count(n) => Found { value: Count::Known(n), from: format!("{field}.count of the claim") },
        Said::Env(name) => match container.variable(name) {
            Some(Shown::Value(text)) => read(container, text, &format!("variable {name}{}", container.whence(name))),
            Some(Shown::From(source)) => unknown(format!("variable {name} comes from {source}")),
            None => unknown(format!("variable {name} is not set in the template")),
        },
    }
}

fn unknown(why: String) -> Found<Count> {
    Found { value: Count::AtLeast(1), from: why }
}

fn known(n: u32, from: impl Into<String>) -> Found<Count> {
    Found { value: Count::Known(n), from: from.into() }
}

fn read(container: &Container, text: &str, stands: &str) -> Found<Count> {
    match expanded(container, text) {
        Err(why) => unknown(format!("{stands} is {text}, and {why}")),
        Ok(number) => match number.trim().parse::<u32>() {
            Ok(n) => known(n, format!("{stands}={text}")),
            Err(_) => unknown(format!("{stands} is no number that can be read")),
        },
    }
}

/// A shell's `$NAME`, `${NAME}` or `${NAME:-default}`, where the template shows what NAME is.
fn expanded<'a>(container: &'a Container, text: &'a str) -> Result<&'a str, String> {
    let Some(inner) = text.strip_prefix('$') else { return Ok(text) };
    if inner.starts_with('(') {
        return Err("what that gives is not known".into()); // a command's output, or a variable that is not set before
    }
    let inner = inner.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(inner);
    let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
    match (container.variable(name), default, container.env_from.first()) {
        (Some(Shown::Value(value)), ..) => Ok(value),
        (Some(Shown::From(source)), ..) => Err(format!("{name} comes from {source}")),
        (None, _, Some(source)) => Err(format!("{source} may set {name}")),
        (None, Some(default), None) => Ok(default),
        (None, None, None) => Err(format!("{name} is not set in the template")),
    }
}

/// A command as it may be shown: its program alone, for arguments may hold credentials.
fn program(container: &Container) -> String {
    let words = container.words();
    let first = words.first().cloned().unwrap_or_default();
    if words.len() > 1 { format!("{first} …") } else { first }
}

fn without_call(context: &Context, assumed: Option<&Server>) -> Running {
    let by_nature = context.preset.and_then(|p| p.processes.map(|n| (n, &p.name)));
    let container = context.container;
    let processes = match by_nature {
        Some((n, name)) => known(n, format!("{name} runs as {n} by nature")),
        None if container.command.is_empty() && container.args.is_empty() => {
            let image =
                if container.image.is_empty() { "its image" } else { &format!("the image {}", container.image) };
            unknown(format!("the template sets no command, and what {image} starts is not known"))
        }
        None => unknown(format!("the command `{}` is not recognised", program(container))),
    };
    let threads = assumed.and_then(|server| server.threads.as_ref()).and_then(|setting| setting.default);
    let threads = threads.filter(|_| by_nature.is_some()).map(|value| Found { value, from: "default".into() });
    Running { processes, threads, follows_node_cpus: false }
}

fn of_call(context: &Context, call: &Call) -> Running {
    let server = call.server;
    let more: Vec<String> = match server.args_env.as_deref().and_then(|name| context.container.value(name)) {
        Some(text) => shlex::split(text).unwrap_or_default(),
        None => Vec::new(),
    };
    let lists = [(&call.args, "args"), (&more, server.args_env.as_deref().unwrap_or_default())];
    let chosen = chosen_mode(server, &lists);
    let find = |setting: &Setting| number(context, call, setting, &lists);
    let (mut processes, follows_node_cpus) = find(&server.processes);
    if let Some(flag) = &server.autoscale
        && let Some((flag, value)) = flag_value(&call.args, std::slice::from_ref(flag))
    {
        processes = read(context.container, value.split(',').next().unwrap_or(value), &format!("args {flag}"));
    }
    let mut threads = match server.threads.as_ref().map(find) {
        Some((Found { value: Count::Known(value), from }, _)) => Some(Found { value, from }),
        _ => None,
    };
    if let Some(mode) = chosen {
        if mode.processes_are_threads {
            let value = match processes.value {
                Count::Known(value) => Some(Found { value, from: processes.from.clone() }),
                Count::AtLeast(_) => None,
            };
            threads = value;
            processes = known(1, format!("{} in one process", mode.values.join(", ")));
        }
        if let Some(n) = mode.processes {
            processes = known(n, mode.args.join(" "));
        }
        if mode.threads_unbounded {
            threads = None;
        }
    }
    Running { processes, threads, follows_node_cpus }
}

pub(super) fn chosen_mode<'a>(server: &'a Server, lists: &[(&Vec<String>, &str)]) -> Option<&'a Mode> {
    server.modes.iter().find(|mode| {
        let value = lists.iter().find_map(|(args, _)| flag_value(args, &mode.args));
        value.is_some_and(|(_, v)| mode.values.is_empty() || mode.values.iter().any(|m| v.ends_with(m.as_str())))
    })
}

/// A number by its setting, and whether it follows the CPUs of the node.
fn number(context: &Context, call: &Call, setting: &Setting, lists: &[(&Vec<String>, &str)]) -> (Found<Count>, bool) {
    for (args, named) in lists {
        if let Some((flag, value)) = flag_value(args, &setting.args) {
            // Puma's `-t min:max`
            let value =
                value.split_once(':').filter(|(min, _)| min.parse::<u32>().is_ok()).map_or(value, |(_, max)| max);
            return (or_zero(setting, read(context.container, value, &format!("{named} {flag}"))), false);
        }
    }
    if let Some(found) = in_variables(context.container, call, setting) {
        return (or_zero(setting, found), false);
    }
    let server = call.server;
    if let Some((_, file)) = lists.iter().find_map(|(args, _)| flag_value(args, &server.config)) {
        return (unknown(format!("{file}, the configuration of {}, may set it", server.name)), false);
    }
    match (setting.default, setting.per_node_cpu, context.node_cpus) {
        (Some(n), ..) => (known(n, format!("default of {}", server.name)), false),
        (None, Some(per), Some(cpus)) => {
            (known(cpus.saturating_mul(per), format!("default of {}: the node's {cpus} CPUs", server.name)), true)
        }
        (None, Some(_), None) => {
            (unknown(format!("default of {}: the CPUs of the node, which are not known", server.name)), true)
        }
        (None, None, _) => (unknown(format!("{} sets it in a way that is not known", server.name)), false),
    }
}

/// A number in the variables: those before the command, those of the template, and those that nobody sees.
fn in_variables(container: &Container, call: &Call, setting: &Setting) -> Option<Found<Count>> {
    if let Some(name) = &call.server.args_env
        && let Some(Shown::From(source)) = container.variable(name)
    {
        return Some(unknown(format!("variable {name} comes from {source}")));
    }
    for name in &setting.env {
        if let Some((_, text)) = call.env.iter().find(|(set, _)| set == name) {
            return Some(read(container, text, &format!("{name} before the command")));
        }
        match container.variable(name) {
            Some(Shown::Value(text)) => {
                return Some(read(container, text, &format!("variable {name}{}", container.whence(name))));
            }
            Some(Shown::From(source)) => return Some(unknown(format!("variable {name} comes from {source}"))),
            None => {}
        }
    }
    let source = container.env_from.first().filter(|_| !setting.env.is_empty())?;
    Some(unknown(format!("{source} may set {}", setting.env.join(" or "))))
}

fn or_zero(setting: &Setting, found: Found<Count>) -> Found<Count> {
    match (found.value, setting.zero_means) {
        (Count::Known(0), Some(n)) => known(n, format!("{}, which means {n}", found.from)),
        (Count::Known(0), None) => unknown(format!("{}, which is no number of processes", found.from)),
        _ => found,
    }
}
