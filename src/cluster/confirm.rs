//! What each replica of the webhook confirms: which budgets' pods it makes wait, and since when. Each has a Lease of its own,
//! with that in an annotation; one whose Lease is not renewed does not answer any more. A replica that cannot renew it is
//! not ready, so that the API server does not ask it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;

use super::view::{Notice, Shared};
use super::write::WriteError;
use crate::api::policy::Enforcement;
use crate::budget::ledger::Moment;
use crate::budget::ledger::adoption::Replica;

/// What a replica confirms, by the UID of the budget.
type Confirmed = BTreeMap<String, Confirmation>;

/// That pods of a budget wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Confirmation {
    /// The newest generation of the budget that this replica knows.
    generation: i64,
    /// Since when it makes its pods wait, in seconds since 1970.
    since: i64,
}

const ANNOTATION: &str = "dbbudget.dev/confirmed";
const LABEL: &str = "dbbudget.dev/webhook";
const FIELD_MANAGER: &str = "dbbudget/confirm";
const RENEWAL: Duration = Duration::from_secs(10);
/// A replica that has not renewed for this long does not answer any more.
const LASTS: Duration = Duration::from_secs(30);
/// Changes come together.
const GATHER: Duration = Duration::from_millis(50);
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Leases of replicas that ended without a word are removed after this time.
const OLD: i64 = 3_600;

/// Which Lease, and whose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where all replicas have theirs.
    pub namespace: String,
    /// Name of the election's Lease, which all replicas share.
    pub group: String,
    /// This replica.
    pub identity: String,
}

impl Settings {
    /// A name that the API server takes, whatever the replica is called.
    fn lease(&self) -> String {
        let safe = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        let identity: String = self.identity.to_lowercase().chars().map(safe).collect();
        let tail: String = identity.chars().rev().take(63).collect::<Vec<_>>().into_iter().rev().collect();
        format!("{}-webhook-{}", self.group, tail.trim_matches('-'))
    }
}

/// Renews this replica's Lease for ever. `trouble` is told what keeps it from that for longer than a Lease lasts.
pub async fn run(client: Client, settings: Settings, shared: Shared, trouble: impl Fn(Option<String>)) -> Infallible {
    let api: Api<Lease> = Api::namespaced(client, &settings.namespace);
    let (mut notices, mut known) = (shared.listen(), Confirmed::new());
    let mut renewed = Instant::now();
    tidy(&api, &settings.group).await;
    loop {
        known = confirmed(&shared, &known);
        match timeout(TIME_LIMIT, write(&api, &settings, &known)).await {
            Ok(Ok(())) => {
                renewed = Instant::now();
                trouble(None);
            }
            outcome if renewed.elapsed() > LASTS => {
                let why = outcome
                    .map_or_else(|_| "no answer in time".into(), |r| r.err().map_or(String::new(), |e| e.to_string()));
                trouble(Some(format!(
                    "its Lease {}/{} cannot be renewed: {why}",
                    settings.namespace,
                    settings.lease()
                )));
            }
            _ => {}
        }
        let news = async {
            while let Some(notice) = notices.recv().await {
                if matches!(notice, Notice::Concerned(_)) && confirmed(&shared, &known) != known {
                    return tokio::time::sleep(GATHER).await;
                }
            }
            std::future::pending::<()>().await;
        };
        let _ = timeout(RENEWAL, news).await;
    }
}

/// The budgets whose pods this replica makes wait. `before`: since when it does.
fn confirmed(shared: &Shared, before: &Confirmed) -> Confirmed {
    let view = shared.read();
    let now = Timestamp::now().as_second();
    let leasing = view.snapshot().budgets().filter(|budget| budget.enforcement == Enforcement::Lease);
    let confirm = leasing.filter_map(|budget| {
        let version = &view.budget(&budget.name)?.version;
        let since = before.get(&version.uid).map_or(now, |known| known.since);
        Some((version.uid.clone(), Confirmation { generation: version.generation?, since }))
    });
    confirm.collect()
}

