//! `dbbudget reserve`: connections that somebody keeps for a while. It asks by an annotation of the budget, which whoever
//! may edit the budget may write; the leader makes an entry of it, and this waits for that.

mod ask;
mod wish;

use std::io::{self, Write};
use std::time::Duration;

use jiff::SignedDuration;
use kube::{Api, CustomResourceExt};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::reach::{Reach, ReachError};
use super::words::{clock, connections as words, span};
use crate::api::policy::Enforcement;
use crate::api::{DatabaseBudget, DatabaseLedger};
use crate::controller::leases::facts::now;
use ask::{Asked, Budget};
pub use wish::{Usage, Wish};

/// Options of `dbbudget reserve`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  dbbudget reserve 5 --for 30m            keep 5 connections of the namespace's only budget\n  dbbudget reserve 5 --for 2h supabase --name migration\n  dbbudget reserve --release --name migration\n\nExit status: 0 kept, or given back; 1 it did not fit in time or was stopped, or the cluster does not answer; 2 usage."
)]
pub struct Args {
    /// How many connections; with --release, the budget
    #[arg(value_name = "N")]
    pub connections: Option<String>,
    /// The budget. Default: the only one of the namespace
    pub budget: Option<String>,
    /// For how long, such as 30m or 2h; they come back by themselves. Asking again under the same name changes both
    #[arg(long = "for", value_name = "SPAN", value_parser = span, required_unless_present = "release")]
    pub lasts: Option<SignedDuration>,
    /// Give them back now
    #[arg(long, conflicts_with = "lasts")]
    pub release: bool,
    /// What they are kept as. Default: your user's name on this machine
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Namespace of the budget. Default: the context's
    #[arg(long, short, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// How long to wait until they are free; then nothing is kept
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "1m")]
    pub timeout: SignedDuration,
    /// Where, and as whom
    #[command(flatten)]
    pub reach: Reach,
}

/// Why nothing is kept.
#[derive(Debug, Error)]
pub enum ReserveError {
    /// The cluster does not answer.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// There is no such budget, or more than one.
    #[error("{what}{}", listed(there))]
    Budget {
        /// What is wrong.
        what: String,
        /// The budgets that are there.
        there: Vec<String>,
    },
    /// Nobody keeps a ledger.
    #[error("{0} does not lease (enforcement {1:?}), so there is no ledger in which anything could be kept")]
    NoLease(String, Enforcement),
    /// The annotation is somebody's own.
    #[error("{0}: {1}; remove it first: kubectl annotate dbb {2} dbbudget.dev/reserved-")]
    Unreadable(String, String, String),
    /// It did not fit.
    #[error("nothing{} is kept: after {waited} {why}", if *earlier { " more" } else { "" })]
    Late {
        /// Something is kept under this name already, and stays.
        earlier: bool,
        /// How long it waited.
        waited: String,
        /// What is in the way.
        why: String,
    },
    /// It is asked for no more, and the ledger has it.
    #[error("still kept after {waited}: {why}")]
    NotFree {
        /// How long it waited.
        waited: String,
        /// What is in the way.
        why: String,
    },
    /// Somebody wants it no more.
    #[error("stopped: it is not asked for any more")]
    Stopped,
    /// Nor does anybody wait until it is taken back.
    #[error("stopped: it may still be asked for; dbbudget reserve --release gives it back")]
    Abandoned,
    /// It cannot be told to stop.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    /// It could not be taken back.
    #[error("{0}\nand it is still asked for, as that could not be taken back: {1}")]
    Left(Box<ReserveError>, ReachError),
    /// Nobody takes the output.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

/// Keeps connections, or gives them back, and waits until the ledger says so.
///
/// # Errors
/// When there is no such budget, when it does not fit in time, or the cluster does not answer.
pub async fn run(args: &Args, wish: &Wish, out: &mut dyn Write) -> Result<(), ReserveError> {
    let reached = args.reach.connect().await?;
    let namespace = args.namespace.clone().unwrap_or(reached.namespace);
    let budgets: Api<DatabaseBudget> = Api::namespaced(reached.client.clone(), &namespace);
    let ledgers = Api::namespaced_with(reached.client, &namespace, &DatabaseLedger::api_resource());
    let budget = Budget::find(budgets, ledgers, &namespace, wish.budget()).await?;
    let limit = Duration::try_from(args.timeout).unwrap_or_default();
    match wish {
        Wish::Keep { name, connections, lasts, .. } => {
            let mut stop = Stop::listen().map_err(ReserveError::Signals)?;
            let asked = budget.ask(name, *connections, *lasts).await?;
            let kept = tokio::select! {
                kept = budget.until_kept(&asked, limit) => kept,
                () = stop.wanted() => Err(ReserveError::Stopped),
            };
            if let Err(error) = kept {
                return Err(tokio::select! {
                    error = take_back(&budget, &asked, error) => error,
                    () = stop.wanted() => ReserveError::Abandoned,
                });
            }
            let (of, until) = (&budget.place, clock(asked.until(), now()));
            writeln!(out, "{} of {of} kept as {name} until {until}", words((*connections).into()))?;
            writeln!(out, "to give back: dbbudget reserve -n {namespace} --release {} --name {name}", of.name)?;
        }
        Wish::Release { name, .. } => {
            let had = budget.withdraw(name).await?;
            budget.until_free(name, limit).await?;
            let what = if had { "are given back" } else { "were not kept" };
            writeln!(out, "connections of {} as {name} {what}", budget.place)?;
        }
    }
    Ok(())
}

/// Ctrl-C, a closed terminal, or the like.
struct Stop([Signal; 3]);

impl Stop {
    fn listen() -> io::Result<Self> {
        let [interrupt, terminate, hang_up] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hang_up?]))
    }

    async fn wanted(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

/// Who was told that nothing is kept must not be given it later.
async fn take_back(budget: &Budget, asked: &Asked, error: ReserveError) -> ReserveError {
    match budget.restore(asked).await {
        Ok(()) => error,
        Err(left) => ReserveError::Left(Box::new(error), left),
    }
}
