//! One watch, from the API server into the view.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::DynamicObject;
use kube::core::{ApiResource, PartialObjectMeta, Status};
use kube::{Api, Client, Resource, ResourceExt};
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::item::{self, Item, RawNode, RawPod};
use super::locate::{Definitions, appears, everywhere};
use super::retries::{Pulse, Refusals, Retries};
use super::sources::{Scope, Source, State, Watch};
use super::{Concerned, Shared};
use crate::api::parse::Name;

/// How long a watch may fail before what it brought is not to be relied on.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What all watches have in common.
#[derive(Clone)]
pub struct Follower {
    /// The API server.
    pub client: Client,
    /// What they fill.
    pub shared: Shared,
    /// Which custom resources there are.
    pub definitions: watch::Sender<Definitions>,
    /// How long a watch may fail before this replica is not to be relied on.
    pub patience: Duration,
}

/// How a watch goes, for whoever tells people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its first list is complete, or there is nothing to list.
    Filled,
    /// It may not be read; the sentence names the permission.
    Forbidden(String),
    /// It has failed for so long that what it brought before is not to be relied on; the sentence says why.
    CutOff(String),
}

impl Follower {
    /// Follows one watch for ever. `progress` is called whenever it changes.
    pub async fn follow(&self, watch: &Watch, progress: impl Fn(Progress) + Send + Sync) {
        let told = |state: State| {
            progress(match &state {
                State::Filled | State::Absent => Progress::Filled,
                State::Forbidden(sentence) => Progress::Forbidden(sentence.clone()),
            });
            self.shared.change(|view| view.set_state(watch, Some(state)));
        };
        let mut definitions = self.definitions.subscribe();
        loop {
            let resource = match everywhere(&watch.source) {
                Some(resource) => resource,
                None => appears(&self.client, &watch.source, &mut definitions, || told(State::Absent)).await,
            };
            let cut_off = |sentence| progress(Progress::CutOff(sentence));
            self.until_absent(watch, &resource, (&told, &cut_off)).await;
            self.shared.change(|view| view.retain(watch, &BTreeSet::new()));
            told(State::Absent);
            // The kind went away while it was watched.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Follows a watch until the API server no longer has its kind.
    async fn until_absent(
        &self,
        watch: &Watch,
        resource: &ApiResource,
        (told, cut_off): (&(impl Fn(State) + Sync), &(dyn Fn(String) + Sync)),
    ) {
        let stream = Stream { follower: self, watch, resource, told, cut_off };
        match &watch.source {
            Source::Budgets => stream.run(self.api::<DynamicObject>(watch, resource), item::budget).await,
            Source::Claims => stream.run(self.api::<DynamicObject>(watch, resource), item::claim).await,
            Source::Workloads { .. } => {
                let read = |object| item::read_workload(object, resource);
                stream.run(self.api::<DynamicObject>(watch, resource), read).await;
            }
            Source::Scalers { .. } => {
                let read = |object| item::read_scaler(object, resource);
                stream.run(self.api::<DynamicObject>(watch, resource), read).await;
            }
            Source::Pods => stream.run(self.api::<RawPod>(watch, resource), |pod| item::pod(&pod)).await,
            Source::Nodes => stream.run(self.api::<RawNode>(watch, resource), |node| item::node(&node)).await,
            Source::Jobs => {
                let api = self.api::<PartialObjectMeta<DynamicObject>>(watch, resource);
                stream.run(api, |job| item::job(&job)).await;
            }
            Source::Definitions => self.definitions(&stream).await,
        }
    }

    fn api<K: Resource<DynamicType = ApiResource, Scope = kube::core::DynamicResourceScope>>(
        &self,
        watch: &Watch,
        resource: &ApiResource,
    ) -> Api<K> {
        match &watch.scope {
            Scope::All => Api::all_with(self.client.clone(), resource),
            Scope::Namespace(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
        }
    }

    /// Counts changes of definitions by API group: `rollouts.argoproj.io` is one of `argoproj.io`.
    async fn definitions(&self, stream: &Stream<'_, impl Fn(State) + Sync>) {
        let api = Api::<PartialObjectMeta<CustomResourceDefinition>>::all(self.client.clone());
        let bump = |name: &str| {
            let group = name.split_once('.').map_or("", |(_, group)| group).to_owned();
            self.definitions.send_modify(|known| *known.get_or_insert_default().entry(group).or_default() += 1);
        };
        let told = |state: State| {
            if let State::Forbidden(_) = state {
                self.definitions.send_replace(None);
            } else {
                self.definitions.send_if_modified(|known| known.is_none() && known.insert(BTreeMap::new()).is_empty());
            }
            (stream.told)(state);
        };
        let mut refusals = Refusals::default();
        let mut events = pin!(watcher(api, watcher::Config::default()).backoff(Retries::new()));
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(object) | Event::Delete(object)) => bump(&object.name_any()),
                Ok(Event::InitDone) => {
                    refusals.allowed();
                    told(State::Filled);
                }
                Ok(Event::Init | Event::InitApply(_)) => {}
                Err(error) => {
                    if let Some(state) = stream.problem(&error, &mut refusals) {
                        told(state);
                    }
                }
            }
        }
    }
}

