//! Who holds which connections, and who waits: the ledger of every budget that leases, and the pods that it lets go.
//!
//! | file | question it answers |
//! |---|---|
//! | [`mod@look`] | what is one look at one ledger? |
//! | [`facts`] | what does it start from? |
//! | [`claims`] | which workloads draw from the budget? |
//! | [`strays`] | who waits though nothing rules him? |
//! | [`asking`] | who asks, and with which rank? |
//! | [`surging`] | which of them surge, and who has the room for that? |
//! | [`decide`], [`plan`] | what becomes of the ledger, and of those who wait? |
//! | [`lending`] | what do other budgets draw from it, or it from others? |
//! | [`reserving`] | what do people keep for a while? |
//! | [`adopting`] | what ran before it began? |
//! | [`writing`] | how is the ledger written? |
//! | [`heartbeats`] | is a node there whose pod vanished? |
//! | [`executing`] | how are pods let go? |
//! | [`ledgers`] | what do others know of it? |
//! | [`stalls`] | what keeps it, or its pods, from being written? |
//! | [`shown`] | and in which words? |
//! | [`urgent`] | whom does waiting alone not help? |
//! | [`telling`] | which pods are told by an event? |
//! | [`forgotten`] | who waits where nobody looks any more? |
//!
//! The rules themselves are [`crate::budget::ledger`]'s.

pub mod adopting;
pub mod asking;
pub mod claims;
pub mod decide;
pub mod executing;
pub mod facts;
pub mod forgotten;
pub mod heartbeats;
pub mod ledgers;
pub mod lending;
pub mod look;
pub mod plan;
pub mod reserving;
pub mod shown;
pub mod stalls;
pub mod strays;
pub mod surging;
pub mod telling;
pub mod urgent;
pub mod writing;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::failure::Failure;
use super::queue::{Pace, Queue};
use super::{Error, sleep_until};
use crate::api::parse::Name;
use crate::api::policy::Enforcement;
use crate::cluster::view::Notice;
use executing::Executor;
use look::{Context, Keeping, Outcome, look};
use stalls::Unwritten;
use telling::Told;

/// Ledgers looked at at the same time.
const LOOKS_AT_ONCE: usize = 8;
/// Somebody waits, so the first look is at once. While pods keep coming, each write of a ledger takes in those of a longer
/// time: a burst of many costs few writes.
const PACE: Pace =
    Pace { gather: Duration::ZERO, first: Duration::from_millis(15), slowest: Duration::from_millis(120) };
/// How somebody ended matters no longer to those who never held anything.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// Who waits for long is told then.
const LATER: Duration = Duration::from_secs(5);
/// A pod that could not be let go is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Failures in a row that people are told of; fewer pass by themselves.
const OUTAGE: u32 = 4;

/// Looks at ledgers.
pub struct Leases {
    context: Arc<Context>,
    executor: Executor,
    told: Told,
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
    /// Budgets that lease or did, and others that pods wait for. Nobody else has a ledger.
    concerned: BTreeSet<Name>,
    /// When to look for what outlived its budget.
    begin_at: Option<Instant>,
}

