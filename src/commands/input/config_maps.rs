//! ConfigMaps among the manifests, for the variables that containers take from them. Secrets are never read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::parse::Name;
use crate::manifests::{Content, InputError, Object, Place};

/// No number and no URL is longer; a file in a ConfigMap often is.
const LONGEST: usize = 4096;

/// The ConfigMaps of a plan.
#[derive(Default)]
pub struct ConfigMaps {
    all: BTreeMap<Name, ConfigMap>,
    used: RefCell<BTreeSet<Name>>,
}

struct ConfigMap {
    file: Arc<str>,
    place: Place,
    data: BTreeMap<String, String>,
    mistakes: Vec<InputError>,
}

impl ConfigMaps {
    /// Keeps of an object what variables may hold.
    pub fn put(&mut self, namespace: &str, object: &Object) {
        if object.name.is_empty() {
            return;
        }
        let name = Name::new(namespace, object.name.clone());
        if let Some(first) = self.all.get_mut(&name) {
            let what = format!("ConfigMap {name} stands twice: first in {}:{}", first.file, first.place.line);
            let fix = Some("plan one state at a time".to_owned());
            let (file, place) = (object.file.clone(), Some(object.root.place_of("")));
            return first.mistakes.push(InputError { file, place, what, fix });
        }
        let mut map = ConfigMap {
            file: object.file.clone(),
            place: object.root.place,
            data: BTreeMap::new(),
            mistakes: Vec::new(),
        };
        if let Some(Content::Map(entries)) = object.root.get("data").map(|data| &data.content) {
            for entry in entries {
                match &entry.value.content {
                    Content::Text(text) if text.len() <= LONGEST => {
                        map.data.insert(entry.key.to_string(), text.clone());
                    }
                    Content::Text(_) => {}
                    _ => map.mistakes.push(InputError {
                        file: object.file.clone(),
                        place: Some(entry.place),
                        what: format!("ConfigMap {name}: data.{} is no text", entry.key),
                        fix: Some("put the value in quotes; the API server refuses it otherwise".into()),
                    }),
                }
            }
        }
        self.all.insert(name, map);
    }

    /// Keys and values of a ConfigMap; it counts as used from now on.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&BTreeMap<String, String>> {
        let name = Name::new(namespace, name);
        let map = self.all.get(&name)?;
        self.used.borrow_mut().insert(name);
        Some(&map.data)
    }

    /// What is wrong with those that are used, and how many are not.
    pub fn done(self) -> (Vec<InputError>, usize) {
        let used = self.used.into_inner();
        let unused = self.all.len() - used.len();
        let mistakes = self.all.into_iter().filter(|(name, _)| used.contains(name)).flat_map(|(_, map)| map.mistakes);
        (mistakes.collect(), unused)
    }
}
