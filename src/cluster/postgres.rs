//! Asks database servers for their limits: the Secret that a budget names is read when it is needed, the server answers
//! one query, and the connection is closed. The only poll of dbbudget: a server does not tell when a setting changes.

mod ask;
mod tls;
mod url;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::answers::{Answer, ProbeError, Wanted};
use crate::api::parse::Name;
use crate::budget::capacity::ServerLimits;

pub use ask::ask;

/// dbbudget may not read the Secret.
pub const SECRET_FORBIDDEN: &str = "SecretForbidden";
/// There is no such Secret.
pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
/// The Secret has no such key.
pub const KEY_NOT_FOUND: &str = "KeyNotFound";
/// What the key holds is no URL of a PostgreSQL server.
pub const URL_INVALID: &str = "UrlInvalid";
/// The server, or the API server, does not answer.
pub const UNREACHABLE: &str = "Unreachable";
/// The server takes no more connections. That is an answer, too.
pub const SERVER_FULL: &str = "ServerFull";
/// The server does not let the URL's user in, or does not answer the question.
pub const REFUSED: &str = "Refused";

/// A server that answered is asked again after this.
const CALM: Duration = Duration::from_secs(60);
/// A first failure is followed by another attempt after this; each further one doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(10);
/// Longest pause: servers and poolers lock out who fails often.
const LAST_RETRY: Duration = Duration::from_secs(300);
/// What a server said is believed this long while it says nothing new.
const BELIEVED: Duration = Duration::from_secs(600);
/// Questions at the same time.
const AT_ONCE: usize = 16;
/// How long the API server may take for the Secret.
const SECRET_TIMEOUT: Duration = Duration::from_secs(5);

/// Why asking ended.
#[derive(Debug, Error)]
#[error("asking a database server failed within dbbudget: {0}")]
pub struct Error(#[from] tokio::task::JoinError);

/// Asks, again and again, whatever server is wanted. Ends by being dropped.
///
/// # Errors
/// When a question panics.
pub async fn run(
    client: Client,
    mut wanted: watch::Receiver<Arc<Vec<Wanted>>>,
    answers: watch::Sender<Arc<BTreeMap<Name, Answer>>>,
) -> Result<(), Error> {
    let (tell, mut told) = mpsc::channel(AT_ONCE);
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    let mut asked: BTreeMap<Wanted, AbortHandle> = BTreeMap::new();
    loop {
        let now = Arc::clone(&wanted.borrow_and_update());
        asked.retain(|one, task| {
            let keep = now.contains(one);
            if !keep {
                task.abort();
            }
            keep
        });
        forget_others(&answers, &asked);
        for one in now.iter() {
            asked.entry(one.clone()).or_insert_with(|| {
                tasks.spawn(keep_asking(client.clone(), one.clone(), tell.clone(), Arc::clone(&at_once)))
            });
        }
        loop {
            tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return Ok(()), // nobody is left to want anything
                },
                Some((one, answer)) = told.recv() => if asked.contains_key(&one) {
                    publish(&answers, &one.budget, answer);
                },
                Some(ended) = tasks.join_next() => match ended {
                    Err(error) if !error.is_cancelled() => return Err(error.into()),
                    _ => {}
                },
            }
        }
    }
}

fn forget_others(answers: &watch::Sender<Arc<BTreeMap<Name, Answer>>>, asked: &BTreeMap<Wanted, AbortHandle>) {
    answers.send_if_modified(|answers| {
        let before = answers.len();
        let mut kept = BTreeMap::clone(answers);
        kept.retain(|name, _| asked.keys().any(|one| one.budget == *name));
        let changed = kept.len() != before;
        if changed {
            *answers = Arc::new(kept);
        }
        changed
    });
}

fn publish(answers: &watch::Sender<Arc<BTreeMap<Name, Answer>>>, name: &Name, answer: Answer) {
    answers.send_if_modified(|answers| {
        let changed = answers.get(name) != Some(&answer);
        if changed {
            match &answer {
                Ok(limits) => tracing::info!(budget = %name, ?limits, "the server answered"),
                Err(ProbeError { reason, message }) => tracing::warn!(budget = %name, reason, "{message}"),
            }
            Arc::make_mut(answers).insert(name.clone(), answer);
        }
        changed
    });
}

/// Asks one server for ever.
async fn keep_asking(client: Client, one: Wanted, tell: mpsc::Sender<(Wanted, Answer)>, at_once: Arc<Semaphore>) {
    let (mut known, mut failures) = (None, 0);
    loop {
        let answer = {
            let _permit = at_once.acquire().await;
            question(&client, &one).await
        };
        failures = if answer.is_ok() { 0 } else { failures + 1 };
        let pause = pause(&answer, failures, RandomState::new().build_hasher().finish());
        let now = Instant::now();
        if let Ok(limits) = answer {
            known = Some((limits, now));
        }
        if tell.send((one.clone(), believed(known, answer, now))).await.is_err() {
            return;
        }
        sleep(pause).await;
    }
}

