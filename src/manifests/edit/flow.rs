//! YAML on one line: where a value ends, and how one is written.

use serde_json::Value;

/// The bytes of a quoted scalar.
pub(super) fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => drop(chars.next()),
            '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The bytes of a plain scalar, on one line.
pub(super) fn plain(text: &str) -> usize {
    let line = text.split('\n').next().unwrap_or_default();
    let line = line.find(" #").map_or(line, |at| &line[..at]);
    let end = line.find([',', ']', '}']).unwrap_or(line.len());
    line[..end].trim_end().len()
}

/// The bytes of a list or mapping in brackets.
pub(super) fn flow(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            '"' | '\'' if text[..at].ends_with([' ', ',', '[', '{', ':', '\n']) => {
                at += quoted(&text[at..], c);
                continue;
            }
            '#' if text[..at].ends_with([' ', '\n']) => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    text.len()
}

/// JSON's quoted text is YAML's, too, and never taken for a number.
pub(super) fn json(text: &str) -> String {
    Value::from(text).to_string()
}

pub(super) fn flow_list(items: &[Value]) -> String {
    format!("[{}]", items.iter().map(flow_item).collect::<Vec<_>>().join(", "))
}

/// An item as people write it: `{name: A, value: "1"}`.
pub(super) fn flow_item(item: &Value) -> String {
    match item {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key != "name");
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| match value {
                    Value::String(text) if *key == "name" || *key == "key" => format!("{key}: {}", word(text)),
                    value => format!("{key}: {}", flow_item(value)),
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::String(text) => json(text),
        other => other.to_string(),
    }
}

/// A name without quotes, where it needs none.
fn word(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&text.to_lowercase().as_str()) {
        text.to_owned()
    } else {
        json(text)
    }
}
