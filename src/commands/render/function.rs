//! `dbbudget-fn`: rendering as a KRM function. A `ResourceList` comes in, and goes out with the shares written in.

use std::io::{self, Read, Write};

use serde_json::{Value, json};

use super::super::input;
use super::shares;
use crate::manifests::InputError;

const RENDERED: u8 = 0;
const FAILED: u8 = 1;

/// Reads a `ResourceList`, writes one. What does not fit is a result of severity warning; what cannot be read is one of
/// severity error, and the exit status is 1, as the function's specification asks.
///
/// # Errors
/// When the output cannot be written.
pub fn run(stdin: &mut dyn Read, out: &mut dyn Write) -> io::Result<u8> {
    let mut text = String::new();
    stdin.read_to_string(&mut text)?;
    let (mut list, status) = match serde_yaml::from_str::<Value>(&text) {
        Ok(list) if list["kind"] == "ResourceList" => rendered(list),
        Ok(_) => (failed(json!({}), &[told("standard input is no ResourceList (config.kubernetes.io/v1)")]), FAILED),
        Err(error) => (failed(json!({}), &[told(&format!("standard input is no YAML: {error}"))]), FAILED),
    };
    list["apiVersion"] = json!("config.kubernetes.io/v1");
    list["kind"] = json!("ResourceList");
    out.write_all(serde_yaml::to_string(&list).map_err(io::Error::other)?.as_bytes())?;
    Ok(status)
}

fn told(what: &str) -> InputError {
    InputError { file: "".into(), place: None, what: what.to_owned(), fix: None }
}

fn failed(mut list: Value, mistakes: &[InputError]) -> Value {
    let result = |mistake: &InputError| json!({"message": mistake.to_string(), "severity": "error"});
    list["results"] = mistakes.iter().map(result).collect();
    list
}

fn rendered(mut list: Value) -> (Value, u8) {
    let items = list.get_mut("items").map(Value::take).unwrap_or_default();
    let documents = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let text = documents.to_string();
    let args = input::Args { files: vec!["-".into()], namespace: "default".into(), ..input::Args::default() };
    let read = input::read(&args, &mut io::Cursor::new(text.as_bytes()));
    list["items"] = documents["items"].clone();
    let input = match read {
        Ok(input) => input,
        Err(mistakes) => return (failed(list, &mistakes), FAILED),
    };
    let shares::Shares { templates, unfit, left_out } = shares::of(&input);
    for template in &templates {
        let Some((_, root)) = input.object(&template.about) else { continue };
        let before = root.to_json();
        let items = list["items"].as_array_mut().into_iter().flatten();
        for item in items.filter(|item| **item == before) {
            for container in &template.containers {
                if let Some(value) = item.pointer_mut(&container.pointer) {
                    container.lists.iter().for_each(|(field, after)| value[field.as_str()] = after.clone().into());
                }
            }
        }
    }
    let warning = |text: &String| json!({"message": text, "severity": "warning"});
    let results: Vec<Value> = unfit.iter().chain(&left_out).map(warning).collect();
    if !results.is_empty() {
        list["results"] = results.into();
    }
    (list, RENDERED)
}
