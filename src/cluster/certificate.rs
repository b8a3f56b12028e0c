//! The webhook's certificate: in a Secret of dbbudget's own namespace, so that all replicas show the same one. The leader
//! makes it and exchanges it in time; the others read it.

mod authority;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::one::One;
use authority::{Lifetimes, State};

/// Where the certificate is kept, and for whom it is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// DNS names and addresses under which the webhook is called.
    pub names: Vec<String>,
    /// Someone else writes it, such as cert-manager.
    pub external: bool,
}

/// What the webhook shows, and who is to trust it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Authorities in PEM, for the API server.
    pub authorities: String,
    /// The chain in PEM.
    pub chain: String,
    /// Its key in PEM.
    pub key: String,
}

/// Why this ended without being asked to.
#[derive(Debug, Error)]
pub enum Error {
    /// The election is gone.
    #[error("the election ended")]
    ElectionEnded,
}

/// All that dbbudget knows of its own authorities; the other keys are for people and servers.
const STATE: &str = "state.json";
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Nothing is due more often, and a failed write is tried again after a while.
const LOOK_EVERY: Duration = Duration::from_secs(600);
const RETRY: Duration = Duration::from_secs(5);

/// Tells the certificate whenever it changes, and keeps it valid while this replica leads. `trouble` is told what stands
/// in the way.
///
/// # Errors
/// When the election ends.
pub async fn run(
    client: Client,
    settings: Settings,
    mut leader: watch::Receiver<bool>,
    tell: watch::Sender<Option<Arc<Certificate>>>,
    trouble: impl Fn(Option<String>),
) -> Result<(), Error> {
    let api: Api<Secret> = Api::namespaced(client, &settings.namespace);
    let mut secrets = One::new(api.clone(), &settings.name, format!("the Secret {}", settings.place()));
    let mut stored: Option<Option<Secret>> = None;
    let mut look = Instant::now();
    loop {
        let leads = *leader.borrow_and_update();
        tokio::select! {
            secret = secrets.next() => match secret {
                Ok(secret) => {
                    let news = secret.as_ref().and_then(read).map(Arc::new);
                    trouble(news.is_none().then(|| settings.missing(secret.is_some())));
                    tell.send_if_modified(|known| news.is_some() && std::mem::replace(known, news.clone()) != news);
                    stored = Some(secret);
                    look = Instant::now();
                }
                Err(refused) => trouble(Some(refused)),
            },
            changed = leader.changed() => {
                changed.map_err(|_| Error::ElectionEnded)?;
                look = Instant::now();
            }
            () = sleep_until(look), if leads && !settings.external && stored.is_some() => {
                look = Instant::now() + LOOK_EVERY;
                let known = stored.as_ref().and_then(Option::as_ref);
                if let Err(sentence) = keep_valid(&api, &settings, known).await {
                    tracing::warn!("{sentence}");
                    trouble(Some(sentence));
                    look = Instant::now() + RETRY;
                }
            }
        }
    }
}

impl Settings {
    fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn missing(&self, exists: bool) -> String {
        match (exists, self.external) {
            (true, true) => format!("the Secret {} lacks tls.crt, tls.key or ca.crt", self.place()),
            (false, true) => {
                format!("the Secret {} does not exist, and cert-manager or you are to make it", self.place())
            }
            (_, false) => format!("waiting for the webhook's certificate in the Secret {}", self.place()),
        }
    }
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok().filter(|text| !text.is_empty())
}

fn read(secret: &Secret) -> Option<Certificate> {
    let authorities = text(secret, "ca.crt")?;
    Some(Certificate { authorities, chain: text(secret, "tls.crt")?, key: text(secret, "tls.key")? })
}

/// Takes the next step of the exchange, if one is due, and mends what somebody else changed. A write rests on the version
/// that it was decided on: of two leaders one is refused, and sees what the other wrote.
async fn keep_valid(api: &Api<Secret>, settings: &Settings, stored: Option<&Secret>) -> Result<(), String> {
    let (now, lifetimes) = (Timestamp::now().as_second(), Lifetimes::default());
    let known: Option<State> = stored.and_then(|secret| serde_json::from_str(&text(secret, STATE)?).ok());
    let next = match &known {
        Some(state) => state.next(&settings.names, now, lifetimes),
        None => State::new(&settings.names, now, lifetimes).map(Some),
    };
    let place = settings.place();
    let next =
        next.map_err(|error| format!("no certificate can be made for {}: {error}", settings.names.join(", ")))?;
    let Some(state) = next.or(known) else { return Ok(()) };
    let secret = write_down(settings, stored, &state).map_err(|error| error.to_string())?;
    if stored.is_some_and(|stored| stored.data == secret.data) {
        return Ok(());
    }
    let post = PostParams::default();
    let write = async {
        match stored {
            Some(_) => api.replace(&settings.name, &post, &secret).await,
            None => api.create(&post, &secret).await,
        }
    };
    match timeout(TIME_LIMIT, write).await {
        Ok(Ok(_)) => {
            tracing::info!(secret = place, "the webhook's certificate was written");
            Ok(())
        }
        // Another replica was first; the watch tells what it wrote.
        Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => Ok(()),
        Ok(Err(error)) => Err(format!("the Secret {place} cannot be written: {error}")),
        Err(_) => Err(format!("writing the Secret {place} took longer than {TIME_LIMIT:?}")),
    }
}

fn write_down(settings: &Settings, stored: Option<&Secret>, state: &State) -> Result<Secret, serde_json::Error> {
    let of = |text: String| ByteString(text.into_bytes());
    let data = BTreeMap::from([
        ("ca.crt".to_owned(), of(state.bundle())),
        ("tls.crt".to_owned(), of(state.served.certificate.clone())),
        ("tls.key".to_owned(), of(state.served.key.clone())),
        (STATE.to_owned(), of(serde_json::to_string(state)?)),
    ]);
    let new = Secret {
        metadata: ObjectMeta {
            name: Some(settings.name.clone()),
            namespace: Some(settings.namespace.clone()),
            labels: Some(BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "dbbudget".to_owned())])),
            ..ObjectMeta::default()
        },
        type_: Some("kubernetes.io/tls".into()),
        ..Secret::default()
    };
    Ok(Secret { data: Some(data), ..stored.cloned().unwrap_or(new) })
}
