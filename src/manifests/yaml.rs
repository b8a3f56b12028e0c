//! Composes documents from the events of the YAML parser, which know their place in the file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span};

use super::node::{Content, Entry, Node, Place};
use super::scalar::scalar;

/// A document of more nodes is refused.
const MAX_NODES: usize = 4_000_000;
/// Aliases may repeat what they stand for, but no manifest needs this many nodes of that kind, and a bomb all the more.
const MAX_REPEATED: usize = 100_000;
/// Deeper than any manifest, and far from the end of the stack.
const MAX_DEPTH: usize = 200;

/// Why a file is no YAML that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct YamlError {
    /// What was found, and what was expected.
    pub what: String,
    /// Where.
    pub place: Place,
}

/// Reads the documents of a file one by one, so that what is not needed of a large file is not kept.
pub struct Documents<'a> {
    events: Parser<'a, serde_yaml::granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, (Node, usize)>,
    keys: HashSet<Arc<str>>,
    nodes: usize,
    repeated: usize,
    broken: bool,
}

/// Reads a file's documents. An empty one is left out.
#[must_use]
pub fn documents(text: &str) -> Documents<'_> {
    let mut options = Options::default();
    options.emit_comments = false;
    let events = Parser::new_from_str_with_options(text, options);
    Documents { events, anchors: HashMap::new(), keys: HashSet::new(), nodes: 0, repeated: 0, broken: false }
}

