//! A deployment of `deploy/examples` on this machine: applied, restarted, and made to work in front of locked tables.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio_postgres::Client;

use super::manifests::{here, read};
use super::seen::Seen;
use crate::back::{Back, QUIET};
use crate::clients::Load;
use crate::load::{Answer, MANY, Request, TASKS, flood, is_ok, send, tasks};
use crate::pooler::{Limit, Pool, Tally};
use crate::release::Node;
use crate::world::{World, documents, until_some};

/// Requests that reach each process of a service.
const FEW: usize = 40;
const PORT: u16 = 8000;

/// One of its workloads.
pub struct Service {
    /// Its Deployment, and the label of its pods.
    pub name: &'static str,
    pub load: Load,
    /// Tables whose locks stop its queries.
    pub tables: &'static [&'static str],
}

/// It runs.
pub struct Stack<'a> {
    pub world: World<'a>,
    pub back: &'a Back,
    /// The one that its first budget is about.
    pub database: String,
    services: &'a [Service],
}

impl<'a> Stack<'a> {
    /// Makes its namespace, and a database that takes any number of sessions for now.
    pub async fn new(node: &'a Node, back: &'a Back, namespace: &str, services: &'a [Service]) -> Self {
        let cluster = &node.cluster;
        // One that a test before this one left may still be going.
        let gone = ["wait", "--for=delete", &format!("namespace/{namespace}"), "--timeout=60s"];
        tokio::task::block_in_place(|| cluster.kubectl(&gone)).expect("gone");
        cluster.kubectl(&["create", "namespace", namespace]).expect("created");
        let world = World { cluster, client: cluster.client().await, namespace: namespace.to_owned() };
        Self::with(world, back, services).await
    }

    /// Others of the same namespace, with a database of their own.
    pub async fn beside(&self, services: &'a [Service]) -> Self {
        let world = World {
            cluster: self.world.cluster,
            client: self.world.client.clone(),
            namespace: self.world.namespace.clone(),
        };
        Self::with(world, self.back, services).await
    }

    async fn with(world: World<'a>, back: &'a Back, services: &'a [Service]) -> Self {
        let database = format!("{}_{}", world.namespace.replace('-', "_"), services[0].name.replace('-', "_"));
        back.server.execute(&[&format!("create database {database}")]).await;
        let tables = "create table gate (n int); create table done (run text); create schema mlflow";
        back.connect(&database).await.batch_execute(tables).await.expect("tables");
        Self { world, back, database, services }
    }

    /// A Secret that its manifests name, with URLs of its database (`DRIVER`, `PARAMETERS`).
    pub fn secret(&self, name: &str, urls: &[(&str, &str, &str)]) {
        let at = self.back.at(&self.database);
        let urls = urls.iter().map(|(key, driver, more)| format!("--from-literal={key}={driver}://{at}{more}"));
        let urls = urls.collect::<Vec<_>>();
        let create = ["create", "secret", "generic", name];
        self.kubectl(&create.into_iter().chain(urls.iter().map(String::as_str)).collect::<Vec<_>>());
    }

    /// Applies the objects of an example that are of these kinds.
    pub async fn apply(&self, example: &str, kinds: &[&str]) {
        let redis = self.back.redis.url();
        for mut object in documents(&read(self.world.cluster, example)) {
            if object.types.as_ref().is_some_and(|types| kinds.contains(&types.kind.as_str())) {
                here(&mut object, &redis);
                self.world.apply(&serde_json::to_string(&object).expect("JSON")).await;
            }
        }
    }

    /// `kubectl rollout restart`, until no old pod is left and every service is ready.
    pub async fn restart(&self) {
        let (old, _) = self.kubectl(&["get", "pods", "-o", "name"]);
        self.roll();
        let old = old.lines().collect::<Vec<_>>();
        self.kubectl(&[&["wait", "--for=delete", "--timeout=90s"], &*old].concat());
        self.ready().await;
    }

    /// The same, until the new pods are there.
    fn roll(&self) {
        self.kubectl(&["rollout", "restart", "deployment"]);
        for service in self.services {
            self.kubectl(&["rollout", "status", "deployment", service.name, "--timeout=90s"]);
        }
    }

