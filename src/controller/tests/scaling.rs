//! `whenExceeded: ScaleDown`: what is lowered, restored, contested, and left to others.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::{object, rds, said, spec, start, workload};
use crate::api::status::{BudgetStatus, Scaled, ScaledField};
use crate::cluster::view::{View, item};
use crate::cluster::write::scale::Change;
use crate::controller::decide::decide;
use crate::controller::scaling::{Refusal, Refused};
use crate::controller::standing::Mode;

mod others;

/// A budget of 18 for two Deployments, whose pods hold 5 as they are written: `worker` may go down to 1 replica.
struct Cluster {
    view: View,
    spec: Value,
    generation: i64,
    status: BudgetStatus,
    refused: Refused,
    injects: bool,
}

impl Cluster {
    fn new(api: u32, worker: u32) -> Self {
        let mut spec = spec("Inject");
        let (mut first, mut second) = (workload("api", "Deployment"), workload("worker", "Deployment"));
        first["priority"] = json!(10);
        second["minReplicas"] = json!(1);
        spec["workloads"] = json!([first, second]);
        spec["whenExceeded"] = json!("ScaleDown");
        let (view, status, refused) = (View::default(), BudgetStatus::default(), Refused::new());
        let mut cluster = Self { view, spec, generation: 7, status, refused, injects: true };
        for (name, replicas) in [("api", api), ("worker", worker)] {
            cluster.deploy(name, replicas, &json!({}));
            start(&mut cluster.view, name, replicas, false);
        }
        cluster
    }

    fn deploy(&mut self, name: &str, replicas: u32, more: &Value) {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
        let mut metadata = json!({"name": name, "namespace": "shop"});
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let template = json!({"spec": {"containers": [{"name": "c", "image": "x"}]}});
        let deployment = json!({"metadata": metadata, "spec": {"replicas": replicas, "template": template}});
        self.view.apply(item::read_workload(object(deployment), &resource));
    }

    fn autoscale(&mut self, kind: &str, spec: &Value, annotations: &Value) {
        let group = if kind == "ScaledObject" { ("keda.sh", "v1alpha1") } else { ("autoscaling", "v2") };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group.0, group.1, kind));
        let metadata = json!({"name": "scaler", "namespace": "shop", "annotations": annotations});
        self.view.apply(item::read_scaler(object(json!({"metadata": metadata, "spec": spec})), &resource));
    }

    /// What the cluster does when a Deployment is scaled.
    fn scale(&mut self, name: &str, replicas: u32) {
        self.deploy(name, replicas, &json!({}));
        for n in 0..20 {
            let id = crate::api::parse::Name::new("shop", format!("{name}-{n}-false"));
            self.view.remove(&crate::cluster::view::sources::Source::Pods, &id);
        }
        start(&mut self.view, name, replicas, false);
    }

    /// One look, stored.
    fn look(&mut self, now: i64) -> Vec<Change> {
        let metadata = json!({"name": "rds", "namespace": "shop", "uid": "u1", "generation": self.generation});
        let stored = json!({"metadata": metadata, "spec": self.spec, "status": self.status});
        self.view.apply(item::budget(object(stored)));
        let mode = Mode {
            injects: self.injects,
            restore_after: Duration::from_secs(300),
            refused: Some(&self.refused),
            ..Mode::default()
        };
        let decision = decide(&self.view, &rds(), &[], mode, Timestamp::from_second(now).unwrap());
        self.status = decision.budget.unwrap().status;
        decision.scaling
    }

    fn record(&self) -> &Scaled {
        assert_eq!(self.status.scaled.len(), 1, "{:?}", self.status.scaled);
        &self.status.scaled[0]
    }

    fn says(&self, about: &str) -> Option<&str> {
        self.status.conditions.iter().find(|c| c.type_ == about).map(|c| c.message.as_str())
    }
}

