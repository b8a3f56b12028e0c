//! A pod template, trimmed to its containers' variables and commands.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::budget::shape::Role;

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
    /// `command` and `args`.
    pub words: Vec<String>,
    /// Whether `command` is set; otherwise the image's entrypoint comes before the words.
    pub has_command: bool,
    /// Its variables, in order.
    pub env: Vec<Variable>,
    /// Secrets, and ConfigMaps that are not at hand, whose keys become variables.
    pub env_from: Vec<String>,
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

/// `spec.template` as Kubernetes stores it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PodTemplate {
    spec: Option<PodSpec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    init_containers: Option<Vec<RawContainer>>,
    containers: Option<Vec<RawContainer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawContainer {
    name: String,
    image: Option<String>,
    command: Option<Vec<String>>,
    args: Option<Vec<String>>,
    env: Option<Vec<RawVariable>>,
    env_from: Option<Vec<EnvFrom>>,
    restart_policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawVariable {
    name: String,
    value: Option<String>,
    value_from: Option<ValueFrom>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ValueFrom {
    secret_key_ref: Option<KeyRef>,
    config_map_key_ref: Option<KeyRef>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct KeyRef {
    name: String,
    key: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct EnvFrom {
    prefix: Option<String>,
    secret_ref: Option<KeyRef>,
    config_map_ref: Option<KeyRef>,
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

fn container(raw: &RawContainer, pointer: String, main: bool, config_maps: &ConfigMaps) -> Container {
    let role = match (main, raw.restart_policy.as_deref()) {
        (true, _) => Role::Main,
        (false, Some("Always")) => Role::Sidecar,
        (false, _) => Role::Init,
    };
    let words = raw.command.iter().flatten().chain(raw.args.iter().flatten()).cloned().collect();
    let mut container = Container {
        name: raw.name.clone(),
        role,
        pointer,
        image: raw.image.clone().unwrap_or_default(),
        words,
        has_command: raw.command.as_ref().is_some_and(|c| !c.is_empty()),
        env: Vec::new(),
        env_from: Vec::new(),
    };
    // As the kubelet does: what comes later wins, and `env` wins over `envFrom`.
    for (i, from) in raw.env_from.iter().flatten().enumerate() {
        container.add_all(from, i, config_maps);
    }
    for (i, variable) in raw.env.iter().flatten().enumerate() {
        let (value, config_map) = shown(variable, &container, config_maps);
        let pointer = format!("/env/{i}");
        container.env.push(Variable { name: variable.name.clone(), value, pointer, config_map });
    }
    container.words = container.words.iter().map(|word| container.expand(word)).collect();
    container
}

/// What is shown of a variable, and the ConfigMap that has its value.
fn shown(raw: &RawVariable, before: &Container, config_maps: &ConfigMaps) -> (Shown, Option<String>) {
    let from = |kind: &str, r: &KeyRef| (Shown::From(format!("{kind} {}, key {}", r.name, r.key)), None);
    match (&raw.value, &raw.value_from) {
        (Some(value), _) => (Shown::Value(before.expand(value)), None),
        (None, Some(ValueFrom { secret_key_ref: Some(r), .. })) => from("Secret", r),
        (None, Some(ValueFrom { config_map_key_ref: Some(r), .. })) => match config_maps(&r.name) {
            Some(data) => match data.get(&r.key) {
                Some(value) => (Shown::Value(value.clone()), Some(r.name.clone())),
                None => (Shown::From(format!("ConfigMap {}, which has no key {}", r.name, r.key)), None),
            },
            None => from("ConfigMap", r),
        },
        (None, Some(_)) => (Shown::From("the downward API".into()), None),
        (None, None) => (Shown::Value(String::new()), None),
    }
}

impl Container {
    /// The keys of an `envFrom` entry as variables, or the name of what has them.
    fn add_all(&mut self, from: &EnvFrom, at: usize, config_maps: &ConfigMaps) {
        if let Some(secret) = &from.secret_ref {
            return self.env_from.push(format!("Secret {}", secret.name));
        }
        let Some(reference) = &from.config_map_ref else { return };
        let Some(data) = config_maps(&reference.name) else {
            return self.env_from.push(format!("ConfigMap {}", reference.name));
        };
        let prefix = from.prefix.as_deref().unwrap_or_default();
        self.env.extend(data.iter().map(|(key, value)| Variable {
            name: format!("{prefix}{key}"),
            value: Shown::Value(value.clone()),
            pointer: format!("/envFrom/{at}"),
            config_map: Some(reference.name.clone()),
        }));
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
        match self.variable(name)? {
            Shown::Value(value) => Some(value),
            Shown::From(_) => None,
        }
    }

    /// JSON pointer to a variable.
    #[must_use]
    pub fn pointer_to(&self, variable: &str) -> String {
        let found = self.env.iter().rev().find(|v| v.name == variable);
        format!("{}{}", self.pointer, found.map_or("", |v| &v.pointer))
    }

    /// `$(NAME)` replaced where the template shows an earlier variable of that name; left as it stands otherwise.
    fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let name = from.strip_prefix("$(").and_then(|after| after.split_once(')'));
            if let Some(after) = from.strip_prefix("$$") {
                out.push('$');
                rest = after;
            } else if let Some((value, after)) = name.and_then(|(name, after)| Some((self.value(name)?, after))) {
                out.push_str(value);
                rest = after;
            } else {
                out.push('$');
                rest = &from[1..];
            }
        }
        out + rest
    }
}
