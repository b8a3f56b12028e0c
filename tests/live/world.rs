//! What a test has: a namespace, ways to change what is in it, and ways to wait for what becomes of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watch_object, watcher};
use kube::{Api, Client, Resource, ResourceExt, discovery};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::cluster::Cluster;
pub use crate::patience::PATIENCE;

/// A namespace of a test.
pub struct World<'a> {
    pub cluster: &'a Cluster,
    pub client: Client,
    pub namespace: String,
}

impl World<'static> {
    /// In the cluster that tests share.
    pub async fn new(test: &str) -> Self {
        Self::on(Cluster::shared(), test).await
    }
}

impl<'a> World<'a> {
    /// In this cluster.
    pub async fn on(cluster: &'a Cluster, test: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let client = cluster.client().await;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{test}-{:x}-{number}", std::process::id());
        let world = World { cluster, client, namespace };
        world.add_namespace(&world.namespace).await;
        world
    }

    /// Another namespace of the same test.
    pub async fn beside(&self, name: &str) -> Self {
        let namespace = format!("{}-{name}", self.namespace);
        self.add_namespace(&namespace).await;
        World { cluster: self.cluster, client: self.client.clone(), namespace }
    }

    async fn add_namespace(&self, name: &str) {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.into());
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.create(&PostParams::default(), &namespace).await.expect("a namespace");
    }

    /// Gives the operator the chart's permissions, with this namespace as its own.
    pub async fn install(&self) {
        self.install_with(|rbac| rbac).await;
    }

    /// The same, with changes.
    pub async fn install_with(&self, change: impl Fn(String) -> String) {
        let all = include_str!("../../deploy/kustomize/full/dbbudget.yaml");
        let of = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
        for mut object in documents(&change(all.to_owned())) {
            let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
            let of_nodes = object.name_any() == "dbbudget-nodes";
            if !of.contains(&kind.as_str()) || (object.name_any() != "dbbudget" && !of_nodes) {
                continue; // what users may do is the same for all
            }
            if of_nodes || kind.starts_with("Cluster") {
                object.metadata.name = Some(self.namespace.clone());
            } else {
                object.metadata.namespace = Some(self.namespace.clone());
            }
            own(&mut object.data, &self.namespace);
            self.put(&object).await;
        }
    }

    /// The objects of a kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// An object of this namespace as it is stored.
    pub async fn get<K>(&self, name: &str) -> K
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K::DynamicType: Default,
    {
        self.api::<K>().get(name).await.expect("it exists")
    }

    /// Applies YAML documents as the owner of this test, in this namespace where they name none.
    pub async fn apply(&self, yaml: &str) {
        for object in documents(yaml) {
            self.put(&object).await;
        }
    }

    async fn put(&self, object: &DynamicObject) {
        let (name, api) = (object.name_any(), self.api_of(object).await);
        let params = PatchParams::apply("test").force();
        api.patch(&name, &params, &Patch::Apply(object)).await.unwrap_or_else(|e| panic!("apply {name}: {e}"));
    }

    /// Deletes the objects of YAML documents.
    pub async fn delete(&self, yaml: &str) {
        for object in documents(yaml) {
            let api = self.api_of(&object).await;
            api.delete(&object.name_any(), &DeleteParams::default()).await.expect("deleted");
        }
    }

    /// The API of an object's kind.
    pub async fn api_of(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let types = object.types.as_ref().expect("apiVersion and kind");
        let kind = types.try_into().expect("a group, a version and a kind");
        let served = async {
            loop {
                // A definition is Established a moment before its kind is served.
                match discovery::pinned_kind(&self.client, &kind).await {
                    Ok(found) => return found,
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        let (resource, capabilities) =
            tokio::time::timeout(PATIENCE, served).await.unwrap_or_else(|_| panic!("{kind:?} is not served"));
        match capabilities.scope {
            discovery::Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            discovery::Scope::Namespaced => {
                let namespace = object.namespace().unwrap_or_else(|| self.namespace.clone());
                Api::namespaced_with(self.client.clone(), &namespace, &resource)
            }
        }
    }

    /// How many nodes there are.
    pub async fn nodes(&self) -> i64 {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let count = nodes.list(&ListParams::default()).await.expect("nodes").items.len();
        i64::try_from(count).expect("few")
    }

    /// Waits until the API server asks the webhook about new pods here, which it does a moment after it is registered. A
    /// key of ours that somebody else wrote is taken off a pod that has no claim.
    pub async fn until_asked(&self) {
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let pod = json!({"metadata": {"generateName": "asked-", "annotations": {"dbbudget.dev/shape": "[]"}},
            "spec": {"containers": [{"name": "app", "image": "x"}]}});
        let (api, pod) = (self.api::<Pod>(), serde_json::from_value(pod).expect("a pod"));
        let asked = async {
            while !api.create(&dry, &pod).await.is_ok_and(|pod| pod.annotations().is_empty()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, asked).await.is_ok(), "nobody asks about pods of {}", self.namespace);
    }

    /// Waits until an object of this namespace is as `what` says.
    pub async fn until<K>(&self, name: &str, what: &str, is: impl Fn(&K) -> bool) -> K
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned + Send + 'static,
        K::DynamicType: Default,
    {
        until(self.api(), name, what, is).await
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for what in ["dbb,dbc,dbl,leases,deployments,hpa,jobs,pods", "events"] {
                let shown = self.cluster.kubectl(&["get", what, "-n", &self.namespace, "-o", "wide"]);
                eprintln!("--- {what} in {}\n{}", self.namespace, shown.map_or_else(|e| e, |(out, err)| out + &err));
            }
            let described = self.cluster.kubectl(&["describe", "dbb,dbc", "-n", &self.namespace]);
            eprintln!("--- described\n{}", described.map_or_else(|e| e, |(out, err)| out + &err));
            let logs = self.cluster.kubectl(&["logs", "-n", &self.namespace, "-l", "app", "--prefix", "--tail=20"]);
            eprintln!("--- logs\n{}", logs.map_or_else(|e| e, |(out, err)| out + &err));
        }
        let _ = self.cluster.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
        let roles = ["delete", "role,rolebinding", "-n", "kube-node-lease", &self.namespace, "--ignore-not-found"];
        let _ = self.cluster.kubectl(&roles);
        let roles = ["delete", "clusterrolebinding,clusterrole", &self.namespace, "--ignore-not-found"];
        let _ = self.cluster.kubectl(&roles);
        let _ =
            self.cluster.kubectl(&["delete", "mutatingwebhookconfiguration", &self.namespace, "--ignore-not-found"]);
    }
}

/// Waits until an object is as `what` says. Outages of the API server only take time.
pub async fn until<K>(api: Api<K>, name: &str, what: &str, is: impl Fn(&K) -> bool) -> K
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + 'static,
{
    let mut last = None;
    let wait = async {
        let mut changes = std::pin::pin!(watch_object(api, name).default_backoff());
        while let Some(change) = changes.next().await {
            match change {
                Ok(Some(object)) if is(&object) => return object,
                Ok(object) => last = object,
                Err(_) => {}
            }
        }
        unreachable!("a watch does not end")
    };
    let found = tokio::time::timeout(PATIENCE, wait).await.ok();
    found.unwrap_or_else(|| {
        if let Some(object) = &mut last {
            object.managed_fields_mut().clear();
        }
        let last = serde_yaml::to_string(&last).expect("an object of Kubernetes is YAML");
        panic!("{name}: waited in vain until {what}; last seen:\n{last}")
    })
}

/// Waits until a number of objects are as `what` says, and returns them. Outages of the API server only take time.
pub async fn until_some<K>(api: Api<K>, count: usize, what: &str, is: impl Fn(&K) -> bool) -> Vec<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let mut found = BTreeMap::new();
    let wait = async {
        let mut changes = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
        while found.len() < count {
            let change = changes.next().await.expect("a watch does not end");
            let (object, gone) = match change {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => (object, false),
                Ok(watcher::Event::Delete(object)) => (object, true),
                _ => continue,
            };
            let id = (object.namespace(), object.name_any());
            if !gone && is(&object) {
                found.insert(id, object);
            } else {
                found.remove(&id);
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await.is_ok();
    assert!(waited, "waited in vain until {count} {what}; at last {}", found.len());
    found.into_values().collect()
}

/// Makes roles and bindings those of one test: its namespace, and the names that belong to the whole cluster.
fn own(data: &mut serde_json::Value, namespace: &str) {
    if data["roleRef"]["kind"] == "ClusterRole" || data["roleRef"]["name"] == "dbbudget-nodes" {
        data["roleRef"]["name"] = namespace.into();
    }
    let list = |data: &serde_json::Value, key: &str| data.get(key).and_then(|l| l.as_array()).map_or(0, Vec::len);
    for i in 0..list(data, "subjects") {
        let subject = &mut data["subjects"][i];
        subject["namespace"] = namespace.into();
    }
    for i in 0..list(data, "rules") {
        let rule = &mut data["rules"][i];
        if rule["resources"][0] == "mutatingwebhookconfigurations" && rule["resourceNames"].is_array() {
            rule["resourceNames"] = json!([namespace]);
        }
    }
}

/// YAML documents as objects of any kind.
pub fn documents(yaml: &str) -> Vec<DynamicObject> {
    serde_yaml::from_multiple(yaml).unwrap_or_else(|error| panic!("no objects: {error}\n{yaml}"))
}
