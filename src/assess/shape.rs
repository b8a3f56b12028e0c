//! What each pod of a claimed workload holds, and where each of its numbers stands.

use super::finding::{About, Finding, Rule};
use super::settings::{Settings, Wanted};
use crate::api::parse::{Container as Asked, Engine as AskedEngine, Entry, Number, Setting, SettingValue};
use crate::budget::shape::{Container, Engine, Extra, Lowered, Role, Shape, Split, UNLIMITED, Written};
use crate::catalogue::{Catalogue, Knob, Preset, Quantity, UrlVariable, Zero};
use crate::workload::Key;
use crate::workload::command::words;
use crate::workload::control::{Control, control};
use crate::workload::engines::{AsWritten, Knobs, as_written};
use crate::workload::processes::{Context, Running, Said, running};
use crate::workload::template::{Container as Template, Template as PodTemplate};

/// A claimed container with all that is known of it.
#[derive(Clone, Debug)]
pub struct Built {
    /// Its name in the template; empty where there is no template.
    pub name: String,
    /// JSON pointer to it in the workload.
    pub pointer: String,
    /// Its processes and threads.
    pub running: Running,
    /// What could lower its processes.
    pub control: Option<Control>,
    /// Its engines.
    pub engines: Vec<BuiltEngine>,
    /// The container of the template, if there is one.
    pub template: Template,
}

/// A claimed engine with all that is known of it.
#[derive(Clone, Debug)]
pub struct BuiltEngine {
    /// Its name.
    pub name: String,
    /// Its preset.
    pub client: Option<String>,
    /// What sizes it from outside.
    pub knobs: Knobs,
    /// What carries its share into the container.
    pub settings: Settings,
    /// What it takes as written.
    pub written: AsWritten,
    /// `onConflict: Keep`.
    pub keep: bool,
    /// How a limit is split: overflow = floor(limit × percent ÷ 100).
    pub overflow_percent: u8,
}

impl BuiltEngine {
    /// Whether the template's own number counts as the limit.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.keep && !(self.written.set.is_empty() && self.written.unseen.is_empty())
    }

    /// Whether a share sets how much it opens.
    #[must_use]
    pub fn is_sized(&self) -> bool {
        !self.is_kept() && self.settings.size_engine()
    }

    /// What of a limit it keeps, and what it opens on top: as the share says where one is given, else as written.
    #[must_use]
    pub fn split(&self, engine: &Engine, limit: u32, shared: bool) -> Split {
        if shared && self.is_sized() {
            return engine.split(limit);
        }
        let overflow = self.written.overflow.min(limit);
        Split { pool: limit - overflow, overflow }
    }
}

/// What is built from, beside the entry.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The budget's catalogue.
    pub catalogue: &'a Catalogue,
    /// CPUs of the nodes.
    pub node_cpus: Option<u32>,
    /// The workload.
    pub key: &'a Key,
    /// Its template, where the kind has one.
    pub template: Option<&'a PodTemplate>,
    /// The database is reached through a pooler in transaction mode.
    pub transaction: bool,
}

/// Builds the shape of a workload's pods. A container that the template lacks is a finding, and counts nothing.
pub fn build(entry: &Entry, ground: &Ground, findings: &mut Vec<Finding>) -> (Shape, Vec<Built>) {
    let mut parts: Vec<(usize, Container, Built)> = Vec::new();
    for asked in &entry.containers {
        match place(asked, ground) {
            Ok((at, template)) => {
                let built = built(asked, template, ground);
                parts.push((at, container(asked, &built, ground), built));
            }
            Err(problem) => findings.push(Finding::new(
                Rule::TargetNotFound,
                About::Object(ground.key.clone()),
                "/spec/template/spec/containers",
                problem.0,
                problem.1,
            )),
        }
    }
    parts.sort_by_key(|(at, ..)| *at);
    let (containers, built) = parts.into_iter().map(|(_, container, built)| (container, built)).unzip();
    (Shape { containers }, built)
}

