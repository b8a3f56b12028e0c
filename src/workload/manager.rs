//! Who else writes an object. A tool that keeps it as it stands in Git undoes whatever another one writes, and so does a
//! controller whose object it is.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::read::part;

/// The owner of every number that dbbudget lowers, in the managed fields of its object.
pub const SCALE_MANAGER: &str = "dbbudget/scale";

/// Who writes an object again when it differs from what they want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A tool that keeps it as it is written elsewhere, with the name of what it belongs to.
    Tool(&'static str, Option<String>),
    /// The controller of another object, by its kind and name.
    Controller(String, String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(tool, None) => f.write_str(tool),
            Self::Tool(tool, Some(name)) => write!(f, "{tool}, {name}"),
            Self::Controller(kind, name) => write!(f, "{kind} {name}"),
        }
    }
}

/// Who writes an object besides those that one may write over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managed {
    /// Who would undo a change.
    pub owner: Option<Owner>,
    /// Whether a number of it is dbbudget's.
    pub ours: bool,
}

/// What an annotation or label says: its key, the tool, and what the tool calls its value.
const MARKS: [(&str, &str, &str); 4] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD", "application"),
    ("argocd.argoproj.io/instance", "Argo CD", "application"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux", "Kustomization"),
    ("helm.toolkit.fluxcd.io/name", "Flux", "HelmRelease"),
];

/// Field managers, by how their names begin. `app.kubernetes.io/instance`, which Argo CD uses for tracking, too, says
/// nothing without one of them, and with one it says nothing more.
const MANAGERS: [(&str, &str); 5] = [
    ("argocd-controller", "Argo CD"),
    ("argocd-application-controller", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
    ("flux", "Flux"),
];

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    annotations: Option<Value>,
    labels: Option<Value>,
    owner_references: Option<Vec<Reference>>,
    managed_fields: Option<Vec<Entry>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reference {
    kind: String,
    name: String,
    controller: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    manager: String,
    subresource: Option<String>,
}

/// Reads who writes an object. What cannot be read of it never keeps its numbers from counting.
#[must_use]
pub fn managed(object: &Value) -> Managed {
    let metadata: Metadata = part(object, "metadata").unwrap_or_default();
    let entries = metadata.managed_fields.iter().flatten();
    let ours = entries.into_iter().any(|entry| entry.manager == SCALE_MANAGER);
    let owner = metadata.marked().or_else(|| metadata.helm()).or_else(|| metadata.applied());
    Managed { owner: owner.or_else(|| metadata.controlled()), ours }
}

impl Metadata {
    fn says(&self, key: &str) -> Option<&str> {
        let at = |map: &Option<Value>| map.as_ref().and_then(|map| map.get(key)).is_some();
        let map = if at(&self.annotations) { &self.annotations } else { &self.labels };
        map.as_ref()?.get(key)?.as_str()
    }

    fn marked(&self) -> Option<Owner> {
        MARKS.iter().find_map(|(key, tool, what)| {
            // A tracking id is `application:group/kind:namespace/name`.
            let name = self.says(key)?.split(':').next().unwrap_or_default();
            Some(Owner::Tool(tool, Some(format!("{what} {name}"))))
        })
    }

    /// What Helm installs it upgrades again: the label alone is also what charts rendered elsewhere carry.
    fn helm(&self) -> Option<Owner> {
        let release = self.says("meta.helm.sh/release-name")?;
        let by_helm = self.says("app.kubernetes.io/managed-by") == Some("Helm");
        by_helm.then(|| Owner::Tool("Helm", Some(format!("release {release}"))))
    }

    /// Whoever applied it, or set one of its fields; a status is nobody's wish.
    fn applied(&self) -> Option<Owner> {
        let entries = self.managed_fields.iter().flatten().filter(|e| e.subresource.as_deref() != Some("status"));
        let tool = |entry: &Entry| MANAGERS.iter().find(|(begins, _)| entry.manager.starts_with(begins));
        entries.into_iter().find_map(|entry| Some(Owner::Tool(tool(entry)?.1, None)))
    }

    fn controlled(&self) -> Option<Owner> {
        let controller = self.owner_references.iter().flatten().find(|r| r.controller == Some(true))?;
        Some(Owner::Controller(controller.kind.clone(), controller.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owner(metadata: &Value) -> Option<String> {
        managed(&json!({"metadata": metadata})).owner.map(|owner| owner.to_string())
    }

    #[test]
    fn gitops_tools_are_known_by_their_marks() {
        let annotation = |key: &str, value: &str| owner(&json!({"annotations": {key: value}}));
        let label = |key: &str| owner(&json!({"labels": {key: "shop"}}));
        let tracking = annotation("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:shop/api");
        assert_eq!(tracking.as_deref(), Some("Argo CD, application shop"));
        assert_eq!(label("argocd.argoproj.io/instance").as_deref(), Some("Argo CD, application shop"));
        assert_eq!(label("kustomize.toolkit.fluxcd.io/name").as_deref(), Some("Flux, Kustomization shop"));
        assert_eq!(label("helm.toolkit.fluxcd.io/name").as_deref(), Some("Flux, HelmRelease shop"));
        assert_eq!(label("app.kubernetes.io/instance"), None, "Helm charts set it, whoever installs them");
        assert_eq!(label("app.kubernetes.io/managed-by"), None);
        let helm = json!({
            "labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "shop"},
        });
        assert_eq!(owner(&helm).as_deref(), Some("Helm, release shop"));
    }

    #[test]
    fn and_by_what_they_write() {
        let manager = |name: &str, operation: &str, subresource: &str| {
            let fields = json!({"f:spec": {"f:replicas": {}}});
            owner(&json!({"managedFields": [{
                "manager": name, "operation": operation, "subresource": subresource, "fieldsV1": fields,
            }]}))
        };
        assert_eq!(manager("argocd-controller", "Apply", "").as_deref(), Some("Argo CD"));
        assert_eq!(manager("argocd-application-controller", "Update", "").as_deref(), Some("Argo CD"));
        assert_eq!(manager("kustomize-controller", "Apply", "").as_deref(), Some("Flux"));
        assert_eq!(manager("flux-client-side-apply", "Update", "").as_deref(), Some("Flux"));
        assert_eq!(manager("kustomize-controller", "Update", "status"), None);
        for one_may_write_over in ["kubectl", "kubectl-client-side-apply", "kube-controller-manager", "dbbudget/scale"]
        {
            assert_eq!(manager(one_may_write_over, "Apply", ""), None);
        }
        let ours = |name: &str| managed(&json!({"metadata": {"managedFields": [{"manager": name}]}})).ours;
        assert!(ours(SCALE_MANAGER) && !ours("dbbudget/restart"));
    }

    #[test]
    fn what_another_object_controls_is_that_ones() {
        let reference = |controller: bool| json!({"ownerReferences": [{"kind": "ScaledObject", "name": "queue", "controller": controller}]});
        assert_eq!(owner(&reference(true)).as_deref(), Some("ScaledObject queue"));
        assert_eq!(owner(&reference(false)), None);
        assert_eq!(
            owner(&json!({"annotations": 3, "managedFields": "none"})),
            None,
            "what makes no sense owns nothing"
        );
    }
}
