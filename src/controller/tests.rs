//! What a budget's and a claim's status say, by value: objects in, status out.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::decide::{Decision, decide};
use super::standing::Mode;
use crate::api::parse::Name;
use crate::cluster::view::View;
use crate::cluster::view::item;
use crate::cluster::view::sources::{Scope, Source, State, Watch};

mod honesty;
mod injection;
mod restarts;
mod scaling;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn rds() -> Name {
    Name::new("shop", "rds")
}

/// A budget of 20 connections, 2 of them kept, and one workload `api` with a pool of up to 5.
fn spec(enforcement: &str) -> Value {
    json!({
        "capacity": {"static": {"maxConnections": 20, "serverReserved": 0}},
        "reserve": 2,
        "enforcement": enforcement,
        "headroom": "None",
        "workloads": [workload("api", "Deployment")],
    })
}

fn workload(name: &str, kind: &str) -> Value {
    let knob = json!({"name": "DB_POOL_SIZE", "quantity": "Limit"});
    json!({
        "name": name,
        "target": {"kind": kind},
        "containers": [{"processes": {"count": 1}, "engines": [{"min": 1, "max": 5, "inject": {"env": [knob]}}]}],
    })
}

fn put_budget(view: &mut View, spec: &Value) {
    let metadata = json!({"name": "rds", "namespace": "shop", "uid": "u1", "generation": 7});
    view.apply(item::budget(object(json!({"metadata": metadata, "spec": spec}))));
}

fn put_claim(view: &mut View, namespace: &str, client: &str, budget: &str) {
    view.apply(item::claim(object(json!({
        "metadata": {"name": "api", "namespace": namespace, "uid": "c1", "generation": 3},
        "spec": {
            "budgetRef": {"namespace": "shop", "name": budget},
            "target": {"kind": "Deployment"},
            "containers": [{"processes": {"count": 1}, "engines": [{"client": client, "min": 1, "max": 5}]}],
        },
    }))));
}

fn deploy(view: &mut View, namespace: &str, name: &str, replicas: u32) {
    deploy_with(view, namespace, name, replicas, &json!([]));
}

fn deploy_with(view: &mut View, namespace: &str, name: &str, replicas: u32, env: &Value) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    let deployment = object(json!({
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "c", "image": "x", "env": env}]}}},
    }));
    view.apply(item::read_workload(deployment, &resource));
}

fn start(view: &mut View, of: &str, pods: u32, terminating: bool) {
    for n in 0..pods {
        let mut pod = json!({
            "metadata": {
                "name": format!("{of}-{n}-{terminating}"), "namespace": "shop", "labels": {"pod-template-hash": "abc"},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{of}-abc"), "uid": "r", "controller": true,
                }],
            },
            "spec": {},
            "status": {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]},
        });
        if terminating {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        view.apply(item::pod(&serde_json::from_value(pod).unwrap()));
    }
}

fn look(view: &View) -> Decision {
    decide(view, &rds(), &[], Mode { injects: true, ..Mode::default() }, Timestamp::UNIX_EPOCH)
}

fn said<'a>(conditions: &'a [Condition], about: &str) -> (&'a str, &'a str, &'a str) {
    let found = conditions.iter().find(|c| c.type_ == about).unwrap_or_else(|| panic!("no {about}"));
    (&found.status, &found.reason, &found.message)
}

fn of_budget(view: &View, about: &str) -> (String, String, String) {
    let status = look(view).budget.unwrap().status;
    let (status, reason, message) = said(&status.conditions, about);
    (status.into(), reason.into(), message.into())
}

