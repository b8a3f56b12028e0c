//! Runs clients, each on a database of its own behind a pooler that counts their sessions.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use dbbudget::catalogue::{Effect, Family};
use futures::{FutureExt, StreamExt, stream};
use tokio::select;
use tokio_postgres::Client;

use crate::case::{Case, Load};
use crate::load;
use crate::pod::Container;
use crate::pooler::Pooler;
use crate::postgres::{PASSWORD, Postgres};
use crate::process::Process;
use crate::redis::Redis;

/// Where servers listen.
const HOST: &str = "127.0.0.1";
/// Queries at once of a program that works by itself. What has no bound opens this many.
const REQUESTS: u64 = 40;
/// Nothing more is opened when nothing was for this long.
const QUIET: Duration = Duration::from_secs(1);
/// Times that a server is asked by many, while it works.
const FLOODS: usize = 3;
/// Clients that run at once; most of the time one waits.
const AT_ONCE: usize = 3;

struct Bench {
    server: Postgres,
    pooler: Pooler,
}

/// One client's database.
struct Place<'a> {
    bench: &'a Bench,
    case: &'a Case,
    database: String,
    redis: Redis,
    port: u16,
}

/// How many sessions a client had.
struct Opened {
    /// While all its queries waited.
    waiting: u64,
    /// At most, from its first query to its last. One that closes a connection and opens another has both for a moment: a server
    /// takes a while to end a session.
    ever: u64,
}

/// Runs all of these, and then fails if one did.
pub async fn run(cases: Vec<Case>) {
    let server = Postgres::start(&["max_connections=400"]);
    let pooler = Pooler::start(Ipv4Addr::LOCALHOST.into(), SocketAddr::from((Ipv4Addr::LOCALHOST, server.port))).await;
    let bench = Bench { server, pooler };
    let each = cases.iter().enumerate().map(|(i, case)| {
        let run = AssertUnwindSafe(bench.run(case, format!("client_{i}"))).catch_unwind();
        run.map(move |ended| ended.is_err().then_some(format!("{}: {}", case.client, case.command)))
    });
    let failed: Vec<String> =
        stream::iter(each).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    assert!(failed.is_empty(), "failed:\n{}", failed.join("\n"));
}

impl Bench {
    async fn run(&self, case: &Case, database: String) {
        self.server.execute(&[&format!("create database {database}")]).await;
        let port = TcpListener::bind((HOST, 0)).expect("a free port").local_addr().expect("bound").port();
        let place = Place { bench: self, case, database, redis: Redis::start(HOST), port };
        place.gate().await.batch_execute("create table gate (n int)").await.expect("a table");
        place.first_start().await;
        place.as_written().await;
        place.with_share().await;
        place.useless_parameters().await;
        place.fatal_parameters().await;
    }
}

