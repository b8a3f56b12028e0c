//! `dbbudget top`: who holds what, and who waits; on a terminal as it changes.

pub mod report;
mod screen;
mod seen;
mod table;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::ValueEnum;
use futures::StreamExt;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::reach::{Reach, ReachError};
use crate::controller::leases::facts::now;
use report::report;
use screen::Screen;
use seen::Scope;
pub use seen::Seen;
pub use table::table;

/// Changes that come within this time are drawn once.
const GATHER: Duration = Duration::from_millis(100);
/// Ages grow although nothing changes.
const AGES: Duration = Duration::from_secs(5);

/// Options of `dbbudget top`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exit status: 0 shown, 1 no such budget, or the cluster does not answer, 2 usage.")]
pub struct Args {
    /// A budget's name. Default: all of the namespace
    pub budget: Option<String>,
    /// Namespace of the budgets. Default: the context's
    #[arg(long, short, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// All namespaces
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Print it once, also on a terminal
    #[arg(long)]
    pub once: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Format,
    /// Where, and as whom
    #[command(flatten)]
    pub reach: Reach,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; on a terminal it follows what happens
    #[default]
    Table,
    /// Once, as `top.dbbudget.dev/v1`; within v1 fields are only added
    Json,
}

/// Why nothing is shown.
#[derive(Debug, Error)]
pub enum TopError {
    /// The cluster does not answer.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// There is nothing to show.
    #[error("no budget{} in {place}{}", asked.as_ref().map(|name| format!(" {name}")).unwrap_or_default(), others(there))]
    None {
        /// What was asked for.
        asked: Option<String>,
        /// Where.
        place: String,
        /// The budgets that are there.
        there: Vec<String>,
    },
    /// Nobody takes the output, or tells when to stop.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

fn others(there: &[String]) -> String {
    if there.is_empty() { "; -A shows all namespaces".to_owned() } else { format!(", which has {}", there.join(", ")) }
}

/// Shows it: once, or until it is told to stop.
///
/// # Errors
/// When there is no such budget, when the cluster does not answer, or nobody takes the output.
pub async fn run(args: &Args, out: &mut dyn Write) -> Result<(), TopError> {
    let reached = args.reach.connect().await?;
    let namespace = args.namespace.clone().unwrap_or(reached.namespace);
    let namespace = (!args.all_namespaces).then_some(namespace);
    let scope = Scope { client: reached.client, namespace, budget: args.budget.clone() };
    let mut seen = scope.read().await?;
    if seen.budgets.is_empty() && seen.ledgers.is_empty() {
        let place = scope.namespace.as_ref().map_or("any namespace".to_owned(), |name| format!("the namespace {name}"));
        return Err(TopError::None { asked: args.budget.clone(), place, there: scope.names().await? });
    }
    scope.name_workloads(&mut seen).await;
    match args.output {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &report(&seen)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Format::Table if args.once || !io::stdout().is_terminal() => {
            out.write_all(table(&report(&seen), now()).as_bytes())?;
        }
        Format::Table => follow(&scope, seen, out).await?,
    }
    Ok(())
}

/// Draws it again at each change, until Ctrl-C.
async fn follow(scope: &Scope, mut seen: Seen, out: &mut dyn Write) -> Result<(), TopError> {
    let mut changes = scope.changes();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut screen = Screen::open(out)?;
    let mut trouble = None;
    let mut draw_at = Instant::now();
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(change)) => {
                    trouble = None;
                    if seen.apply(change) {
                        draw_at = draw_at.min(Instant::now() + GATHER);
                    }
                }
                Some(Err(why)) => (trouble, draw_at) = (Some(why), Instant::now()),
                None => return Ok(()),
            },
            () = sleep_until(draw_at) => {
                scope.name_workloads(&mut seen).await;
                screen.draw(&table(&report(&seen), now()), trouble.as_deref())?;
                draw_at = Instant::now() + AGES;
            }
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}
