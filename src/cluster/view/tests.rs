//! The view by value: objects in, budgets concerned out.

use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::item::{self, Item};
use super::sources::{Need, Scope, Source, State, Watch};
use super::*;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// A budget of `shop` with one Deployment.
fn budget(name: &str, version: u64, target: &str) -> Item {
    item::budget(object(json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version.to_string(), "generation": 1},
        "spec": {
            "capacity": {"static": {"maxConnections": 100}},
            "workloads": [{"name": target, "target": {"kind": "Deployment"}, "client": "prefect"}],
        },
    })))
}

fn claim(name: &str, namespace: &str, of: &str) -> Item {
    item::claim(object(json!({
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1", "generation": 1},
        "spec": {"budgetRef": {"namespace": "shop", "name": of}, "target": {"kind": "Deployment"}, "client": "prefect"},
    })))
}

fn deployment(name: &str, replicas: u32, ready: u32) -> Item {
    let deployment = object(json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}},
        "status": {"readyReplicas": ready},
    }));
    item::read_workload(deployment, &resource("apps", "v1", "Deployment"))
}

fn pod(name: &str, started: bool) -> Item {
    let state = if started { json!({"running": {}}) } else { json!({"waiting": {}}) };
    item::pod(
        &serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "shop", "labels": {"pod-template-hash": "66444c7bcc"},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-66444c7bcc", "uid": "r", "controller": true,
                }],
            },
            "spec": {},
            "status": {"phase": "Pending", "containerStatuses": [{"state": state}]},
        }))
        .unwrap(),
    )
}

fn names(names: &[&str]) -> Concerned {
    names.iter().map(|name| Name::new("shop", *name)).collect()
}

fn api() -> Key {
    Key { group: "apps".into(), kind: "Deployment".into(), namespace: "shop".into(), name: "api".into() }
}

#[test]
fn a_change_concerns_those_who_count_it() {
    let mut view = View::default();
    assert_eq!(view.apply(budget("rds", 1, "api")), names(&["rds"]));
    assert_eq!(view.apply(budget("other", 1, "web")), names(&["other"]));
    assert_eq!(view.apply(deployment("api", 2, 0)), names(&["rds"]));
    assert!(view.apply(deployment("api", 2, 2)).is_empty(), "its status is nobody's concern");
    assert_eq!(view.apply(deployment("api", 3, 2)), names(&["rds"]));
    assert!(view.apply(deployment("unclaimed", 3, 2)).is_empty());
    assert!(view.apply(pod("a", false)).is_empty(), "it has not started");
    assert_eq!(view.apply(pod("a", true)), names(&["rds"]));
    assert_eq!(view.holding(&api()).pods, 1);
    let deployments = Source::Workloads { group: "apps".into(), kind: "Deployment".into() };
    assert_eq!(view.remove(&deployments, &Name::new("shop", "api")), names(&["rds"]));
    assert_eq!(view.remove(&Source::Pods, &Name::new("shop", "a")), names(&["rds"]));
    assert_eq!(view.holding(&api()).pods, 0);
}

#[test]
fn two_budgets_about_one_workload_concern_each_other() {
    let mut view = View::default();
    view.apply(budget("rds", 1, "api"));
    assert_eq!(view.apply(budget("other", 1, "api")), names(&["other", "rds"]));
    assert_eq!(view.remove(&Source::Budgets, &Name::new("shop", "other")), names(&["other", "rds"]));
    assert_eq!(view.apply(claim("api", "shop", "third")), names(&["rds", "third"]));
}

#[test]
fn ones_own_status_is_no_news_and_a_strangers_is() {
    let mut view = View::default();
    let with_status = |version: u64, held: i64| {
        let Item::Budget(mut item) = budget("rds", version, "api") else { unreachable!() };
        item.status = Some(BudgetStatus { held: Some(held), ..BudgetStatus::default() });
        Item::Budget(item)
    };
    view.apply(budget("rds", 1, "api"));
    assert!(view.wrote(with_status(3, 4)).is_empty(), "just written");
    assert!(view.apply(with_status(2, 1)).is_empty(), "the watch is behind the write");
    assert_eq!(view.budget(&Name::new("shop", "rds")).unwrap().status.as_ref().unwrap().held, Some(4));
    assert!(view.apply(with_status(3, 4)).is_empty(), "the watch has caught up");
    assert_eq!(view.apply(with_status(4, 99)), names(&["rds"]), "someone else wrote it");
}

