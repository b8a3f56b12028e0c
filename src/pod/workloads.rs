//! The workloads that a pod belongs to, as the pod alone tells.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::keys::CRON_JOB;
use crate::workload::Key;
use crate::workload::owner::owners;

/// The workloads that a pod belongs to, the outermost last. The label that names a `CronJob` counts on a Job's pods alone.
#[must_use]
pub fn workloads(meta: &ObjectMeta, namespace: &str) -> Vec<Key> {
    let mut keys = owners(meta, namespace);
    let cron_job = meta.labels.as_ref().and_then(|labels| labels.get(CRON_JOB));
    if let (Some(name), Some(job)) = (cron_job, keys.iter().find(|key| key.kind == "Job" && key.group == "batch")) {
        keys.push(Key { kind: "CronJob".into(), name: name.clone(), ..job.clone() });
    }
    keys
}
