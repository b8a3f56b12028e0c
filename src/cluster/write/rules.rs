//! Which budget and claims there are, as all of etcd has them: before pods are let go that nothing seems to rule.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::{WriteError, Writer, limited};
use crate::api::parse::Name;
use crate::api::{DatabaseBudget, DatabaseClaim};

/// Which version of an object: its UID, and the generation of its spec.
pub type Version = (String, Option<i64>);

/// What rules pods of some namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The budget, if there is one.
    pub budget: Option<Version>,
    /// Claims on it.
    pub claims: BTreeMap<Name, Version>,
}

impl Writer {
    /// Reads a budget, and the claims on it in these namespaces.
    ///
    /// # Errors
    /// When they were not read.
    pub async fn rules(&self, name: &Name, namespaces: BTreeSet<&str>) -> Result<Rules, WriteError> {
        let version = |object: &dyn Fn() -> (Option<String>, Option<i64>)| {
            let (uid, generation) = object();
            (uid.unwrap_or_default(), generation)
        };
        let api: Api<DatabaseBudget> = Api::namespaced(self.client.clone(), &name.namespace);
        let permission = || "get on databasebudgets.dbbudget.dev".to_owned();
        let what = format!("the DatabaseBudget {name}");
        let budget = limited(what, &name.namespace, permission, api.get_metadata_opt(&name.name)).await?;
        let budget = budget.map(|b| version(&|| (b.uid(), b.metadata.generation)));
        let mut claims = BTreeMap::new();
        for namespace in namespaces {
            let api: Api<DatabaseClaim> = Api::namespaced(self.client.clone(), namespace);
            let permission = || "list on databaseclaims.dbbudget.dev".to_owned();
            let params = ListParams::default();
            let listed = limited("the DatabaseClaims".into(), namespace, permission, api.list(&params)).await?;
            for claim in listed.items {
                let of = &claim.spec.budget_ref;
                if (of.namespace.as_deref().unwrap_or(namespace), &of.name) == (&name.namespace, &name.name) {
                    let key = Name::new(namespace, claim.name_any());
                    claims.insert(key, version(&|| (claim.uid(), claim.metadata.generation)));
                }
            }
        }
        Ok(Rules { budget, claims })
    }

    /// When a node's kubelet renewed its Lease last; nothing: it has none.
    ///
    /// # Errors
    /// When it was not read.
    pub async fn node_renewed(&self, node: &str) -> Result<Option<crate::budget::ledger::Moment>, WriteError> {
        const NAMESPACE: &str = "kube-node-lease";
        let api: Api<k8s_openapi::api::coordination::v1::Lease> = Api::namespaced(self.client.clone(), NAMESPACE);
        let permission = || "get on leases.coordination.k8s.io".to_owned();
        let lease = limited(format!("the Lease {NAMESPACE}/{node}"), NAMESPACE, permission, api.get_opt(node)).await?;
        let renewed = lease.and_then(|lease| lease.spec?.renew_time);
        Ok(renewed.map(|time| crate::budget::ledger::Moment(time.0.as_second())))
    }
}
