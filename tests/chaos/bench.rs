//! What chaos happens to: the cluster, the operators, the database, and who judges.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dbbudget::api::workload::Source;
use kube::ResourceExt;
use tokio_postgres::{Client, NoTls};

use crate::cluster::OwnCluster;
use crate::deck::Workload;
use crate::judge::Holder;
use crate::objects::{CAPACITY, CROWD, DATABASE, RESERVE, budget_of, budgets, workloads};
use crate::pooler::{Limit, Pooler};
use crate::postgres::{PASSWORD, Postgres};
use crate::progress::{Progress, is_done};
use crate::record::Record;
use crate::replay::{Verdict, replay, sum};
use crate::replicas::Replicas;
use crate::world::World;

/// Where pods reach this machine.
const NODE: &str = "10.87.255.1";
/// All is quiet again within this time: the quarantine of a pod that was deleted by force is the longest part of it.
const QUIET: Duration = Duration::from_secs(180);

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
    wrong: Vec<String>,
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
        let locked = "create table gate (n int); begin; lock table gate in access exclusive mode";
        gate.batch_execute(locked).await.expect("locked");
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

    async fn tick(&mut self) {
        self.replicas.tick(&self.world);
        self.follow_capacity();
        if !self.replicas.all_run() {
            self.progress.disturbed(&Workload::ALL);
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

    /// Waits until every workload is as it should be, and the ledgers are what the pods are.
    pub async fn until_quiet(&mut self, when: &str) {
        let end = Instant::now() + QUIET;
        loop {
            self.tick().await;
            let left = self.unrest().await;
            if left.is_empty() {
                return;
            }
            if Instant::now() > end {
                self.wrong.push(format!("not quiet {when}: {}", left.join("; ")));
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// What is not as it should be at rest.
    async fn unrest(&self) -> Vec<String> {
        let mut left = Vec::new();
        for workload in Workload::ALL {
            if !is_done(&self.world, workload).await.unwrap_or(false) {
                left.push(format!("{} is not rolled out", workload.name()));
            }
        }
        let seen = self.record.seen();
        let pods: BTreeMap<&String, Holder> = seen.pods.iter().map(|(uid, pod)| (uid, Holder::of(pod))).collect();
        left.extend(pods.values().filter(|pod| pod.waits).map(|pod| format!("{} waits", pod.name)));
        for (name, ledger) in &seen.ledgers {
            let of = |pod: &&Holder| budget_of(&pod.app) == Some(name) && pod.may_hold();
            let runs: BTreeSet<&&String> = pods.iter().filter(|(_, pod)| of(pod)).map(|(uid, _)| uid).collect();
            let known = ledger.entries.keys().filter(|uid| !runs.contains(uid));
            left.extend(
                known.map(|uid| format!("{name} has an entry of {}, which does not run", ledger.entries[uid].name)),
            );
            let missing = runs.iter().filter(|uid| !ledger.entries.contains_key(***uid));
            left.extend(missing.map(|uid| format!("{name} has no entry of {}", pods[**uid].name)));
            left.extend(ledger.quarantine.values().map(|kept| format!("{} is in quarantine", kept.entry.name)));
        }
        let granted: i32 =
            pods.values().filter(|p| budget_of(&p.app) == Some(DATABASE) && p.may_hold()).map(|p| p.holds).sum();
        let open = self.pooler.pool("postgres").all.now;
        if usize::try_from(granted + 1) != Ok(open) {
            left.push(format!("{open} sessions are open, of one psql and {granted} granted"));
        }
        left
    }

    /// Ends it, and says what came of it.
    pub async fn end(mut self) {
        self.calm().await;
        self.until_quiet("at the end").await;
        let changes = std::mem::take(&mut self.record.seen().changes);
        let verdict = replay(changes);
        self.report(&verdict);
        let wrong =
            [&self.wrong, &self.progress.wrong, &verdict.wrong].into_iter().flatten().cloned().collect::<Vec<_>>();
        if !wrong.is_empty() {
            let logs = std::env::temp_dir().join(format!("dbbudget-chaos-{}.log", std::process::id()));
            std::fs::write(&logs, self.replicas.logs()).expect("written");
            panic!(
                "{} things are wrong:\n{}\nwhat was done:\n{}\nthe operators' logs are in {}",
                wrong.len(),
                wrong.join("\n"),
                self.done.join("\n"),
                logs.display()
            );
        }
    }

    fn report(&self, verdict: &Verdict) {
        let all = self.pooler.pool("postgres").all;
        println!("{:.0} s, {} actions: {:?}", self.seconds(), self.counts.values().sum::<usize>(), self.counts);
        println!("actions that the API server or the webhook refused: {}", self.failed);
        println!("granted {:?}; facts {:?}; in quarantine {}", verdict.granted, verdict.facts, verdict.quarantined);
        println!("sessions: {} opened, at most {} at once, {} refused", all.opened, all.peak, all.refused);
        println!(
            "at most held by ledger and by pods: {:?}; versions over the capacity: {}",
            verdict.most, verdict.over
        );
        let Verdict { ledger_versions, pod_changes, unjudged, gaps, .. } = verdict;
        println!(
            "judged: {ledger_versions} versions of ledgers, {pod_changes} changes of pods ({unjudged} by the pooler alone)"
        );
        let written =
            self.cluster.audit().into_iter().filter(|line| line["objectRef"]["resource"] == "databaseledgers");
        let written = written.filter(|line| line["responseStatus"]["code"] == 200 && line["verb"] == "patch").count();
        println!("ledgers were written {written} times; gaps: {gaps}");
        println!(
            "the longest rollout: {:.0} s; announced as late: {}",
            self.progress.longest.as_secs_f64(),
            self.progress.announced
        );
    }

    /// The name of the n-th pod of a workload, by name.
    pub fn pods_of(&self, workload: Workload) -> Vec<String> {
        let seen = self.record.seen();
        let of = seen.pods.values().filter(|pod| pod.labels().get("app").is_some_and(|app| app == workload.name()));
        of.map(ResourceExt::name_any).collect::<BTreeSet<_>>().into_iter().collect()
    }
}
