//! Which operations lead from one pod to the other. What the API server would refuse is never answered: then the pod
//! stays as it is.

use std::collections::BTreeSet;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation};
use serde_json::Value;

/// Annotations of one object take this many bytes at most.
const ANNOTATIONS: usize = 256 * 1024;

/// Why a result of ours is thrown away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The operations do not lead where they should.
    #[error("the patch does not lead to the pod that was meant")]
    Elsewhere,
    /// A variable of a container would be there twice.
    #[error("{0} would be set twice in a container")]
    Twice(String),
    /// More annotations than an object may have.
    #[error("the pod's annotations would be larger than {ANNOTATIONS} bytes")]
    TooLarge,
}

/// The operations, none where the two are the same.
///
/// # Errors
/// Where the API server would refuse the outcome.
pub fn patch(before: &Value, after: &Value) -> Result<Patch, Doubt> {
    if before == after {
        return Ok(Patch::default()); // most pods of most clusters
    }
    let mut operations = Vec::new();
    differ(before, after, &["metadata", "annotations"], &mut operations);
    differ(before, after, &["spec", "schedulingGates"], &mut operations);
    for list in ["initContainers", "containers"] {
        let count = after.pointer(&format!("/spec/{list}")).and_then(Value::as_array).map_or(0, Vec::len);
        for index in 0..count {
            for field in ["env", "command", "args"] {
                differ(before, after, &["spec", list, &index.to_string(), field], &mut operations);
            }
        }
    }
    let patch = Patch(operations);
    let mut reached = before.clone();
    if json_patch::patch(&mut reached, &patch).is_err() || reached != *after {
        return Err(Doubt::Elsewhere);
    }
    check(before, after)?;
    Ok(patch)
}

fn differ(before: &Value, after: &Value, tokens: &[&str], operations: &mut Vec<PatchOperation>) {
    let path = PointerBuf::from_tokens(tokens.iter().copied());
    let at = |pod: &Value| pod.pointer(path.as_str()).cloned();
    match (at(before), at(after)) {
        (one, other) if one == other => {}
        (_, Some(value)) => operations.push(PatchOperation::Add(AddOperation { path, value })),
        (Some(_), None) => operations.push(PatchOperation::Remove(RemoveOperation { path })),
        (None, None) => {}
    }
}

/// What the API server would look at. A name that the pod had twice already is its owner's.
fn check(before: &Value, after: &Value) -> Result<(), Doubt> {
    let annotations = after.pointer("/metadata/annotations").and_then(Value::as_object);
    let bytes = annotations.into_iter().flatten().map(|(k, v)| k.len() + v.as_str().map_or(0, str::len));
    if bytes.sum::<usize>() > ANNOTATIONS {
        return Err(Doubt::TooLarge);
    }
    let known = repeated(before);
    match repeated(after).difference(&known).next() {
        Some((_, name)) => Err(Doubt::Twice(name.clone())),
        None => Ok(()),
    }
}

/// Variables that a container has more than once.
fn repeated(pod: &Value) -> BTreeSet<(String, String)> {
    let mut twice = BTreeSet::new();
    for list in ["initContainers", "containers"] {
        let containers = pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            let of = container["name"].as_str().unwrap_or_default();
            let mut seen = BTreeSet::new();
            let env = container.get("env").and_then(Value::as_array).into_iter().flatten();
            let names = env.filter_map(|entry| entry["name"].as_str());
            twice.extend(names.filter(|name| !seen.insert(*name)).map(|name| (of.to_owned(), name.to_owned())));
        }
    }
    twice
}
