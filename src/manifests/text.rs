//! Texts into objects.

use std::path::Path;
use std::sync::Arc;

use super::node::{Content, Node};
use super::yaml::{YamlError, documents};
use super::{InputError, Loaded, Object, Place, Wanted};

/// What to do about a template.
pub const RENDER: &str = "render it first: helm template CHART | dbbudget plan -f -";

/// Texts being read.
pub(super) struct Texts {
    pub loaded: Loaded,
    pub mistakes: Vec<InputError>,
    wanted: Wanted,
}

impl Texts {
    pub fn new(wanted: Wanted) -> Self {
        Self { loaded: Loaded::default(), mistakes: Vec::new(), wanted }
    }

    pub fn done(self) -> (Loaded, Vec<InputError>) {
        (self.loaded, self.mistakes)
    }

    pub fn fail(&mut self, mistake: InputError) {
        self.mistakes.push(mistake);
    }

    /// `named`: the file was asked for by name, so a document that is no Kubernetes object is a mistake; in a folder it
    /// may be anything, a values file for example.
    pub fn read(&mut self, label: &str, text: &str, named: bool) {
        let file: Arc<str> = label.into();
        self.loaded.files += 1;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let is_json = Path::new(label).extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        if is_json && let Some(error) = broken_json(text) {
            return self.fail(mistake(file, text, error));
        }
        for document in documents(text) {
            match document {
                Ok(root) => self.object(&file, root, named),
                Err(error) => return self.fail(mistake(file, text, error)),
            }
        }
    }

    fn object(&mut self, file: &Arc<str>, mut root: Node, named: bool) {
        let text = |node: Option<&Node>| node.and_then(Node::text).map(ToOwned::to_owned);
        let (api_version, kind) = match (text(root.get("apiVersion")), text(root.get("kind"))) {
            (Some(api_version), Some(kind)) => (api_version, kind),
            (api_version, kind) if named => {
                let missing = [("apiVersion", api_version), ("kind", kind)];
                let missing: Vec<_> = missing.iter().filter(|(_, found)| found.is_none()).map(|(n, _)| *n).collect();
                let what = format!("no Kubernetes object: {} missing", join(&missing));
                let place = Some(root.place);
                return self.fail(InputError { file: file.clone(), place, what, fix: None });
            }
            _ => return *self.loaded.skipped.entry("(no kind)".into()).or_default() += 1,
        };
        if kind.ends_with("List")
            && let Some(Content::List(items)) = root.take("items").map(|items| items.content)
        {
            return items.into_iter().for_each(|item| self.object(file, item, named));
        }
        if kind == "List" {
            let (place, what) = (Some(root.place), "List: `items` is no list".to_owned());
            return self.fail(InputError { file: file.clone(), place, what, fix: None });
        }
        if !(self.wanted)(&api_version, &kind) {
            return *self.loaded.skipped.entry(kind).or_default() += 1;
        }
        let metadata = root.get("metadata");
        let of = |key: &str| text(metadata.and_then(|m| m.get(key)));
        // `generateName` is the beginning of a name, and all there is of it before the object is created.
        let (namespace, name) = (of("namespace"), of("name").or_else(|| of("generateName")).unwrap_or_default());
        self.loaded.objects.push(Object { file: file.clone(), api_version, kind, namespace, name, root });
    }
}

fn join(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}` is"),
        _ => format!("{} are", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")),
    }
}

/// What is no JSON may still be YAML, which takes `{"a": }`, so JSON is looked at as such first.
fn broken_json(text: &str) -> Option<YamlError> {
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err().filter(|_| !text.trim().is_empty())?;
    let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    let place = Place { line: at(error.line()), column: at(error.column()) };
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
    Some(YamlError { what, place })
}

/// The mistake is the template, where there is one on the line.
fn mistake(file: Arc<str>, text: &str, error: YamlError) -> InputError {
    let lines = usize::try_from(error.place.line).unwrap_or(1);
    let line = text.lines().nth(lines.saturating_sub(1)).unwrap_or_default();
    let Some(at) = line.find("{{") else {
        let fix = text.contains("{{").then(|| format!("it holds `{{{{`: if it is a template, {RENDER}"));
        return InputError { file, place: Some(error.place), what: error.what, fix };
    };
    let end = line[at..].find("}}").map_or(line.len(), |end| at + end + 2);
    let column = u32::try_from(line[..at].chars().count()).unwrap_or(u32::MAX).saturating_add(1);
    let place = Some(Place { line: error.place.line, column });
    let snippet: String = line[at..end].chars().take(60).collect();
    InputError {
        file,
        place,
        what: format!("`{snippet}`: a template that is not rendered yet"),
        fix: Some(RENDER.into()),
    }
}
