//! Beside autoscalers, and beside another budget.

use jiff::Timestamp;
use serde_json::json;

use super::super::{object, rds, spec};
use super::{Cluster, writes};
use crate::api::status::{BudgetStatus, ScaledField};
use crate::cluster::view::item;
use crate::cluster::view::sources::Source;
use crate::controller::decide::decide;
use crate::controller::scaling::Refusal;
use crate::controller::standing::Mode;
use crate::workload::Key;

#[test]
fn growth_stops_at_what_runs_and_comes_back() {
    let mut cluster = Cluster::new(4, 1); // 25 are held
    let spec = |maximum: u32| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"});
        json!({"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": maximum})
    };
    cluster.autoscale("HorizontalPodAutoscaler", &spec(10), &json!({}));
    assert_eq!(writes(&cluster.look(100)), [("scaler", 10, 4, false)], "no further than the pods that run");
    cluster.autoscale("HorizontalPodAutoscaler", &spec(4), &json!({}));
    assert!(cluster.look(101).is_empty());
    cluster.scale("api", 2);
    assert!(cluster.look(102).is_empty(), "whoever runs fewer for lack of load may come back to it");
    assert!(cluster.look(401).is_empty());
    assert_eq!(writes(&cluster.look(402)), [("scaler", 4, 10, true)]);
}

#[test]
fn an_autoscaler_takes_replicas_down_where_they_may_go() {
    let mut cluster = Cluster::new(2, 3);
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"});
    let spec = json!({"scaleTargetRef": target, "maxReplicas": 8});
    cluster.autoscale("HorizontalPodAutoscaler", &spec, &json!({}));
    let changes = cluster.look(100);
    assert_eq!(writes(&changes), [("scaler", 8, 1, false)], "10 are left for 2 pods of api and 1 of worker");
    assert_eq!(changes[0].field, ScaledField::MaxReplicas, "replicas are the autoscaler's");
    cluster.spec["workloads"][1]["minReplicas"] = json!(null);
    cluster.status = BudgetStatus::default();
    assert_eq!(writes(&cluster.look(100)), [("scaler", 8, 3, false)], "without minReplicas growth stops, and no more");
}

#[test]
fn what_another_budget_keeps_lower_is_not_raised_under_its_hands() {
    let mut cluster = Cluster::new(2, 3);
    cluster.look(100);
    cluster.scale("worker", 1);
    cluster.look(101);
    let mut other = cluster.status.clone();
    other.scaled[0].from = 1;
    other.scaled[0].to = 0;
    let metadata = json!({"name": "other", "namespace": "shop", "uid": "u2"});
    cluster.view.apply(item::budget(object(json!({"metadata": metadata, "spec": spec("Inject"), "status": other}))));
    cluster.scale("worker", 0);
    cluster.spec["whenExceeded"] = json!("Alert");
    assert!(cluster.look(102).is_empty());
    cluster.scale("worker", 1); // the other one restores what it found
    other.scaled.clear();
    cluster.view.apply(item::budget(object(json!({"metadata": metadata, "spec": spec("Inject"), "status": other}))));
    assert_eq!(writes(&cluster.look(103)), [("worker", 1, 3, true)]);
}

#[test]
fn what_was_lowered_for_a_budget_that_is_deleted_comes_back() {
    let lowered = || {
        let mut cluster = Cluster::new(2, 3);
        cluster.look(100);
        cluster.scale("worker", 1);
        cluster.look(101);
        cluster.view.remove(&Source::Budgets, &rds());
        cluster
    };
    let restored = |cluster: &Cluster| {
        let mode = Mode { injects: true, refused: Some(&cluster.refused), ..Mode::default() };
        let decision = decide(&cluster.view, &rds(), &[], mode, Timestamp::UNIX_EPOCH);
        (writes(&decision.scaling).iter().map(|(_, seen, to, _)| (*seen, *to)).collect::<Vec<_>>(), decision.again)
    };
    let mut cluster = lowered();
    assert_eq!(restored(&cluster), (vec![(1, 3)], None));
    let key = Key { group: "apps".into(), kind: "Deployment".into(), namespace: "shop".into(), name: "worker".into() };
    cluster.refused.insert((key, ScaledField::Replicas), Refusal::Refused("grant it patch".into()));
    let (none, again) = restored(&cluster);
    assert!(none.is_empty() && again.is_some(), "it is tried again");
    cluster.view.forget_lowered(&rds());
    assert_eq!(restored(&cluster), (Vec::new(), None), "once");

    let mut replaced = lowered();
    replaced.status = BudgetStatus::default();
    assert!(
        replaced.look(102).is_empty() && replaced.record().from == 3,
        "another one of its name takes the record over"
    );
}

#[test]
fn keda_is_paused_as_a_whole() {
    let mut cluster = Cluster::new(4, 1);
    let target = json!({"name": "api"});
    let spec = json!({"scaleTargetRef": target, "maxReplicaCount": 10});
    cluster.autoscale("ScaledObject", &spec, &json!({}));
    let changes = cluster.look(100);
    assert_eq!(writes(&changes), [("scaler", 0, 1, false)]);
    cluster.autoscale("ScaledObject", &spec, &json!({"autoscaling.keda.sh/paused-scale-out": "true"}));
    assert!(cluster.look(101).is_empty());
    assert!(cluster.says("ScaledDown").unwrap().contains("ScaledObject shop/scaler no longer scales out"));
    cluster.scale("api", 1);
    cluster.look(102);
    assert_eq!(writes(&cluster.look(500)), [("scaler", 1, 0, true)]);
}
