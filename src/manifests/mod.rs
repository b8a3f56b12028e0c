//! Manifests: files and folders read into objects that know where they stand.

pub mod edit;
mod files;
mod node;
mod scalar;
mod text;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use files::{load, load_text};
pub use node::{Content, Entry, Node, Place};
pub use text::RENDER;
pub use yaml::{YamlError, documents};

/// Whether objects of this apiVersion and kind are of use.
pub type Wanted = fn(api_version: &str, kind: &str) -> bool;

/// One Kubernetes object of a file.
#[derive(Clone, Debug)]
pub struct Object {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`, where it is set.
    pub namespace: Option<String>,
    /// `metadata.name`, or else `metadata.generateName`; empty where there is neither.
    pub name: String,
    /// The object itself.
    pub root: Node,
}

/// What files held.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Objects of the kinds that were asked for.
    pub objects: Vec<Object>,
    /// How many of each other kind were passed over.
    pub skipped: BTreeMap<String, usize>,
    /// Files read.
    pub files: usize,
}

impl Loaded {
    /// Adds what others held.
    pub fn extend(&mut self, more: Loaded) {
        self.objects.extend(more.objects);
        self.files += more.files;
        for (kind, n) in more.skipped {
            *self.skipped.entry(kind).or_default() += n;
        }
    }
}

/// Why input cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The file, as it was named; empty where it is not about one.
    pub file: Arc<str>,
    /// Where in it.
    pub place: Option<Place>,
    /// What was found, and what was expected.
    pub what: String,
    /// What to do.
    pub fix: Option<String>,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}", self.file)?;
            if let Some(place) = self.place {
                write!(f, ":{}:{}", place.line, place.column)?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{}", self.what)?;
        if let Some(fix) = &self.fix {
            write!(f, "\n  {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for InputError {}