fn writes(changes: &[Change]) -> Vec<(&str, i64, i64, bool)> {
    changes.iter().map(|c| (c.key.name.as_str(), c.seen, c.to, c.release)).collect()
}

#[test]
fn recorded_before_it_is_written_and_written_until_it_is_so() {
    let mut cluster = Cluster::new(2, 3); // 25
    let first = cluster.look(100);
    assert_eq!(writes(&first), [("worker", 3, 1, false)]);
    let Scaled { field, from, to, done, .. } = *cluster.record();
    assert_eq!((field, from, to, done), (ScaledField::Replicas, 3, 1, false));
    let lowered = "Lowered, as it does not fit otherwise: Deployment shop/worker from 3 to 1 replicas. Each is restored when \
        it has fit with it for 300 s.";
    assert_eq!(said(&cluster.status.conditions, "ScaledDown"), ("True", "Reduced", lowered));
    // Whoever takes over before it was written writes the same, and does not take 3 for anything else.
    assert_eq!(cluster.look(101), first);
    cluster.scale("worker", 1);
    assert!(cluster.look(102).is_empty());
    assert_eq!((cluster.record().from, cluster.record().done), (3, true));
    assert_eq!(cluster.status.held, Some(15));
}

#[test]
fn restored_when_it_has_fit_with_the_number_that_it_was() {
    let mut cluster = Cluster::new(2, 3);
    cluster.look(100);
    cluster.scale("worker", 1);
    assert!(cluster.look(110).is_empty() && cluster.look(10_000).is_empty(), "with 3 it would be too many again");
    cluster.scale("api", 1); // 5 + 5, and 2 new pods with a share of 4
    assert!(cluster.look(10_100).is_empty());
    assert!(cluster.look(10_399).is_empty(), "not for 300 s yet");
    cluster.scale("api", 2);
    assert!(cluster.look(10_400).is_empty());
    cluster.scale("api", 1);
    assert!(cluster.look(10_500).is_empty(), "in between it would not have fit");
    assert_eq!(writes(&cluster.look(10_800)), [("worker", 1, 3, true)]);
    assert_eq!((cluster.record().from, cluster.record().to), (3, 3));
    assert!(cluster.says("ScaledDown").is_none());
    // It is forgotten once its field has been handed back.
    let managed = json!({"managedFields": [{"manager": "dbbudget/scale", "operation": "Apply"}]});
    cluster.deploy("worker", 3, &managed);
    assert_eq!(writes(&cluster.look(10_801)), [("worker", 3, 3, true)]);
    assert_eq!(cluster.record().from, 3, "not before");
    cluster.deploy("worker", 3, &json!({}));
    assert!(cluster.look(10_802).is_empty() && cluster.status.scaled.is_empty());
}

#[test]
fn pods_on_their_way_out_lower_nothing() {
    let mut cluster = Cluster::new(2, 1);
    start(&mut cluster.view, "worker", 2, true);
    assert!(cluster.look(100).is_empty());
    assert_eq!((cluster.status.held, said(&cluster.status.conditions, "WithinCapacity").1), (Some(25), "Exceeded"));
}

#[test]
fn a_spec_that_is_broken_forgets_nothing() {
    let mut cluster = Cluster::new(2, 3);
    cluster.look(100);
    let spec = cluster.spec.clone();
    cluster.spec["workloads"][0]["containers"][0]["engines"][0]["client"] = json!("prefct");
    assert!(cluster.look(101).is_empty());
    assert_eq!(cluster.record().from, 3);
    cluster.spec = spec;
    assert_eq!(writes(&cluster.look(102)), [("worker", 3, 1, false)]);
}

