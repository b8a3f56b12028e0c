//! Fields that are unknown, missing, or there twice.

use std::collections::HashMap;

use serde_json::Value;

use super::scalar::said;
use super::walk::Walk;
use crate::api::DNS_LABEL;

/// `metadata.name` and `metadata.namespace`.
pub(super) fn names(object: &Value, walk: &mut Walk) {
    let metadata = object.get("metadata");
    let label = walk.held.patterns.get(DNS_LABEL);
    let is_label = |text: &str| label.is_none_or(|label| label.is_match(text));
    match metadata.and_then(|m| m.get("name")) {
        // Longer names, and dots in the name of a budget, have a law of their own.
        Some(Value::String(name)) if name.split('.').all(is_label) && name.len() <= 253 => {}
        Some(Value::String(name)) => {
            let what = format!("found {}, expected lower-case letters, digits, - and ., 253 at most", said(name));
            walk.fault("/metadata/name", what);
        }
        Some(_) => walk.fault("/metadata/name", "found no text, expected a name; put it in quotes"),
        None => walk.fault("/metadata", "name is missing"),
    }
    match metadata.and_then(|m| m.get("namespace")) {
        None => {}
        Some(Value::String(name)) if is_label(name) && name.len() <= 63 => {}
        Some(Value::String(name)) => {
            let what = format!("found {}, expected lower-case letters, digits and -, 63 at most", said(name));
            walk.fault("/metadata/namespace", what);
        }
        Some(_) => walk.fault("/metadata/namespace", "found no text, expected a name; put it in quotes"),
    }
}

/// A field that the schema does not have; the API server would drop it.
pub(super) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a String>, at: &str, walk: &mut Walk) {
    let known: Vec<&str> =
        known.map(String::as_str).filter(|k| !["status", "apiVersion", "kind"].contains(k)).collect();
    let wanted = name.to_lowercase();
    let likeness = |k: &&&str| strsim::jaro_winkler(&wanted, &k.to_lowercase());
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|k| likeness(k) > 0.8);
    let hint = match nearest {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known here: {}", known.join(", ")),
    };
    let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    walk.fault(pointer, format!("no field of {}; {hint}", walk.kind));
}

/// Fields that must be there.
pub(super) fn missing(schema: &Value, value: &Value, at: &str, walk: &mut Walk) {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| value.get(name).is_none()) {
        let field = schema.pointer(&format!("/properties/{name}"));
        let choices = field.and_then(|field| field.get("enum")).and_then(Value::as_array);
        let choices = choices.map(|all| format!(": {}", super::scalar::one_of(all))).unwrap_or_default();
        walk.fault(at, format!("{name} is missing{choices}"));
    }
}

/// Items of a list whose keys are those of an earlier one.
pub(super) fn twice(schema: &Value, items: &[Value], at: &str, walk: &mut Walk) {
    let keys: Vec<&str> = match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            keys.into_iter().flatten().filter_map(Value::as_str).collect()
        }
        Some("set") => Vec::new(),
        _ => return,
    };
    let mut first: HashMap<String, usize> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        let identity: Vec<Value> = keys.iter().map(|key| item.get(key).cloned().unwrap_or_default()).collect();
        let identity = if keys.is_empty() { item.to_string() } else { Value::from(identity).to_string() };
        match first.get(&identity) {
            None => drop(first.insert(identity, i)),
            Some(before) => {
                let key = keys.first().copied().unwrap_or_default();
                let name = if keys.is_empty() { item } else { &item[key] };
                let name = name.as_str().map_or_else(|| name.to_string(), said);
                let (below, key) = if keys.is_empty() { (String::new(), "entry") } else { (format!("/{key}"), key) };
                let what = format!("{name} stands twice, first in entry {}: each {key} may be given once", before + 1);
                walk.fault(format!("{at}/{i}{below}"), what);
            }
        }
    }
}
