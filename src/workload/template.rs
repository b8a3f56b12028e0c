//! A pod template, trimmed to its containers' variables and commands.

mod expand;
mod raw;

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::budget::shape::Role;

pub(super) use raw::PodTemplate;
use raw::{PodSpec, RawContainer, container};

/// What each pod of a workload runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Init containers first, then the main ones, as the kubelet starts them.
    pub containers: Vec<Container>,
}

/// One container of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub role: Role,
    /// JSON pointer to it in the workload object.
    pub pointer: String,
    /// The image, for messages.
    pub image: String,
    /// `command`, as written; where it is empty, the image's entrypoint comes before the args.
    pub command: Vec<String>,
    /// `args`, as written.
    pub args: Vec<String>,
    /// Its variables, in order.
    pub env: Vec<Variable>,
    /// Secrets, and ConfigMaps that are not at hand, whose keys become variables.
    pub env_from: Vec<String>,
    /// Whether one of its `envFrom` is marked optional, so that its keys may be missing.
    pub env_from_optional: bool,
}

/// One variable of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, as far as the template and the ConfigMaps at hand show it.
    pub value: Shown,
    /// JSON pointer to where it is set, from the container.
    pub pointer: String,
    /// The ConfigMap that has its value, if one does.
    pub config_map: Option<String>,
    /// How the container comes to it.
    pub origin: Origin,
}

/// How a container comes to a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `value`.
    Literal,
    /// `valueFrom` a key of a Secret or ConfigMap.
    Key {
        /// It may be missing.
        optional: bool,
    },
    /// `valueFrom` something else.
    Other,
    /// A key of an `envFrom`.
    Keys,
}

/// The ConfigMaps at hand of the workload's namespace, by name: their keys and values. Secrets are never at hand.
pub type ConfigMaps<'a> = dyn Fn(&str) -> Option<&'a BTreeMap<String, String>> + 'a;

/// What a template shows of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The value itself.
    Value(String),
    /// It comes from elsewhere; this says from where, and never what it is.
    From(String),
}

impl Shown {
    fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) => Some(value),
            Self::From(_) => None,
        }
    }
}

impl Template {
    /// Trims a template that stands at `pointer` (of its pod spec) in the workload.
    pub(super) fn new(raw: &PodTemplate, pointer: &str, config_maps: &ConfigMaps) -> Self {
        let list = |raw: Option<&Vec<RawContainer>>, field: &str, main: bool| -> Vec<Container> {
            let numbered = raw.into_iter().flatten().enumerate();
            numbered.map(|(i, c)| container(c, format!("{pointer}/{field}/{i}"), main, config_maps)).collect()
        };
        let Some(spec) = &raw.spec else { return Self::default() };
        let mut containers = list(spec.init_containers.as_ref(), "initContainers", false);
        containers.extend(list(spec.containers.as_ref(), "containers", true));
        Self { containers }
    }

    /// The template that a pod of this JSON was made from, as far as the pod still shows it.
    ///
    /// # Errors
    /// When its containers are not what Kubernetes stores.
    pub fn of_pod(pod: &serde_json::Value) -> Result<Self, serde_json::Error> {
        let raw = PodTemplate { spec: pod.get("spec").map(PodSpec::deserialize).transpose()? };
        Ok(Self::new(&raw, "/spec", &|_| None))
    }

    /// The containers that run beside each other for the pod's life, sidecars excepted.
    pub fn main_containers(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|c| c.role == Role::Main)
    }

    /// The container of this name; the empty name is the only main container.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        if name.is_empty() {
            let mut mains = self.main_containers();
            return mains.next().filter(|_| mains.next().is_none());
        }
        self.containers.iter().find(|c| c.name == name)
    }
}

impl Container {
    /// `command` and `args`, with `$(NAME)` replaced as the kubelet does, where the template shows NAME.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let shown: HashMap<&str, &Shown> = self.env.iter().map(|v| (v.name.as_str(), &v.value)).collect();
        let value_of = |name: &str| shown.get(name).and_then(|shown| shown.value());
        let mut room = expand::ROOM;
        let words = self.command.iter().chain(&self.args);
        words.map(|word| expand::expand(word, value_of, &mut room).unwrap_or_else(|| word.clone())).collect()
    }

    /// Where a variable comes from, if that is a ConfigMap: ` of ConfigMap NAME`.
    #[must_use]
    pub fn whence(&self, name: &str) -> String {
        let found = self.env.iter().rev().find(|v| v.name == name);
        found.and_then(|v| v.config_map.as_ref()).map_or(String::new(), |map| format!(" of ConfigMap {map}"))
    }

    /// The value of a variable. The last of a repeated name counts, as for the kubelet.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&Shown> {
        self.env.iter().rev().find(|v| v.name == name).map(|v| &v.value)
    }

    /// The value of a variable, where the template shows it.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.variable(name)?.value()
    }

    /// JSON pointer to a variable.
    #[must_use]
    pub fn pointer_to(&self, variable: &str) -> String {
        let found = self.env.iter().rev().find(|v| v.name == variable);
        format!("{}{}", self.pointer, found.map_or("", |v| &v.pointer))
    }
}
