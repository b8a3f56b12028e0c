//! Everything that runs, beside each other. Any of it that ends takes the process with it: what is dead must not look
//! ready.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wires::{self, Wires};
use super::{Args, Issuer, Mode, RunError, place};
use crate::admission;
use crate::cluster::view::Shared;
use crate::cluster::write::Writer;
use crate::cluster::{certificate, confirm, lease, postgres, webhook};
use crate::controller;
use crate::controller::leases::{self, Leases};
use crate::serve;
use crate::serve::health::Readiness;
use crate::serve::metrics::Metrics;

/// What the controller may take to finish its writes after a signal; a pod is killed 30 s after it.
const FINISH: Duration = Duration::from_secs(10);

/// Everything that runs, and how to stop it in order.
pub struct Parts {
    running: JoinSet<(&'static str, Result<(), String>)>,
    stop_controller: oneshot::Sender<()>,
    stop_leases: Option<oneshot::Sender<()>>,
    stop_election: oneshot::Sender<()>,
    stop_webhook: Option<oneshot::Sender<()>>,
}

/// What is listened on.
pub struct Listeners {
    /// For metrics and probes.
    pub pages: TcpListener,
    /// For the webhook; nothing with `--mode observe`.
    pub webhook: Option<std::net::TcpListener>,
}

const CONTROLLER: &str = "the controller";
const LEASES: &str = "the leases";
const ELECTION: &str = "the election";
const WEBHOOK: &str = "the webhook";

/// What several parts hold.
struct Common {
    client: Client,
    shared: Shared,
    metrics: Arc<Metrics>,
    ready: Readiness,
    leader: watch::Receiver<bool>,
}

impl Parts {
    /// Starts all of them.
    pub fn start(client: Client, args: &Args, listeners: Listeners) -> Self {
        let (metrics, ready) = (Arc::new(Metrics::default()), Readiness::default());
        let (stop_controller, controller_stops) = oneshot::channel();
        let (stop_election, election_stops) = oneshot::channel();
        let (elected, leader) = watch::channel(false);
        let wires = Wires::new(leader.clone());
        let (shared, notices) = Shared::new();
        shared.runs_in(place::own_namespace());
        let election = place::election(args);
        let settings = settings(args, &election);
        let trouble = trouble(ready.clone(), "election");
        trouble(Some("the election has not begun".into()));
        let (stop_leases, stop_webhook) = (None, None);
        let mut all = Self { running: JoinSet::new(), stop_controller, stop_leases, stop_election, stop_webhook };
        let common = Common { client: client.clone(), shared: shared.clone(), metrics, ready, leader };
        let Common { metrics, ready, leader, .. } = &common;
        all.add("the HTTP server", serve::run(listeners.pages, metrics.clone(), ready.clone(), pending()));
        all.add("the log of readiness", forever(ready.clone().log_changes()));
        all.add("the leader's metric", forever(show_leader(leader.clone(), metrics.clone())));
        let wires::Databases { wanted, answers } = wires.databases;
        all.add("asking databases", postgres::run(client.clone(), wanted, answers));
        let confirm = place::confirming(&election);
        all.add(ELECTION, lease::run(client.clone(), election, elected, trouble, ended(election_stops)));
        if let Some(listener) = listeners.webhook {
            all.add_leases(&common, args, &settings, &confirm, wires.leases);
            all.add_webhook(&common, args, confirm, listener, wires.webhook);
        } else {
            all.add("what is said of the webhook", forever(kept(wires.webhook)));
        }
        let (metrics, is_ready, stop) = (metrics.clone(), ready.clone(), ended(controller_stops));
        let controller =
            controller::run(client, settings, (shared, notices), wires.controller, metrics, is_ready, stop);
        all.add_controller(controller, ready);
        all
    }

    fn add_leases(
        &mut self,
        common: &Common,
        args: &Args,
        settings: &controller::Settings,
        confirm: &confirm::Settings,
        wires: wires::Leases,
    ) {
        let Common { client, shared, metrics, leader, .. } = common;
        let context = leases::look::Context {
            metrics: metrics.clone(),
            shared: shared.clone(),
            writer: Writer::new(client.clone(), settings.instance.clone()),
            leader: leader.clone(),
            ledgers: wires.ledgers,
            replicas: confirm::Replicas::new(client.clone(), confirm),
            registered: wires.registered,
            settle: args.adopt_after,
        };
        let leases = Leases::new(context, settings.namespaces.clone(), wires.wake);
        let (stop, stops) = oneshot::channel();
        self.stop_leases = Some(stop);
        self.add(LEASES, leases.run(ended(stops)));
    }

    fn add_controller(
        &mut self,
        controller: impl Future<Output = Result<(), controller::Error>> + Send + 'static,
        readiness: &Readiness,
    ) {
        let first_step = readiness.waiting_for("the controller");
        self.add(CONTROLLER, async {
            let mut controller = pin!(controller);
            // Its first step says what it waits for; until then nothing else would keep this replica from being ready.
            tokio::select! {
                biased;
                ended = &mut controller => return ended,
                () = ready(()) => first_step.done(),
            }
            controller.await
        });
    }

