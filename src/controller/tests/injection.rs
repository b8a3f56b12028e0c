//! Pods with their share, with an earlier one, and with none.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{deploy, look, object, of_budget, put_budget, rds, said, spec, start};
use crate::cluster::view::{View, item};
use crate::controller::decide::decide;
use crate::controller::leases::claims::claims;
use crate::controller::standing::Mode;

/// A pod of `api` that was born with this limit.
fn start_with(view: &mut View, limit: u32) {
    let engines = json!([{"name": "default", "count": 1, "limit": limit}]);
    let shape = json!([{"budget": "shop/rds", "claim": "shop/api", "containers": [{"name": "c", "processes": 1, "engines": engines}]}]);
    let pod = json!({
        "metadata": {
            "name": format!("born-with-{limit}"), "namespace": "shop", "labels": {"pod-template-hash": "abc"},
            "annotations": {"dbbudget.dev/shape": shape.to_string()},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-abc", "uid": "r", "controller": true,
            }],
        },
        "spec": {},
        "status": {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]},
    });
    view.apply(item::pod(&serde_json::from_value(pod).unwrap()));
}

/// 18 for 4 pods: each gets 4.
#[test]
fn pods_count_as_they_were_born_and_those_without_a_current_share_are_told() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Inject"));
    deploy(&mut view, "shop", "api", 4);
    start_with(&mut view, 4);
    let status = look(&view).budget.unwrap().status;
    assert_eq!((status.held, status.workloads[0].engines[0].limit), (Some(4), Some(4)));
    let one = ("True".to_owned(), "AllPods".to_owned(), "The one pod that runs has its share.".to_owned());
    assert_eq!(of_budget(&view, "Injected"), one);

    start_with(&mut view, 2);
    let (status, reason, message) = of_budget(&view, "Injected");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "Outdated"));
    assert!(message.starts_with("1 of 2 pods run with an earlier share"), "{message}");
    assert!(message.ends_with("kubectl -n shop rollout restart deployment/api."), "{message}");

    start(&mut view, "api", 2, false);
    let status = look(&view).budget.unwrap().status;
    assert_eq!(status.held, Some(4 + 2 + 5 + 5));
    let (status, reason, message) = of_budget(&view, "Injected");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Escaped"));
    assert!(message.starts_with("2 of 4 pods run without a share"), "{message}");

    start(&mut view, "api", 3, true);
    let (_, reason, message) = of_budget(&view, "WithinCapacity");
    assert_eq!(reason, "Exceeded", "31 of 18, and 16 with shares");
    let way = "Way out: replace pods that run without their share, as the condition Injected says.";
    assert!(message.ends_with(way), "{message}");
}

#[test]
fn a_webhook_that_is_not_asked_is_said_and_so_is_a_mode_that_overrules() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Inject"));
    let injected = |mode| {
        let status = decide(&view, &rds(), &[], mode, Timestamp::UNIX_EPOCH).budget.unwrap().status;
        let (status, reason, message) = said(&status.conditions, "Injected");
        (status.to_owned(), reason.to_owned(), message.to_owned())
    };
    let (status, reason, message) =
        injected(Mode { injects: true, trouble: Some("it may not be registered"), ..Mode::default() });
    assert_eq!((status.as_str(), reason.as_str()), ("False", "WebhookUnreachable"));
    assert_eq!(message, "New pods get no share: it may not be registered.");
    let (status, reason, message) =
        injected(Mode { injects: true, left_out: Some("pods of kube-system get none"), ..Mode::default() });
    assert_eq!((status.as_str(), reason.as_str()), ("True", "AllPods"), "others get theirs");
    assert!(message.ends_with(" But pods of kube-system get none."), "{message}");
    let (status, reason, message) = injected(Mode::default());
    assert_eq!((status.as_str(), reason.as_str()), ("False", "NotActive"));
    assert!(message.contains("--mode observe"), "{message}");
}

#[test]
fn a_share_that_is_carried_nowhere_is_told_beside_those_that_are() {
    let mut view = View::default();
    let mut spec = spec("Inject");
    let url = json!([{"env": "DATABASE_URL", "parameters": [{"name": "maxsize", "quantity": "Limit"}]}]);
    spec["workloads"][0]["containers"][0]["engines"][0]["inject"] = json!({"url": url});
    put_budget(&mut view, &spec);
    deploy(&mut view, "shop", "api", 1);
    let (status, reason, message) = of_budget(&view, "Injected");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "AllPods"));
    assert!(message.contains(" But Deployment shop/api: ") && message.contains("runs as it is written"), "{message}");
}

#[test]
fn what_is_published_of_a_workload_without_pods_is_nobodys_share() {
    let mut spec = spec("Lease");
    let is_published = |spec: &Value, replicas_then: u32, replicas_now: u32| {
        let mut view = View::default();
        put_budget(&mut view, spec);
        deploy(&mut view, "shop", "api", replicas_then);
        let status = look(&view).budget.unwrap().status;
        let metadata = json!({"name": "rds", "namespace": "shop", "uid": "u1", "generation": 7});
        view.apply(item::budget(object(json!({"metadata": metadata, "spec": spec, "status": status}))));
        deploy(&mut view, "shop", "api", replicas_now);
        claims(&view, view.snapshot().budget(&rds()).unwrap())[0].is_published
    };
    assert!(
        !is_published(&spec, 0, 3),
        "a pod that is scaled up from none waits for the share that is about to be computed"
    );
    assert!(is_published(&spec, 3, 3) && is_published(&spec, 3, 0));
    spec["workloads"][0]["sizeFor"] = json!(3);
    assert!(is_published(&spec, 0, 3), "it is computed for three, whether or not they are there");
}
