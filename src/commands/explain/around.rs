//! The budgets that a pod may draw from, as they are stored.

use std::collections::BTreeSet;

use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, CustomResourceExt, ResourceExt};

use crate::api::ledger::DatabaseLedgerSpec;
use crate::api::parse::Name;
use crate::api::status::BudgetStatus;
use crate::api::workload::Source;
use crate::api::{DatabaseBudget, DatabaseClaim, DatabaseLedger};
use crate::budget::claim::Source as Draws;
use crate::cluster::view::item::RawPod;
use crate::cluster::write::ledger::readable;
use crate::commands::reach::{ReachError, failed};
use crate::controller::leases::ledgers::budget_name;
use crate::pod::pinned::Pinned;

/// A budget, and what is known around it.
#[derive(Clone, Debug)]
pub struct Around {
    /// Its name.
    pub name: Name,
    /// The budget; nothing: there is none.
    pub budget: Option<DatabaseBudget>,
    /// Its ledger.
    pub ledger: Option<DatabaseLedgerSpec>,
    /// What is wrong with its ledger, and how to mend it.
    pub broken: Option<String>,
    /// The claims of the pod's namespace.
    pub claims: Vec<DatabaseClaim>,
    /// Why the budget may not be read.
    pub unread: Option<String>,
}

impl Around {
    /// The budget's status; nothing where its ledger is broken, of which it tells what was before.
    #[must_use]
    pub fn current(&self) -> Option<&BudgetStatus> {
        self.budget.as_ref().filter(|_| self.broken.is_none())?.status.as_ref()
    }

    /// What a claim draws from, by its row in the status.
    #[must_use]
    pub fn draws(&self, claim: &str) -> Draws {
        let name = claim.split_once('/').map_or(claim, |(_, name)| name);
        let inline = self.budget.iter().flat_map(|budget| &budget.spec.workloads);
        let inline = inline.filter(|entry| is_row(name, &entry.name)).map(|entry| entry.source);
        let claims = self.claims.iter().filter(|claim| is_row(name, &claim.name_any())).map(|claim| claim.spec.source);
        match inline.chain(claims).next() {
            Some(Source::Reserve) => Draws::Reserve,
            _ => Draws::Allocatable,
        }
    }
}

/// Whether a row is that of an entry; a match of a selector is called `ENTRY/MATCH`.
fn is_row(row: &str, entry: &str) -> bool {
    row == entry || row.strip_prefix(entry).is_some_and(|rest| rest.starts_with('/'))
}

/// Reads the budgets that a pod awaits or was born with; where it has none, all that its workload could draw from.
pub async fn gather(client: &Client, namespace: &str, raw: &RawPod) -> Result<Vec<Around>, ReachError> {
    let api: Api<DatabaseClaim> = Api::namespaced(client.clone(), namespace);
    let claims = api.list(&ListParams::default()).await.map_err(failed("cannot read DatabaseClaims"))?.items;
    let pinned = raw.metadata.annotations.as_ref().and_then(Pinned::read);
    let mut names: BTreeSet<Name> =
        pinned.iter().flat_map(|p| &p.0).filter_map(|claim| budget_name(&claim.budget)).collect();
    if names.is_empty() {
        let api: Api<DatabaseBudget> = Api::namespaced(client.clone(), namespace);
        let own = api.list_metadata(&ListParams::default()).await.map_err(failed("cannot read DatabaseBudgets"))?;
        names.extend(own.items.iter().map(|budget| Name::new(namespace, budget.name_any())));
        names.extend(claims.iter().map(|claim| {
            let of = &claim.spec.budget_ref;
            Name::new(of.namespace.clone().unwrap_or_else(|| namespace.to_owned()), of.name.clone())
        }));
    }
    let mut around = Vec::new();
    for name in names {
        around.push(one(client, name, &claims).await?);
    }
    Ok(around)
}

async fn one(client: &Client, name: Name, claims: &[DatabaseClaim]) -> Result<Around, ReachError> {
    let budgets: Api<DatabaseBudget> = Api::namespaced(client.clone(), &name.namespace);
    let resource = DatabaseLedger::api_resource();
    let ledgers: Api<DynamicObject> = Api::namespaced_with(client.clone(), &name.namespace, &resource);
    let read = tokio::join!(budgets.get_opt(&name.name), ledgers.get_opt(&name.name));
    let (budget, ledger, unread) = match read {
        (Ok(budget), Ok(ledger)) => (budget, ledger, None),
        // A budget of another team's namespace; what is here can be explained all the same.
        (Err(kube::Error::Api(status)), _) | (_, Err(kube::Error::Api(status))) if status.is_forbidden() => {
            (None, None, Some(status.message.clone()))
        }
        (Err(error), _) | (_, Err(error)) => return Err(failed(format!("cannot read the budget {name}"))(error)),
    };
    let (ledger, broken) = match ledger.map(|ledger| readable(&ledger)).transpose() {
        Ok(ledger) => (ledger, None),
        Err(why) => (None, Some(why)),
    };
    Ok(Around { name, budget, ledger, broken, claims: claims.to_vec(), unread })
}
