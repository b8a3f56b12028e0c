//! How one container's JSON is changed.

use serde_json::{Value, json};

use super::keys;
use crate::workload::flags::{End, List, Spot};
use crate::workload::url::with_parameter;

/// Changes to one container, gathered and then made at once.
#[derive(Debug, Default)]
pub struct Changes {
    /// Variables with numbers of the share. They come before all others, so that any of them may use these.
    numbers: Vec<Value>,
    /// Other variables.
    others: Vec<Value>,
    /// Parameters of URLs, by the variable that holds one.
    urls: Vec<UrlChanges>,
    /// Numbers in the words of its command and args.
    words: Vec<(Spot, String)>,
    /// Flags that are added.
    flags: Vec<(End, String)>,
    /// Variables that are there keep their place.
    in_place: bool,
}

/// Changes to the URL in one variable.
#[derive(Debug)]
struct UrlChanges {
    variable: String,
    how: UrlChange,
    parameters: Vec<(String, String)>,
}

/// How a URL is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlChange {
    /// Its value is rewritten.
    InPlace,
    /// The variable is renamed, and another of its name extends it.
    Renamed(char),
    /// It comes from an `envFrom`, and a variable of its name extends it.
    Over(char),
}

impl Changes {
    /// No changes yet. `in_place`: variables that are there keep their place.
    #[must_use]
    pub fn new(in_place: bool) -> Self {
        Self { in_place, ..Self::default() }
    }

    /// A variable that reads an annotation.
    pub fn bound(&mut self, name: &str, annotation: &str) {
        let entry = json!({"name": name, "valueFrom": field_ref(&keys::field_path(annotation))});
        first(&mut self.numbers, entry);
    }

    /// A variable with a value.
    pub fn fixed(&mut self, name: &str, value: &str) {
        first(&mut self.others, json!({"name": name, "value": value}));
    }

    /// A variable with the pod's name.
    pub fn pod_name(&mut self, name: &str) {
        first(&mut self.others, json!({"name": name, "valueFrom": field_ref("metadata.name")}));
    }

    /// A parameter of the URL in a variable.
    pub fn parameter(&mut self, variable: &str, how: UrlChange, name: &str, value: String) {
        let at = self.urls.iter().position(|known| known.variable == variable).unwrap_or_else(|| {
            self.urls.push(UrlChanges { variable: variable.to_owned(), how, parameters: Vec::new() });
            self.urls.len() - 1
        });
        let parameters = &mut self.urls[at].parameters;
        if parameters.iter().all(|(known, _)| known != name) {
            parameters.push((name.to_owned(), value));
        }
    }

    /// Text in place of a number of the command or args.
    pub fn word(&mut self, spot: Spot, text: String) {
        if self.words.iter().all(|(known, _)| *known != spot) {
            self.words.push((spot, text));
        }
    }

    /// A flag at the end of the args, or of a script.
    pub fn flag(&mut self, end: End, text: String) {
        self.flags.push((end, text));
    }

    /// Makes the changes.
    pub fn make(mut self, container: &mut Value) {
        let mut env = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
        self.others.retain(|entry| self.numbers.iter().all(|number| number["name"] != entry["name"]));
        if self.in_place {
            self.others.retain(|ours| !replaced(&mut env, ours));
        }
        let ours = || self.numbers.iter().chain(&self.others);
        env.retain(|entry| ours().all(|ours| ours["name"] != entry["name"]));
        let mut over = Vec::new();
        for url in &self.urls {
            url.make(&mut env, &mut over);
        }
        let all: Vec<Value> = [self.numbers, self.others, over, env].concat();
        if !all.is_empty() {
            container["env"] = Value::Array(all);
        }
        // From the end, so that places before a change stay what they are.
        self.words.sort_by_key(|(spot, _)| (spot.list, spot.index, std::cmp::Reverse(spot.bytes.start)));
        for (spot, text) in self.words {
            if let Some(Value::String(word)) = word_of(container, spot.list, spot.index)
                && word.get(spot.bytes.clone()).is_some()
            {
                word.replace_range(spot.bytes, &text);
            }
        }
        for (end, text) in self.flags {
            add_flag(container, end, &text);
        }
    }
}

/// Puts an entry in the place of the last one of its name, which is the one that counts.
fn replaced(env: &mut [Value], ours: &Value) -> bool {
    let found = env.iter_mut().rev().find(|entry| entry["name"] == ours["name"]);
    found.map(|entry| *entry = ours.clone()).is_some()
}

/// The first to set a name settles it.
fn first(list: &mut Vec<Value>, entry: Value) {
    if list.iter().all(|known| known["name"] != entry["name"]) {
        list.push(entry);
    }
}

/// A reference to a field of the pod, as the API server stores it.
fn field_ref(path: &str) -> Value {
    json!({"fieldRef": {"apiVersion": "v1", "fieldPath": path}})
}

impl UrlChanges {
    /// `over`: variables that shadow those of an `envFrom`.
    fn make(&self, env: &mut Vec<Value>, over: &mut Vec<Value>) {
        let (variable, parameters) = (self.variable.as_str(), &self.parameters);
        let at = env.iter().rposition(|entry| entry["name"] == variable);
        match (self.how, at) {
            (UrlChange::InPlace, Some(at)) => {
                if let Some(text) = env[at]["value"].as_str() {
                    let merged = |url: String, (name, value): &(String, String)| with_parameter(&url, name, value);
                    env[at]["value"] = parameters.iter().fold(text.to_owned(), merged).into();
                }
            }
            (UrlChange::Renamed(joint), Some(at)) => {
                let renamed = format!("{}{variable}", keys::URL);
                env[at]["name"] = renamed.clone().into();
                env.insert(at + 1, json!({"name": variable, "value": extended(&renamed, joint, parameters)}));
            }
            (UrlChange::Over(joint), None) => {
                over.push(json!({"name": variable, "value": extended(variable, joint, parameters)}));
            }
            (UrlChange::InPlace | UrlChange::Renamed(_), None) | (UrlChange::Over(_), Some(_)) => {}
        }
    }
}

/// `$(NAME)?a=1&b=2`
fn extended(of: &str, joint: char, parameters: &[(String, String)]) -> String {
    let next = if joint == ';' { ';' } else { '&' };
    let mut text = format!("$({of})");
    for (i, (name, value)) in parameters.iter().enumerate() {
        text.push(if i == 0 { joint } else { next });
        text.extend([name, "=", value]);
    }
    text
}

fn word_of(container: &mut Value, list: List, index: usize) -> Option<&mut Value> {
    container.get_mut(list.field())?.get_mut(index)
}

fn add_flag(container: &mut Value, end: End, text: &str) {
    match end {
        End::Args => match container.get_mut("args").and_then(Value::as_array_mut) {
            Some(args) => args.push(text.into()),
            None => container["args"] = json!([text]),
        },
        End::Script { list, index } => {
            if let Some(Value::String(script)) = word_of(container, list, index) {
                *script = format!("{} {text}", script.trim_end());
            }
        }
    }
}
