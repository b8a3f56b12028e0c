//! Changes to a manifest's text that leave everything else as it stands: comments, order, quotes, blank lines.
//!
//! Each change is a splice of bytes. A list is changed item by item: an item that stays keeps its text, one whose value
//! changes keeps all but that value.

mod flow;

use std::ops::Range;

use serde_json::Value;

use super::{Content, Node, Place};
use flow::{flow, flow_item, flow_list, json, plain, quoted};

/// A text with a way from places to bytes.
pub struct Source<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

/// Text in place of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Which bytes.
    pub bytes: Range<usize>,
    /// What stands there instead.
    pub text: String,
}

impl<'a> Source<'a> {
    /// A text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines }
    }

    /// The text with these changes, none of which overlap.
    #[must_use]
    pub fn with(&self, mut splices: Vec<Splice>) -> String {
        splices.sort_by_key(|splice| splice.bytes.start);
        let mut text = String::with_capacity(self.text.len() + 1_000);
        let mut from = 0;
        for splice in splices {
            text.push_str(self.text.get(from..splice.bytes.start).unwrap_or_default());
            text.push_str(&splice.text);
            from = splice.bytes.end;
        }
        text + self.text.get(from..).unwrap_or_default()
    }

    /// Brings one list of a mapping from what it is to `after`. A list that is not there is added after the first key of
    /// the mapping that is a plain word.
    #[must_use]
    pub fn list(&self, mapping: &Node, key: &str, after: &[Value]) -> Vec<Splice> {
        match mapping.get(key) {
            Some(Node { content: Content::List(items), place }) if !items.is_empty() => {
                let list = List { source: self, place: *place, items };
                list.changed(after)
            }
            Some(node) => vec![self.replace(node, flow_list(after))],
            None => self.added(mapping, key, after).into_iter().collect(),
        }
    }

    fn at(&self, place: Place) -> usize {
        let line = self.line_start(place.line);
        let column = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
        let bytes = self.text.get(line..).unwrap_or_default().char_indices().nth(column);
        bytes.map_or(self.text.len(), |(at, _)| line + at)
    }

    fn line_start(&self, line: u32) -> usize {
        let line = usize::try_from(line).unwrap_or(1).saturating_sub(1);
        self.lines.get(line).copied().unwrap_or(self.text.len())
    }

    fn starts_with(&self, place: Place, what: char) -> bool {
        self.text.get(self.at(place)..).is_some_and(|text| text.starts_with(what))
    }

    fn replace(&self, node: &Node, text: String) -> Splice {
        let start = self.at(node.place);
        Splice { bytes: start..self.end_of(start), text }
    }

    /// The end of the scalar or flow collection that begins here.
    fn end_of(&self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let length = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => quoted(rest, quote),
            Some('[' | '{') => flow(rest),
            _ => plain(rest),
        };
        start + length
    }

    fn added(&self, mapping: &Node, key: &str, after: &[Value]) -> Option<Splice> {
        let Content::Map(entries) = &mapping.content else { return None };
        if self.starts_with(mapping.place, '{') {
            let at = self.at(mapping.place) + 1;
            return Some(Splice { bytes: at..at, text: format!("{key}: {}, ", flow_list(after)) });
        }
        let scalar = |node: &Node| !matches!(node.content, Content::List(_) | Content::Map(_) | Content::Null);
        // After the image, where people look for it, or any other key of one line.
        let anchor = entries.iter().rfind(|e| &*e.key == "image" && scalar(&e.value));
        let anchor = anchor.or_else(|| entries.iter().find(|e| scalar(&e.value)))?;
        let at = self.line_start(anchor.value.place.line + 1);
        let indent = " ".repeat(usize::try_from(mapping.place.column).unwrap_or(1) - 1);
        let items: Vec<String> = after.iter().map(|item| format!("{indent}  - {}\n", flow_item(item))).collect();
        let items = items.concat();
        let ends = at == self.text.len() && !self.text.ends_with('\n');
        Some(Splice { bytes: at..at, text: format!("{}{indent}{key}:\n{items}", if ends { "\n" } else { "" }) })
    }
}

/// A list of at least one item.
struct List<'a> {
    source: &'a Source<'a>,
    place: Place,
    items: &'a [Node],
}

