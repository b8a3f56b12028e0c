//! `dbbudget crds`: the three custom resource definitions as YAML.

use std::{fs, io, path::Path};

use thiserror::Error;

use crate::api;

/// Why the definitions could not be written down.
#[derive(Debug, Error)]
pub enum Error {
    /// The definitions as derived from the types are no JSON.
    #[error("cannot turn a custom resource definition into JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// They are no YAML.
    #[error("cannot turn a custom resource definition into YAML: {0}")]
    Yaml(#[from] serde_yaml::ser::Error),
    /// A file could not be written.
    #[error("cannot write {path}: {source}; name a folder that exists and is writable")]
    Write {
        /// Where to.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// All three, as YAML documents.
///
/// # Errors
/// When they cannot be serialised.
pub fn yaml() -> Result<String, Error> {
    Ok(files()?.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("---\n"))
}

/// One file per kind: its name, and its YAML under a header that says where it comes from.
///
/// # Errors
/// When they cannot be serialised.
pub fn files() -> Result<Vec<(String, String)>, Error> {
    let definitions = api::definitions()?;
    definitions
        .into_iter()
        .map(|value| {
            let yaml = serde_yaml::to_string(&value)?;
            let name = format!("{}.yaml", value["spec"]["names"]["plural"].as_str().unwrap_or_default());
            Ok((name, format!("# Generated from the types in src/api by `make crds`. Do not edit.\n{yaml}")))
        })
        .collect()
}

/// Writes these files into a folder.
///
/// # Errors
/// When the folder is not there or not writable.
pub fn write(folder: &Path) -> Result<(), Error> {
    for (name, text) in files()? {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|source| Error::Write { path: path.display().to_string(), source })?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn stored() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crds")
    }

    /// Every object below `value`, with its path.
    fn walk<'a>(value: &'a Value, path: &str, see: &mut dyn FnMut(&str, &'a serde_json::Map<String, Value>)) {
        match value {
            Value::Object(fields) => {
                see(path, fields);
                fields.iter().for_each(|(name, field)| walk(field, &format!("{path}.{name}"), see));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), see)),
            _ => {}
        }
    }

    fn schemas() -> Vec<Value> {
        files().unwrap().iter().map(|(_, text)| serde_yaml::from_str(text).unwrap()).collect()
    }

    #[test]
    fn the_stored_files_are_those_of_the_types() {
        let mut expected: Vec<_> = files().unwrap();
        for (name, text) in &expected {
            let found = fs::read_to_string(stored().join(name)).unwrap_or_default();
            assert!(
                found == *text,
                "crds/{name} is not what the types in src/api say: run `make crds` and commit the result"
            );
        }
        let mut names: Vec<_> =
            fs::read_dir(stored()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        expected.sort();
        assert_eq!(names, expected.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), "crds/ holds other files");
    }

    #[test]
    fn every_number_has_a_format_that_kubernetes_knows() {
        for crd in schemas() {
            walk(&crd, "", &mut |path, schema| {
                if let Some(Value::String(format)) = schema.get("format") {
                    assert!(["int32", "int64", "date-time"].contains(&format.as_str()), "{path}: format {format}");
                }
            });
        }
    }

    #[test]
    fn every_field_is_described() {
        for crd in schemas() {
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
            let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
            for part in ["spec", "status"] {
                walk(&root[part], &format!("{kind}.{part}"), &mut |path, schema| {
                    if let Some(Value::Object(fields)) = schema.get("properties") {
                        for (name, field) in fields {
                            let said = field.get("description").and_then(Value::as_str).unwrap_or_default();
                            assert!(
                                said.ends_with('.'),
                                "{path}.{name} is described as {said:?}, which is no sentence"
                            );
                        }
                    }
                });
            }
        }
    }

    #[test]
    fn every_list_and_string_of_a_spec_is_bounded() {
        // The ledger is written by dbbudget alone and has no CEL rules to pay for.
        for crd in schemas().into_iter().filter(|crd| crd["spec"]["names"]["kind"] != "DatabaseLedger") {
            let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
            walk(spec, "spec", &mut |path, schema| {
                let bound = match schema.get("type").and_then(Value::as_str) {
                    Some("array") => "maxItems",
                    Some("string") if !schema.contains_key("enum") => "maxLength",
                    Some("object") if schema.contains_key("additionalProperties") => "maxProperties",
                    _ => return,
                };
                assert!(schema.contains_key(bound), "{path} has no {bound}");
            });
        }
    }

    #[test]
    fn a_claim_has_the_fields_of_an_inline_workload() {
        let [budget, claim, _] = <[Value; 3]>::try_from(schemas()).unwrap();
        let spec = |crd: &Value| crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
        let mut inline = spec(&budget)["properties"]["workloads"]["items"].clone();
        let mut claimed = spec(&claim);
        inline["properties"].as_object_mut().unwrap().remove("name");
        claimed["properties"].as_object_mut().unwrap().remove("budgetRef");
        assert_eq!(inline["properties"], claimed["properties"]);
        assert_eq!(inline["x-kubernetes-validations"], claimed["x-kubernetes-validations"]);
    }

    #[test]
    fn the_documents_are_one_stream() {
        let documents: Vec<Value> = serde_yaml::from_multiple(&yaml().unwrap()).unwrap();
        assert_eq!(documents, schemas());
    }
}
