//! Pods that wait where nobody looks any more: their claim went while no dbbudget ran. Looked for when a replica begins to
//! lead, by their annotations alone.

use std::collections::{BTreeMap, BTreeSet};

use super::ledgers::budget_name;
use super::look::Context;
use crate::api::parse::Name;
use crate::cluster::view::View;
use crate::cluster::write::WriteError;
use crate::pod::pinned::Pinned;

/// Budgets that pods wait for in namespaces that no claim is in.
///
/// # Errors
/// When the pods were not read.
pub async fn forgotten(context: &Context, namespaces: Option<&[String]>) -> Result<BTreeSet<Name>, WriteError> {
    let mut found: BTreeMap<Name, BTreeSet<String>> = BTreeMap::new();
    for (namespace, annotations) in context.writer.pods_annotations(namespaces).await? {
        let Some(pinned) = Pinned::read(&annotations) else { continue };
        for budget in pinned.awaited().into_iter().filter_map(budget_name) {
            found.entry(budget).or_default().insert(namespace.clone());
        }
    }
    let view = context.shared.read();
    let looks = |name: &Name, namespace: &String| needs(&view, name).contains(namespace);
    for (name, namespaces) in &mut found {
        namespaces.retain(|namespace| !looks(name, namespace));
    }
    drop(view);
    found.retain(|_, namespaces| !namespaces.is_empty());
    for (name, namespaces) in &found {
        context.shared.outlived(name, namespaces.clone());
    }
    Ok(found.into_keys().collect())
}

fn needs(view: &View, name: &Name) -> BTreeSet<String> {
    view.needs(name).into_iter().filter_map(|need| need.namespace).collect()
}
