//! A YAML document as a tree in which every node knows its line and column.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

/// Where something stands in a file. Lines and columns begin at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub content: Content,
}

/// The values of JSON, as YAML writes them.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer or a fraction.
    Number(Number),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key. The same few words in all objects, so they are shared.
    pub key: Arc<str>,
    /// Where the key begins.
    pub place: Place,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The value of a key, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }

    /// Takes the value of a key out of a mapping.
    pub fn take(&mut self, key: &str) -> Option<Node> {
        let Content::Map(entries) = &mut self.content else { return None };
        let at = entries.iter().position(|e| &*e.key == key)?;
        Some(entries.swap_remove(at).value)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|e| &*e.key == key),
            _ => None,
        }
    }

    /// The text, if this is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where the key or item at a JSON pointer stands, or the nearest thing above it that exists: a finding about a
    /// field that is missing points at the object that misses it.
    #[must_use]
    pub fn place_of(&self, pointer: &str) -> Place {
        let (mut node, mut place) = (self, self.place);
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match &node.content {
                Content::List(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)).map(|n| (n.place, n)),
                _ => node.entry(&step).map(|e| (e.place, &e.value)),
            };
            let Some((at, below)) = next else { break };
            (place, node) = (at, below);
        }
        place
    }

    /// The same value without places.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(b) => Value::Bool(*b),
            Content::Number(n) => Value::Number(n.clone()),
            Content::Text(t) => Value::String(t.clone()),
            Content::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Content::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.to_string(), e.value.to_json())).collect::<Map<_, _>>())
            }
        }
    }
}