#[test]
fn numbers_of_a_budget_that_fits() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Observe"));
    deploy(&mut view, "shop", "api", 3);
    start(&mut view, "api", 2, false);
    let status = look(&view).budget.unwrap().status;
    let capacity = status.capacity.clone().unwrap();
    assert_eq!((capacity.hard, capacity.reserve, capacity.outside, capacity.allocatable), (20, 2, 0, 18));
    assert_eq!((status.peak, status.held, status.free, status.waiting), (Some(15), Some(10), Some(8), Some(0)));
    assert_eq!((status.claims, status.observed_generation), (Some(1), Some(7)));
    let row = &status.workloads[0];
    assert_eq!((row.pods, row.peak_pods, row.per_pod, row.allocated, row.held), (2, 3, Some(5), Some(15), Some(10)));
    let fits = "Running pods can hold 10 of 18 allocatable connections (55 %). \
        At the peak, as written, all workloads together can hold 15.";
    assert_eq!(said(&status.conditions, "WithinCapacity"), ("True", "Healthy", fits));
    let understood = "The spec was understood, and 1 workload counted.";
    assert_eq!(said(&status.conditions, "Ready"), ("True", "Published", understood));
    assert!(status.conditions.iter().all(|c| c.observed_generation == Some(7)));
}

#[test]
fn terminating_pods_hold_until_they_are_gone_and_thresholds_follow_what_is_held() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Inject"));
    deploy(&mut view, "shop", "api", 3);
    for (pods, terminating, reason, status) in
        [(2, false, "Healthy", "True"), (1, true, "Warning", "True"), (2, true, "Exceeded", "False")]
    {
        start(&mut view, "api", pods, terminating);
        let (found, because, message) = of_budget(&view, "WithinCapacity");
        assert_eq!((found.as_str(), because.as_str()), (status, reason), "{message}");
    }
    let row = look(&view).budget.unwrap().status.workloads[0].clone();
    assert_eq!((row.pods, row.held), (4, Some(20)));
    assert!(row.message.starts_with("2 of 4 pods are terminating"), "{}", row.message);
    let (.., message) = of_budget(&view, "WithinCapacity");
    let exceeded =
        "Running pods can hold 20 connections, 2 more than the 18 allocatable. The database may refuse the next one.";
    assert!(message.starts_with(exceeded), "{message}");
}

#[test]
fn observe_is_exceeded_by_what_is_wanted_and_inject_by_what_is_held() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Observe"));
    deploy(&mut view, "shop", "api", 4);
    let (status, reason, message) = of_budget(&view, "WithinCapacity");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Exceeded"));
    assert!(
        message.contains("As written, workloads can open 20 connections at the peak, 2 more than the 18"),
        "{message}"
    );
    assert!(message.contains("run 3 replicas of shop/api instead of 4"), "{message}");
    assert_eq!(of_budget(&view, "Injected").1, "NotAsked");

    put_budget(&mut view, &spec("Inject"));
    let (status, reason, message) = of_budget(&view, "WithinCapacity");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "Healthy"), "nothing is held yet");
    assert!(message.ends_with("At the peak, with their shares, all workloads together can hold 16."), "{message}");
    let (status, reason, message) = of_budget(&view, "Injected");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "AllPods"));
    assert_eq!(message, "No pod runs yet; each new one gets its share as it is created.");
}

#[test]
fn infeasible_names_the_ways_out() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Lease"));
    deploy(&mut view, "shop", "api", 30);
    let (status, reason, message) = of_budget(&view, "WithinCapacity");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Infeasible"));
    let expected = "Even the smallest safe pools need 30 connections, 12 more than the 18 allocatable. Left out: shop/api. \
        Ways out, each enough by itself: (1) run 18 replicas of shop/api instead of 30; \
        (2) a maxConnections of 32.";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn fields_without_effect_are_said() {
    let mut view = View::default();
    let mut spec = spec("Observe");
    spec["whenExceeded"] = json!("ScaleDown");
    put_budget(&mut view, &spec);
    let (status, _, message) = of_budget(&view, "Ready");
    let expected = "The spec was understood; no workload draws from this budget yet. Not found: api. No effect \
        with enforcement Observe: whenExceeded: ScaleDown (nothing is scaled).";
    assert_eq!((status.as_str(), message.as_str()), ("True", expected));
}

