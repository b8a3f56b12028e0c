//! Pods that wait: the one patch that lets them go, and reads that prove how others ended.

use std::collections::BTreeMap;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch as JsonPatch, PatchOperation, RemoveOperation, TestOperation};
use k8s_openapi::api::core::v1::Pod as KubePod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::ApiResource;
use kube::core::DynamicResourceScope;
use kube::{Api, ResourceExt};

use super::{Note, WriteError, Writer, limited};
use crate::api::parse::Name;
use crate::budget::ledger::ended::Answer;
use crate::cluster::view::item::{RawPod, seen};
use crate::cluster::view::locate::everywhere;
use crate::cluster::view::pods::{Gate, Pod};
use crate::cluster::view::sources::Source;
use crate::pod::keys::{GATE, SHAPE};

/// Pods that are read at a time, where all are.
const PAGE: u32 = 500;
/// Owner of the numbers that a grant writes.
const FIELD_MANAGER: &str = "dbbudget/lease";

impl Writer {
    /// Takes our gate off a pod and tells it what it was granted, in one step and for this very pod alone. Whoever does it
    /// writes the same; a second time it is refused.
    ///
    /// # Errors
    /// When it was not written, or nobody knows whether it was.
    pub async fn ungate(&self, pod: &Pod, gate: &Gate, values: &BTreeMap<String, String>) -> Result<(), WriteError> {
        let Pod { namespace, name, uid, .. } = pod;
        let place = format!("/spec/schedulingGates/{}", gate.place);
        let test = |path: &str, value: &str| {
            let path = PointerBuf::parse(path).unwrap_or_default();
            PatchOperation::Test(TestOperation { path, value: value.into() })
        };
        let mut operations = vec![test("/metadata/uid", uid), test(&format!("{place}/name"), GATE)];
        operations.extend(values.iter().map(|(key, value)| {
            let path = PointerBuf::from_tokens(["metadata", "annotations", key]);
            PatchOperation::Add(AddOperation { path, value: value.clone().into() })
        }));
        let gate_itself = PointerBuf::parse(&place).unwrap_or_default();
        operations.push(PatchOperation::Remove(RemoveOperation { path: gate_itself }));
        let api: Api<KubePod> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let patch: Patch<()> = Patch::Json(JsonPatch(operations));
        let write = api.patch_metadata(name, &params, &patch);
        let what = format!("the Pod {namespace}/{name}");
        limited(what, namespace, || "patch on pods".to_owned(), write).await.map(drop)
    }

    /// Publishes an event about a pod.
    ///
    /// # Errors
    /// When it was not written, or nobody knows whether it was.
    pub async fn event_of(&self, pod: &Pod, note: &Note) -> Result<(), WriteError> {
        self.publish(("v1", "Pod"), &Name::new(&*pod.namespace, &*pod.name), &pod.uid, note).await
    }

    /// What all of etcd knows of a pod. It is read when this is called, and not before.
    ///
    /// # Errors
    /// When it was not read.
    pub async fn pod(&self, namespace: &str, name: &str, uid: &str) -> Result<Answer, WriteError> {
        let what = format!("the Pod {namespace}/{name}");
        let Some(resource) = everywhere(&Source::Pods) else { return Err(WriteError::Gone(what)) };
        let api = raw_pods(self, namespace, &resource);
        let read = limited(what, namespace, || "get on pods".to_owned(), api.get_opt(name)).await?;
        Ok(match read {
            None => Answer::NotFound,
            Some(pod) if pod.metadata.uid.as_deref() != Some(uid) => Answer::Another,
            Some(pod) => Answer::Found(seen(&pod)),
        })
    }

    /// Namespace and annotations of all pods that have any of ours; `namespaces`: of these alone.
    ///
    /// # Errors
    /// When they were not read.
    pub async fn pods_annotations(
        &self,
        namespaces: Option<&[String]>,
    ) -> Result<Vec<(String, BTreeMap<String, String>)>, WriteError> {
        let apis: Vec<Api<KubePod>> = match namespaces {
            None => vec![Api::all(self.client.clone())],
            Some(names) => names.iter().map(|name| Api::namespaced(self.client.clone(), name)).collect(),
        };
        let mut found = Vec::new();
        for api in apis {
            let mut params = ListParams::default().limit(PAGE);
            loop {
                let read = limited("the Pods".into(), "all", || "list on pods".to_owned(), api.list_metadata(&params));
                let page = read.await?;
                let ours = page.items.into_iter().filter(|pod| pod.annotations().contains_key(SHAPE));
                found.extend(
                    ours.map(|mut pod| (pod.namespace().unwrap_or_default(), std::mem::take(pod.annotations_mut()))),
                );
                match page.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => params.continue_token = Some(token),
                    None => break,
                }
            }
        }
        Ok(found)
    }

    /// All pods of a namespace, as all of etcd has them.
    ///
    /// # Errors
    /// When they were not read.
    pub async fn pods(&self, namespace: &str) -> Result<Vec<RawPod>, WriteError> {
        let what = format!("the Pods of {namespace}");
        let Some(resource) = everywhere(&Source::Pods) else { return Err(WriteError::Gone(what)) };
        let api = raw_pods(self, namespace, &resource);
        let params = ListParams::default();
        let listed = limited(what, namespace, || "list on pods".to_owned(), api.list(&params)).await?;
        Ok(listed.items)
    }
}

fn raw_pods(writer: &Writer, namespace: &str, resource: &ApiResource) -> Api<RawPod>
where
    RawPod: kube::Resource<Scope = DynamicResourceScope>,
{
    Api::namespaced_with(writer.client.clone(), namespace, resource)
}
