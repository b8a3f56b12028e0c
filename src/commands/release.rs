//! `dbbudget release`: takes dbbudget's hands off a cluster.

mod stop;
mod sweep;

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, Client};
use thiserror::Error;
use tokio::time::{Instant, sleep_until};

use super::reach::{Reach, ReachError, failed, named};
use crate::api::parse::Name;
use crate::cluster::webhook;
use crate::cluster::write::WriteError;

/// An API server asks a webhook for a moment after it was removed. A sweep that began later misses no pod.
const SETTLE: Duration = Duration::from_secs(3);

/// Options of `dbbudget release`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 released, also when nothing was left to release; 1 something is not released, and said; 2 usage."
)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["all", "webhook"])))]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Args {
    /// Stop dbbudget, remove its webhook, let all pods go that wait for connections, and delete the ledgers
    #[arg(long)]
    pub all: bool,
    /// Remove the webhook alone, so that pods are created as they are written; a running dbbudget would register it again
    #[arg(long)]
    pub webhook: bool,
    /// Name of its `MutatingWebhookConfiguration`
    #[arg(long, value_name = "NAME", default_value = "dbbudget")]
    pub webhook_name: String,
    /// The Deployment that runs dbbudget: it is scaled to 0. Default: the one labelled `app.kubernetes.io/name=dbbudget`
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = named, conflicts_with = "webhook")]
    pub deployment: Option<Name>,
    /// Leave it running: it was turned to `--mode observe`. Replicas that answer for the webhook are waited for
    #[arg(long, requires = "deployment")]
    pub leave_running: bool,
    /// Keep the ledgers, to read who held what
    #[arg(long, conflicts_with = "webhook")]
    pub keep_ledgers: bool,
    /// Namespace to release; may be repeated. Default: all
    #[arg(long = "namespace", short, value_name = "NAMESPACE", conflicts_with = "webhook")]
    pub namespaces: Vec<String>,
    /// Where, and as whom
    #[command(flatten)]
    pub reach: Reach,
}

/// Why something is not released.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The cluster does not answer.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// More than one dbbudget runs here.
    #[error(
        "several Deployments run dbbudget: {0}; say which one with --deployment, and with --namespace what it rules"
    )]
    Several(String),
    /// Whether it has ended is not known.
    #[error("cannot tell whether dbbudget still runs: {0}")]
    Unread(WriteError),
    /// It does not end.
    #[error("{0} still runs after {1:?}; nothing else was touched. To look: kubectl -n {2} get pods,leases")]
    StillRuns(String, Duration, String),
    /// Pods that cannot be let go.
    #[error("{} on waiting: {}", pods(*waiting, "keeps", "keep"), helpful(why))]
    Waiting {
        /// How many.
        waiting: usize,
        /// What is in the way.
        why: String,
    },
    /// A ledger that cannot be deleted.
    #[error("no pod waits any more, and a ledger is left: {}", helpful(&.0.to_string()))]
    Ledger(ReachError),
}

/// What is in the way; where that is the chart's own policy, what helps.
fn helpful(said: &str) -> String {
    if !said.contains("ValidatingAdmissionPolicy") {
        return said.to_owned();
    }
    "the chart's policy lets dbbudget alone do this. Act as its account for that (--as \
     system:serviceaccount:NAMESPACE:NAME), or delete the policy first: kubectl delete \
     validatingadmissionpolicybinding -l app.kubernetes.io/name=dbbudget"
        .to_owned()
}

/// `1 pod waits`, `2 pods wait`.
fn pods(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 pod {one}") } else { format!("{n} pods {many}") }
}

/// Removes what was asked for. What is gone already is no error.
///
/// # Errors
/// When the cluster is not reached, or refuses.
pub async fn run(args: &Args) -> Result<(), ReleaseError> {
    let client = args.reach.connect().await?.client;
    if !args.all {
        return remove_webhook(&client, &args.webhook_name).await;
    }
    stop::stop(&client, args).await?;
    remove_webhook(&client, &args.webhook_name).await?;
    let settled = Instant::now() + SETTLE;
    let mut freed = sweep::until_none(&client, &args.namespaces).await?;
    sleep_until(settled).await;
    freed += sweep::until_none(&client, &args.namespaces).await?;
    say(&match freed {
        0 => "no pod waits".to_owned(),
        n => format!("{} let go, with the smallest safe pools; no pod waits any more", pods(n, "was", "were")),
    });
    if !args.keep_ledgers {
        sweep::delete_ledgers(&client, &args.namespaces).await?;
    }
    say("released");
    Ok(())
}

async fn remove_webhook(client: &Client, name: &str) -> Result<(), ReleaseError> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let what = format!("cannot remove the MutatingWebhookConfiguration {name}");
    webhook::remove(&api, name).await.map_err(failed(what))?;
    say(&format!("the webhook {name} is not registered any more"));
    Ok(())
}

/// Tells how far it is, beside whatever is written to standard output.
fn say(what: &str) {
    anstream::eprintln!("{what}");
}
