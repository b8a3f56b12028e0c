//! `dbbudget run`: what it can be told, and how it starts.

mod parts;
mod place;
mod wires;

use std::env;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use kube::{Client, Config};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::admission::server::listen;
use crate::budget::ledger::adoption::SETTLE;
use parts::{Listeners, Parts};

/// The API server sends a bookmark on every watch each minute or so; a connection that is silent for this long is dead.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// Options of `dbbudget run`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How much is written to the cluster
    #[arg(long, value_enum, default_value_t = Mode::Full)]
    pub mode: Mode,
    /// Namespace to work in; may be repeated. Default: all
    #[arg(long = "namespace", short, value_name = "NAMESPACE")]
    pub namespaces: Vec<String>,
    /// Where /metrics, /healthz and /readyz answer
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Namespace of the Lease by which one replica is elected. Default: this pod's, else `default`
    #[arg(long, value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of that Lease
    #[arg(long, value_name = "NAME", default_value = "dbbudget")]
    pub lease_name: String,
    /// This replica in the election; no two may have the same. Default: `POD_NAME`, else one made up
    #[arg(long, value_name = "NAME")]
    pub identity: Option<String>,
    /// Seconds that a share has to stay the same before `restart: Rolling` replaces pods for it
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub restart_after: u32,
    /// Seconds between the moment when all replicas of the webhook make pods wait and the list that a ledger begins with.
    /// Fewer are safe only where a change of the webhook reaches every API server within them
    #[arg(long, value_name = "SECONDS", default_value_t = SETTLE)]
    pub adopt_after: u32,
    /// Seconds that everything has to fit before what `whenExceeded: ScaleDown` lowered is restored
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub restore_after: u32,
    /// How pods get their shares as they are created
    #[command(flatten)]
    pub webhook: Webhook,
    /// How log lines are written; `RUST_LOG` says which
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Options of the webhook.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Webhook")]
pub struct Webhook {
    /// Where the webhook answers
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
    pub webhook_listen: SocketAddr,
    /// The Service by which the API server reaches it. Default: dbbudget-webhook in this pod's namespace
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = place::service, conflicts_with = "webhook_url")]
    pub webhook_service: Option<place::Service>,
    /// Its address instead, for an API server on this machine: `https://127.0.0.1:9443`; port 0 is the one listened on
    #[arg(long, value_name = "URL", value_parser = place::url)]
    pub webhook_url: Option<String>,
    /// Name of its `MutatingWebhookConfiguration`
    #[arg(long, value_name = "NAME", default_value = "dbbudget")]
    pub webhook_name: String,
    /// Secret that holds its certificate, beside the election's Lease
    #[arg(long, value_name = "NAME", default_value = "dbbudget-webhook")]
    pub webhook_secret: String,
    /// Who writes that Secret
    #[arg(long, value_enum, default_value_t = Issuer::Own)]
    pub webhook_certificate: Issuer,
}

/// Who issues the webhook's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Issuer {
    /// dbbudget itself
    Own,
    /// Someone else, such as cert-manager: tls.crt, tls.key and ca.crt
    External,
}

/// How far dbbudget goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Write nothing but status, events and the election's Lease
    Observe,
    /// Whatever the budgets ask for
    Full,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Why `dbbudget run` ended with an error.
#[derive(Debug, Error)]
pub enum RunError {
    /// `RUST_LOG` is not understood.
    #[error("RUST_LOG is not understood: {0}; expected something like info or dbbudget=debug")]
    Filter(ParseError),
    /// No address to listen on.
    #[error("cannot listen on {address}: {source}; choose another --listen or --webhook-listen")]
    Listen {
        /// As given.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No cluster to work in.
    #[error("found no cluster: {0}; run in a pod with a service account, or set KUBECONFIG")]
    NoCluster(kube::config::InferConfigError),
    /// The cluster's address or credentials cannot be used.
    #[error("cannot connect to the cluster: {0}")]
    Client(kube::Error),
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(io::Error),
    /// A part ended that should not.
    #[error("{part} ended: {cause}")]
    Ended {
        /// Which one.
        part: &'static str,
        /// Why.
        cause: String,
    },
    /// A part panicked.
    #[error("a part panicked: {0}")]
    Panicked(tokio::task::JoinError),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, or when any part of it ends.
pub async fn run(args: Args) -> Result<(), RunError> {
    start_logging(args.log_format)?;
    // An error says that it has been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let listening = |source| RunError::Listen { address: args.listen, source };
    let listener = TcpListener::bind(args.listen).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    let webhook = args.webhook.webhook_listen;
    let listening = |source| RunError::Listen { address: webhook, source };
    let webhook = (args.mode == Mode::Full).then(|| listen(webhook)).transpose().map_err(listening)?;
    let client = connect().await?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");

    let mut parts = Parts::start(client, &args, Listeners { pages: listener, webhook });
    tokio::select! {
        ended = parts.any_ended() => return Err(ended),
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    parts.stop().await
}

fn start_logging(format: LogFormat) -> Result<(), RunError> {
    let directives = env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    // What the client says of a failed request, dbbudget says itself, once.
    let directives = if directives.is_empty() { "info,kube_client=off,kube_runtime=off" } else { &directives };
    let filter = EnvFilter::try_new(directives).map_err(RunError::Filter)?;
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // An error says that this process logs already.
    let _ = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    Ok(())
}

async fn connect() -> Result<Client, RunError> {
    let mut config = Config::infer().await.map_err(RunError::NoCluster)?;
    config.read_timeout = Some(READ_TIMEOUT);
    // A write that is sent again later rests on old facts; watches begin again by themselves.
    config.default_retry = false;
    Client::try_from(config).map_err(RunError::Client)
}