/// The container of the template that is meant, and its place in the order of starting.
fn place(asked: &Asked, ground: &Ground) -> Result<(usize, Template), (String, String)> {
    let Some(template) = ground.template else {
        return Ok((0, Template { name: asked.name.clone(), ..Template::default() }));
    };
    if let Some(found) = template.container(&asked.name) {
        let at = template.containers.iter().position(|c| c.name == found.name).unwrap_or(0);
        return Ok((at, found.clone()));
    }
    let names: Vec<&str> = template.main_containers().map(|c| c.name.as_str()).collect();
    let what = if asked.name.is_empty() {
        format!("{} has {} containers, and the claim does not say which one it is about", ground.key, names.len())
    } else {
        format!("{} has no container {:?}", ground.key, asked.name)
    };
    Err((what, format!("name one of {} in containers[].name", names.join(", "))))
}

fn built(asked: &Asked, template: Template, ground: &Ground) -> Built {
    let preset_of = |engine: &AskedEngine| engine.client.as_deref().and_then(|name| ground.catalogue.client(name));
    let context =
        |preset| Context { container: &template, catalogue: ground.catalogue, preset, node_cpus: ground.node_cpus };
    let main = asked.engines.iter().find_map(preset_of);
    let processes = asked.processes.as_ref().map(said);
    let running = running(&context(main), processes, asked.threads.as_ref().map(said));
    let control = control(&context(main), processes);
    let engines = asked.engines.iter().map(|engine| {
        let knobs = knobs(engine, preset_of(engine));
        let mut written = as_written(&context(preset_of(engine)), &knobs);
        let nothing_better = written.set.is_empty() && (engine.client.is_none() || !knobs.size_engine());
        if let Some(max) = engine.max.filter(|_| nothing_better) {
            (written.limit, written.overflow) = (Written::Limit(max), 0);
            written.from = "max of the claim".into();
        }
        let percent = engine.overflow_percent.or(preset_of(engine).map(|p| p.engine.overflow_percent)).unwrap_or(0);
        let misread = |k: &Knob| k.quantity == Some(Quantity::Overflow) && k.zero != Zero::Zero;
        // An overflow of 0 that the client would misread is never written: half of the limit is 1 at least.
        let percent = if knobs.env.iter().chain(&knobs.args).any(misread) { percent.max(50) } else { percent };
        let (container, keep, transaction) = (&template, engine.keep, ground.transaction);
        let settings = Wanted { container, knobs: &knobs, preset: preset_of(engine), keep, transaction }.settings();
        let (name, client) = (engine.name.clone(), engine.client.clone());
        BuiltEngine { name, client, knobs, settings, written, keep, overflow_percent: percent }
    });
    let engines = engines.collect();
    Built { name: template.name.clone(), pointer: template.pointer.clone(), running, control, engines, template }
}

fn said(number: &Number) -> Said<'_> {
    match number {
        Number::Count(n) => Said::Count(*n),
        Number::Env(name) => Said::Env(name),
    }
}

/// The preset's knobs with the claim's: the same name replaces.
fn knobs(engine: &AskedEngine, preset: Option<&Preset>) -> Knobs {
    let mut knobs = Knobs::of(preset);
    let settings = &engine.inject;
    for setting in &settings.env {
        replace(&mut knobs.env, setting, None);
    }
    for setting in &settings.args {
        replace(&mut knobs.args, setting, None);
    }
    for url in &settings.url {
        let at = knobs.url_env.iter().position(|v| v.name == url.env).unwrap_or_else(|| {
            knobs.url_env.push(UrlVariable { name: url.env.clone(), query: url.query, parameters: Vec::new() });
            knobs.url_env.len() - 1
        });
        let (known, variable) = (&knobs.url, &mut knobs.url_env[at]);
        variable.query = url.query;
        for setting in &url.parameters {
            let like = known.iter().find(|knob| knob.name == setting.name);
            replace(&mut variable.parameters, setting, like);
        }
    }
    knobs
}

