//! `dbbudget run`: the controller beside its election, its questions to databases and its HTTP pages. Any of them that
//! ends takes the process with it: what is dead must not look ready.

use std::collections::BTreeMap;
use std::env;
use std::error::Error as StdError;
use std::fs;
use std::future::{pending, ready};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use kube::{Client, Config};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::cluster::{lease, postgres};
use crate::controller::{self, Probes};
use crate::serve;
use crate::serve::health::Readiness;
use crate::serve::metrics::Metrics;

/// Where a pod finds its own namespace.
const POD_NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// Watches are silent for a minute between bookmarks; a connection that is silent for this long is dead.
const READ_TIMEOUT: Duration = Duration::from_secs(295);
/// What the controller may take to finish its writes after a signal; a pod is killed 30 s after it.
const FINISH: Duration = Duration::from_secs(10);

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
    /// How log lines are written; `RUST_LOG` says which
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
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
    #[error("cannot listen on {address}: {source}; choose another --listen")]
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
    let client = connect().await?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");

    let mut parts = Parts::start(client, &args, listener);
    tokio::select! {
        ended = parts.any_ended() => return Err(ended),
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    parts.stop().await
}

fn start_logging(format: LogFormat) -> Result<(), RunError> {
    let directives = env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let directives = if directives.is_empty() { "info" } else { &directives };
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

/// Everything that runs, and how to stop it in order.
struct Parts {
    running: JoinSet<(&'static str, Result<(), String>)>,
    stop_controller: oneshot::Sender<()>,
    stop_election: oneshot::Sender<()>,
}

const CONTROLLER: &str = "the controller";
const ELECTION: &str = "the election";

impl Parts {
    fn start(client: Client, args: &Args, listener: TcpListener) -> Self {
        let (metrics, readiness) = (Arc::new(Metrics::default()), Readiness::default());
        let (stop_controller, controller_stops) = oneshot::channel();
        let (stop_election, election_stops) = oneshot::channel();
        let (elected, leader) = watch::channel(false);
        let (wanted, wants) = watch::channel(Arc::default());
        let (tell, answers) = watch::channel(Arc::new(BTreeMap::new()));
        let election = election(args);
        let settings = controller::Settings {
            namespaces: Some(args.namespaces.clone()).filter(|names| !names.is_empty()),
            mode_observe: args.mode == Mode::Observe,
            instance: Some(election.identity.clone()),
            ..controller::Settings::default()
        };
        let first_step = readiness.waiting_for("the controller");
        let trouble = trouble(readiness.clone());
        trouble(Some("the election has not begun".into()));
        let mut parts = Self { running: JoinSet::new(), stop_controller, stop_election };
        parts.add("the HTTP server", serve::run(listener, Arc::clone(&metrics), readiness.clone(), pending()));
        parts.add("the log of readiness", forever(readiness.clone().log_changes()));
        parts.add("the leader's metric", forever(show_leader(leader.clone(), Arc::clone(&metrics))));
        parts.add("asking databases", postgres::run(client.clone(), wants, tell));
        parts.add(ELECTION, lease::run(client.clone(), election, elected, trouble, ended(election_stops)));
        let probes = Probes { answers, wanted };
        let controller = controller::run(client, settings, leader, metrics, readiness, probes, ended(controller_stops));
        parts.add(CONTROLLER, async {
            let mut controller = pin!(controller);
            // Its first step says what it waits for; until then nothing else would keep this replica from being ready.
            tokio::select! {
                biased;
                ended = &mut controller => return ended,
                () = ready(()) => first_step.done(),
            }
            controller.await
        });
        parts
    }

    fn add<E: StdError>(&mut self, part: &'static str, runs: impl Future<Output = Result<(), E>> + Send + 'static) {
        self.running.spawn(async move { (part, runs.await.map_err(|error| error.to_string())) });
    }

    /// Waits for an end that nobody asked for.
    async fn any_ended(&mut self) -> RunError {
        match self.running.join_next().await {
            Some(Ok((part, outcome))) => {
                let cause = outcome.err().unwrap_or_else(|| "nobody asked it to".into());
                RunError::Ended { part, cause }
            }
            Some(Err(panicked)) => RunError::Panicked(panicked),
            None => RunError::Ended { part: CONTROLLER, cause: "it never ran".into() },
        }
    }

    /// First the writes end, then the Lease is handed over: never the other way round.
    async fn stop(mut self) -> Result<(), RunError> {
        drop(self.stop_controller);
        if timeout(FINISH, end_of(&mut self.running, CONTROLLER)).await.is_err() {
            tracing::warn!("the controller did not finish within {} s", FINISH.as_secs());
        }
        drop(self.stop_election);
        end_of(&mut self.running, ELECTION).await?;
        tracing::info!("stopped");
        Ok(())
    }
}

async fn end_of(running: &mut JoinSet<(&'static str, Result<(), String>)>, awaited: &str) -> Result<(), RunError> {
    while let Some(ended) = running.join_next().await {
        let (part, outcome) = ended.map_err(RunError::Panicked)?;
        outcome.map_err(|cause| RunError::Ended { part, cause })?;
        if part == awaited {
            break;
        }
    }
    Ok(())
}

/// Ends when the sender is dropped.
async fn ended(stop: oneshot::Receiver<()>) {
    let _ = stop.await;
}

async fn forever(runs: impl Future<Output = ()>) -> Result<(), std::convert::Infallible> {
    runs.await;
    Ok(())
}

/// What keeps this replica out of the election keeps it from being ready.
fn trouble(readiness: Readiness) -> impl Fn(Option<String>) + Send {
    move |trouble| match trouble {
        Some(sentence) => readiness.problem("election", sentence),
        None => readiness.clear("election"),
    }
}

async fn show_leader(mut leader: watch::Receiver<bool>, metrics: Arc<Metrics>) {
    loop {
        metrics.leader(*leader.borrow_and_update());
        if leader.changed().await.is_err() {
            return pending().await; // the election has ended, and will be seen to
        }
    }
}

fn election(args: &Args) -> lease::Settings {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let from_file = || fs::read_to_string(POD_NAMESPACE_FILE).ok().map(|text| text.trim().to_owned());
    let own = || variable("POD_NAMESPACE").or_else(from_file).unwrap_or_else(|| "default".into());
    let made_up = || {
        // Not the host's name alone: pods on the host's network share it.
        let host = variable("HOSTNAME").unwrap_or_else(|| "dbbudget".into());
        format!("{host}-{:016x}", RandomState::new().build_hasher().finish())
    };
    lease::Settings {
        namespace: args.lease_namespace.clone().unwrap_or_else(own),
        name: args.lease_name.clone(),
        identity: args.identity.clone().or_else(|| variable("POD_NAME")).unwrap_or_else(made_up),
        timing: lease::Timing::default(),
    }
}
