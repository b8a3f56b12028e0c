//! Manifests into a snapshot, with a way back to file and line.

mod args;
mod config_maps;
pub(super) mod kustomization;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::parse::{self, Fault, Name};
use crate::api::target::KNOWN_KINDS;
use crate::api::{self, DatabaseBudget, DatabaseClaim, GROUP, VERSION};
use crate::assess::{About, Snapshot};
use crate::manifests::{InputError, Loaded, Node, Object, Place, RENDER, load, load_text};
use crate::workload::read::{ReadError, workload_with};
use crate::workload::scaler::scaler;
use crate::workload::{Key, group_of};
use config_maps::ConfigMaps;

pub use args::Args;

/// Everything read, and where it stands.
pub struct Input {
    /// What is known.
    pub snapshot: Snapshot,
    /// The objects, to find places in.
    objects: BTreeMap<About, Object>,
    /// Kinds that were passed over, each with how many.
    pub skipped: BTreeMap<String, usize>,
}

/// Kinds that are never of use, and large, common, or nameless.
const NEVER: [&str; 5] = ["Secret", "CustomResourceDefinition", "Event", "Kustomization", "Component"];

/// Reads manifests and kustomizations.
///
/// # Errors
/// Every mistake in them, not the first alone.
pub fn read(args: &Args, stdin: &mut dyn Read) -> Result<Input, Vec<InputError>> {
    let wanted = |_: &str, kind: &str| !NEVER.contains(&kind);
    let (mut loaded, mut mistakes) = load(&args.files, stdin, wanted);
    for folder in &args.kustomize {
        match kustomization::build(folder) {
            Ok(text) => {
                let (more, wrong) = load_text(&format!("{}{}", kustomization::LABEL, folder.display()), &text, wanted);
                loaded.extend(more);
                mistakes.extend(wrong);
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    let mut reader = Reader::new(args, loaded, mistakes);
    reader.budgets_and_claims();
    let config_maps = reader.config_maps();
    reader.workloads(&config_maps);
    reader.leave(config_maps);
    reader.done()
}

struct Reader<'a> {
    args: &'a Args,
    loaded: Loaded,
    input: Input,
    mistakes: Vec<InputError>,
    /// Kinds that some claim is about, beside the known ones.
    targeted: BTreeSet<(String, String)>,
}

impl<'a> Reader<'a> {
    fn new(args: &'a Args, loaded: Loaded, mistakes: Vec<InputError>) -> Self {
        let mut snapshot = Snapshot::default();
        snapshot.nodes.count = args.nodes;
        snapshot.nodes.cpus = args.node_cpus;
        snapshot.overrides = args.capacities.iter().cloned().collect();
        let input = Input { snapshot, objects: BTreeMap::new(), skipped: BTreeMap::new() };
        Self { args, loaded, input, mistakes, targeted: BTreeSet::new() }
    }

    fn budgets_and_claims(&mut self) {
        let (ours, others) =
            std::mem::take(&mut self.loaded.objects).into_iter().partition(|o| group_of(&o.api_version) == GROUP);
        self.loaded.objects = others;
        let ours: Vec<Object> = ours;
        for object in ours {
            let namespace = self.namespace(&object).to_owned();
            let name = Name::new(namespace.clone(), object.name.clone());
            if object.api_version != format!("{GROUP}/{VERSION}") {
                let what = format!("{}: found version {}, expected {GROUP}/{VERSION}", object.kind, object.api_version);
                self.mistake(&object, "/apiVersion", what);
                continue;
            }
            match object.kind.as_str() {
                "DatabaseBudget" => {
                    if let Some(budget) = self.parsed(&object, |raw: &DatabaseBudget| parse::budget(raw, &namespace)) {
                        budget.entries.iter().for_each(|e| self.target(&e.target));
                        self.input.snapshot.put_budget(budget);
                    }
                    self.keep(About::Budget(name), object);
                }
                "DatabaseClaim" => {
                    if let Some(claim) = self.parsed(&object, |raw: &DatabaseClaim| parse::claim(raw, &namespace)) {
                        self.target(&claim.entry.target);
                        self.input.snapshot.put_claim(claim);
                    }
                    self.keep(About::Claim(name), object);
                }
                "DatabaseLedger" => {
                    let checked = api::check(&object.kind, &object.root.to_json());
                    self.or_faults(&object, checked);
                    *self.loaded.skipped.entry(object.kind).or_default() += 1;
                }
                other => {
                    let what = format!("{GROUP} has no kind {other}; it has DatabaseBudget and DatabaseClaim");
                    self.mistake(&object, "/kind", what);
                }
            }
        }
    }

    fn target(&mut self, target: &parse::Target) {
        self.targeted.insert((target.group.clone(), target.kind.clone()));
    }

    fn namespace<'o>(&'o self, object: &'o Object) -> &'o str {
        object.namespace.as_deref().unwrap_or(&self.args.namespace)
    }

    /// One of our objects, held to its schema and rules, then parsed.
    fn parsed<R: DeserializeOwned, T>(
        &mut self,
        object: &Object,
        parse: impl FnOnce(&R) -> Result<T, Vec<Fault>>,
    ) -> Option<T> {
        let checked = api::check(&object.kind, &object.root.to_json()).and_then(|value| {
            let fault = |error: serde_json::Error| vec![Fault { pointer: "/spec".into(), what: error.to_string() }];
            parse(&serde_json::from_value(value).map_err(fault)?)
        });
        self.or_faults(object, checked)
    }

    fn or_faults<T>(&mut self, object: &Object, checked: Result<T, Vec<Fault>>) -> Option<T> {
        let faults = match checked {
            Ok(sound) => return Some(sound),
            Err(faults) => faults,
        };
        for fault in faults {
            let name = if object.name.is_empty() { String::new() } else { format!(" {}", object.name) };
            self.mistake(object, &fault.pointer, format!("{}{name}: {fault}", object.kind));
        }
        None
    }

    fn mistake(&mut self, object: &Object, pointer: &str, what: String) {
        let fix = what.contains("{{").then(|| RENDER.to_owned());
        let place = Some(object.root.place_of(pointer));
        self.mistakes.push(InputError { file: object.file.clone(), place, what, fix });
    }

    fn keep(&mut self, about: About, object: Object) {
        if let Some(first) = self.input.objects.get(&about) {
            let at = first.root.place_of("");
            let what = format!("{about} stands twice: first in {}:{}", first.file, at.line);
            {
                let (file, place) = (object.file, Some(object.root.place));
                let fix = Some("plan one state at a time".into());
                return self.mistakes.push(InputError { file, place, what, fix });
            }
        }
        self.input.objects.insert(about, object);
    }

    fn config_maps(&mut self) -> ConfigMaps {
        let mut all = ConfigMaps::default();
        let is_one = |object: &Object| object.kind == "ConfigMap" && object.api_version == "v1";
        let (maps, others) = std::mem::take(&mut self.loaded.objects).into_iter().partition(is_one);
        self.loaded.objects = others;
        let maps: Vec<Object> = maps;
        for object in maps {
            all.put(self.namespace(&object), &object);
        }
        all
    }

    /// Nobody needs the ConfigMaps any more; those that no container refers to were passed over.
    fn leave(&mut self, config_maps: ConfigMaps) {
        let (mistakes, unused) = config_maps.done();
        self.mistakes.extend(mistakes);
        if unused > 0 {
            *self.loaded.skipped.entry("ConfigMap".into()).or_default() += unused;
        }
    }

    fn workloads(&mut self, config_maps: &ConfigMaps) {
        for object in std::mem::take(&mut self.loaded.objects) {
            let group = group_of(&object.api_version).to_owned();
            let known = KNOWN_KINDS.iter().any(|(kind, api)| *kind == object.kind && group_of(api) == group);
            let value: Value = object.root.to_json();
            let key = Key {
                group: group.clone(),
                kind: object.kind.clone(),
                namespace: self.namespace(&object).to_owned(),
                name: object.name.clone(),
            };
            let result = if known || self.targeted.contains(&(group.clone(), object.kind.clone())) {
                let maps = |name: &str| config_maps.get(&key.namespace, name);
                workload_with(&value, &self.args.namespace, &maps).map(|w| self.input.snapshot.put_workload(w))
            } else if ["HorizontalPodAutoscaler", "ScaledObject"].contains(&object.kind.as_str()) {
                scaler(&value, &self.args.namespace).map(|s| self.input.snapshot.put_scaler(s))
            } else {
                *self.loaded.skipped.entry(object.kind).or_default() += 1;
                continue;
            };
            match result {
                Err(ReadError { pointer, what }) => self.mistake(&object, &pointer, format!("{key}: {what}")),
                Ok(()) if key.name.is_empty() => {
                    self.mistake(&object, "/metadata", format!("{}: metadata.name is missing", key.kind));
                }
                Ok(()) if key.name.contains("{{") => {
                    self.mistake(&object, "/metadata/name", format!("{key}: metadata.name is a template"));
                }
                Ok(()) => self.keep(About::Object(key), object),
            }
        }
    }

    fn done(mut self) -> Result<Input, Vec<InputError>> {
        // What is said of the whole makes no sense while parts of it cannot be read.
        if self.mistakes.is_empty() {
            self.mistakes.extend(self.without_budget());
        }
        if self.mistakes.is_empty() {
            let names = self.args.capacities.iter().map(|(name, _)| name);
            let unknown = names.filter(|name| self.input.snapshot.budget(name).is_none());
            let known: Vec<String> = self.input.snapshot.budgets().map(|b| b.name.to_string()).collect();
            let mistake = |name: &Name| {
                let what = format!("--capacity names the budget {name}, which is not among the manifests");
                let fix = Some(format!("name one of {}", known.join(", ")));
                InputError { file: "".into(), place: None, what, fix }
            };
            self.mistakes = unknown.map(mistake).collect();
        }
        self.input.skipped = self.loaded.skipped;
        self.mistakes.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
        if self.mistakes.is_empty() { Ok(self.input) } else { Err(first(self.mistakes)) }
    }

    fn without_budget(&self) -> Option<InputError> {
        if self.input.snapshot.budgets().next().is_some() {
            return None;
        }
        let skipped: usize = self.loaded.skipped.values().sum();
        let objects = match self.input.objects.len() + skipped {
            0 => "there is no object at all".to_owned(),
            1 => "the only object is none".to_owned(),
            n => format!("none of the {n} objects is one"),
        };
        let what = format!("nothing to plan without a DatabaseBudget, and {objects}");
        let fix = Some("name the budget's file with -f, beside the workloads".into());
        Some(InputError { file: "".into(), place: None, what, fix })
    }
}

/// The first mistakes, and how many more there are: a large file may repeat one thousands of times.
fn first(mut mistakes: Vec<InputError>) -> Vec<InputError> {
    const MOST: usize = 100;
    if mistakes.len() > MOST {
        let what = format!("and {} more mistakes", mistakes.len() - MOST);
        mistakes.truncate(MOST);
        mistakes.push(InputError { file: "".into(), place: None, what, fix: None });
    }
    mistakes
}

impl Input {
    /// An object as it was read, and its file.
    #[must_use]
    pub fn object(&self, about: &About) -> Option<(&Arc<str>, &Node)> {
        self.objects.get(about).map(|object| (&object.file, &object.root))
    }

    /// Every file that holds an object of use, in the order of their names.
    #[must_use]
    pub fn files(&self) -> BTreeSet<Arc<str>> {
        self.objects.values().map(|object| object.file.clone()).collect()
    }

    /// File and place of a field, or of the nearest thing above it.
    #[must_use]
    pub fn place(&self, about: &About, pointer: &str) -> Option<(&str, Place)> {
        let object = self.objects.get(about)?;
        Some((&object.file, object.root.place_of(pointer)))
    }
}