async fn write(api: &Api<Lease>, settings: &Settings, confirmed: &Confirmed) -> Result<(), kube::Error> {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": settings.lease(),
            "labels": {LABEL: settings.group},
            "annotations": {ANNOTATION: serde_json::to_string(confirmed).unwrap_or_default()},
        },
        "spec": {
            "holderIdentity": settings.identity,
            "leaseDurationSeconds": LASTS.as_secs(),
            "renewTime": MicroTime(Timestamp::now()),
        },
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_metadata(&settings.lease(), &params, &Patch::Apply(&lease)).await.map(drop)
}

/// Removes the Leases of replicas that ended long ago.
async fn tidy(api: &Api<Lease>, group: &str) {
    let Ok(Ok(leases)) = timeout(TIME_LIMIT, api.list(&selected(group))).await else { return };
    let now = Timestamp::now().as_second();
    for lease in leases.items.iter().filter(|lease| renewed(lease).is_none_or(|at| at.as_second() + OLD < now)) {
        let _ = timeout(TIME_LIMIT, api.delete(&lease.name_any(), &DeleteParams::default())).await; // the next one does
    }
}

fn selected(group: &str) -> ListParams {
    ListParams::default().labels(&format!("{LABEL}={group}"))
}

fn renewed(lease: &Lease) -> Option<Timestamp> {
    Some(lease.spec.as_ref()?.renew_time.as_ref()?.0)
}

/// All replicas, as the leader sees them.
#[derive(Clone)]
pub struct Replicas {
    api: Api<Lease>,
    group: String,
    /// The last renewal of each, and when this process saw it: clocks of other machines are not trusted.
    seen: Arc<Mutex<BTreeMap<String, (Timestamp, Instant)>>>,
}

impl Replicas {
    /// Nobody has been seen yet.
    #[must_use]
    pub fn new(client: Client, settings: &Settings) -> Self {
        Self { api: Api::namespaced(client, &settings.namespace), group: settings.group.clone(), seen: Arc::default() }
    }

    /// How many replicas may answer. Each is taken to do so until its Lease was not renewed for as long as that lasts.
    ///
    /// # Errors
    /// When their Leases were not read.
    pub async fn live(&self) -> Result<usize, WriteError> {
        let all = self.of("", None).await?;
        // The last one is no replica, but what the API server knows of them.
        Ok(all.iter().rev().skip(1).filter(|replica| replica.live).count())
    }

    /// What each replica confirms of a budget. `registered`: since when the API server asks them at all.
    ///
    /// # Errors
    /// When their Leases were not read.
    pub async fn of(&self, uid: &str, registered: Option<(i64, Moment)>) -> Result<Vec<Replica>, WriteError> {
        let what = || "the Leases of the webhook's replicas".to_owned();
        let listed = timeout(TIME_LIMIT, self.api.list(&selected(&self.group))).await;
        let listed = listed.map_err(|_| WriteError::TimedOut(what()))?;
        let listed = listed.map_err(|error| WriteError::Failed { what: what(), why: error.to_string() })?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let replicas = listed.items.iter().map(|lease| {
            let at = renewed(lease).unwrap_or_default();
            let known = seen.entry(lease.name_any()).or_insert((at, Instant::now()));
            if known.0 != at {
                *known = (at, Instant::now());
            }
            Replica { confirmed: confirmation(lease, uid), live: known.1.elapsed() <= LASTS }
        });
        let registration = Replica { confirmed: registered, live: true };
        Ok(replicas.chain([registration]).collect())
    }
}

fn confirmation(lease: &Lease, uid: &str) -> Option<(i64, Moment)> {
    let all: Confirmed = serde_json::from_str(lease.annotations().get(ANNOTATION)?).ok()?;
    all.get(uid).map(|confirmed| (confirmed.generation, Moment(confirmed.since)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_has_a_lease_whatever_it_is_called() {
        let settings =
            |identity: &str| Settings { namespace: "ns".into(), group: "dbbudget".into(), identity: identity.into() };
        assert_eq!(settings("dbbudget-7d9f-x2x").lease(), "dbbudget-webhook-dbbudget-7d9f-x2x");
        assert_eq!(settings("Host.Example_1").lease(), "dbbudget-webhook-host-example-1");
        assert!(settings(&"a".repeat(300)).lease().len() < 100);
    }
}