impl Leases {
    /// Nothing has been looked at.
    #[must_use]
    pub fn new(context: Context, namespaces: Option<Vec<String>>, wake: mpsc::UnboundedReceiver<Name>) -> Self {
        let (notices, (fails, failed)) = (context.shared.listen(), mpsc::unbounded_channel());
        let executor = Executor::new(context.writer.clone(), context.metrics.clone(), fails);
        Self {
            context: Arc::new(context),
            executor,
            told: Told::default(),
            queue: Queue::new(PACE),
            looks: JoinSet::new(),
            keeping: BTreeMap::new(),
            notices,
            wake,
            failed,
            namespaces,
            leads: false,
            concerned: BTreeSet::new(),
            begin_at: None,
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
            self.leadership(leads);
            self.start_looks();
            if self.begin_at.is_some_and(|at| at <= Instant::now()) {
                self.begin().await;
            }
            let due = self.queue.next().filter(|_| self.leads && self.looks.len() < LOOKS_AT_ONCE);
            let due = due.into_iter().chain(self.begin_at).min();
            tokio::select! {
                () = &mut stop => {
                    while self.looks.join_next().await.is_some() {}
                    return Ok(());
                }
                changed = leader.changed() => changed.map_err(|_| Error::Ended("the election"))?,
                Some(notice) = self.notices.recv() => if let Notice::Concerned(names) = notice {
                    self.add(names);
                },
                Some(name) = self.wake.recv() => self.add(BTreeSet::from([name])),
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
    fn leadership(&mut self, leads: bool) {
        if leads == self.leads {
            return;
        }
        self.leads = leads;
        self.keeping.clear();
        self.context.ledgers.clear();
        self.queue.clear();
        self.concerned.clear();
        self.begin_at = None;
        if !leads {
            return;
        }
        self.begin_at = Some(Instant::now());
        let all = self.context.shared.read().all_budgets();
        self.add(all);
    }

    /// Looks at those of these budgets that have, or may have, a ledger.
    fn add(&mut self, mut names: BTreeSet<Name>) {
        {
            let view = self.context.shared.read();
            let leases = |name: &Name| {
                view.snapshot().budget(name).is_some_and(|budget| budget.enforcement == Enforcement::Lease)
            };
            names.retain(|name| leases(name) || self.concerned.contains(name));
        }
        self.look_at(names);
    }

    /// Ledgers of budgets that are gone, and pods that nobody looks after: until they have been read, again and again.
    async fn begin(&mut self) {
        let namespaces = self.namespaces.as_deref();
        let found = match self.context.writer.ledger_names(namespaces).await {
            Ok(stored) => forgotten::forgotten(&self.context, namespaces).await.map(|found| (stored, found)),
            Err(error) => Err(error),
        };
        match found {
            Ok((stored, forgotten)) => {
                self.begin_at = None;
                self.context.ledgers.begin(stored.iter().cloned().collect());
                self.look_at(stored.into_iter().chain(forgotten).collect());
            }
            Err(error) => {
                tracing::warn!("{error}; what outlived its budget is looked for again");
                self.begin_at = Some(Instant::now() + LATER);
            }
        }
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
            Ok(Outcome { execute, others, again, wrote }) => {
                self.context.ledgers.stall(name, Unwritten::Ledger, None);
                self.executor.only(&self.context.ledgers, name, &execute);
                for pod in execute {
                    self.executor.execute(&self.context.ledgers, name, pod);
                }
                self.queue.add(others, now);
                if wrote {
                    self.queue.done(name, now);
                } else {
                    self.queue.idle(name, now);
                }
                if let Some(kept) = self.context.ledgers.of(name)
                    && self.told.tell(&self.context.writer, &name.to_string(), &kept)
                {
                    self.queue.later(name, now + LATER);
                }
                if let Some(again) = again {
                    self.queue.later(name, now + again);
                }
            }
            Err(failure) => {
                if failure.kind().is_some() {
                    tracing::warn!(budget = %name, "{failure}");
                }
                // They count with its ledger, whether or not anybody understands its spec.
                let borrowers = self.context.ledgers.of(name).map(|kept| kept.borrowers(name)).unwrap_or_default();
                self.queue.add(borrowers, now);
                let Some(first) = failure.retry() else { return self.queue.done(name, now) };
                let in_a_row = self.queue.failed(name, first, now);
                if failure.needs_help() || failure.kind().is_some() && in_a_row >= OUTAGE {
                    self.context.ledgers.stall(name, Unwritten::Ledger, Some(failure.to_string()));
                }
            }
        }
    }

    /// Forgets how pods ended that no ledger knows, and looks at the budgets of pods that wait for one that is gone.
    fn sweep(&mut self) {
        let ledgers = self.context.ledgers.clone();
        self.context.shared.change(|view| {
            view.forget_gone(|uid, gone| gone.at.elapsed() < FORGET_AFTER || ledgers.know(uid));
            BTreeSet::new()
        });
        let view = self.context.shared.read();
        ledgers.forget(|name| view.budget(name).is_some());
        let awaited = view.pods().gated().flat_map(|pod| pod.awaited());
        let names = awaited.filter_map(ledgers::budget_name).collect();
        drop(view);
        self.look_at(names);
    }

    fn look_at(&mut self, names: BTreeSet<Name>) {
        self.concerned.extend(names.iter().cloned());
        self.queue.add(names, Instant::now());
    }
}
