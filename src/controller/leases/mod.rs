//! Who holds which connections, and who waits: the ledger of every budget that leases, and the pods that it lets go.
//!
//! | file | question it answers |
//! |---|---|
//! | [`look`] | what is one look at one ledger? |
//! | [`facts`] | what does it start from? |
//! | [`asking`] | who asks, and with which rank? |
//! | [`decide`] | what becomes of the ledger, and of those who wait? |
//! | [`reserving`] | what do people keep for a while? |
//! | [`adopting`] | what ran before it began? |
//! | [`heartbeats`] | is a node there whose pod vanished? |
//! | [`executing`] | how are pods let go? |
//! | [`ledgers`] | what do others know of it? |
//! | [`shown`] | and in which words? |
//!
//! The rules themselves are [`crate::budget::ledger`]'s.

pub mod adopting;
pub mod asking;
pub mod decide;
pub mod executing;
pub mod facts;
pub mod heartbeats;
pub mod ledgers;
pub mod look;
pub mod reserving;
pub mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::queue::Queue;
use super::reconcile::Failure;
use super::{Error, sleep_until};
use crate::api::parse::Name;
use crate::cluster::view::Notice;
use crate::pod::pinned::Pinned;
use crate::serve::metrics::Metrics;
use executing::Executor;
use look::{Context, Keeping, Outcome, look};

/// Ledgers looked at at the same time.
const LOOKS_AT_ONCE: usize = 8;
/// While pods keep coming, each write of a ledger takes in those of this time.
const BATCH: Duration = Duration::from_millis(60);
/// How somebody ended matters no longer to those who never held anything.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// A pod that could not be let go is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Looks at ledgers.
pub struct Leases {
    context: Arc<Context>,
    executor: Executor,
    queue: Queue,
    looks: JoinSet<(Name, Result<Outcome, Failure>)>,
    keeping: BTreeMap<Name, Arc<Mutex<Keeping>>>,
    notices: mpsc::UnboundedReceiver<Notice>,
    /// Budgets to be looked at: their numbers were published, or another budget of the same pod changed.
    wake: mpsc::UnboundedReceiver<Name>,
    failed: mpsc::UnboundedReceiver<Name>,
    /// Namespaces that dbbudget is confined to.
    namespaces: Option<Vec<String>>,
    leads: bool,
}

impl Leases {
    /// Nothing has been looked at.
    #[must_use]
    pub fn new(
        context: Context,
        metrics: Arc<Metrics>,
        namespaces: Option<Vec<String>>,
        wake: mpsc::UnboundedReceiver<Name>,
    ) -> Self {
        let (notices, (fails, failed)) = (context.shared.listen(), mpsc::unbounded_channel());
        let executor = Executor::new(context.writer.clone(), metrics, fails);
        Self {
            context: Arc::new(context),
            executor,
            queue: Queue::new(BATCH),
            looks: JoinSet::new(),
            keeping: BTreeMap::new(),
            notices,
            wake,
            failed,
            namespaces,
            leads: false,
        }
    }

    /// Looks, until `stop`.
    ///
    /// # Errors
    /// When something ended that never should.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let mut stop = pin!(stop);
        let mut leader = self.context.leader.clone();
        let mut sweep = tokio::time::interval(FORGET_AFTER);
        loop {
            let leads = *leader.borrow_and_update();
            self.leadership(leads).await;
            self.start_looks();
            let due = self.queue.next().filter(|_| self.leads && self.looks.len() < LOOKS_AT_ONCE);
            tokio::select! {
                () = &mut stop => {
                    while self.looks.join_next().await.is_some() {}
                    return Ok(());
                }
                changed = leader.changed() => changed.map_err(|_| Error::Ended("the election"))?,
                Some(notice) = self.notices.recv() => if let Notice::Concerned(names) = notice {
                    self.queue.add(names, Instant::now());
                },
                Some(name) = self.wake.recv() => self.queue.add(BTreeSet::from([name]), Instant::now()),
                Some(name) = self.failed.recv() => self.queue.later(&name, Instant::now() + RETRY),
                Some(look) = self.looks.join_next() => {
                    let (name, outcome) = look.map_err(|_| Error::Ended("a look at a ledger"))?;
                    self.looked(&name, outcome);
                }
                _ = sweep.tick() => self.sweep(),
                () = sleep_until(due), if due.is_some() => {}
            }
        }
    }

    /// Who begins to lead looks at every ledger, also at those whose budget is gone.
    async fn leadership(&mut self, leads: bool) {
        if leads == self.leads {
            return;
        }
        self.leads = leads;
        self.keeping.clear();
        self.context.ledgers.clear();
        self.queue.clear();
        if !leads {
            return;
        }
        let mut names = self.context.shared.read().all_budgets();
        match self.context.writer.ledger_names(self.namespaces.as_deref()).await {
            Ok(stored) => names.extend(stored),
            Err(error) => tracing::warn!("{error}; ledgers of budgets that are gone are not looked at"),
        }
        self.queue.add(names, Instant::now());
    }

    fn start_looks(&mut self) {
        while self.leads && self.looks.len() < LOOKS_AT_ONCE {
            let Some((name, _)) = self.queue.take(Instant::now()) else { return };
            let (context, keeping) = (self.context.clone(), self.keeping.entry(name.clone()).or_default().clone());
            self.looks.spawn(async move {
                let outcome = look(&context, &name, &mut *keeping.lock().await).await;
                (name, outcome)
            });
        }
    }

    fn looked(&mut self, name: &Name, outcome: Result<Outcome, Failure>) {
        let now = Instant::now();
        match outcome {
            Ok(Outcome { execute, others, again }) => {
                for pod in execute {
                    self.executor.execute(&self.context.ledgers, name, pod);
                }
                self.queue.add(others, now);
                self.queue.done(name, now);
                if let Some(again) = again {
                    self.queue.later(name, now + again);
                }
            }
            Err(failure) => {
                if failure.kind().is_some() {
                    tracing::warn!(budget = %name, "{failure}");
                }
                match failure.retry() {
                    None => self.queue.done(name, now),
                    Some(first) => self.queue.failed(name, first, now),
                }
            }
        }
    }

    /// Forgets how pods ended that no ledger knows, and looks at the budgets of pods that wait for one that is gone.
    fn sweep(&mut self) {
        let ledgers = self.context.ledgers.clone();
        self.context.shared.change(|view| {
            view.forget_gone(|uid, gone| gone.at.elapsed() < FORGET_AFTER || ledgers.know(uid));
            Default::default()
        });
        let view = self.context.shared.read();
        let awaited = view.pods().gated().filter_map(|pod| pod.pinned.as_deref()).flat_map(Pinned::awaited);
        let names = awaited.filter_map(look::budget_name).collect();
        drop(view);
        self.queue.add(names, Instant::now());
    }
}