impl Iterator for Documents<'_> {
    type Item = Result<Node, YamlError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.broken {
            match self.document() {
                Ok(Some(Node { content: Content::Null, .. })) => {}
                Ok(document) => return document.map(Ok),
                Err(error) => {
                    self.broken = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl<'a> Documents<'a> {
    fn document(&mut self) -> Result<Option<Node>, YamlError> {
        loop {
            match self.event()? {
                None => return Ok(None),
                Some((Event::DocumentStart(..), _)) => break,
                Some(_) => {}
            }
        }
        self.anchors.clear();
        (self.nodes, self.repeated) = (0, 0);
        let first = self.expect_event()?;
        self.node(first, 0).map(Some)
    }

    fn event(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        self.events.next().transpose().map_err(|e| from_scan(&e))
    }

    fn expect_event(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        let end = Place { line: 1, column: 1 };
        self.event()?.ok_or_else(|| YamlError { what: "the file ends in the middle of a document".into(), place: end })
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<Node, YamlError> {
        let place = place(&span);
        let fail = |what: String| Err(YamlError { what, place });
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return fail(format!("nested more than {MAX_DEPTH} deep"));
        }
        if self.nodes > MAX_NODES {
            return fail(format!("a document of more than {MAX_NODES} values"));
        }
        let before = self.nodes;
        let (content, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_ref().map(|t| t.suffix());
                (scalar(&text, style == ScalarStyle::Plain, tag), anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return fail("an alias inside the value that it stands for".into());
                };
                self.repeated = self.repeated.saturating_add(*size);
                if self.repeated > MAX_REPEATED {
                    return fail(format!("its aliases repeat more than {MAX_REPEATED} values"));
                }
                self.nodes += size;
                return Ok(Node { place, content: node.content.clone() });
            }
            other => return fail(format!("unexpected {other:?}")),
        };
        let node = Node { place, content };
        if anchor != 0 {
            let size = self.nodes - before + 1;
            self.repeated = self.repeated.saturating_add(size); // it is kept for them
            if self.repeated > MAX_REPEATED {
                return fail(format!("its aliases repeat, or could repeat, more than {MAX_REPEATED} values"));
            }
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.expect_event()? {
                (Event::SequenceEnd, _) => {
                    items.shrink_to_fit(); // most lists and mappings are small, and there are many
                    return Ok(Content::List(items));
                }
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content, YamlError> {
        let (mut entries, mut merged): (Vec<Entry>, Vec<Node>) = (Vec::new(), Vec::new());
        let mut known = HashSet::new();
        loop {
            let event = self.expect_event()?;
            if matches!(event.0, Event::MappingEnd) {
                break;
            }
            let node = self.node(event, depth + 1)?;
            let (place, key) = (node.place, self.shared(key(node)?));
            let value = self.expect_event()?;
            let value = self.node(value, depth + 1)?;
            if &*key == "<<" {
                merged.push(value);
            } else if known.insert(key.clone()) {
                entries.push(Entry { key, place, value });
            } else {
                return Err(YamlError { what: format!("the key {key:?} stands twice in one mapping"), place });
            }
        }
        merge(&mut entries, &mut known, merged)?;
        entries.shrink_to_fit();
        Ok(Content::Map(entries))
    }

    fn shared(&mut self, key: String) -> Arc<str> {
        if let Some(known) = self.keys.get(key.as_str()) {
            return known.clone();
        }
        let new: Arc<str> = key.into();
        // Keys of data, such as those of ConfigMaps, are not worth remembering without end.
        if self.keys.len() < 10_000 {
            self.keys.insert(new.clone());
        }
        new
    }
}

/// `<<: *base` and `<<: [*a, *b]`: keys that the mapping does not set itself, the first base first.
fn merge(entries: &mut Vec<Entry>, known: &mut HashSet<Arc<str>>, merged: Vec<Node>) -> Result<(), YamlError> {
    for node in merged {
        let place = node.place;
        let bases = match node.content {
            Content::List(items) => items,
            content => vec![Node { place, content }],
        };
        for base in bases {
            let Content::Map(base) = base.content else {
                return Err(YamlError { what: "`<<` takes a mapping".into(), place });
            };
            entries.extend(base.into_iter().filter(|entry| known.insert(entry.key.clone())));
        }
    }
    Ok(())
}

fn key(node: Node) -> Result<String, YamlError> {
    match node.content {
        Content::Text(text) => Ok(text),
        Content::Bool(b) => Ok(b.to_string()),
        Content::Number(n) => Ok(n.to_string()),
        Content::Null => Ok("null".into()),
        Content::List(_) | Content::Map(_) => {
            Err(YamlError { what: "a mapping or list where a key was expected".into(), place: node.place })
        }
    }
}

fn place(span: &Span) -> Place {
    let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: at(span.start.line()), column: at(span.start.col()).saturating_add(1) }
}

fn from_scan(error: &ScanError) -> YamlError {
    let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let marker = error.marker();
    let place = Place { line: at(marker.line()).max(1), column: at(marker.col()).saturating_add(1) };
    let said = error.info();
    if said.starts_with("tabs disallowed") {
        // The scanner has passed it.
        let place = Place { column: place.column.saturating_sub(1).max(1), ..place };
        return YamlError { what: "a tab where YAML indents: use spaces".to_owned(), place };
    }
    let too_deep = said.contains("recursion limit");
    YamlError { what: if too_deep { format!("nested more than {MAX_DEPTH} deep") } else { said }, place }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Vec<serde_json::Value> {
        documents(text).map(|d| d.unwrap().to_json()).collect()
    }

    fn error(text: &str) -> YamlError {
        documents(text).find_map(Result::err).unwrap()
    }

    #[test]
    fn values_are_those_of_kubernetes() {
        let text = "a: 1\nb: '1'\nc: yes\nd: true\ne: ~\nf: 1.5\ng: 0x10\nh: 1.2.3\ni: -3\nj: 1e3\nk: 08\nl: !!str 5\n";
        let expected = json!({"a": 1, "b": "1", "c": "yes", "d": true, "e": null, "f": 1.5, "g": 16, "h": "1.2.3", "i": -3,
            "j": 1000.0, "k": 8, "l": "5"});
        assert_eq!(read(text), [expected]);
    }

    #[test]
    fn documents_aliases_and_merges() {
        let text = "---\n# nothing\n---\nbase: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\nlist: [*b]\n---\n- 1\n...\n";
        let first = json!({"base": {"x": 1, "y": 2}, "use": {"y": 3, "x": 1}, "list": [{"x": 1, "y": 2}]});
        assert_eq!(read(text), [first, json!([1])]);
    }

    #[test]
    fn places_point_at_keys_and_items() {
        let node = documents("a:\n  b:\n  - c: 1\n  - d: 2\n").next().unwrap().unwrap();
        assert_eq!(node.place_of("/a/b/1/d"), Place { line: 4, column: 5 });
        assert_eq!(node.place_of("/a/b/9/d"), Place { line: 2, column: 3 });
        assert_eq!(node.place_of(""), Place { line: 1, column: 1 });
    }

    #[test]
    fn mistakes_have_a_place() {
        assert_eq!(error("a: 1\na: 2\n").place, Place { line: 2, column: 1 });
        assert_eq!(error("b: 2\na: [1,\n").place.line, 2);
        assert!(error("a: *nothing\n").what.contains("anchor"), "{}", error("a: *nothing\n"));
        assert!(error(&"[".repeat(100_000)).what.len() < 300);
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let before = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.extend(["a", &i.to_string(), ": &a", &i.to_string(), " [", &before, "]\n"]);
        }
        assert!(error(&bomb).what.contains("aliases"), "{}", error(&bomb));
        let anchors = "&x [".repeat(150);
        let nested = format!("a: {anchors}{}{}", vec!["1"; 40_000].join(","), "]".repeat(150));
        assert!(error(&nested).what.contains("aliases"), "{}", error(&nested));
    }
}
