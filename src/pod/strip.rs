//! A pod as it was before anything of ours was written into it. A second look at a pod begins here, and so comes to the
//! same result as the first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::keys;

/// Takes back what is ours. Annotations that someone else gave our names go, too.
pub fn strip(pod: &mut Value) {
    let numbers = take_annotations(pod);
    for field in ["initContainers", "containers"] {
        let containers = pod.get_mut("spec").and_then(|spec| spec.get_mut(field)).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            strip_container(container, &numbers);
        }
    }
}

/// Removes our annotations, and answers them.
fn take_annotations(pod: &mut Value) -> BTreeMap<String, String> {
    let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) else { return BTreeMap::new() };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else {
        return BTreeMap::new();
    };
    let ours: Vec<String> = annotations.keys().filter(|key| keys::is_ours(key)).cloned().collect();
    let taken = ours.into_iter().filter_map(|key| {
        let value = annotations.remove(&key)?;
        Some((key, value.as_str().unwrap_or_default().to_owned()))
    });
    let taken = taken.collect();
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    taken
}

fn strip_container(container: &mut Value, annotations: &BTreeMap<String, String>) {
    let mut numbers: BTreeMap<String, String> = BTreeMap::new();
    if let Some(env) = container.get_mut("env").and_then(Value::as_array_mut) {
        for entry in env.iter() {
            if let (Some(name), Some(key)) = (entry["name"].as_str(), annotation_of(entry)) {
                numbers.insert(name.to_owned(), annotations.get(key).cloned().unwrap_or_default());
            }
        }
        unrename(env);
        env.retain(|entry| !is_dropped(entry));
        for entry in env.iter_mut() {
            // What counts processes or threads is a setting of the container, and stays one.
            if let Some(number) = annotation_of(entry).and_then(|key| annotations.get(key)).cloned() {
                *entry = serde_json::json!({"name": entry["name"], "value": number});
            } else if let Some(Value::String(value)) = entry.get_mut("value") {
                settle(value, &numbers);
            }
        }
        if env.is_empty()
            && let Some(container) = container.as_object_mut()
        {
            container.remove("env");
        }
    }
    for list in ["command", "args"] {
        for word in container.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::String(word) = word {
                settle(word, &numbers);
            }
        }
    }
}

/// The annotation of ours that a variable reads.
fn annotation_of(entry: &Value) -> Option<&str> {
    keys::read_by(entry.pointer("/valueFrom/fieldRef/fieldPath")?.as_str()?)
}

/// Whether a variable exists for our sake alone.
fn is_dropped(entry: &Value) -> bool {
    let name = entry["name"].as_str().unwrap_or_default();
    let extends_itself = || {
        let value = entry["value"].as_str().unwrap_or_default();
        value.starts_with(&format!("$({name})")) && value.contains(&format!("$({}", keys::VARIABLE))
    };
    match annotation_of(entry) {
        Some(key) => keys::is_of_engine(key) || name.starts_with(keys::VARIABLE),
        None => extends_itself(),
    }
}

/// URLs get their names back, and what extended them goes.
fn unrename(env: &mut Vec<Value>) {
    let renamed = |entry: &Value| Some(entry["name"].as_str()?.strip_prefix(keys::URL)?.to_owned());
    let names: BTreeSet<String> = env.iter().filter_map(renamed).collect();
    let extends = |entry: &Value| {
        let name = entry["name"].as_str().filter(|name| names.contains(*name));
        let value = entry["value"].as_str().unwrap_or_default();
        name.is_some_and(|name| value.starts_with(&format!("$({}{name})", keys::URL)))
    };
    env.retain(|entry| !extends(entry));
    for entry in env {
        if let Some(name) = renamed(entry) {
            entry["name"] = name.into();
        }
    }
}

/// Numbers in place of the variables of ours that hold them.
fn settle(text: &mut String, numbers: &BTreeMap<String, String>) {
    let mut settled = String::new();
    let mut rest = text.as_str();
    while let Some((before, from)) = rest.split_once("$(") {
        let of_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let (name, after) = from.split_at(from.find(|c| !of_name(c)).unwrap_or(from.len()));
        let number = numbers.get(name).filter(|_| name.starts_with(keys::VARIABLE)).zip(after.strip_prefix(')'));
        settled.push_str(before);
        if let Some((number, after)) = number {
            settled.push_str(number);
            rest = after;
        } else {
            settled.extend(["$(", name]);
            rest = after;
        }
    }
    settled.push_str(rest);
    *text = settled;
}
