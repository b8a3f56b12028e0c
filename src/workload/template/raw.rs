//! Pod templates as Kubernetes stores them, and how they are trimmed.

use std::collections::HashMap;

use serde::Deserialize;

use super::expand::{ROOM, expand};
use super::{ConfigMaps, Container, Origin, Shown, Variable};
use crate::budget::shape::Role;

/// `spec.template` as Kubernetes stores it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::workload) struct PodTemplate {
    pub(super) spec: Option<PodSpec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::workload) struct PodSpec {
    pub(super) init_containers: Option<Vec<RawContainer>>,
    pub(super) containers: Option<Vec<RawContainer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::workload) struct RawContainer {
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
    optional: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct EnvFrom {
    prefix: Option<String>,
    secret_ref: Option<KeyRef>,
    config_map_ref: Option<KeyRef>,
}

pub(super) fn container(raw: &RawContainer, pointer: String, main: bool, config_maps: &ConfigMaps) -> Container {
    let role = match (main, raw.restart_policy.as_deref()) {
        (true, _) => Role::Main,
        (false, Some("Always")) => Role::Sidecar,
        (false, _) => Role::Init,
    };
    let mut container = Container {
        name: raw.name.clone(),
        role,
        pointer,
        image: raw.image.clone().unwrap_or_default(),
        command: raw.command.clone().unwrap_or_default(),
        args: raw.args.clone().unwrap_or_default(),
        env: Vec::new(),
        env_from: Vec::new(),
        env_from_optional: false,
    };
    // As the kubelet does: what comes later wins, and `env` wins over `envFrom`.
    for (i, from) in raw.env_from.iter().flatten().enumerate() {
        container.add_all(from, i, config_maps);
    }
    let mut places: HashMap<String, usize> = container.env.iter().map(|v| v.name.clone()).zip(0..).collect();
    let mut room = ROOM;
    for (i, variable) in raw.env.iter().flatten().enumerate() {
        let before = |name: &str| container.env[*places.get(name)?].value.value();
        let (value, config_map) = shown(variable, before, &mut room, config_maps);
        places.insert(variable.name.clone(), container.env.len());
        let pointer = format!("/env/{i}");
        let origin = origin(variable);
        container.env.push(Variable { name: variable.name.clone(), value, pointer, config_map, origin });
    }
    container
}

fn origin(raw: &RawVariable) -> Origin {
    let key = |r: &KeyRef| Origin::Key { optional: r.optional.unwrap_or(false) };
    match (&raw.value, &raw.value_from) {
        (Some(_), _) | (None, None) => Origin::Literal,
        (None, Some(ValueFrom { secret_key_ref: Some(r), .. } | ValueFrom { config_map_key_ref: Some(r), .. })) => {
            key(r)
        }
        (None, Some(_)) => Origin::Other,
    }
}

/// What is shown of a variable, and the ConfigMap that has its value.
fn shown<'a>(
    raw: &RawVariable,
    before: impl Fn(&str) -> Option<&'a str>,
    room: &mut usize,
    config_maps: &ConfigMaps,
) -> (Shown, Option<String>) {
    let from = |kind: &str, r: &KeyRef| (Shown::From(format!("{kind} {}, key {}", r.name, r.key)), None);
    match (&raw.value, &raw.value_from) {
        (Some(value), _) => {
            let too_long = || Shown::From("variables that are longer than a process can be given".into());
            (expand(value, before, room).map_or_else(too_long, Shown::Value), None)
        }
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
        let source = from.secret_ref.as_ref().or(from.config_map_ref.as_ref());
        self.env_from_optional |= source.is_some_and(|s| s.optional == Some(true));
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
            origin: Origin::Keys,
        }));
    }
}
