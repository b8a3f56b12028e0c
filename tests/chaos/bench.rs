//! What chaos happens to: the cluster, the operators, the database, and who judges.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use dbbudget::api::workload::Source;
use kube::ResourceExt;
use tokio_postgres::{Client, NoTls};

use crate::cluster::OwnCluster;
use crate::deck::Workload;
use crate::judge::Holder;
use crate::objects::{CAPACITY, CROWD, DATABASE, RESERVE, budgets, workloads};
use crate::pooler::{Limit, Pooler};
use crate::postgres::{PASSWORD, Postgres};
use crate::progress::Progress;
use crate::record::Record;
use crate::replay::sum;
use crate::replicas::Replicas;
use crate::world::World;

/// Where pods reach this machine.
const NODE: &str = "10.87.255.1";

pub struct Bench<'a> {
    pub world: World<'a>,
    pub cluster: &'a OwnCluster,
    pub replicas: Replicas,
    pub pooler: Pooler,
    pub progress: Progress,
    pub record: Record,
    pub at: String,
    /// What the budget says that the database takes.
    pub capacity: u32,
    pub began: Instant,
    /// What was done, and when.
    pub done: Vec<String>,
    pub counts: BTreeMap<&'static str, usize>,
    pub failed: usize,
    /// What may not be.
    pub wrong: Vec<String>,
    _server: Postgres,
    /// The lock that keeps queries waiting, and somebody's psql.
    _clients: [Client; 2],
}

impl<'a> Bench<'a> {
    /// Starts all of it, and waits until it is at rest.
    pub async fn start(cluster: &'a OwnCluster) -> Self {
        cluster.control(&["node"]);
        cluster.control(&["kwok", "2"]);
        // A backend that waits for the lock ends soon when its client has gone.
        let server = Postgres::start(&["max_connections=200", "client_connection_check_interval=100"]);
        let address = NODE.parse().expect("an address");
        let pooler = Pooler::start(address, SocketAddr::from(([127, 0, 0, 1], server.port))).await;
        pooler.limit("postgres", Limit::Session(CAPACITY as usize));
        let gate = server.connect("postgres", "postgres").await.expect("a connection");
        for statement in ["create table gate (n int)", "begin", "lock table gate in access exclusive mode"] {
            gate.batch_execute(statement).await.expect("locked"); // one by one: several at once are one transaction
        }
        let at = format!("postgres:{PASSWORD}@{}/postgres", pooler.address);
        let (psql, connection) =
            tokio_postgres::connect(&format!("postgres://{at}"), NoTls).await.expect("a connection");
        tokio::spawn(connection);
        let world = World::on(cluster, "chaos").await;
        world.install().await;
        let replicas = Replicas::start(&world).await;
        let record = Record::start(world.api(), world.api());
        world.apply(&budgets()).await;
        let mut bench = Self {
            world,
            cluster,
            replicas,
            pooler,
            progress: Progress::default(),
            record,
            at,
            capacity: CAPACITY,
            began: Instant::now(),
            done: Vec::new(),
            counts: BTreeMap::new(),
            failed: 0,
            wrong: Vec::new(),
            _server: server,
            _clients: [gate, psql],
        };
        bench.until_leasing().await;
        bench.world.apply(&workloads(&bench.at)).await;
        bench.until_quiet("at first").await;
        bench.began = Instant::now();
        bench
    }

    async fn until_leasing(&self) {
        use dbbudget::api::{DatabaseLedger, ledger::Phase};
        for name in [DATABASE, CROWD] {
            self.world.until(name, "it grants", |ledger: &DatabaseLedger| ledger.spec.phase == Phase::Leasing).await;
        }
    }

    /// Lets time pass, while judges look.
    pub async fn wait(&mut self, pause: Duration) {
        let end = Instant::now() + pause;
        loop {
            self.tick().await;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_millis(500))).await;
        }
    }

    pub async fn tick(&mut self) {
        self.replicas.tick(&self.world);
        self.restart_ended();
        self.follow_capacity();
        if !self.replicas.all_run() {
            self.progress.disturbed(&Workload::ALL);
            self.progress.nobody_tells();
        }
        if let Err(error) = self.progress.look(&self.world).await {
            self.done.push(format!("{:>6.1} s  (the API server does not answer: {error})", self.seconds()));
        }
        let refused = self.pooler.pool("postgres").all.refused;
        let known = self.wrong.iter().filter(|what| what.starts_with("refused")).count();
        if refused > 0 && known == 0 {
            self.wrong.push(format!("refused: {} at {:.1} s", self.sessions(), self.seconds()));
        }
    }

    /// As a kubelet does with static pods. The scheduler ends itself when a list, after a restart of the API server, says
    /// otherwise than it remembers.
    fn restart_ended(&mut self) {
        for name in ["kube-scheduler", "kube-controller-manager", "kubelet", "kwok"] {
            let pid =
                std::fs::read_to_string(self.cluster.folder().join(format!("{name}.pid"))).expect("it was started");
            // Of one that has ended and that nobody has waited for, it is empty.
            let command = std::fs::read(Path::new("/proc").join(pid.trim()).join("cmdline")).unwrap_or_default();
            if command.is_empty() {
                self.done.push(format!("{:>6.1} s  ({name} ended, and is started again)", self.seconds()));
                let name = name.trim_start_matches("kube-");
                tokio::task::block_in_place(|| self.cluster.control(&["start", name]));
            }
        }
    }

    /// The database takes more before the budget says so, and fewer when the ledger has room for that: so would people do it.
    pub fn follow_capacity(&mut self) {
        let limit = self.pooler.pool("postgres").limit.map_or(0, Limit::number);
        let capacity = self.capacity as usize;
        let fits = self.record.seen().ledgers.get(DATABASE).is_some_and(|ledger| {
            let allocatable = i32::try_from(self.capacity - RESERVE).expect("small");
            ledger.allocatable == allocatable && sum(ledger, Source::Allocatable) <= allocatable
        });
        if capacity > limit || (capacity < limit && fits) {
            self.pooler.limit("postgres", Limit::Session(capacity));
            let now = self.pooler.pool("postgres").all.now;
            if now > capacity {
                self.wrong
                    .push(format!("the ledger fits in {capacity}, and {now} sessions are open: {}", self.sessions()));
            }
        }
    }

    fn sessions(&self) -> String {
        let pool = self.pooler.pool("postgres");
        let seen = self.record.seen();
        let holders = |ip: String| {
            let of = seen.pods.values().filter(|p| p.status.as_ref().is_some_and(|s| s.pod_ip.as_deref() == Some(&ip)));
            of.map(Holder::of)
                .map(|h| format!("{} holds {} ended {}", h.name, h.holds, h.ended))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let from = pool.by_source.iter().filter(|(_, tally)| tally.now + tally.refused > 0);
        let from: Vec<String> = from.map(|(ip, tally)| format!("{ip} {tally:?} {}", holders(ip.to_string()))).collect();
        format!("{:?} {:?}\n  {}\n  {:#?}", pool.limit, pool.all, from.join("\n  "), seen.ledgers.get(DATABASE))
    }

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The name of the n-th pod of a workload, by name.
    pub fn pods_of(&self, workload: Workload) -> Vec<String> {
        let seen = self.record.seen();
        let of = seen.pods.values().filter(|pod| pod.labels().get("app").is_some_and(|app| app == workload.name()));
        of.map(ResourceExt::name_any).collect::<BTreeSet<_>>().into_iter().collect()
    }
}
