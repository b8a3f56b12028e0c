//! `restart: Rolling`: who is restarted, when, and what others wait for.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::{object, rds, spec, start, workload};
use crate::api::status::{BudgetStatus, Restart};
use crate::cluster::view::{View, item};
use crate::controller::decide::{Decision, decide};
use crate::controller::standing::Mode;

const AFTER: Duration = Duration::from_secs(30);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A cluster with a budget of 18 for two workloads.
struct Cluster(View);

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self(View::default());
        cluster.status(&BudgetStatus::default(), 20);
        cluster.deploy("api", 2, &settled(2));
        cluster.deploy("worker", 1, &settled(1));
        cluster
    }

    /// The budget, with its status as stored.
    fn status(&mut self, status: &BudgetStatus, connections: u32) {
        let mut spec = spec("Inject");
        spec["restart"] = json!("Rolling");
        spec["capacity"]["static"]["maxConnections"] = json!(connections);
        spec["workloads"] = json!([workload("api", "Deployment"), workload("worker", "Deployment")]);
        let metadata = json!({"name": "rds", "namespace": "shop", "uid": "u1", "generation": 7});
        let stored = json!({"metadata": metadata, "spec": spec, "status": status});
        self.0.apply(item::budget(object(stored)));
    }

    fn deploy(&mut self, name: &str, replicas: u32, status: &Value) {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
        let template = json!({"spec": {"containers": [{"name": "c", "image": "x"}]}});
        let deployment = object(json!({
            "metadata": {"name": name, "namespace": "shop", "generation": 1},
            "spec": {"replicas": replicas, "template": template, "paused": status["paused"] == json!(true)},
            "status": status,
        }));
        self.0.apply(item::read_workload(deployment, &resource));
    }

    /// One look, stored; who is restarted is marked so.
    fn look(&mut self, now: i64) -> (Option<String>, Vec<Restart>) {
        let (decision, status) = self.decide(now, None);
        let due = decision.restart.as_ref().map(|due| due.key.name.clone());
        self.status(&status, 20);
        (due, status.restarts)
    }

    fn decide(&self, now: i64, trouble: Option<&str>) -> (Decision, BudgetStatus) {
        let mode = Mode { injects: true, trouble, restart_after: AFTER, ..Mode::default() };
        let decision = decide(&self.0, &rds(), &[], mode, at(now));
        let mut status = decision.budget.clone().unwrap().status;
        if let Some(due) = &decision.restart {
            status.restarts[due.place] = due.done(&status.restarts[due.place]);
        }
        (decision, status)
    }
}

fn settled(pods: u32) -> Value {
    json!({"observedGeneration": 1, "replicas": pods, "updatedReplicas": pods, "availableReplicas": pods})
}

fn under_way() -> Value {
    json!({"observedGeneration": 0})
}

fn messages(records: &[Restart]) -> Vec<(&str, &str)> {
    records.iter().map(|r| (r.target.name.as_str(), r.message.as_str())).collect()
}

#[test]
fn one_workload_after_the_other_once_their_shares_have_settled() {
    let mut cluster = Cluster::new();
    start(&mut cluster.0, "api", 2, false);
    start(&mut cluster.0, "worker", 1, false);
    let (decision, _) = cluster.decide(100, None);
    assert_eq!(decision.again, Some(at(130)));
    let young = "It is restarted when its share has stayed the same for a while.";
    let (due, records) = cluster.look(100);
    assert_eq!((due, messages(&records)), (None, vec![("api", young), ("worker", young)]));
    assert_eq!(records[0].share, "c.default=5");
    assert_eq!(cluster.look(129).0, None);

    let (due, records) = cluster.look(131);
    assert_eq!(due.as_deref(), Some("api"), "both hold what they may; the first by name");
    let restarted = records[0].at.as_ref().unwrap().0;
    assert_eq!(restarted, at(130), "the same whoever does it, and however late");
    cluster.deploy("api", 2, &under_way());
    let (due, records) = cluster.look(132);
    let waits = [
        ("api", "It was restarted, and its pods are being replaced."),
        ("worker", "It waits until Deployment shop/api is done."),
    ];
    assert_eq!((due, messages(&records)), (None, waits.to_vec()));

    cluster.deploy("api", 2, &settled(2));
    let (due, records) = cluster.look(140);
    assert_eq!(due.as_deref(), Some("worker"));
    let again = "It was restarted once for this share, and has pods without it again; to replace them: kubectl -n shop \
        rollout restart deployment/api.";
    assert_eq!(messages(&records)[0], ("api", again), "never twice for one share");
    assert_eq!(cluster.look(10_000).0, None);
}

#[test]
fn a_new_share_is_a_new_change() {
    let mut cluster = Cluster::new();
    start(&mut cluster.0, "worker", 1, false);
    cluster.look(100);
    assert_eq!(cluster.look(130).0.as_deref(), Some("worker"));
    let (_, status) = cluster.decide(131, None);
    cluster.status(&status, 8);
    let (decision, status) = cluster.decide(140, None);
    assert_eq!((decision.restart.is_some(), decision.again), (false, Some(at(170))));
    assert_eq!((status.restarts[0].share.as_str(), &status.restarts[0].at), ("c.default=2", &None));
}

#[test]
fn who_holds_most_beyond_its_share_is_first() {
    let mut cluster = Cluster::new();
    start(&mut cluster.0, "api", 2, false);
    start(&mut cluster.0, "worker", 3, false);
    cluster.look(100);
    assert_eq!(cluster.look(130).0.as_deref(), Some("worker"), "15 held, 5 allocated");
}

#[test]
fn paused_stuck_and_manual_workloads_are_left_alone_and_told() {
    let mut cluster = Cluster::new();
    start(&mut cluster.0, "api", 2, false);
    start(&mut cluster.0, "worker", 1, false);
    cluster.look(100);
    cluster.deploy("api", 2, &json!({"paused": true}));
    let (due, records) = cluster.look(130);
    assert_eq!(due.as_deref(), Some("worker"), "a workload that is left alone keeps nobody waiting");
    assert!(records[0].message.contains("kubectl -n shop rollout resume deployment/api"), "{}", records[0].message);

    let stuck = json!({"conditions": [{"reason": "ProgressDeadlineExceeded"}], "observedGeneration": 1});
    cluster.deploy("worker", 1, &stuck);
    cluster.deploy("api", 2, &settled(2));
    let (due, records) = cluster.look(200);
    assert_eq!(due, None, "what a restart broke is not done to the next one");
    assert!(records[1].message.contains("its new pods do not become available"), "{}", records[1].message);
    assert_eq!(records[0].message, "It waits until Deployment shop/worker is done.");
}

#[test]
fn nothing_is_restarted_while_new_pods_would_get_no_share_nor_where_all_have_theirs() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.look(100), (None, Vec::new()));
    start(&mut cluster.0, "api", 1, true);
    assert_eq!(cluster.look(100), (None, Vec::new()), "a pod on its way out is not replaced again");
    start(&mut cluster.0, "api", 2, false);
    let (_, recorded) = cluster.look(110);
    let (decision, status) = cluster.decide(200, Some("it may not be registered"));
    assert!(decision.restart.is_none());
    assert_eq!(status.restarts, recorded, "and what was done before is not forgotten");
    assert_eq!(cluster.decide(200, None).0.restart.unwrap().at, at(140));
}