#[test]
fn a_broken_budget_has_no_numbers_and_says_what_to_correct() {
    let mut view = View::default();
    let mut spec = spec("Observe");
    spec["workloads"][0]["containers"][0]["engines"][0]["client"] = json!("prefct");
    put_budget(&mut view, &spec);
    put_claim(&mut view, "shop", "prefect", "rds");
    let decision = look(&view);
    let status = decision.budget.unwrap().status;
    assert_eq!((status.capacity, status.held, decision.numbers), (None, None, None));
    let (truth, reason, message) = said(&status.conditions, "Ready");
    assert_eq!((truth, reason), ("False", "Invalid"));
    assert!(message.contains("spec.workloads[0].containers[0].engines[0]: no client \"prefct\""), "{message}");
    assert_eq!(said(&status.conditions, "WithinCapacity").0, "Unknown");
    assert_eq!(said(&decision.claims[0].status.conditions, "Ready").1, "Invalid");
}

#[test]
fn a_claim_says_why_it_is_refused() {
    let reason = |namespace: &str, client: &str, budget: &str, deployed: bool| {
        let mut view = View::default();
        let mut spec = spec("Observe");
        spec["namespaces"] = json!([{"name": "jobs"}]);
        spec["workloads"] = json!([]);
        put_budget(&mut view, &spec);
        put_claim(&mut view, namespace, client, budget);
        if deployed {
            deploy(&mut view, namespace, "api", 2);
        }
        let name = Name::new("shop", budget);
        let decision = decide(&view, &name, &[], Mode::default(), Timestamp::UNIX_EPOCH);
        let status = decision.claims[0].status.clone();
        let (truth, reason, _) = said(&status.conditions, "Ready");
        (truth.to_owned(), reason.to_owned(), status.allocated, status.conditions.len())
    };
    let refused = |why: &str, allocated| ("False".to_owned(), why.to_owned(), allocated, 4);
    // As written, a pod of Prefect opens 31: see its entry in the catalogue.
    assert_eq!(reason("jobs", "prefect", "rds", true), ("True".into(), "Published".into(), Some(62), 4));
    assert_eq!(reason("jobs", "prefect", "rds", false), refused("TargetNotFound", Some(0)));
    assert_eq!(reason("bi", "prefect", "rds", true), refused("NamespaceNotLetIn", None));
    assert_eq!(reason("jobs", "prefct", "rds", true), refused("Invalid", None));
    assert_eq!(reason("jobs", "prefect", "nowhere", true), refused("BudgetNotFound", None));
}

#[test]
fn a_permission_that_is_missing_is_named_and_the_sum_is_not_trusted() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Observe"));
    deploy(&mut view, "shop", "api", 1);
    let watch = Watch { source: Source::Pods, scope: Scope::Namespace("shop".into()) };
    view.set_state(&watch, Some(State::Forbidden("dbbudget may not list pods: grant it".into())));
    let (status, reason, message) = of_budget(&view, "Ready");
    assert_eq!(
        (status.as_str(), reason.as_str(), message.as_str()),
        ("False", "Forbidden", "dbbudget may not list pods: grant it.")
    );
    assert_eq!(of_budget(&view, "WithinCapacity").0, "Unknown");
}

#[test]
fn two_budgets_about_one_workload_are_conflicted_and_an_unchanged_status_is_not_written() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Observe"));
    deploy(&mut view, "shop", "api", 1);
    assert!(look(&view).budget.unwrap().status.conditions.iter().all(|c| c.type_ != "Conflicted"));
    let metadata =
        json!({"name": "second", "namespace": "shop", "uid": "u2", "creationTimestamp": "2026-01-01T00:00:00Z"});
    view.apply(item::budget(object(json!({"metadata": metadata, "spec": spec("Observe")}))));
    let (status, reason, message) = of_budget(&view, "Conflicted");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "SharedEngine"));
    assert!(message.contains("the older one rules: shop/rds"), "{message}");

    let update = look(&view).budget.unwrap();
    assert!(update.is_needed());
    let metadata = json!({"name": "rds", "namespace": "shop", "uid": "u1", "generation": 7});
    let stored = json!({"metadata": metadata, "spec": spec("Observe"), "status": update.status});
    view.apply(item::budget(object(stored)));
    assert!(!look(&view).budget.unwrap().is_needed());
}