impl Place<'_> {
    /// An application creates its tables then, and may keep a connection that it did that with.
    async fn first_start(&self) {
        let (Family::Application, Load::Http { ready, .. }) = (self.case.preset().family, self.case.load) else {
            return;
        };
        let process = Process::start(&self.case.pod(&self.at(), self.port).alone(), &self.redis.url());
        load::until_ready(HOST, self.port, ready).await;
        self.end(process).await;
    }

    async fn as_written(&self) {
        let pod = self.case.pod(&self.at(), self.port);
        let expected = pod.as_written().unwrap_or(REQUESTS);
        let engine = u64::from(self.case.preset().engine.limit().unwrap_or(1));
        let least = if self.case.exact { expected } else { engine };
        let opened = self.sessions(&pod.alone(), least, false).await;
        self.check(opened.waiting, least..=expected, "as written");
    }

    async fn with_share(&self) {
        let Some(connections) = self.case.share else { return };
        let pod = self.case.pod(&self.at(), self.port);
        let (container, holds) = pod.with_share(connections);
        let written = pod.as_written().unwrap_or(REQUESTS);
        assert!(holds < written, "{}: a share of {holds} of {written} proves nothing", self.case.client);
        let opened = self.sessions(&container, holds, true).await;
        self.check(opened.waiting, holds..=holds, "with its share");
        // Overflow, where a client does not do without, may be there twice for a moment. It is half of a share at most.
        let twice = if self.case.preset().engine.overflow_percent > 0 { holds / 2 } else { 0 };
        self.check(opened.ever, holds..=holds + twice, "with its share, working");
    }

    /// All that look like a cap and are none, at once.
    async fn useless_parameters(&self) {
        let parameters = self.case.parameters(Effect::Useless);
        if parameters.is_empty() {
            return;
        }
        let expected = self.case.pod(&self.at(), self.port).as_written().unwrap_or(REQUESTS);
        let pod = self.case.pod_with(&parameters, &self.at(), self.port);
        let opened = self.sessions(&pod.alone(), expected, true).await;
        self.check(opened.waiting, expected..=expected, &format!("with {parameters:?} in its URL"));
    }

    /// Each that keeps it from connecting, on a table that nobody has locked.
    async fn fatal_parameters(&self) {
        for parameter in self.case.parameters(Effect::Fatal) {
            let mut container = self.case.pod_with(&[parameter], &self.at(), self.port).alone();
            container.env.push(("REQUESTS".into(), "1".into()));
            let mut process = Process::start(&container, &self.redis.url());
            let worked = match self.case.load {
                Load::OfItsOwn => process.report().await.is_some_and(|report| report.ok > 0),
                Load::Http { .. } | Load::Tasks(_) => process.starts_with(parameter).await,
            };
            assert!(!worked, "{} connects with {parameter} in its URL:\n{}", self.case.client, process.written());
            self.end(process).await;
        }
    }

    /// Runs the client until it has opened so many sessions and opens no more, and lets it work. Where it is to work well,
    /// all its queries succeed, and a server gets more of them.
    async fn sessions(&self, container: &Container, least: u64, works_well: bool) -> Opened {
        let (pooler, name) = (&self.bench.pooler, self.case.client);
        pooler.count_anew(&self.database);
        let gate = self.gate().await;
        let lock = |tables: &str| format!("begin; lock table {tables} in access exclusive mode");
        if matches!(self.case.load, Load::OfItsOwn | Load::Tasks(_)) {
            gate.batch_execute(&lock("gate")).await.expect("locked");
        }
        let mut process = Process::start(container, &self.redis.url());
        match &self.case.load {
            Load::OfItsOwn => {}
            Load::Tasks(program) => load::tasks(&[program], &self.redis.url()),
            Load::Http { ready, requests, tables } => {
                load::until_ready(HOST, self.port, ready).await;
                load::once(HOST, self.port, requests).await;
                gate.batch_execute(&lock(tables)).await.expect("locked");
                load::flood(HOST, self.port, requests, load::MANY).await;
            }
        }
        let what = format!("{name} opens {least} sessions");
        select! {
            _ = pooler.until(&self.database, &what, |pool| number(pool.all.peak) >= least) => {}
            () = self.more() => {}
        }
        pooler.until_settled(&self.database, QUIET).await;
        let waiting = number(pooler.pool(&self.database).all.now);
        gate.batch_execute("rollback").await.expect("unlocked");
        if matches!(self.case.load, Load::OfItsOwn) {
            let report = process.report().await.unwrap_or_else(|| panic!("{name} ended:\n{}", process.written()));
            assert!(!works_well || report.failed == 0, "{name}: {report:?}");
        }
        if let (Load::Http { requests, .. }, true) = (&self.case.load, works_well) {
            for _ in 0..FLOODS {
                load::flood(HOST, self.port, requests, load::MANY).await;
            }
        }
        let ever = number(pooler.pool(&self.database).all.peak);
        self.end(process).await;
        Opened { waiting, ever }
    }

    /// Sends requests without end, for workers that were not up when the first came.
    async fn more(&self) {
        while let Load::Http { requests, .. } = &self.case.load {
            load::flood(HOST, self.port, requests, load::MANY).await;
        }
        std::future::pending::<()>().await;
    }

    fn check(&self, opened: u64, expected: RangeInclusive<u64>, how: &str) {
        let Case { client, command, .. } = self.case;
        println!("{client}: {opened} of {} {how} ({command})", expected.end());
        let as_expected = expected.contains(&opened);
        assert!(as_expected, "{client} opened {opened} sessions {how}; expected {expected:?} ({command})");
    }

    /// Ends the client, and waits until all its sessions are closed.
    async fn end(&self, process: Process) {
        drop(process);
        let closed = format!("{} has closed its sessions", self.case.client);
        self.bench.pooler.until(&self.database, &closed, |pool| pool.all.now == 0).await;
    }

    fn at(&self) -> String {
        format!("postgres:{PASSWORD}@{}/{}", self.bench.pooler.address, self.database)
    }

    async fn gate(&self) -> Client {
        self.bench.server.connect("postgres", &self.database).await.expect("a connection")
    }
}

fn number(n: usize) -> u64 {
    n.try_into().expect("few")
}