impl List<'_> {
    fn changed(&self, after: &[Value]) -> Vec<Splice> {
        let (mut splices, mut taken) = (Vec::new(), vec![false; self.items.len()]);
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (at, item) in after.iter().enumerate() {
            let known = self.items.iter().enumerate().position(|(i, node)| !taken[i] && is_same(node, item, i == at));
            match known {
                Some(i) => {
                    taken[i] = true;
                    splices.extend(self.item(&self.items[i], item));
                }
                None if taken.contains(&true) => last.push((taken.iter().rposition(|t| *t).unwrap_or(0), item)),
                None => first.push(item),
            }
        }
        let first: Vec<String> = first.into_iter().map(flow_item).collect();
        splices.extend(self.insert(0, &first));
        for (behind, item) in last {
            splices.extend(self.insert(behind + 1, &[flow_item(item)]));
        }
        let gone = taken.iter().enumerate().filter(|(_, taken)| !**taken);
        splices.extend(gone.map(|(i, _)| self.removed(i)));
        splices
    }

    fn is_flow(&self) -> bool {
        self.source.starts_with(self.place, '[')
    }

    /// Changes an item's own value, and nothing around it.
    fn item(&self, node: &Node, after: &Value) -> Option<Splice> {
        if node.to_json() == *after {
            return None;
        }
        match (node.get("value"), after.get("value").and_then(Value::as_str), after.get("valueFrom")) {
            (Some(value), Some(text), None) if node.text().is_none() => Some(self.source.replace(value, json(text))),
            _ if node.text().is_some() => Some(self.source.replace(node, json(after.as_str().unwrap_or_default()))),
            _ => {
                let at = self.items.iter().position(|item| item.place == node.place)?;
                let Range { start, end } = self.span(at);
                let bytes = self.source.at(node.place).max(start)..end;
                let newline = if self.is_flow() { "" } else { "\n" };
                Some(Splice { bytes, text: format!("{}{newline}", flow_item(after)) })
            }
        }
    }

    /// The bytes of an item: in a block its lines, in brackets the value alone.
    fn span(&self, at: usize) -> Range<usize> {
        let source = self.source;
        if self.is_flow() {
            let start = source.at(self.items[at].place);
            return start..source.end_of(start);
        }
        let start = source.line_start(self.items[at].place.line);
        let dash = indent_of(&source.text[start..]);
        let mut end = start;
        for line in source.text[start..].split_inclusive('\n') {
            let inside = end == start || line.trim().is_empty() || indent_of(line) > dash;
            if !inside {
                break;
            }
            end += line.len();
        }
        // Blank lines and comments at its end belong to what follows.
        let mut lines: Vec<&str> = source.text[start..end].split_inclusive('\n').collect();
        while lines.len() > 1 && lines.last().is_some_and(|l| l.trim().is_empty() || l.trim_start().starts_with('#')) {
            lines.pop();
        }
        start..start + lines.concat().len()
    }

    fn insert(&self, at: usize, items: &[String]) -> Option<Splice> {
        if items.is_empty() {
            return None;
        }
        let source = self.source;
        if self.is_flow() {
            let (place, text) = match at {
                0 => (source.at(self.items[0].place), format!("{}, ", items.join(", "))),
                _ => (self.span(at - 1).end, format!(", {}", items.join(", "))),
            };
            return Some(Splice { bytes: place..place, text });
        }
        let place = if at == 0 { self.span(0).start } else { self.span(at - 1).end };
        let indent = " ".repeat(indent_of(&source.text[self.span(0).start..]));
        let lines: Vec<String> = items.iter().map(|item| format!("{indent}- {item}\n")).collect();
        let lines = lines.concat();
        let missing = if place > 0 && !source.text[..place].ends_with('\n') { "\n" } else { "" };
        Some(Splice { bytes: place..place, text: format!("{missing}{lines}") })
    }

    fn removed(&self, at: usize) -> Splice {
        let mut bytes = self.span(at);
        if self.is_flow() {
            let after = &self.source.text[bytes.end..];
            if let Some(rest) = after.strip_prefix(',') {
                bytes.end += 1 + (rest.len() - rest.trim_start().len());
            }
        }
        Splice { bytes, text: String::new() }
    }
}

/// Whether an item is the one that another becomes: of the same name, or the word in the same place.
fn is_same(node: &Node, after: &Value, same_place: bool) -> bool {
    match (node.get("name").and_then(Node::text), after.get("name").and_then(Value::as_str)) {
        (Some(before), Some(after)) => before == after,
        _ => same_place,
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}
