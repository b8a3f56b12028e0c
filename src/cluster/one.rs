//! One object by its name, followed for ever: the webhook's Secret, and its registration.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use kube::{Api, Resource};
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::{self, watch_object};
use serde::de::DeserializeOwned;

use super::view::follow::{status, with_causes};
use super::view::retries::{Refusals, Retries};

/// A refusal may end at any time, and nothing tells.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

type Events<K> = Pin<Box<dyn Stream<Item = Result<Option<K>, watcher::Error>> + Send>>;

/// An object that may or may not be there.
pub struct One<K> {
    api: Api<K>,
    name: String,
    /// As people call it.
    what: String,
    events: Events<K>,
    refusals: Refusals,
    pause_until: Option<Instant>,
}

impl<K> One<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Begins to follow it.
    #[must_use]
    pub fn new(api: Api<K>, name: &str, what: String) -> Self {
        let events = Self::events(&api, name);
        Self { api, name: name.to_owned(), what, events, refusals: Refusals::default(), pause_until: None }
    }

    fn events(api: &Api<K>, name: &str) -> Events<K> {
        Box::pin(watch_object(api.clone(), name).backoff(Retries::new()))
    }

    /// What it is now, whenever that changes; or that it may not be read. An outage only takes time. Nothing is lost when
    /// this is dropped and called again.
    pub async fn next(&mut self) -> Result<Option<K>, String> {
        loop {
            if let Some(until) = self.pause_until {
                tokio::time::sleep_until(until.into()).await;
                // From the beginning: where a watch only goes on, nothing would tell that it may.
                (self.pause_until, self.events) = (None, Self::events(&self.api, &self.name));
            }
            let error = match self.events.next().await {
                Some(Ok(object)) => {
                    self.refusals.allowed();
                    return Ok(object);
                }
                Some(Err(error)) => error,
                None => {
                    self.pause_until = Some(Instant::now() + LOOK_AGAIN);
                    continue;
                }
            };
            if status(&error).is_some_and(kube::core::Status::is_forbidden) {
                let now = Instant::now();
                self.pause_until = Some(now + LOOK_AGAIN);
                if self.refusals.refused(now) {
                    return Err(format!("{} may not be read: {}", self.what, with_causes(&error)));
                }
            } else {
                tracing::warn!(what = self.what, "watching failed, trying again: {}", with_causes(&error));
            }
        }
    }
}