#[test]
fn given_up_when_somebody_undoes_it_twice_until_the_spec_changes() {
    let mut cluster = Cluster::new(2, 3);
    cluster.look(100);
    cluster.scale("worker", 1);
    cluster.look(101);
    cluster.scale("worker", 3);
    assert_eq!(writes(&cluster.look(102)), [("worker", 3, 1, false)]);
    assert_eq!(cluster.record().undone, 1);
    cluster.scale("worker", 1);
    cluster.look(103);
    cluster.scale("worker", 4);
    assert!(cluster.look(104).is_empty());
    let said = cluster.says("Contested").unwrap();
    assert!(said.contains("Deployment shop/worker from 4 to 1 replicas"), "{said}");
    assert!(cluster.says("ScaledDown").is_none() && cluster.look(100_000).is_empty());
    cluster.generation = 8;
    assert_eq!(writes(&cluster.look(100_001)), [("worker", 4, 1, false)]);
    assert!(cluster.says("Contested").is_none());
}

#[test]
fn what_a_tool_owns_is_left_to_it_and_told() {
    let mut cluster = Cluster::new(2, 3);
    let tracked = json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/worker"}});
    cluster.deploy("worker", 3, &tracked);
    assert!(cluster.look(100).is_empty() && cluster.status.scaled.is_empty());
    let within = cluster.says("WithinCapacity").unwrap();
    let told = "Not scaled here, as Argo CD, application shop owns it; in its source, change spec.replicas of Deployment \
        shop/worker from 3 to 1.";
    assert!(within.ends_with(told), "{within}");
}

#[test]
fn a_permission_that_is_missing_is_said_once_and_the_rest_goes_on() {
    let mut cluster = Cluster::new(2, 3);
    cluster.spec["workloads"][0]["minReplicas"] = json!(1);
    let number = (cluster.look(100)[0].key.clone(), ScaledField::Replicas);
    cluster.status = BudgetStatus::default();
    cluster.refused.insert(number, Refusal::Refused("grant it patch on deployments.apps/scale".into()));
    assert_eq!(writes(&cluster.look(101)), [("api", 2, 1, false)], "the next one, as the lowest may not be written");
    let within = cluster.says("WithinCapacity").unwrap();
    assert_eq!(within.matches("Not scaled: grant it patch on deployments.apps/scale.").count(), 1, "{within}");
}

#[test]
fn nothing_is_lowered_that_nobody_asked_for() {
    for (field, value) in [("whenExceeded", "Alert"), ("enforcement", "Observe")] {
        let mut cluster = Cluster::new(2, 3);
        cluster.spec[field] = json!(value);
        assert!(cluster.look(100).is_empty() && cluster.status.scaled.is_empty(), "{field}");
    }
    let mut cluster = Cluster::new(2, 3);
    cluster.spec["workloads"][1]["minReplicas"] = json!(null);
    assert!(cluster.look(100).is_empty(), "without minReplicas it is never scaled");
    // With --mode observe nothing is changed, and nothing forgotten.
    let mut cluster = Cluster::new(2, 3);
    cluster.look(100);
    cluster.injects = false;
    assert!(cluster.look(101).is_empty());
    assert_eq!((cluster.record().from, cluster.record().to), (3, 1));
    // What was lowered comes back at once when nobody asks for it any more.
    let mut cluster = Cluster::new(2, 3);
    cluster.look(100);
    cluster.scale("worker", 1);
    cluster.spec["whenExceeded"] = json!("Alert");
    assert_eq!(writes(&cluster.look(101)), [("worker", 1, 3, true)]);
}

#[test]
fn what_no_claim_is_about_any_more_is_restored_all_the_same() {
    let mut cluster = Cluster::new(2, 3);
    cluster.look(100);
    cluster.scale("worker", 1);
    cluster.look(101);
    cluster.spec["workloads"].as_array_mut().unwrap().pop();
    let changes = cluster.look(102);
    assert_eq!(writes(&changes), [("worker", 1, 3, true)]);
    cluster.refused.insert((changes[0].key.clone(), ScaledField::Replicas), Refusal::Over);
    assert!(cluster.look(103).is_empty() && cluster.status.scaled.is_empty());
}