/// Sets what a knob is written with. What is known of its name (what 0 means to it) stays known.
fn replace(list: &mut Vec<Knob>, setting: &Setting, known: Option<&Knob>) {
    let (quantity, value) = match &setting.value {
        SettingValue::Quantity(quantity) => (Some(*quantity), None),
        SettingValue::Fixed(value) => (None, Some(value.clone())),
    };
    if let Some(listed) = list.iter_mut().find(|knob| knob.name == setting.name) {
        (listed.quantity, listed.value) = (quantity, value);
        return;
    }
    let new = known.cloned().unwrap_or_else(|| Knob {
        name: setting.name.clone(),
        aliases: Vec::new(),
        quantity,
        value: None,
        zero: Zero::Zero, // whoever lists a name says that the number is what it says
        negative_unlimited: false,
        always: None,
    });
    list.push(Knob { quantity, value, ..new });
}

fn container(asked: &Asked, built: &Built, ground: &Ground) -> Container {
    let preset_of = |engine: &AskedEngine| engine.client.as_deref().and_then(|name| ground.catalogue.client(name));
    let main = asked.engines.iter().find_map(preset_of);
    let (extra, engines_per_process) = main.map_or((Extra::default(), None), |preset| extra(preset, &built.template));
    let threads = built.running.threads.as_ref().map(|t| t.value);
    let engines = asked.engines.iter().zip(&built.engines);
    Container {
        name: built.name.clone(),
        role: if built.pointer.is_empty() { Role::Main } else { built.template.role },
        processes: built.running.processes.value,
        lowered: if built.control.is_some() { Lowered::Possible } else { Lowered::Never },
        threads,
        extra: Extra {
            per_process: asked.extra_per_process.unwrap_or(extra.per_process),
            per_pod: asked.extra_per_pod.unwrap_or(extra.per_pod),
        },
        engines: engines
            .map(|(asked, built)| engine(asked, built, preset_of(asked), threads, engines_per_process))
            .collect(),
    }
}

/// The preset's extra connections under the settings of a template, and the engines per process if they change.
fn extra(preset: &Preset, template: &Template) -> (Extra, Option<u32>) {
    let holds = |setting: &str| match setting.split_once('=') {
        Some((name, value)) if !name.starts_with('-') => {
            template.value(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
        }
        _ => words(template).iter().any(|word| word == setting),
    };
    match preset.extra.when.iter().find(|when| holds(&when.setting)) {
        Some(when) => (Extra { per_process: when.per_process, per_pod: when.per_pod }, when.engines),
        None => (Extra { per_process: preset.extra.per_process, per_pod: preset.extra.per_pod }, None),
    }
}

fn engine(
    asked: &AskedEngine,
    built: &BuiltEngine,
    preset: Option<&Preset>,
    threads: Option<u32>,
    per_process: Option<u32>,
) -> Engine {
    let defaults = preset.map(|p| &p.engine);
    let (min, max) = bounds(asked, built, preset, threads);
    Engine {
        name: asked.name.clone(),
        count: asked.count.or(per_process).or(defaults.map(|d| d.count)).unwrap_or(1),
        min,
        max,
        overflow_percent: built.overflow_percent,
        per_thread: defaults.is_some_and(|d| d.per_thread),
        as_written: built.written.limit,
        sized: built.is_sized(),
    }
}

/// Between what an engine's limit can be set. What nothing outside the code can set stays what it is.
fn bounds(asked: &AskedEngine, built: &BuiltEngine, preset: Option<&Preset>, threads: Option<u32>) -> (u32, u32) {
    let today = built.written.limit.limit();
    if !built.is_sized() {
        let fixed = today.unwrap_or(UNLIMITED);
        return (fixed, fixed);
    }
    if let Some(only) = preset.and_then(Preset::fixed_limit) {
        return (only, only);
    }
    let min = asked.min.or(preset.map(|p| p.engine.min)).unwrap_or(1);
    let max = asked.max.or(today).unwrap_or(crate::budget::shape::MAX_LIMIT);
    let per_thread = preset.is_some_and(|p| p.engine.per_thread);
    let useful = threads.filter(|_| per_thread).map_or(max, |threads| max.min(threads));
    (min, useful.max(min))
}
