//! Pods, as `ReplicaSet`s make them: with a gate of their own for the floor, and with dbbudget's.

use std::time::Duration;

use dbbudget::api::ledger::Phase;
use dbbudget::api::{DatabaseBudget, DatabaseLedger};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json};

use crate::seen::Seen;

/// One namespace with `ReplicaSet`s.
pub struct Load {
    pub namespace: String,
    sets: Api<ReplicaSet>,
}

fn read<T: DeserializeOwned>(object: Value) -> T {
    from_value(object).expect("an object")
}

fn set(name: &str, gates: &Value) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name, "bench": "granting"}},
                "spec": {
                    "schedulingGates": gates,
                    "containers": [{"name": "app", "image": "example/app:1"}],
                },
            },
        },
    })
}

impl Load {
    async fn new(client: &Client, namespace: &str, names: &[&str], gates: Value) -> Self {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let one = read(json!({"metadata": {"name": namespace}}));
        namespaces.create(&PostParams::default(), &one).await.expect("a namespace");
        let sets = Api::namespaced(client.clone(), namespace);
        for name in names {
            sets.create(&PostParams::default(), &read(set(name, &gates))).await.expect("a ReplicaSet");
        }
        Self { namespace: namespace.to_owned(), sets }
    }

    /// Pods whose gate the floor takes off.
    pub async fn floor(client: &Client, namespace: &str) -> Self {
        Self::new(client, namespace, &["load"], json!([{"name": "bench.example/gate"}])).await
    }

    /// Pods of one connection each, under a budget of its own that grants by now.
    pub async fn leased(client: &Client, namespace: &str, connections: u32, names: &[&str]) -> Self {
        let load = Self::new(client, namespace, names, json!([])).await;
        let workload = |name: &&str| {
            let engine = json!({"name": "default", "client": "sqlalchemy-env", "max": 1});
            let containers = json!([{"processes": {"count": 1}, "engines": [engine]}]);
            let target = json!({"kind": "ReplicaSet"});
            json!({"name": name, "target": target, "sizeFor": 50, "containers": containers})
        };
        let budget = json!({
            "metadata": {"name": "database"},
            "spec": {
                "capacity": {"static": {"maxConnections": connections, "serverReserved": 0}},
                "enforcement": "Lease",
                "headroom": "None",
                "drainSeconds": 0,
                "workloads": names.iter().map(workload).collect::<Vec<_>>(),
            },
        });
        let budgets: Api<DatabaseBudget> = Api::namespaced(client.clone(), namespace);
        let budget = json!({"apiVersion": "dbbudget.dev/v1alpha1", "kind": "DatabaseBudget", "metadata": budget["metadata"],
            "spec": budget["spec"]});
        budgets.create(&PostParams::default(), &read(budget)).await.expect("a budget");
        let ledgers: Api<DatabaseLedger> = Api::namespaced(client.clone(), namespace);
        let leases = |ledger: Option<DatabaseLedger>| ledger.is_some_and(|ledger| ledger.spec.phase == Phase::Leasing);
        while !leases(ledgers.get_opt("database").await.expect("read")) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await; // until its shares are published
        load
    }

    pub async fn scale(&self, name: &str, replicas: u32) {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        self.sets.patch_scale(name, &PatchParams::default(), &patch).await.expect("scaled");
    }

    /// Ends all pods, and waits until nobody is busy with that any more.
    pub async fn empty(&self, name: &str, seen: &Seen) {
        self.scale(name, 0).await;
        seen.until(&self.namespace, "all are gone", |of| of.len() == 0 || name != "load").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}
