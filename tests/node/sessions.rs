//! Real clients on a real node: what each was granted, and how many sessions it opened, as a pooler counts them.
//!
//! Each client asks for more than it may have, on a table that is locked, so that every query keeps its session. First it
//! runs as it is written, then with its share, behind a pooler of 15 that refuses the next one as Supabase does.

use std::fmt::Write;

use dbbudget::api::DatabaseBudget;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use crate::back::{Back, QUIET};
use crate::clients::{Case, Expected, Load, cases};
use crate::installed::folder;
use crate::load::{MANY, flood, send};
use crate::pooler::Limit;
use crate::release::{Release, turn};
use crate::things::{row, status};
use crate::world::{World, until_some};

/// It has a table of what is measured here.
const README: &str = include_str!("../../README.md");

/// What all cases share.
struct Bench<'a> {
    world: World<'a>,
    back: Back,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_what_is_opened() {
    folder();
    let node = &*turn().await;
    let _release = Release::install(node, "sizing", &[]);
    let world = World::on(&node.cluster, "clients").await;
    let bench = Bench { world, back: Back::start().await };
    let mut table = String::new();
    for case in cases() {
        let (as_written, granted, opened) = bench.run(&case).await;
        let row = format!("| {} | {as_written} | {granted} | {opened} |", case.row);
        let settled = [case.as_written, case.granted].iter().all(|n| matches!(n, Expected::Exactly(_)));
        assert!(!settled || README.contains(&row), "the README says otherwise than: {row}");
        writeln!(table, "{row}").expect("text");
    }
    println!("{table}");
}

impl Bench<'_> {
    /// Sessions as written, connections granted, and sessions with the share.
    async fn run(&self, case: &Case) -> (usize, usize, usize) {
        let database = case.name.replace('-', "_");
        self.back.server.execute(&[&format!("create database {database}")]).await;
        let gate = self.back.connect(&database).await;
        gate.batch_execute("create table gate (n int)").await.expect("a table");

        let as_written = self.load(case, &database, case.as_written).await;
        case.as_written.check(as_written, case, "as written");
        self.end(case, &database).await;

        self.back.pooler.limit(&database, Limit::Session(15));
        self.back.pooler.count_anew(&database);
        self.world.apply(&case.budget()).await;
        let published = |b: &DatabaseBudget| !row(b, case.name).engines.is_empty();
        let seen = self.world.until(case.name, "its share is published", published).await;
        let granted = usize::try_from(row(&seen, case.name).per_pod.expect("bounded")).expect("positive");
        self.world.until_asked().await;
        let opened = self.load(case, &database, case.granted).await;
        let pods = until_some::<Pod>(self.pods(), 1, "pod has a share", |pod| {
            pod.metadata.annotations.as_ref().is_some_and(|a| a.contains_key("dbbudget.dev/shape"))
        });
        pods.await;
        case.granted.check(opened, case, &format!("with {granted} granted"));
        assert!(opened <= granted, "{}: opened {opened} of {granted} granted", case.name);
        assert_eq!(self.back.pooler.pool(&database).all.refused, 0, "{}: somebody was refused", case.name);
        let counted = |b: &DatabaseBudget| status(b).held == i64::try_from(granted).ok();
        self.world.until(case.name, "what is held is what was granted", counted).await;
        self.end(case, &database).await;
        self.world.delete(&case.budget()).await;
        (as_written, granted, opened)
    }

    fn pods(&self) -> Api<Pod> {
        self.world.api()
    }

    /// Runs the client until it has opened what is expected and opens no more, and answers how many sessions it had at most.
    async fn load(&self, case: &Case, database: &str, expected: Expected) -> usize {
        let gate = self.back.connect(database).await;
        gate.batch_execute("begin; lock table gate in access exclusive mode").await.expect("locked");
        let at = self.back.at(database);
        self.world.apply(&case.deployment(1, &at, &self.back.redis.url())).await;
        let pods = until_some::<Pod>(self.pods(), 1, "pod runs", |pod| {
            let status = pod.status.as_ref();
            let mine =
                pod.metadata.labels.as_ref().is_some_and(|l| l.get("app").map(String::as_str) == Some(case.name));
            mine && status.is_some_and(|s| s.phase.as_deref() == Some("Running"))
                && pod.metadata.deletion_timestamp.is_none()
        });
        let address = pods.await[0].status.as_ref().and_then(|s| s.pod_ip.clone()).expect("an address");
        match &case.load {
            Load::OfItsOwn => {}
            Load::Http { port, ready, requests } => drop(send(&address, *port, ready, requests, MANY).await),
            Load::Tasks(program) => crate::load::tasks(&[program], &self.back.redis.url()),
        }
        let (what, least) = (format!("{} opens {expected:?}", case.name), expected.least());
        tokio::select! {
            _ = self.back.pooler.until(database, &what, |pool| pool.all.peak >= least) => {}
            () = more(case, &address) => {}
        }
        let opened = self.back.pooler.until_settled(database, QUIET).await.all.peak;
        gate.batch_execute("rollback").await.expect("unlocked");
        opened
    }

    /// Ends the client's pod, and waits until all its sessions are closed.
    async fn end(&self, case: &Case, database: &str) {
        let at = self.back.at(database);
        self.world.apply(&case.deployment(0, &at, &self.back.redis.url())).await;
        self.back
            .pooler
            .until(database, &format!("{} has closed its sessions", case.name), |pool| pool.all.now == 0)
            .await;
    }
}

/// Asks a server without end: of its processes, some may not have been up when it was asked first.
async fn more(case: &Case, address: &str) {
    while let Load::Http { port, requests, .. } = &case.load {
        flood(address, *port, requests, MANY).await;
    }
    std::future::pending::<()>().await;
}

impl Expected {
    fn least(self) -> usize {
        match self {
            Self::Exactly(n) | Self::Between(n, _) => n,
        }
    }

    fn check(self, found: usize, case: &Case, how: &str) {
        let as_expected = match self {
            Self::Exactly(n) => found == n,
            Self::Between(least, most) => (least..=most).contains(&found),
        };
        assert!(as_expected, "{} opened {found} sessions {how}; expected {self:?}", case.name);
    }
}
