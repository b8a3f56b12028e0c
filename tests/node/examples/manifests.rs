//! The manifests of `deploy/examples`, and what this machine replaces in them.

use std::path::Path;

use kube::api::DynamicObject;
use serde_json::json;

use crate::clients::{IMAGE, mounted, variables};
use crate::cluster::Cluster;
use crate::installed::folder;

/// What a machine without images, registries and Supabase must replace in a manifest, and nothing else: an image, by what
/// it would hold, which a command finds by its PATH. (And probes that come every second, since waiting is all that ten would
/// change.)
pub fn here(object: &mut DynamicObject, redis: &str) {
    let Some(spec) = object.data.pointer_mut("/spec/template/spec") else { return };
    let (mounts, volumes) = mounted();
    spec["volumes"] = volumes;
    for container in spec["containers"].as_array_mut().expect("containers") {
        let image = container["image"].as_str().expect("an image");
        let software = ["mlflow", "prefect"].into_iter().find(|name| image.contains(&format!("/{name}:")));
        let path = format!("{}/{}/bin:/usr/bin:/bin", folder().display(), software.unwrap_or("web"));
        container["image"] = IMAGE.into();
        container["imagePullPolicy"] = "Never".into();
        container["volumeMounts"] = mounts.clone();
        if let Some(probe) = container.get_mut("readinessProbe") {
            probe["periodSeconds"] = 1.into();
        }
        let env = container["env"].as_array_mut().expect("variables");
        env.push(json!({"name": "PATH", "value": path}));
        env.extend(variables(redis));
    }
}

/// A folder's objects, as `kubectl apply` reads them.
pub fn read(cluster: &Cluster, example: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples").join(example);
    if folder.join("kustomization.yaml").exists() {
        return cluster.kubectl(&["kustomize", &folder.to_string_lossy()]).expect("a kustomization").0;
    }
    let files = ["budget.yaml", "workloads.yaml"].map(|name| std::fs::read_to_string(folder.join(name)).expect(name));
    files.join("---\n")
}
