//! Restarts a workload as `kubectl rollout restart` does, where that is allowed now.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{Selector, SelectorExt};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::{WriteError, Writer, limited};
use crate::cluster::view::item::{Item, read_workload};
use crate::cluster::view::locate::everywhere;
use crate::cluster::view::sources::Source;
use crate::workload::Key;
use crate::workload::progress::Progress;

/// Owner of the one annotation, so that everybody sees who restarted a workload.
const FIELD_MANAGER: &str = "dbbudget/restart";
/// What `kubectl rollout restart` writes to a template.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// How it went.
pub enum Restarted {
    /// It is restarted; the workload as it is stored now.
    Yes(Box<Item>),
    /// Not now; the sentence says why.
    NotNow(String),
}

impl Writer {
    /// Restarts a workload, unless a `PodDisruptionBudget` allows fewer pods to be missing than that takes away at a time.
    /// A rollout does not ask for evictions, so nobody else would look. Doing it twice with one time changes nothing.
    ///
    /// # Errors
    /// When it was not restarted, or nobody knows whether it was.
    pub async fn restart(&self, key: &Key, progress: &Progress, at: Timestamp) -> Result<Restarted, WriteError> {
        if progress.missing > 0
            && let Some(why) = self.guarded(key, progress).await?
        {
            return Ok(Restarted::NotNow(why));
        }
        let what = key.to_string();
        let source = Source::Workloads { group: key.group.clone(), kind: key.kind.clone() };
        let Some(resource) = everywhere(&source) else { return Err(WriteError::Gone(what)) };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &key.namespace, &resource);
        let annotations = json!({RESTARTED_AT: at.to_string()});
        let patch = Patch::Merge(json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let permission = || format!("patch on {}.{}", resource.plural, resource.group);
        let written = limited(what, &key.namespace, permission, api.patch(&key.name, &params, &patch)).await?;
        Ok(Restarted::Yes(Box::new(read_workload(written, &resource))))
    }

    /// What keeps pods of a workload from being missing.
    async fn guarded(&self, key: &Key, progress: &Progress) -> Result<Option<String>, WriteError> {
        let api: Api<PodDisruptionBudget> = Api::namespaced(self.client.clone(), &key.namespace);
        let permission = || "list on poddisruptionbudgets.policy".to_owned();
        let params = ListParams::default();
        let what = format!("{key} while the PodDisruptionBudgets of its namespace are not known");
        let budgets = limited(what, &key.namespace, permission, api.list(&params)).await?;
        Ok(guard(&budgets.items, &progress.labels, progress.missing))
    }
}

/// The first `PodDisruptionBudget` that does not allow this many pods with these labels to be missing.
fn guard(budgets: &[PodDisruptionBudget], labels: &BTreeMap<String, String>, missing: u32) -> Option<String> {
    budgets.iter().find_map(|budget| {
        let selector: Selector = budget.spec.as_ref()?.selector.clone()?.try_into().ok()?;
        let allowed = budget.status.as_ref().map_or(0, |status| status.disruptions_allowed);
        let enough = u32::try_from(allowed).is_ok_and(|allowed| allowed >= missing);
        (selector.matches(labels) && !enough).then(|| {
            let name = budget.name_any();
            format!(
                "It takes {missing} pods away at a time, and the PodDisruptionBudget {name} allows {allowed} to be \
                missing now. A rollout with maxUnavailable 0 takes none."
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disruption_budget_guards_the_pods_that_it_selects() {
        let budget = |selector: serde_json::Value, allowed: i32| -> PodDisruptionBudget {
            let spec = json!({"selector": selector});
            let status =
                json!({"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1});
            serde_json::from_value(json!({"metadata": {"name": "api"}, "spec": spec, "status": status})).unwrap()
        };
        let labels = BTreeMap::from([("app".to_owned(), "api".to_owned())]);
        let api = json!({"matchLabels": {"app": "api"}});
        assert!(
            guard(&[budget(api.clone(), 0)], &labels, 1).is_some_and(|why| why.contains("PodDisruptionBudget api"))
        );
        assert!(guard(&[budget(api.clone(), 1)], &labels, 1).is_none());
        assert!(guard(&[budget(api, 1)], &labels, 2).is_some());
        assert!(guard(&[budget(json!({}), 0)], &labels, 1).is_some(), "an empty selector selects all pods");
        assert!(guard(&[budget(json!({"matchLabels": {"app": "web"}}), 0)], &labels, 1).is_none());
    }
}