#[test]
fn what_was_not_listed_again_is_forgotten() {
    let mut view = View::default();
    view.apply(budget("rds", 1, "api"));
    view.apply(deployment("api", 2, 0));
    view.apply(deployment("web", 2, 0));
    let source = Source::Workloads { group: "apps".into(), kind: "Deployment".into() };
    let elsewhere = Watch { source: source.clone(), scope: Scope::Namespace("bi".into()) };
    assert!(view.retain(&elsewhere, &Concerned::new()).is_empty());
    let here = Watch { scope: Scope::Namespace("shop".into()), ..elsewhere };
    assert_eq!(view.retain(&here, &names(&["web"])), names(&["rds"]));
    assert!(view.snapshot().workload(&api()).is_none());
    assert_eq!(view.snapshot().workloads().count(), 1);
}

#[test]
fn a_namespace_that_is_not_let_in_makes_dbbudget_look_nowhere() {
    let mut view = View::default();
    let rds = Name::new("shop", "rds");
    view.apply(budget("rds", 1, "api"));
    view.apply(claim("api", "bi", "rds"));
    let places: BTreeSet<_> = view.needs(&rds).into_iter().map(|need| need.namespace).collect();
    assert_eq!(places, [Some("shop".to_owned())].into());
}

#[test]
fn a_budget_waits_for_lists_and_not_for_kinds_that_do_not_exist() {
    let mut view = View::default();
    let rds = Name::new("shop", "rds");
    view.apply(budget("rds", 1, "api"));
    let waits = ["Deployments", "HorizontalPodAutoscalers", "ScaledObjects", "Pods"];
    assert_eq!(view.unfilled(&rds), waits.map(|kind| format!("the list of {kind} in shop")));
    for need in view.needs(&rds) {
        let watch = Watch { source: need.source, scope: Scope::Namespace("shop".into()) };
        let state = match watch.source.group_kind().1 {
            "ScaledObject" => State::Absent,
            "Pod" => State::Forbidden("dbbudget may not list pods".into()),
            _ => State::Filled,
        };
        assert_eq!(view.set_state(&watch, Some(state.clone())), names(&["rds"]));
        assert!(view.set_state(&watch, Some(state)).is_empty(), "no news");
    }
    assert!(view.unfilled(&rds).is_empty());
    let forbidden = [(Some("shop".to_owned()), "dbbudget may not list pods".to_owned())];
    assert_eq!(view.forbidden(&rds), forbidden.into());
    let pods = Need { source: Source::Pods, namespace: Some("shop".into()) };
    assert!(matches!(view.state(&pods), Some(State::Forbidden(_))));
}

#[test]
fn a_broken_budget_is_kept_with_its_faults() {
    let mut view = View::default();
    let rds = Name::new("shop", "rds");
    let broken = |spec: Value| {
        item::budget(object(json!({
            "metadata": {"name": "rds", "namespace": "shop", "uid": "rds", "resourceVersion": "1"}, "spec": spec,
        })))
    };
    let unknown = json!({
        "capacity": {"static": {"maxConnections": 9}},
        "workloads": [{"name": "api", "target": {"kind": "Deployment"}, "client": "prefct"}],
    });
    view.apply(broken(unknown));
    let faults: Vec<String> = view.budget(&rds).unwrap().faults.iter().map(ToString::to_string).collect();
    assert!(
        faults[0].starts_with("spec.workloads[0].client: no client \"prefct\"; did you mean \"prefect\"?"),
        "{faults:?}"
    );
    view.apply(broken(json!({"capacity": {"static": {"maxConnections": "many"}}})));
    let faults: Vec<String> = view.budget(&rds).unwrap().faults.iter().map(ToString::to_string).collect();
    assert!(faults[0].starts_with("spec.capacity.static.maxConnections: "), "{faults:?}");
    assert!(view.snapshot().budget(&rds).is_none());
}

#[test]
fn nobody_in_its_own_namespace_or_in_kube_systems_gets_a_share() {
    let within = |own: Option<&str>| {
        let mut view = View { own_namespace: own.map(str::to_owned), ..View::default() };
        view.apply(budget("supabase", 1, "api"));
        let name = Name::new("shop", "supabase");
        (view.injected_namespaces().into_keys().collect::<Vec<_>>(), view.left_out(&name))
    };
    assert_eq!(within(Some("dbbudget")), (vec!["shop".to_owned()], None));
    assert_eq!(within(None).1, None);
    let (namespaces, left_out) = within(Some("shop"));
    assert!(
        namespaces.is_empty() && left_out.is_some_and(|(why, all)| why.starts_with("pods of shop get none") && all)
    );
}
