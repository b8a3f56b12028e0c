//! Who tells whom what: the channels between the parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::api::parse::Name;
use crate::cluster::answers::{Answer, Wanted};
use crate::cluster::webhook::Namespaces;
use crate::controller::Ports;
use crate::controller::leases::ledgers::Ledgers;

/// The ends of all channels.
pub struct Wires {
    /// The controller's.
    pub controller: Ports,
    /// Of the part that asks databases.
    pub databases: Databases,
    /// The webhook's.
    pub webhook: Webhook,
    /// Of those who grant.
    pub leases: Leases,
}

/// The ends of the part that asks databases.
pub struct Databases {
    /// Whom to ask.
    pub wanted: watch::Receiver<Arc<Vec<Wanted>>>,
    /// What they answered.
    pub answers: watch::Sender<Arc<BTreeMap<Name, Answer>>>,
}

/// The webhook's ends.
pub struct Webhook {
    /// Namespaces whose pods it is asked about.
    pub namespaces: watch::Receiver<Option<Arc<Namespaces>>>,
    /// What keeps it from being asked.
    pub trouble: watch::Sender<Option<String>>,
    /// The namespaces that the API server knows of.
    pub registered: watch::Sender<Option<Arc<Namespaces>>>,
}

/// The ends of those who grant.
pub struct Leases {
    /// The ledgers, for others.
    pub ledgers: Arc<Ledgers>,
    /// The namespaces that the API server asks the webhook about.
    pub registered: watch::Receiver<Option<Arc<Namespaces>>>,
    /// Budgets whose published numbers changed.
    pub wake: mpsc::UnboundedReceiver<Name>,
}

impl Wires {
    /// Nobody has told anything yet.
    pub fn new(leader: watch::Receiver<bool>) -> Self {
        let (wanted, wants) = watch::channel(Arc::default());
        let (tell, answers) = watch::channel(Arc::default());
        let (namespaces, asked_about) = watch::channel(None);
        let (trouble, webhook_trouble) = watch::channel(None);
        let (registers, registered) = watch::channel(None);
        let (wake_leases, wake) = mpsc::unbounded_channel();
        let (ledgers, ledger_changes) = Ledgers::new();
        let leases = Leases { ledgers: ledgers.clone(), registered, wake };
        let controller =
            Ports { leader, answers, wanted, namespaces, webhook_trouble, ledgers, ledger_changes, wake_leases };
        let webhook = Webhook { namespaces: asked_about, trouble, registered: registers };
        Self { controller, databases: Databases { wanted: wants, answers: tell }, webhook, leases }
    }
}