    /// The webhook, its certificate and its registration. Outside a cluster nobody would reach it: then it is only said.
    fn add_webhook(
        &mut self,
        common: &Common,
        args: &Args,
        confirm: confirm::Settings,
        listener: std::net::TcpListener,
        wires: wires::Webhook,
    ) {
        let wires::Webhook { namespaces: asked_about, trouble: tells, registered } = wires;
        let reached = listener.local_addr().ok().and_then(|address| place::webhook(args, address));
        let Some((address, names)) = reached else {
            let why = "dbbudget runs outside the cluster, where the API server does not reach it; start it with --webhook-url";
            tells.send_replace(Some(why.into()));
            return self.add("what is said of the webhook", forever(kept(tells)));
        };
        let Common { client, shared, metrics, ready, leader } = common;
        let (certify, certificates) = watch::channel(None);
        let settings = certificate::Settings {
            namespace: confirm.namespace.clone(),
            name: args.webhook.webhook_secret.clone(),
            names,
            external: args.webhook.webhook_certificate == Issuer::External,
        };
        let trouble = self::trouble(ready.clone(), "certificate");
        self.add(
            "the webhook's certificate",
            certificate::run(client.clone(), settings, leader.clone(), certify, trouble),
        );
        let settings = webhook::Settings { name: args.webhook.webhook_name.clone(), address };
        let says = self::trouble(ready.clone(), "webhook");
        let trouble = move |sentence: Option<String>| {
            says(sentence.clone());
            tells.send_if_modified(|known| std::mem::replace(known, sentence.clone()) != sentence);
        };
        let (leads, certified) = (leader.clone(), certificates.clone());
        let registering =
            webhook::run(client.clone(), settings, leads, asked_about.clone(), certified, registered, trouble);
        self.add("the webhook's registration", registering);
        let trouble = self::trouble(ready.clone(), "confirming");
        let confirming = confirm::run(client.clone(), confirm, shared.clone(), trouble);
        self.add("what this replica confirms", forever(async { match confirming.await {} }));
        let (stop, stops) = oneshot::channel();
        self.stop_webhook = Some(stop);
        let (shared, metrics) = (shared.clone(), metrics.clone());
        let stops = async move {
            ended(stops).await;
            asked_about.borrow().as_ref().is_none_or(|namespaces| !namespaces.is_empty())
        };
        self.add(WEBHOOK, admission::run(listener, shared, metrics, ready.clone(), certificates, stops));
    }

    fn add<E: StdError>(&mut self, part: &'static str, runs: impl Future<Output = Result<(), E>> + Send + 'static) {
        self.running.spawn(async move { (part, runs.await.map_err(|error| error.to_string())) });
    }

    /// Waits for an end that nobody asked for.
    pub async fn any_ended(&mut self) -> RunError {
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
    pub async fn stop(mut self) -> Result<(), RunError> {
        // The webhook answers on, until everybody has heard that it will end.
        let webhook = self.stop_webhook.take().map(drop).map(|()| WEBHOOK);
        let mut ending = Ending { running: self.running, ended: BTreeMap::new() };
        drop(self.stop_controller);
        let leases = self.stop_leases.take().map(drop).map(|()| LEASES);
        for part in std::iter::once(CONTROLLER).chain(leases) {
            if timeout(FINISH, ending.of(part)).await.is_err() {
                tracing::warn!("{part} did not finish within {} s", FINISH.as_secs());
            }
        }
        drop(self.stop_election);
        for part in std::iter::once(ELECTION).chain(webhook) {
            ending.of(part).await?;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Parts that come to their end, in any order.
struct Ending {
    running: JoinSet<(&'static str, Result<(), String>)>,
    ended: BTreeMap<&'static str, Result<(), String>>,
}

impl Ending {
    /// Waits for the end of a part. How others end, for lack of what has stopped already, is no matter.
    async fn of(&mut self, awaited: &'static str) -> Result<(), RunError> {
        while !self.ended.contains_key(awaited)
            && let Some(ended) = self.running.join_next().await
        {
            let (part, outcome) = ended.map_err(RunError::Panicked)?;
            self.ended.insert(part, outcome);
        }
        let outcome = self.ended.remove(awaited).unwrap_or(Ok(()));
        outcome.map_err(|cause| RunError::Ended { part: awaited, cause })
    }
}

/// Ends when the sender is dropped.
async fn ended(stop: oneshot::Receiver<()>) {
    let _ = stop.await;
}

async fn forever(runs: impl Future<Output = ()>) -> Result<(), std::convert::Infallible> {
    runs.await;
    Ok(())
}

fn settings(args: &Args, election: &lease::Settings) -> controller::Settings {
    controller::Settings {
        namespaces: Some(args.namespaces.clone()).filter(|names| !names.is_empty()),
        injects: args.mode == Mode::Full,
        restart_after: Duration::from_secs(args.restart_after.into()),
        restore_after: Duration::from_secs(args.restore_after.into()),
        instance: Some(election.identity.clone()),
        ..controller::Settings::default()
    }
}

/// What keeps this replica from its work keeps it from being ready.
fn trouble(readiness: Readiness, about: &'static str) -> impl Fn(Option<String>) + Send {
    move |trouble| match trouble {
        Some(sentence) => readiness.problem(about, sentence),
        None => readiness.clear(about),
    }
}

/// Holds what others listen to.
async fn kept<T>(_held: T) {
    pending::<()>().await;
}

async fn show_leader(mut leader: watch::Receiver<bool>, metrics: Arc<Metrics>) {
    loop {
        metrics.leader(*leader.borrow_and_update());
        if leader.changed().await.is_err() {
            return pending().await; // the election has ended, and will be seen to
        }
    }
}