    /// What kubectl says in its namespace.
    pub fn kubectl(&self, args: &[&str]) -> (String, String) {
        let args = [&["-n", &self.world.namespace], args].concat();
        tokio::task::block_in_place(|| self.world.cluster.kubectl(&args)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The pods of a service, all of them ready and none of a revision before.
    pub async fn pods(&self, service: &str) -> Vec<Pod> {
        let deployment: Deployment = self.world.get(service).await;
        let count = deployment.spec.and_then(|spec| spec.replicas).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        let what = format!("pods of {service} are ready");
        until_some::<Pod>(self.world.api(), count, &what, |pod| is_ready(pod, service)).await
    }

    /// Where its Service is reached.
    pub async fn host(&self, service: &str) -> String {
        let found: k8s_openapi::api::core::v1::Service = self.world.get(service).await;
        let ip = found.spec.and_then(|spec| spec.cluster_ip).expect("an address");
        format!("{ip}:80")
    }

    /// Waits until every service has answered a few requests. The first makes a process ready for the next: MLflow's would
    /// wait for a locked table, and let no other in.
    pub async fn ready(&self) {
        join_all(self.services.iter().map(|service| async {
            let addresses = self.pods(service.name).await.iter().map(address).collect::<Vec<_>>();
            if let Load::Http { port, ready, requests } = service.load {
                let hosts = addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
                let sent = join_all(hosts.iter().map(|host| send(host, port, ready, requests, FEW))).await;
                join_all(sent.into_iter().flatten()).await;
            }
        }))
        .await;
    }

    /// Makes every service do more at once than it may have sessions for, until it opens no more; then lets go, and waits
    /// for the answers.
    pub async fn under_load(&self, run: &str) -> Seen {
        let locked = self.locked().await;
        let (mut answers, pods) = self.send(run).await;
        let mut pool = self.settled().await;
        // Of a server's processes, some may not have been up when it was asked first.
        let asked = self.applications(&pods);
        let opened = |pool: &Pool| asked.iter().map(|(pod, ..)| pool.of(*pod).peak).sum::<usize>();
        while !asked.is_empty() {
            let sent = asked.iter().map(|(_, host, requests)| flood(host, PORT, requests, MANY));
            answers.extend(join_all(sent).await.into_iter().flatten());
            let before = std::mem::replace(&mut pool, self.settled().await);
            if opened(&pool) == opened(&before) {
                break;
            }
        }
        drop(locked);
        let mut failed = Vec::new();
        for answer in answers {
            let answer = answer.await.expect("it asks").unwrap_or_else(|error| error.to_string());
            failed.extend(answer.lines().next().filter(|_| !is_ok(&answer)).map(str::to_owned));
        }
        Seen { pool, failed, pods }
    }

    /// Under load behind a limit, then without it: how many were refused, and what is opened where nobody is; `least`: of
    /// both. A pool that was refused lets those who wait for it wait on for half a minute.
    pub async fn as_written(&self, limit: Limit, least: (usize, usize)) -> (usize, Seen) {
        self.limit(limit);
        let _locked = self.locked().await;
        self.send("behind a limit").await;
        self.asked(least).await
    }

    /// The same while pods are replaced: those of before are still at work when the new ones begin.
    pub async fn as_written_through_a_rollout(&self, limit: Limit, least: (usize, usize)) -> (usize, Seen) {
        let _locked = self.locked().await;
        self.through_a_rollout(limit).await;
        self.asked(least).await
    }

    /// Replaces pods that are at work, and makes the new ones work.
    pub async fn rolled_under_load(&self, limit: Limit) -> Tally {
        let _locked = self.locked().await;
        self.through_a_rollout(limit).await.all
    }

    async fn through_a_rollout(&self, limit: Limit) -> Pool {
        self.limit(limit);
        self.send("before the rollout").await;
        self.settled().await;
        self.roll();
        self.send("after the rollout").await;
        self.settled().await
    }

    async fn asked(&self, (refused, opened): (usize, usize)) -> (usize, Seen) {
        let (pooler, database) = (&self.back.pooler, &self.database);
        pooler.until(database, "so many are refused", |pool| pool.all.refused >= refused).await;
        let refused = self.settled().await.all.refused;
        self.limit(None);
        let (_, pods) = self.send("without a limit").await;
        pooler.until(database, "so many are opened", |pool| pool.all.peak >= opened).await;
        (refused, Seen { pool: self.settled().await, failed: Vec::new(), pods })
    }

    async fn settled(&self) -> Pool {
        self.back.pooler.until_settled(&self.database, QUIET).await
    }

    /// Locks what queries read, each table by a transaction of its own, so that no lock waits for another.
    async fn locked(&self) -> Vec<Client> {
        let mut locked = Vec::new();
        for table in self.services.iter().flat_map(|service| service.tables).collect::<BTreeSet<_>>() {
            let gate = self.back.connect(&self.database).await;
            gate.batch_execute(&format!("begin; lock table {table} in access exclusive mode")).await.expect("locked");
            locked.push(gate);
        }
        locked
    }

    /// Sends work to every pod; answers are awaited by the caller.
    async fn send(&self, run: &str) -> (Vec<Answer>, BTreeMap<&'static str, Vec<IpAddr>>) {
        let sent = self.services.iter().map(|service| async {
            let addresses = self.pods(service.name).await.iter().map(address).collect::<Vec<_>>();
            let mut answers = Vec::new();
            match &service.load {
                Load::OfItsOwn => {}
                Load::Tasks(program) => {
                    let (program, run, redis) = (*program, run.to_owned(), self.back.redis.url());
                    let sent = tokio::task::spawn_blocking(move || tasks(&["-m", program, &run], &redis));
                    sent.await.expect("tasks are sent");
                }
                Load::Http { port, ready, requests } => {
                    let hosts = addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
                    let to = hosts.iter().map(|host| send(host, *port, ready, requests, MANY));
                    answers = join_all(to).await.into_iter().flatten().collect();
                }
            }
            (answers, (service.name, addresses))
        });
        let (answers, pods): (Vec<_>, BTreeMap<_, _>) = join_all(sent).await.into_iter().unzip();
        (answers.into_iter().flatten().collect(), pods)
    }

    /// The pods among these that serve an application, and what it is asked. MLflow and Prefect open what they see fit, and
    /// Prefect gives up on what takes 10 s.
    fn applications(&self, pods: &BTreeMap<&'static str, Vec<IpAddr>>) -> Vec<(IpAddr, String, &'static [Request])> {
        let servers = self.services.iter().filter_map(|service| match service.load {
            Load::Http { port: PORT, requests, .. } => Some((&pods[service.name], requests)),
            _ => None,
        });
        servers.flat_map(|(pods, requests)| pods.iter().map(move |pod| (*pod, pod.to_string(), requests))).collect()
    }

    /// The statements that a service's pods have prepared under a name, since they began if nothing was counted anew.
    pub async fn prepared(&self, service: &str) -> usize {
        let pool = self.back.pooler.pool(&self.database);
        self.pods(service).await.iter().map(|pod| pool.of(address(pod)).named).sum()
    }

    /// Waits until all tasks of a run are done, by what they leave in the database.
    pub async fn until_done(&self, run: &str) {
        let database = self.back.connect(&self.database).await;
        let done = async {
            loop {
                let row =
                    database.query_one("select count(*) from done where run = $1", &[&run]).await.expect("a count");
                if row.get::<_, i64>(0) == i64::from(TASKS) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        assert!(tokio::time::timeout(crate::world::PATIENCE, done).await.is_ok(), "not all tasks of {run} were done");
    }

    /// Sets what the database takes, and counts anew.
    pub fn limit(&self, limit: impl Into<Option<Limit>>) {
        self.back.pooler.limit(&self.database, limit);
        self.back.pooler.count_anew(&self.database);
    }
}

fn is_ready(pod: &Pod, service: &str) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.labels().get("app").is_some_and(|app| app == service)
        && pod.metadata.deletion_timestamp.is_none()
        && conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

fn address(pod: &Pod) -> IpAddr {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    ip.and_then(|ip| ip.parse().ok()).expect("a ready pod has an address")
}
