//! Keeps the status of every budget and claim true.
//!
//! | file | question it answers |
//! |---|---|
//! | [`mod@reconcile`] | what is one look at one budget? |
//! | [`decide`] | what should its status, and that of its claims, say? |
//! | [`restarts`] | which workload is restarted next, where a budget asks for that? |
//! | [`scaling`] | what runs fewer pods, where a budget asks for that? |
//! | [`rows`] | what is each workload given, and what does it hold? |
//! | [`standing`] | what do the budget's conditions say? |
//! | [`claims`] | and those of its claims? |
//! | [`sentences`] | in which words? |
//! | [`settings`] | how does it run, and what is it told? |
//! | [`conditions`], [`update`] | since when, and is there anything to write? |
//! | [`events`] | which changes are worth an event? |
//! | [`leases`] | who holds which connections, and who waits? |
//! | [`queue`], [`failure`] | which budget is looked at when, and again after a failure? |
//! | `signals` | how is told what is new, and waited? |
//! | [`watches`] | what is watched? |

pub mod claims;
pub mod conditions;
pub mod decide;
pub mod events;
pub mod failure;
pub mod leases;
pub mod queue;
pub mod reconcile;
pub mod restarts;
pub mod rows;
pub mod scaling;
pub mod sentences;
pub mod settings;
mod signals;
pub mod standing;
pub mod update;
pub mod watches;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::api::parse::Name;
use crate::cluster::view::follow::{Follower, PATIENCE};
use crate::cluster::view::locate::Definitions;
use crate::cluster::view::{Notice, Shared};
use crate::cluster::write::Writer;
use crate::serve::health::Readiness;
use crate::serve::metrics::Metrics;
use failure::Failure;
use queue::{Pace, Queue};
use reconcile::{Context, reconcile};
pub use settings::{Ports, Settings};
use signals::{sleep_until, tell};
use watches::Watches;

/// Why the controller ended before it was told to.
#[derive(Debug, Error)]
pub enum Error {
    /// A task that runs for ever ended.
    #[error("{0} ended, which it never should")]
    Ended(&'static str),
}

/// Budgets looked at at the same time.
const LOOKS_AT_ONCE: usize = 8;
/// Changes of what is needed are gathered for this long: a list of a thousand budgets is one plan.
const GATHER_NEEDS: Duration = Duration::from_millis(20);

/// Watches, and brings every status up to date while this replica leads; until `stop`.
///
/// # Errors
/// When a task ended that never should.
pub async fn run(
    client: Client,
    settings: Settings,
    (shared, notices): (Shared, mpsc::UnboundedReceiver<Notice>),
    ports: Ports,
    metrics: Arc<Metrics>,
    ready: Readiness,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let definitions = watch::Sender::new(Definitions::Some(BTreeMap::new()));
    let follower = Follower { client: client.clone(), shared: shared.clone(), definitions, patience: PATIENCE };
    let context = Context {
        shared,
        writer: Writer::new(client, settings.instance),
        leader: ports.leader.clone(),
        ready: ready.clone(),
        metrics,
        injects: settings.injects,
        restart_after: settings.restart_after,
        restore_after: settings.restore_after,
        refused: scaling::Refusals::default(),
        webhook_trouble: ports.webhook_trouble.clone(),
        ledgers: ports.ledgers.clone(),
        wake_leases: ports.wake_leases.clone(),
    };
    let leads = *context.leader.borrow();
    let controller = Controller {
        queue: Queue::new(Pace::of_status(settings.debounce)),
        looks: JoinSet::new(),
        watches: Watches::new(follower, ready, settings.namespaces.as_deref()),
        plan_at: Some(Instant::now()),
        leads,
        context: Arc::new(context),
        notices,
        ports,
    };
    controller.run(stop).await
}

/// What runs. One task owns it, so nothing here is locked.
struct Controller {
    context: Arc<Context>,
    queue: Queue,
    looks: JoinSet<(Name, Result<Option<Duration>, Failure>)>,
    watches: Watches,
    notices: mpsc::UnboundedReceiver<Notice>,
    ports: Ports,
    plan_at: Option<Instant>,
    leads: bool,
}

impl Controller {
    async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let mut stop = pin!(stop);
        let mut leader = self.context.leader.clone();
        loop {
            self.start_looks();
            let due = self.next();
            tokio::select! {
                () = &mut stop => {
                    self.finish().await;
                    return Ok(());
                }
                () = self.watches.ended() => return Err(Error::Ended("a watch")),
                notice = self.notices.recv() => self.noticed(notice),
                changed = leader.changed() => {
                    changed.map_err(|_| Error::Ended("the election"))?;
                    self.leadership(*leader.borrow_and_update());
                }
                changed = self.ports.answers.changed() => {
                    changed.map_err(|_| Error::Ended("the task that asks servers"))?;
                    let answers = self.ports.answers.borrow_and_update().clone();
                    self.context.shared.change(|view| view.put_answers(answers));
                }
                Some(name) = self.ports.ledger_changes.recv() => self.queue.add([name].into(), Instant::now()),
                changed = self.ports.webhook_trouble.changed() => {
                    changed.map_err(|_| Error::Ended("the part that registers the webhook"))?;
                    self.queue.add(self.context.shared.read().all_budgets(), Instant::now());
                }
                Some(look) = self.looks.join_next() => {
                    let (name, outcome) = look.map_err(|_| Error::Ended("a look at a budget"))?;
                    self.looked(&name, outcome);
                }
                () = sleep_until(due), if due.is_some() => {}
            }
            if self.plan_at.is_some_and(|at| at <= Instant::now()) && !self.plan().await {
                return Err(Error::Ended("a watch"));
            }
        }
    }

