//! Starts and stops watches as budgets need them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use tokio::task::{AbortHandle, Id, JoinSet};

use crate::cluster::view::follow::{Follower, Progress};
use crate::cluster::view::sources::{Scope, Source, Watch};
use crate::serve::health::{Pending, Readiness};

/// The watches that run.
pub struct Watches {
    follower: Follower,
    ready: Readiness,
    /// The watches over budgets and claims.
    own: Vec<Watch>,
    /// Whether dbbudget may not look beyond its namespaces.
    confined: bool,
    tasks: JoinSet<()>,
    running: BTreeMap<Watch, AbortHandle>,
    /// Until budgets and claims are listed and what they need has been started.
    first: Option<Pending>,
}

impl Watches {
    /// Nothing runs yet. `namespaces`: those that dbbudget is confined to; nothing: all.
    #[must_use]
    pub fn new(follower: Follower, ready: Readiness, namespaces: Option<&[String]>) -> Self {
        let scopes = namespaces.map_or_else(
            || vec![Scope::All],
            |names| names.iter().map(|name| Scope::Namespace(name.clone())).collect(),
        );
        let of =
            |source: Source| scopes.iter().map(move |scope| Watch { source: source.clone(), scope: scope.clone() });
        let own: Vec<Watch> = of(Source::Budgets).chain(of(Source::Claims)).collect();
        follower.shared.own(own.clone());
        let first = Some(ready.waiting_for("the first look at all budgets"));
        Self {
            follower,
            ready,
            own,
            confined: namespaces.is_some(),
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
            first,
        }
    }

    /// Brings the watches in line with what is needed. Answers whether all went well: a watch never ends by itself.
    pub async fn plan(&mut self) -> bool {
        let wanted = self.wanted();
        let unwanted: Vec<Watch> = self.running.keys().filter(|watch| !wanted.contains(watch)).cloned().collect();
        let mut well = true;
        for watch in unwanted {
            well &= self.stop(&watch, &wanted).await;
        }
        for watch in wanted {
            if !self.running.contains_key(&watch) {
                self.start(watch);
            }
        }
        if self.follower.shared.read().is_listed() {
            self.first = None;
        }
        well
    }

    /// Completes when a watch has ended, which is a fault.
    pub async fn ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await; // none has begun
        }
    }

    fn wanted(&self) -> BTreeSet<Watch> {
        let view = self.follower.shared.read();
        // A list that is half there would start watches that the whole list does without.
        let mut wanted = if view.is_listed() { view.wanted_watches(self.confined) } else { BTreeSet::new() };
        wanted.insert(Watch { source: Source::Definitions, scope: Scope::All });
        wanted.extend(self.own.iter().cloned());
        wanted
    }

    fn start(&mut self, watch: Watch) {
        tracing::debug!(%watch, "watching");
        let (follower, ready) = (self.follower.clone(), self.ready.clone());
        // Later ones are somebody's new budget, and no reason to call this replica not ready.
        let pending = self.first.is_some().then(|| ready.waiting_for(format!("the list of {watch}")));
        let key = watch.clone();
        let task = async move {
            let state = Mutex::new((pending, None));
            let progress = |progress| tell(&key, progress, &ready, &state);
            follower.follow(&key, progress).await;
        };
        let handle = self.tasks.spawn(task);
        self.running.insert(watch, handle);
    }

    async fn stop(&mut self, watch: &Watch, wanted: &BTreeSet<Watch>) -> bool {
        let Some(handle) = self.running.remove(watch) else { return true };
        tracing::debug!(%watch, "no longer needed");
        handle.abort();
        let well = self.wait_for(handle.id()).await;
        self.ready.clear(&watch.to_string());
        let wider = Watch { scope: Scope::All, ..watch.clone() };
        self.follower.shared.change(|view| {
            let mut concerned = view.set_state(watch, None);
            if !wanted.contains(&wider) {
                concerned.extend(view.retain(watch, &BTreeSet::new()));
            }
            concerned
        });
        well
    }

    /// Waits for a task that was told to stop, so that it changes nothing afterwards.
    async fn wait_for(&mut self, id: Id) -> bool {
        let mut well = true;
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let which = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, ())| *id);
            if which == id {
                return well;
            }
            well = false;
        }
        well
    }
}

/// What a watch waits for, and the permission it was found to lack.
type Told = (Option<Pending>, Option<String>);

/// Says once what changed about a watch.
fn tell(watch: &Watch, progress: Progress, ready: &Readiness, told: &Mutex<Told>) {
    let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    told.0 = None;
    match progress {
        Progress::Filled => {
            if told.1.take().is_some() {
                tracing::info!(%watch, "can be read now");
                ready.clear(&watch.to_string());
            }
        }
        Progress::Forbidden(sentence) | Progress::CutOff(sentence) => {
            if told.1.as_ref() == Some(&sentence) {
                return;
            }
            tracing::error!("{sentence}");
            // Without definitions, kinds that are missing are looked for now and then instead.
            // A kind that somebody's claim chose is that budget's trouble, not this replica's.
            if watch.source != Source::Definitions && !watch.source.is_chosen() {
                ready.problem(watch.to_string(), sentence.clone());
            }
            told.1 = Some(sentence);
        }
    }
}
