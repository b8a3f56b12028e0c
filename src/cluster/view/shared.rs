//! The view as several tasks hold it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::mpsc;

use super::sources::Watch;
use super::{Concerned, View};
use crate::api::parse::Name;

/// The view as the watches fill it and the controller reads it.
#[derive(Clone, Debug)]
pub struct Shared {
    view: Arc<RwLock<View>>,
    listeners: Arc<Mutex<Vec<mpsc::UnboundedSender<Notice>>>>,
}

/// What happened to the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// These budgets are concerned by a change.
    Concerned(Concerned),
    /// What has to be watched may have changed.
    Needs,
}

impl Shared {
    /// An empty view. Whoever receives the notices must keep up with them: they are as small as names, and many.
    #[must_use]
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Notice>) {
        let shared = Self { view: Arc::default(), listeners: Arc::default() };
        let received = shared.listen();
        (shared, received)
    }

    /// Notices from now on, for somebody else.
    #[must_use]
    pub fn listen(&self) -> mpsc::UnboundedReceiver<Notice> {
        let (notices, received) = mpsc::unbounded_channel();
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(notices);
        received
    }

    /// Those who no longer receive are stopping.
    fn tell(&self, notice: &Notice) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.send(notice.clone()).is_ok());
    }

    /// Looks at the view. Never held across an `await`.
    pub fn read(&self) -> RwLockReadGuard<'_, View> {
        // A panic in a change leaves at worst one object out of date until its next event.
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the view and tells whom it concerns.
    pub fn change(&self, how: impl FnOnce(&mut View) -> Concerned) {
        let concerned = how(&mut self.write());
        if !concerned.is_empty() {
            self.tell(&Notice::Concerned(concerned));
        }
    }

    /// Says which watches are over budgets and claims themselves.
    pub fn own(&self, watches: impl IntoIterator<Item = Watch>) {
        self.write().own = watches.into_iter().collect();
    }

    /// Says where dbbudget's own pods are; nothing: outside the cluster.
    pub fn runs_in(&self, namespace: Option<String>) {
        self.write().own_namespace = namespace;
    }

    /// Notes whether a budget's numbers depend on nodes. Answers whether that is news.
    #[must_use]
    pub fn depends_on_nodes(&self, name: &Name, depends: bool) -> bool {
        let known = self.read().on_nodes.contains(name);
        known != depends && self.write().set_on_nodes(name, depends)
    }

    /// Notes in which namespaces pods count for a ledger whose budget leases no longer; they are watched until they end.
    pub fn outlived(&self, name: &Name, namespaces: BTreeSet<String>) {
        if self.read().outlived.get(name).map_or(namespaces.is_empty(), |known| *known == namespaces) {
            return;
        }
        if namespaces.is_empty() {
            self.write().outlived.remove(name);
        } else {
            self.write().outlived.insert(name.clone(), namespaces);
        }
        self.needs_changed();
    }

    /// Tells that what has to be watched may have changed.
    pub fn needs_changed(&self) {
        self.tell(&Notice::Needs);
    }

    fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}
