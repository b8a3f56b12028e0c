//! What is not known, or is gone, is never counted as nothing.

use jiff::Timestamp;
use serde_json::json;

use super::{deploy, deploy_with, look, object, of_budget, put_budget, rds, said, spec, start};
use crate::api::parse::Name;
use crate::cluster::view::sources::{Scope, Source, State, Watch};
use crate::cluster::view::{View, item};
use crate::controller::decide::decide;
use crate::controller::standing::Mode;

fn deployments() -> Source {
    Source::Workloads { group: "apps".into(), kind: "Deployment".into() }
}

#[test]
fn a_deleted_workloads_pods_hold_until_they_are_gone() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Observe"));
    deploy(&mut view, "shop", "api", 2);
    start(&mut view, "api", 2, true);
    assert!(view.remove(&deployments(), &Name::new("shop", "api")).contains(&rds()));
    let status = look(&view).budget.unwrap().status;
    assert_eq!((status.held, status.workloads[0].wanted), (Some(10), Some(0)));
    assert_eq!(
        status.workloads[0].message,
        "Deployment shop/api was deleted; 2 pods of it hold connections until they are gone."
    );
    assert!(said(&status.conditions, "Ready").2.ends_with("Not found: api."));
    for n in 0..2 {
        assert!(view.remove(&Source::Pods, &Name::new("shop", format!("api-{n}-true"))).contains(&rds()));
    }
    let status = look(&view).budget.unwrap().status;
    assert_eq!((status.held, status.workloads.len()), (Some(0), 1));
    assert!(status.workloads[0].message.contains("does not exist"), "{}", status.workloads[0].message);
}

#[test]
fn what_pods_hold_is_not_told_while_they_may_not_be_read() {
    let mut view = View::default();
    put_budget(&mut view, &spec("Observe"));
    deploy(&mut view, "shop", "api", 1);
    let watch = Watch { source: Source::Pods, scope: Scope::Namespace("shop".into()) };
    view.set_state(&watch, Some(State::Forbidden("dbbudget may not list pods: grant it".into())));
    let decision = look(&view);
    let status = decision.budget.unwrap().status;
    assert_eq!((status.held, status.free), (None, None));
    let numbers = decision.numbers.unwrap().0;
    assert_eq!((numbers.held, numbers.free), (None, None));
    assert!(!said(&status.conditions, "WithinCapacity").2.contains("can hold 0"));
}

#[test]
fn an_outside_consumer_that_is_not_known_leaves_nothing_to_be_given() {
    let mut view = View::default();
    let mut spec = spec("Observe");
    spec["outside"] = json!([{"name": "pool", "budgetRef": {"name": "nowhere"}}]);
    put_budget(&mut view, &spec);
    let (status, reason, message) = of_budget(&view, "WithinCapacity");
    assert_eq!((status.as_str(), reason.as_str()), ("Unknown", "CapacityUnknown"));
    assert!(message.contains("outside names the budget shop/nowhere, which does not exist"), "{message}");
}

#[test]
fn outside_consumers_that_take_more_than_there_is_are_told() {
    let mut view = View::default();
    let mut spec = spec("Observe");
    spec["outside"] = json!([{"name": "vercel", "connections": 500}]);
    put_budget(&mut view, &spec);
    let (status, reason, message) = of_budget(&view, "WithinCapacity");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Exceeded"));
    assert!(message.contains("The reserve (2) and outside consumers (500) take more than the 20 that there are."));
}

#[test]
fn a_namespace_above_its_cap_is_told_in_both_modes() {
    for (enforcement, expected) in [("Observe", "Exceeded"), ("Inject", "Infeasible")] {
        let mut view = View::default();
        let mut spec = spec(enforcement);
        spec["workloads"] = json!([]);
        spec["namespaces"] = json!([{"name": "jobs", "maxConnections": 4}]);
        put_budget(&mut view, &spec);
        let claim = json!({
            "metadata": {"name": "api", "namespace": "jobs", "uid": "c1", "generation": 1},
            "spec": {
                "budgetRef": {"namespace": "shop", "name": "rds"}, "target": {"kind": "Deployment"},
                "containers": super::workload("api", "Deployment")["containers"],
            },
        });
        view.apply(item::claim(object(claim)));
        deploy(&mut view, "jobs", "api", 5);
        let decision = decide(&view, &rds(), &[], Mode { injects: true, ..Mode::default() }, Timestamp::UNIX_EPOCH);
        let status = decision.budget.unwrap().status;
        let (_, reason, message) = said(&status.conditions, "WithinCapacity");
        assert_eq!(reason, expected, "{message}");
        assert!(message.contains("Above the maxConnections of spec.namespaces: jobs can hold"), "{message}");
        assert!(!message.contains("0 more"), "{message}");
    }
}

#[test]
fn nothing_blocks_a_rollout_where_a_budget_only_observes() {
    let mut view = View::default();
    let mut spec = spec("Observe");
    spec["capacity"]["static"]["maxConnections"] = json!(5);
    spec["headroom"] = json!("Surge");
    put_budget(&mut view, &spec);
    deploy(&mut view, "shop", "api", 1);
    let conditions = look(&view).budget.unwrap().status.conditions;
    assert!(conditions.iter().all(|c| c.type_ != "RolloutBlocked"), "{conditions:#?}");
}

#[test]
fn a_pool_that_follows_the_cpus_of_nodes_is_counted_by_them() {
    let mut view = View::default();
    let mut spec = spec("Observe");
    spec["workloads"][0]["containers"][0]["engines"] = json!([{"client": "pgxpool"}]);
    put_budget(&mut view, &spec);
    deploy(&mut view, "shop", "api", 1);
    start(&mut view, "api", 1, false);
    let decision = look(&view);
    assert_eq!(decision.depends_on_nodes, Some(true), "nobody would look at the nodes");
    assert_eq!(decision.budget.unwrap().status.held, Some(4));
    let node = json!({"metadata": {"name": "n"}, "spec": {}, "status": {"capacity": {"cpu": "16"}}});
    view.apply(item::node(&serde_json::from_value(node).unwrap()));
    assert_eq!(look(&view).budget.unwrap().status.held, Some(16));
}

#[test]
fn a_pool_that_nobody_sees_and_no_share_sets_is_named_where_it_decides() {
    let mut view = View::default();
    let mut spec = spec("Inject");
    spec["workloads"][0]["containers"][0]["engines"] = json!([{"client": "sqlalchemy-env", "onConflict": "Keep"}]);
    put_budget(&mut view, &spec);
    let env = json!([{"name": "DB_POOL_SIZE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
    deploy_with(&mut view, "shop", "api", 1, &env);
    let (status, reason, message) = of_budget(&view, "WithinCapacity");
    assert_eq!((status.as_str(), reason.as_str()), ("Unknown", "CapacityUnknown"), "{message}");
    assert!(message.contains("Deployment shop/api: DB_POOL_SIZE comes from Secret s"), "{message}");
}