    /// When there is something to do without anything happening.
    fn next(&self) -> Option<Instant> {
        let look = self.queue.next().filter(|_| self.leads && self.looks.len() < LOOKS_AT_ONCE);
        look.into_iter().chain(self.plan_at).min()
    }

    fn noticed(&mut self, notice: Option<Notice>) {
        match notice {
            Some(Notice::Concerned(names)) => self.queue.add(names, Instant::now()),
            Some(Notice::Needs) => {
                self.plan_at.get_or_insert_with(|| Instant::now() + GATHER_NEEDS);
            }
            None => {} // never: the context holds a sender
        }
    }

    async fn plan(&mut self) -> bool {
        self.plan_at = None;
        let (wanted, namespaces) = {
            let view = self.context.shared.read();
            (view.wanted_answers(), view.is_listed().then(|| view.injected_namespaces()))
        };
        tell(&self.ports.wanted, Arc::new(wanted));
        if let Some(namespaces) = namespaces.filter(|_| self.context.injects) {
            tell(&self.ports.namespaces, Some(Arc::new(namespaces)));
        }
        self.watches.plan().await
    }

    /// Who begins to lead looks at everything; who no longer leads leaves numbers to the other.
    fn leadership(&mut self, leads: bool) {
        if leads == self.leads {
            return;
        }
        self.leads = leads;
        let all = self.context.shared.read().all_budgets();
        if leads {
            self.queue.add(all, Instant::now());
        } else {
            self.queue.clear();
            for name in &all {
                self.context.metrics.forget_budget(name);
            }
        }
    }

    fn start_looks(&mut self) {
        while self.leads && self.looks.len() < LOOKS_AT_ONCE {
            let Some((name, tries)) = self.queue.take(Instant::now()) else { return };
            let context = self.context.clone();
            self.looks.spawn(async move {
                let outcome = reconcile(&context, &name, tries).await;
                (name, outcome)
            });
        }
    }

    fn looked(&mut self, name: &Name, outcome: Result<Option<Duration>, Failure>) {
        let now = Instant::now();
        if let Err(failure) = &outcome {
            tracing::debug!(budget = %name, "{failure}");
        }
        match outcome {
            Ok(again) => {
                self.queue.done(name, now);
                if let Some(again) = again {
                    self.queue.later(name, now + again);
                }
            }
            Err(failure) => match failure.retry() {
                None => self.queue.done(name, now),
                Some(first) => drop(self.queue.failed(name, first, now)),
            },
        }
    }

    /// Lets writes that are under way come to their end.
    async fn finish(mut self) {
        while self.looks.join_next().await.is_some() {}
    }
}
