//! Numbers, texts and booleans against their schema. Sentences say what was found and what was expected.

use serde_json::Value;

use super::Held;
use crate::api::container::CONTAINER_NAME;
use crate::api::inject::{FLAG, PARAMETER};
use crate::api::target::KIND;
use crate::api::{DNS_LABEL, IDENTIFIER};

/// Longer texts are not repeated.
const SHOWN: usize = 63;

/// Patterns in words.
const PATTERNS: [(&str, &str); 6] = [
    (DNS_LABEL, "lower-case letters, digits and -, beginning and ending with a letter or digit"),
    (IDENTIFIER, "the name of a variable: letters, digits and _, not beginning with a digit"),
    (PARAMETER, "the name of a parameter: letters, digits, _, . and -"),
    (CONTAINER_NAME, "lower-case letters, digits and -, or nothing for the only container"),
    (KIND, "a kind, which begins with a capital letter, such as Deployment"),
    (FLAG, "a flag without its value, such as --max-conns"),
];

/// What is wrong with a value that is no list and no mapping, or should be one.
pub(super) fn fault(held: &Held, schema: &Value, value: &Value) -> Option<String> {
    let wrong_type = |expected: &str| Some(format!("found {}, expected {expected}", found(value)));
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        let near = || nearest(value.as_str()?, all).map(|near| format!("; did you mean {near}?"));
        return (!all.contains(value))
            .then(|| format!("found {}, expected {}{}", found(value), one_of(all), near().unwrap_or_default()));
    }
    match (schema.get("type").and_then(Value::as_str)?, value) {
        ("integer", Value::Number(number)) => match number.as_i64() {
            Some(number) => range(schema, number),
            None => wrong_type("a whole number"),
        },
        ("integer", Value::String(text)) if text.parse::<i64>().is_ok() => wrong_type("a number: remove the quotes"),
        ("integer", _) => wrong_type("a whole number"),
        ("string", Value::String(text)) => length(schema, text).or_else(|| shape(held, schema, text)),
        ("string", Value::Number(_) | Value::Bool(_)) => wrong_type("text: put it in quotes"),
        ("string", _) => wrong_type("text"),
        ("boolean", Value::Bool(_)) => None,
        ("boolean", _) => wrong_type("true or false"),
        ("object", _) => wrong_type("a mapping"),
        ("array", _) => wrong_type("a list"),
        _ => None,
    }
}

fn range(schema: &Value, number: i64) -> Option<String> {
    let of_format = match schema.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let least = schema.get("minimum").and_then(Value::as_i64).unwrap_or(of_format.0);
    let most = schema.get("maximum").and_then(Value::as_i64).unwrap_or(of_format.1);
    if number < least {
        Some(format!("found {number}, expected at least {least}"))
    } else if number > most {
        Some(format!("found {number}, expected at most {most}"))
    } else {
        None
    }
}

fn length(schema: &Value, text: &str) -> Option<String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
    let given = text.chars().count() as u64;
    if given == 0 && bound("minLength").is_some_and(|least| least > 0) {
        return Some("is empty".to_owned());
    }
    if let Some(least) = bound("minLength").filter(|least| given < *least) {
        return Some(format!("found {}, expected at least {least} characters", said(text)));
    }
    let most = bound("maxLength").filter(|most| given > *most)?;
    Some(format!("has {given} characters, at most {most} are allowed"))
}

fn shape(held: &Held, schema: &Value, text: &str) -> Option<String> {
    if schema.get("format").and_then(Value::as_str) == Some("date-time") {
        let wrong = text.parse::<jiff::Timestamp>().is_err();
        return wrong.then(|| format!("found {}, expected a time such as 2026-11-21T04:00:00Z", said(text)));
    }
    let pattern = schema.get("pattern").and_then(Value::as_str)?;
    if held.patterns.get(pattern)?.is_match(text) {
        return None;
    }
    let words = PATTERNS.iter().find(|(known, _)| *known == pattern).map(|(_, words)| (*words).to_owned());
    let expected = words.unwrap_or_else(|| format!("a text that matches {pattern}"));
    Some(format!("found {}, expected {expected}", said(text)))
}

/// A value in a few words.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => said(text),
        Value::Array(_) => "a list".to_owned(),
        // `{{ .Values.x }}` without quotes is a mapping whose key is a mapping.
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// A text in quotes, unless it is long or may hold a password.
pub(super) fn said(text: &str) -> String {
    let length = text.chars().count();
    if length > SHOWN || text.contains("://") { format!("a text of {length} characters") } else { format!("{text:?}") }
}

/// `a, b or c`.
pub(super) fn one_of(all: &[Value]) -> String {
    let names: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => "nothing".to_owned(),
    }
}

fn nearest<'a>(text: &str, all: &'a [Value]) -> Option<&'a str> {
    let wanted = text.to_lowercase();
    let likeness = |known: &&str| strsim::jaro_winkler(&wanted, &known.to_lowercase());
    let best = all.iter().filter_map(Value::as_str).max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.8).then_some(best)
}
