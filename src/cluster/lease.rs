//! Who writes: leader election by compare-and-swap on a `Lease`.
//!
//! Every write of the Lease carries the `resourceVersion` that it was decided on, so of two candidates one is refused
//! and reads again. A leader renews at a third of the duration and stops being one a margin before its claim runs out;
//! a candidate takes over what has not changed for the whole duration on its own clock. Only a read or a write unseats
//! a leader: a watch may be late. Safety of what is written later does not rest on this; it saves work.

mod candidate;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use kube_runtime::watcher::watch_object;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

pub use candidate::Timing;
use candidate::{Candidate, Step, Stored};

/// Which Lease, and who asks for it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// This candidate. No two that run at the same time may have the same.
    pub identity: String,
    /// How long everything takes.
    pub timing: Timing,
}

/// Why the election ended without being asked to.
#[derive(Debug, Error)]
pub enum Error {
    /// The watch is endless by contract.
    #[error("the watch of the election's Lease ended")]
    WatchEnded,
}

/// Takes part until `stop`, then hands over what it holds. `leader` is true while this candidate may write. `trouble`
/// is told what keeps it from taking part, and that nothing does any more.
///
/// `client` must not retry by itself: a request that is sent again later is one that was decided on old facts.
///
/// # Errors
/// When the watch ends.
pub async fn run(
    client: Client,
    settings: Settings,
    leader: watch::Sender<bool>,
    trouble: impl Fn(Option<String>),
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let api: Api<Lease> = Api::namespaced(client, &settings.namespace);
    let mut seat = Seat::new(api.clone(), settings, leader, trouble);
    let mut changes = pin!(watch_object(api, &seat.settings.name));
    let mut watch_from = Instant::now();
    let mut stop = pin!(stop);
    loop {
        let now = Instant::now();
        seat.publish(now);
        let wake = match seat.candidate.next(now) {
            Step::Read => {
                seat.read().await;
                continue;
            }
            Step::Claim => {
                seat.claim().await;
                continue;
            }
            Step::Wait(until) => seat.candidate.leads_until(now).map_or(until, |end| end.min(until)),
        };
        let pausing = now < watch_from;
        tokio::select! {
            () = &mut stop => break,
            () = sleep_until(if pausing { wake.min(watch_from) } else { wake }) => {}
            change = changes.next(), if !pausing => match change {
                Some(Ok(lease)) => {
                    seat.say(WATCH, None);
                    seat.told(lease).await;
                }
                Some(Err(error)) => {
                    seat.say(WATCH, Some(("watch", &error)));
                    watch_from = now + seat.settings.timing.retry;
                }
                None => return Err(Error::WatchEnded),
            },
        }
    }
    seat.hand_over().await;
    Ok(())
}

/// A candidate and its connection to the server.
struct Seat<T> {
    candidate: Candidate,
    /// As last stored, for the next write to carry its resourceVersion and what others added to it.
    lease: Option<Lease>,
    api: Api<Lease>,
    settings: Settings,
    leader: watch::Sender<bool>,
    trouble: T,
    /// What keeps requests and the watch from working, or that none has been made yet.
    troubles: [Option<String>; 3],
}

const REQUESTS: usize = 0;
const WATCH: usize = 1;
const UNREAD: usize = 2;

impl<T: Fn(Option<String>)> Seat<T> {
    fn new(api: Api<Lease>, settings: Settings, leader: watch::Sender<bool>, trouble: T) -> Self {
        let candidate = Candidate::new(&settings.identity, settings.timing, Instant::now());
        let troubles = [None, None, Some("the election has not read its Lease yet".into())];
        let seat = Self { candidate, lease: None, api, settings, leader, trouble, troubles };
        seat.tell();
        seat
    }

    fn publish(&self, now: Instant) {
        let leads = self.candidate.leads_until(now).is_some();
        let changed = self.leader.send_if_modified(|before| std::mem::replace(before, leads) != leads);
        if changed {
            let me = &self.settings.identity;
            tracing::info!(lease = self.place(), me, "{}", if leads { "leading" } else { "no longer leading" });
        }
    }

    /// A watch told something. A leader makes sure before it believes it.
    async fn told(&mut self, lease: Option<Lease>) {
        if !self.candidate.is_news(lease.as_ref().map(|l| self.stored(l)).as_ref()) {
            return;
        }
        if self.candidate.leads_until(Instant::now()).is_some() {
            self.read().await;
        } else {
            self.see(lease);
        }
    }

    async fn read(&mut self) {
        match self.request(self.api.get_opt(&self.settings.name)).await {
            Ok(lease) => {
                self.say(REQUESTS, None);
                self.see(lease);
            }
            Err(error) => self.give_up("get", &error),
        }
    }