/// What to tell: a server that cannot be asked at the moment has, for some time, the limits it had.
fn believed(known: Option<(ServerLimits, Instant)>, answer: Answer, now: Instant) -> Answer {
    match (known, answer) {
        (Some((limits, since)), Err(error))
            if [UNREACHABLE, SERVER_FULL, REFUSED].contains(&error.reason) && now - since < BELIEVED =>
        {
            tracing::warn!(reason = error.reason, "{}; counting with what it said before", error.message);
            Ok(limits)
        }
        (_, answer) => answer,
    }
}

/// When to ask again. `random` spreads questions over a fifth of the pause.
fn pause(answer: &Answer, failures: u32, random: u64) -> Duration {
    let pause = match answer {
        Ok(_) => CALM,
        // Costs one small request to the API server, and someone may be waiting for it.
        Err(error) if ![UNREACHABLE, SERVER_FULL, REFUSED].contains(&error.reason) => FIRST_RETRY,
        Err(_) => FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LAST_RETRY),
    };
    let part = u32::try_from(random % 200).unwrap_or(0);
    pause * (900 + part) / 1000
}

async fn question(client: &Client, one: &Wanted) -> Answer {
    let url = read_url(client, one).await?;
    ask(&url).await.map_err(|error| {
        let message = format!("Secret {}/{}, key {}: {}", one.budget.namespace, one.secret, one.key, error.message);
        ProbeError { message, ..error }
    })
}

async fn read_url(client: &Client, one: &Wanted) -> Result<String, ProbeError> {
    let Wanted { budget: Name { namespace, .. }, secret: name, key } = one;
    let fail = |reason, message| Err(ProbeError { reason, message });
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = match timeout(SECRET_TIMEOUT, api.get_opt(name)).await {
        Ok(Ok(Some(secret))) => secret,
        Ok(Ok(None)) => return fail(SECRET_NOT_FOUND, format!("there is no Secret {namespace}/{name}: create it")),
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
            let grant = format!(
                "dbbudget may not read the Secret {namespace}/{name}: grant it with a Role in {namespace} (apiGroups \
                 [\"\"], resources [secrets], resourceNames [{name}], verbs [get]); {}",
                status.message
            );
            return fail(SECRET_FORBIDDEN, grant);
        }
        Ok(Err(error)) => return fail(UNREACHABLE, format!("cannot read the Secret {namespace}/{name}: {error}")),
        Err(_) => return fail(UNREACHABLE, format!("no answer in time about the Secret {namespace}/{name}")),
    };
    match secret.data.as_ref().and_then(|data| data.get(key)) {
        None => fail(KEY_NOT_FOUND, format!("the Secret {namespace}/{name} has no key {key}: add it, or name another")),
        Some(bytes) => String::from_utf8(bytes.0.clone()).or_else(|_| {
            fail(URL_INVALID, format!("the Secret {namespace}/{name}, key {key}: holds no text; {}", url::EXPECTED))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(reason: &'static str) -> Answer {
        Err(ProbeError { reason, message: String::new() })
    }

    #[test]
    fn a_server_is_asked_calmly_and_one_that_fails_ever_less_often() {
        let limits = Ok(ServerLimits::default());
        let seconds = |answer: &Answer, failures| pause(answer, failures, 100).as_secs();
        assert_eq!(seconds(&limits, 0), 60);
        assert_eq!([1, 2, 3, 6, 99].map(|n| seconds(&failed(REFUSED), n)), [10, 20, 40, 300, 300]);
        assert_eq!([1, 9].map(|n| seconds(&failed(SECRET_FORBIDDEN), n)), [10, 10]);
        let spread = [0, 199].map(|random| pause(&limits, 0, random).as_millis());
        assert_eq!(spread, [54_000, 65_940]);
    }

    #[test]
    fn limits_are_believed_through_a_short_outage_but_not_through_a_mistake() {
        let now = Instant::now();
        let limits = ServerLimits { max_connections: 100, ..ServerLimits::default() };
        let known = Some((limits, now));
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(believed(known, failed(SERVER_FULL), after(599)), Ok(limits));
        assert_eq!(believed(known, failed(UNREACHABLE), after(600)), failed(UNREACHABLE));
        assert_eq!(believed(known, failed(SECRET_FORBIDDEN), after(1)), failed(SECRET_FORBIDDEN));
        assert_eq!(believed(None, failed(SERVER_FULL), now), failed(SERVER_FULL));
    }
}
