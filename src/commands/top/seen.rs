//! Budgets and ledgers as they are stored, and as they change.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::{BoxStream, select};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, ListParams, ObjectMeta};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::{self, Event, watcher};

use crate::api::ledger::DatabaseLedgerSpec;
use crate::api::parse::Name;
use crate::api::{DatabaseBudget, DatabaseLedger};
use crate::cluster::view::follow::with_causes;
use crate::cluster::write::ledger::readable;
use crate::commands::reach::{ReachError, failed};
use crate::pod::workloads;

/// What is shown, and where it comes from.
pub struct Scope {
    /// Asks the cluster.
    pub client: Client,
    /// Of this namespace alone.
    pub namespace: Option<String>,
    /// This budget alone.
    pub budget: Option<String>,
}

/// All that was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Budgets.
    pub budgets: BTreeMap<Name, DatabaseBudget>,
    /// Ledgers, also of budgets that are gone; or what is wrong with one.
    pub ledgers: BTreeMap<Name, Result<DatabaseLedgerSpec, String>>,
    /// The workload of each pod that was looked up, by UID; nothing: it is gone, or belongs to none.
    pub workloads: BTreeMap<String, Option<String>>,
    /// What a list has named so far that is not complete yet.
    listed: (BTreeMap<Name, DatabaseBudget>, BTreeMap<Name, Result<DatabaseLedgerSpec, String>>),
}

/// A pod that has an entry.
struct Holder<'a> {
    uid: &'a str,
    name: &'a str,
}

/// More pods of one namespace than these are looked up by a list.
const ONE_BY_ONE: usize = 10;

/// What changed.
pub enum Change {
    /// A budget.
    Budget(Box<Event<DatabaseBudget>>),
    /// A ledger.
    Ledger(Box<Event<DynamicObject>>),
}

fn name(object: &impl ResourceExt) -> Name {
    Name::new(object.namespace().unwrap_or_default(), object.name_any())
}

impl Seen {
    /// Takes a change. Answers whether there is anything to draw.
    pub fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Budget(event) => apply(&mut self.budgets, &mut self.listed.0, *event, |budget| budget),
            Change::Ledger(event) => apply(&mut self.ledgers, &mut self.listed.1, *event, |ledger| readable(&ledger)),
        }
    }

    /// Pods that nobody has looked up, by their namespace.
    fn unknown(&self) -> BTreeMap<&str, Vec<Holder<'_>>> {
        let mut unknown: BTreeMap<&str, Vec<Holder>> = BTreeMap::new();
        for ledger in self.ledgers.values().flatten() {
            for (uid, entry) in ledger.all() {
                if entry.origin.is_pod() && !self.workloads.contains_key(uid) {
                    let holder = Holder { uid, name: &entry.name };
                    unknown.entry(&entry.namespace).or_default().push(holder);
                }
            }
        }
        unknown
    }
}

/// A list replaces what was seen once it is complete.
fn apply<K: ResourceExt, T>(
    all: &mut BTreeMap<Name, T>,
    listed: &mut BTreeMap<Name, T>,
    event: Event<K>,
    read: impl Fn(K) -> T,
) -> bool {
    match event {
        Event::Init => {
            listed.clear();
            false
        }
        Event::InitApply(object) => {
            listed.insert(name(&object), read(object));
            false
        }
        Event::InitDone => {
            *all = std::mem::take(listed);
            true
        }
        Event::Apply(object) => {
            all.insert(name(&object), read(object));
            true
        }
        Event::Delete(object) => all.remove(&name(&object)).is_some(),
    }
}

impl Scope {
    fn budgets(&self) -> Api<DatabaseBudget> {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// Read one by one: what is wrong with one is said of that one alone.
    fn ledgers(&self) -> Api<DynamicObject> {
        let resource = DatabaseLedger::api_resource();
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    fn selector(&self) -> Option<String> {
        self.budget.as_ref().map(|name| format!("metadata.name={name}"))
    }

    /// Everything as it is now.
    pub async fn read(&self) -> Result<Seen, ReachError> {
        let params = ListParams { field_selector: self.selector(), ..ListParams::default() };
        let budgets = self.budgets().list(&params).await.map_err(failed("cannot read DatabaseBudgets"))?;
        let ledgers = self.ledgers().list(&params).await.map_err(failed("cannot read DatabaseLedgers"))?;
        Ok(Seen {
            budgets: budgets.items.into_iter().map(|budget| (name(&budget), budget)).collect(),
            ledgers: ledgers.items.into_iter().map(|ledger| (name(&ledger), readable(&ledger))).collect(),
            ..Seen::default()
        })
    }

    /// The names of all budgets, whatever was asked for.
    pub async fn names(&self) -> Result<Vec<String>, ReachError> {
        let api = self.budgets();
        let listed = api.list_metadata(&ListParams::default()).await.map_err(failed("cannot read DatabaseBudgets"))?;
        Ok(listed.items.iter().map(|budget| name(budget).to_string()).collect())
    }

    /// Everything that changes from now on; or why nobody knows. It goes on by itself after an outage.
    pub fn changes(&self) -> BoxStream<'static, Result<Change, String>> {
        let config = match self.selector() {
            Some(selector) => watcher::Config::default().fields(&selector),
            None => watcher::Config::default(),
        };
        let budgets = watcher(self.budgets(), config.clone()).default_backoff();
        let ledgers = watcher(self.ledgers(), config).default_backoff();
        let budgets = budgets.map(|event| event.map(Box::new).map(Change::Budget));
        let ledgers = ledgers.map(|event| event.map(Box::new).map(Change::Ledger));
        select(budgets, ledgers).map(|change| change.map_err(|error| with_causes(&error))).boxed()
    }

    /// Looks up the workloads of pods that are new. A pod's owner never changes, so that each is asked for once; where pods
    /// may not be read, they stand for themselves.
    pub async fn name_workloads(&self, seen: &mut Seen) {
        let mut found = BTreeMap::new();
        for (namespace, holders) in seen.unknown() {
            let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
            let pods = if holders.len() > ONE_BY_ONE {
                let listed = api.list_metadata(&ListParams::default()).await;
                listed.map(|listed| listed.items).unwrap_or_default()
            } else {
                let reads = holders.iter().map(|holder| api.get_metadata_opt(holder.name));
                join_all(reads).await.into_iter().filter_map(|read| read.ok().flatten()).collect()
            };
            found.extend(holders.iter().map(|holder| (holder.uid.to_owned(), None)));
            found.extend(pods.iter().filter_map(|pod| Some((pod.uid()?, workload(&pod.metadata, namespace)))));
        }
        seen.workloads.extend(found);
    }
}

/// The outermost workload that a pod belongs to, as `Deployment/api`.
fn workload(meta: &ObjectMeta, namespace: &str) -> Option<String> {
    workloads(meta, namespace).pop().map(|outermost| format!("{}/{}", outermost.kind, outermost.name))
}
