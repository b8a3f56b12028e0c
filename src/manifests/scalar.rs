//! What a scalar of YAML stands for.

use serde_json::Number;

use super::node::Content;

/// A scalar by YAML's core schema, which is what Kubernetes reads. (`yes` and `on` are text there, too.)
pub(super) fn scalar(text: &str, plain: bool, tag: Option<&str>) -> Content {
    if !plain || tag == Some("str") {
        return Content::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ => number(text).map_or_else(|| Content::Text(text.to_owned()), Content::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = digits.parse::<i64>() {
        return Some(whole.into());
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return i64::from_str_radix(rest, radix).ok().map(Number::from);
        }
    }
    let looks_like_one = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '-')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    if looks_like_one { digits.parse::<f64>().ok().and_then(Number::from_f64) } else { None }
}