/// One run of a watch.
struct Stream<'a, T> {
    follower: &'a Follower,
    watch: &'a Watch,
    resource: &'a ApiResource,
    told: &'a T,
    cut_off: &'a (dyn Fn(String) + Sync),
}

impl<T: Fn(State) + Sync> Stream<'_, T> {
    /// Returns when the API server no longer has the kind.
    async fn run<K>(&self, api: Api<K>, read: impl Fn(K) -> Item)
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let id = |object: &K| Name::new(object.namespace().unwrap_or_default(), object.name_any());
        let shared = &self.follower.shared;
        let (mut listed, mut refusals) = (BTreeSet::new(), Refusals::default());
        let (mut pulse, mut is_cut_off) = (Pulse::new(self.follower.patience), false);
        let begin = || watcher(api.clone(), watcher::Config::default()).backoff(Retries::new());
        let mut events = pin!(begin());
        while let Some(event) = events.next().await {
            if event.as_ref().is_ok_and(|event| !matches!(event, Event::Init)) {
                pulse.alive();
                is_cut_off = false;
            }
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => {
                    listed.insert(id(&object));
                    self.changed(read(object));
                }
                Ok(Event::Apply(object)) => self.changed(read(object)),
                Ok(Event::Delete(object)) => self.deleted(&id(&object), read(object)),
                Ok(Event::InitDone) => {
                    shared.change(|view| view.retain(self.watch, &listed));
                    listed.clear();
                    refusals.allowed();
                    (self.told)(State::Filled);
                    self.needs_changed();
                }
                Err(error) => match self.problem(&error, &mut refusals) {
                    Some(State::Absent) => return,
                    Some(state) => (self.told)(state),
                    None if pulse.failed(Instant::now()) && !is_cut_off => {
                        is_cut_off = true;
                        let (watch, patience) = (self.watch, self.follower.patience);
                        (self.cut_off)(format!(
                            "watching {watch} has failed for {patience:?}: {}",
                            with_causes(&error)
                        ));
                        events.set(begin()); // it lists, which tells when it is back
                    }
                    None => {}
                },
            }
        }
    }

    fn deleted(&self, id: &Name, last: Item) {
        self.follower.shared.change(|view| {
            view.last(last);
            view.remove(&self.watch.source, id)
        });
        self.needs_changed();
    }

    fn changed(&self, item: Item) {
        let mut concerns = Concerned::new();
        self.follower.shared.change(|view| {
            concerns = view.apply(item);
            concerns.clone()
        });
        if !concerns.is_empty() {
            self.needs_changed();
        }
    }

    /// Budgets, claims, and workloads that borrow a template, say what has to be watched.
    fn needs_changed(&self) {
        if matches!(self.watch.source, Source::Budgets | Source::Claims | Source::Workloads { .. }) {
            self.follower.shared.needs_changed();
        }
    }

    /// What an error says about the watch as a whole; nothing: it is tried again.
    fn problem(&self, error: &watcher::Error, refusals: &mut Refusals) -> Option<State> {
        match status(error) {
            Some(status) if status.code == 404 => return Some(State::Absent),
            Some(status) if status.is_forbidden() && refusals.refused(Instant::now()) => {
                return Some(State::Forbidden(self.permission()));
            }
            _ => {}
        }
        // A watch that has been open for long is told to start again; nobody needs to know.
        if !matches!(error, watcher::Error::WatchError(status) if status.code == 410) {
            tracing::warn!(watch = %self.watch, "watching failed, trying again: {}", with_causes(error));
        }
        None
    }

    fn permission(&self) -> String {
        let ApiResource { group, plural, .. } = self.resource;
        let dotted = if group.is_empty() { plural.clone() } else { format!("{plural}.{group}") };
        let place = match &self.watch.scope {
            Scope::All => "in all namespaces (a ClusterRole)".to_owned(),
            Scope::Namespace(namespace) => format!("in the namespace {namespace}"),
        };
        format!("dbbudget may not list and watch {dotted}: grant it the verbs list and watch on {dotted} {place}")
    }
}

/// What the API server said, if it said anything.
pub(in crate::cluster) fn status(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

/// An error with what caused it: "connection refused" is the last of a chain.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let mut texts: Vec<String> = Vec::new();
    for text in causes {
        if texts.last().is_none_or(|before| !before.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}
