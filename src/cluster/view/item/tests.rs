use serde_json::json;

use super::pod::PodStatus;
use super::*;

fn status(value: Value) -> PodStatus {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_pod_holds_from_its_first_start_to_its_end() {
    let started = json!([{"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]);
    let waiting = json!([{"state": {"waiting": {"reason": "ContainerCreating"}}}]);
    let crashed = json!([{"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {}}}]);
    let ended = json!([{"state": {"terminated": {"exitCode": 0}}}]);
    for (phase, containers, init, holds) in [
        ("Pending", &waiting, None, false),
        ("Pending", &waiting, Some(&started), true),
        ("Running", &started, None, true),
        ("Running", &crashed, None, true),
        ("Succeeded", &ended, None, false),
        ("Failed", &ended, None, false),
        ("Failed", &started, None, true), // marked by the pod garbage collector: its node vanished
    ] {
        let mut value = json!({"phase": phase, "containerStatuses": containers});
        if let Some(init) = init {
            value["initContainerStatuses"] = init.clone();
        }
        assert_eq!(status(value.clone()).holds(), holds, "{value}");
    }
    assert!(!PodStatus::default().holds());
}

#[test]
fn a_pod_belongs_to_its_owner_and_to_the_workload_behind_a_replica_set() {
    let owners = |kind: &str, owner: &str, label: &str| {
        let pod: RawPod = serde_json::from_value(json!({
            "metadata": {
                "name": "p", "namespace": "shop", "labels": {label: "5cdbfd784d"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": "u", "controller": true}],
            },
            "spec": {},
        }))
        .unwrap();
        let Item::Pod(pod) = super::pod(&pod) else { unreachable!() };
        pod.owners.iter().map(|key| format!("{} {}", key.kind, key.name)).collect::<Vec<_>>()
    };
    let set = "api-5cdbfd784d";
    assert_eq!(owners("ReplicaSet", set, "pod-template-hash"), ["ReplicaSet api-5cdbfd784d", "Deployment api"]);
    assert_eq!(owners("ReplicaSet", set, "rollouts-pod-template-hash"), ["ReplicaSet api-5cdbfd784d", "Rollout api"]);
    assert_eq!(owners("ReplicaSet", "api", "pod-template-hash"), ["ReplicaSet api"]);
    assert_eq!(owners("StatefulSet", "db", "app"), ["StatefulSet db"]);
}

#[test]
fn cpus_are_counted_whole() {
    assert_eq!((whole_cpus("8"), whole_cpus("7900m"), whole_cpus("?")), (Some(8), Some(8), None));
}
