//! Holds an object to its schema and rules as the API server would, for manifests that no server has seen.
//!
//! | file | question it answers |
//! |---|---|
//! | [`walk`] | which field breaks the schema, or a law? |
//! | [`fields`] | is a field known, missing, or there twice? |
//! | [`scalar`] | is a number or text one that the schema allows? |
//! | [`defaults`] | what does the object look like once the server has filled it in? |

mod defaults;
mod fields;
mod scalar;
mod walk;

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::law::Law;
use super::parse::Fault;
use super::rules;

/// More are not worth reading.
const MOST: usize = 50;

/// Everything that objects are held to.
struct Held {
    /// Schemas by kind.
    schemas: HashMap<String, Value>,
    /// Laws by their CEL rule, by which the schemas refer to them.
    laws: HashMap<String, Law>,
    /// The schemas' patterns, compiled.
    patterns: HashMap<String, Regex>,
}

static HELD: LazyLock<Held> = LazyLock::new(|| {
    let mut held = Held { schemas: HashMap::new(), laws: HashMap::new(), patterns: HashMap::new() };
    for definition in super::definitions().into_iter().flatten() {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
        let schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        held.compile(&schema);
        held.schemas.insert(kind, schema);
    }
    held.laws = rules::all().into_iter().map(|law| (law.cel.clone(), law)).collect();
    held
});

impl Held {
    fn compile(&mut self, schema: &Value) {
        match schema {
            Value::Object(fields) => {
                if let Some(Value::String(pattern)) = fields.get("pattern")
                    && let Ok(regex) = Regex::new(pattern)
                {
                    self.patterns.insert(pattern.clone(), regex);
                }
                fields.values().for_each(|field| self.compile(field));
            }
            Value::Array(items) => items.iter().for_each(|item| self.compile(item)),
            _ => {}
        }
    }
}

/// Holds an object of one of the three kinds to types, ranges, names of fields, and the rules between fields. Returns it
/// as the server would store it: with its defaults, and without its status, which is not looked at.
///
/// # Errors
/// What is wrong with it, at most 50 things.
pub fn check(kind: &str, object: &Value) -> Result<Value, Vec<Fault>> {
    let mut object = object.clone();
    let Some(schema) = HELD.schemas.get(kind) else { return Ok(object) };
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    defaults::fill(schema, &mut object);
    let mut walk = walk::Walk { held: &HELD, kind, faults: Vec::new() };
    walk.object(schema, &object);
    if walk.faults.is_empty() { Ok(object) } else { Err(walk.faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each<'a>(schema: &'a Value, see: &mut dyn FnMut(&'a serde_json::Map<String, Value>)) {
        match schema {
            Value::Object(fields) => {
                see(fields);
                fields.values().for_each(|field| each(field, see));
            }
            Value::Array(items) => items.iter().for_each(|item| each(item, see)),
            _ => {}
        }
    }

    /// A rule without its law would be kept by the API server alone; a law without a rule by `plan` alone.
    #[test]
    fn every_rule_of_a_schema_has_its_law_and_every_law_its_rule() {
        let mut used = std::collections::BTreeSet::new();
        for schema in HELD.schemas.values() {
            each(schema, &mut |fields| {
                for rule in fields.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
                    used.insert(rule["rule"].as_str().unwrap().to_owned());
                }
            });
        }
        assert_eq!(used, HELD.laws.keys().cloned().collect());
    }

    /// A word of the schema language that the walk does not know would be held by the API server alone.
    #[test]
    fn every_word_of_the_schemas_is_understood() {
        let known = [
            "additionalProperties",
            "default",
            "description",
            "enum",
            "format",
            "items",
            "maxItems",
            "maxLength",
            "maxProperties",
            "maximum",
            "minItems",
            "minLength",
            "minimum",
            "pattern",
            "properties",
            "required",
            "type",
            "x-kubernetes-list-map-keys",
            "x-kubernetes-list-type",
            "x-kubernetes-map-type", // who owns which entry: no manifest says that
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-validations",
        ];
        for schema in HELD.schemas.values() {
            each(&schema["properties"]["spec"], &mut |fields| {
                let is_schema = fields.get("type").is_some_and(Value::is_string);
                let unknown: Vec<_> = fields.keys().filter(|word| !known.contains(&word.as_str())).collect();
                assert!(!is_schema || unknown.is_empty(), "{unknown:?}");
            });
        }
    }

    #[test]
    fn every_pattern_compiles() {
        for schema in HELD.schemas.values() {
            each(schema, &mut |fields| {
                if let Some(Value::String(pattern)) = fields.get("pattern") {
                    assert!(HELD.patterns.contains_key(pattern), "{pattern}");
                }
            });
        }
    }
}