    async fn claim(&mut self) {
        let begun = Instant::now();
        let lease = self.mine();
        let (verb, written) = if self.lease.is_some() {
            let params = PostParams::default();
            ("update", self.request(self.api.replace(&self.settings.name, &params, &lease)).await)
        } else {
            ("create", self.request(self.api.create(&PostParams::default(), &lease)).await)
        };
        match written {
            Ok(lease) => {
                self.say(REQUESTS, None);
                self.candidate.claimed(self.stored(&lease), begun);
                self.lease = Some(lease);
            }
            // Someone was faster.
            Err(Failure::Api(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {
                self.read().await;
            }
            Err(error) => self.give_up(verb, &error),
        }
    }

    /// Gives up the Lease, so that another can take it at once.
    async fn hand_over(mut self) {
        let led = self.candidate.leads_until(Instant::now()).is_some();
        self.leader.send_replace(false);
        let Some(mut lease) = self.lease.take().filter(|_| led) else { return };
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
        }
        match self.request(self.api.replace(&self.settings.name, &PostParams::default(), &lease)).await {
            Ok(_) => tracing::info!(lease = self.place(), "handed over"),
            Err(error) => tracing::warn!(lease = self.place(), %error, "could not hand over; it runs out by itself"),
        }
    }

    /// The Lease as this candidate would have it.
    fn mine(&self) -> Lease {
        let mut lease = self.lease.clone().unwrap_or_else(|| {
            let (name, namespace) = (Some(self.settings.name.clone()), Some(self.settings.namespace.clone()));
            Lease { metadata: ObjectMeta { name, namespace, ..ObjectMeta::default() }, spec: None }
        });
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        let now = Some(MicroTime(Timestamp::now()));
        if spec.holder_identity.as_ref() != Some(&self.settings.identity) {
            spec.holder_identity = Some(self.settings.identity.clone());
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |n| n.saturating_add(1)));
            spec.acquire_time.clone_from(&now);
        }
        spec.lease_duration_seconds = Some(i32::try_from(self.settings.timing.duration.as_secs()).unwrap_or(i32::MAX));
        spec.renew_time = now;
        lease
    }

    fn see(&mut self, lease: Option<Lease>) {
        self.candidate.see(lease.as_ref().map(|l| self.stored(l)), Instant::now());
        self.lease = lease;
    }

    fn stored(&self, lease: &Lease) -> Stored {
        let spec = lease.spec.as_ref();
        let lasts = spec.and_then(|s| s.lease_duration_seconds).and_then(|s| u64::try_from(s).ok());
        Stored {
            holder: spec.and_then(|s| s.holder_identity.clone()).filter(|holder| !holder.is_empty()),
            version: lease.resource_version().unwrap_or_default(),
            lasts: lasts.map_or(self.settings.timing.duration, Duration::from_secs),
        }
    }

    /// A request that ends in time, and while leading before the claim does.
    async fn request<R>(&self, request: impl Future<Output = Result<R, kube::Error>>) -> Result<R, Failure> {
        let limited = timeout(self.settings.timing.request, request);
        let ended = match self.candidate.leads_until(Instant::now()) {
            Some(end) => timeout_at(end, limited).await.map_err(|_| Failure::TooSlow)?,
            None => limited.await,
        };
        ended.map_err(|_| Failure::TooSlow)?.map_err(Failure::Api)
    }

    fn give_up(&mut self, verb: &str, error: &Failure) {
        self.candidate.failed(Instant::now());
        self.say(REQUESTS, Some((verb, error)));
    }

    /// Tells of a trouble, or of its end, once.
    fn say(&mut self, which: usize, what: Option<(&str, &dyn std::fmt::Display)>) {
        let sentence = what.map(|(verb, error)| {
            let error = error.to_string();
            let needs = if error.contains("forbidden") {
                "; it needs get, list, watch, create and update on leases of coordination.k8s.io there"
            } else {
                ""
            };
            format!("the election cannot {verb} the Lease {}: {error}{needs}", self.place())
        });
        let is_first = which == REQUESTS && self.troubles[UNREAD].take().is_some();
        if self.troubles[which] == sentence && !is_first {
            return;
        }
        self.troubles[which].clone_from(&sentence);
        self.tell();
        if let Some(sentence) = sentence {
            tracing::warn!("{sentence}");
        }
    }

    fn tell(&self) {
        (self.trouble)(self.troubles.iter().flatten().next().cloned());
    }

    fn place(&self) -> String {
        format!("{}/{}", self.settings.namespace, self.settings.name)
    }
}

#[derive(Debug, Error)]
enum Failure {
    #[error("{0}")]
    Api(kube::Error),
    #[error("no answer in time")]
    TooSlow,
}
