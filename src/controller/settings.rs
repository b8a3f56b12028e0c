//! How the controller runs, and what other parts and it tell each other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::leases::ledgers::Ledgers;
use crate::api::parse::Name;
use crate::cluster::answers::{Answers, Wanted};
use crate::cluster::webhook::Namespaces;

/// How the controller runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces that it is confined to; nothing: all.
    pub namespaces: Option<Vec<String>>,
    /// Whether pods get shares; with `--mode observe` nothing is written but status and events.
    pub injects: bool,
    /// The first pause between two looks at one budget while changes keep coming.
    pub debounce: Duration,
    /// How long a share has to stay the same before pods are restarted for it.
    pub restart_after: Duration,
    /// How long everything has to fit before what was scaled down is restored.
    pub restore_after: Duration,
    /// Tells this replica from others in events.
    pub instance: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespaces: None,
            injects: true,
            debounce: Duration::from_millis(100),
            restart_after: Duration::from_secs(30),
            restore_after: Duration::from_secs(300),
            instance: None,
        }
    }
}

/// What other parts tell the controller, and what it tells them.
pub struct Ports {
    /// Whether this replica leads.
    pub leader: watch::Receiver<bool>,
    /// What servers answered.
    pub answers: Answers,
    /// Which servers are to be asked.
    pub wanted: watch::Sender<Arc<Vec<Wanted>>>,
    /// Namespaces whose pods get shares; nothing until all budgets are known.
    pub namespaces: watch::Sender<Option<Arc<Namespaces>>>,
    /// What keeps the webhook from being asked.
    pub webhook_trouble: watch::Receiver<Option<String>>,
    /// The ledgers as they were last written.
    pub ledgers: Arc<Ledgers>,
    /// Which of them changed.
    pub ledger_changes: mpsc::UnboundedReceiver<Name>,
    /// Budgets whose published numbers changed.
    pub wake_leases: mpsc::UnboundedSender<Name>,
}
