//! The budget that is asked, and what its ledger answers.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::watch_object;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::ReserveError;
use crate::api::DatabaseBudget;
use crate::api::ledger::{DatabaseLedgerSpec, Origin, Phase};
use crate::api::parse::{Name, ledger};
use crate::api::policy::Enforcement;
use crate::api::reserved::{RESERVED, Reservation, read, written};
use crate::budget::claim::Source;
use crate::budget::ledger::Moment;
use crate::cluster::write::ledger::readable;
use crate::commands::reach::{ReachError, failed};
use crate::commands::words::age;

/// Somebody else wrote at the same moment, so many times in a row.
const TRIES: usize = 5;
const FIELD_MANAGER: &str = "dbbudget/reserve";

/// A budget that is asked.
pub struct Budget {
    /// Its name.
    pub name: String,
    /// Its namespace and name.
    pub place: Name,
    budgets: Api<DatabaseBudget>,
    ledgers: Api<DynamicObject>,
}

/// What is asked for, and what was kept under its name before.
pub struct Asked {
    wanted: Reservation,
    before: Option<Reservation>,
}

impl Asked {
    /// When it ends, in seconds since 1970.
    #[must_use]
    pub fn until(&self) -> i64 {
        self.wanted.until.0.as_second()
    }
}

impl Budget {
    /// The budget of this name, or the only one.
    pub async fn find(
        budgets: Api<DatabaseBudget>,
        ledgers: Api<DynamicObject>,
        namespace: &str,
        name: Option<&str>,
    ) -> Result<Self, ReserveError> {
        let listed = budgets.list(&ListParams::default()).await.map_err(failed("cannot read DatabaseBudgets"))?.items;
        let there: Vec<String> = listed.iter().map(ResourceExt::name_any).collect();
        let no = |what: String| Err(ReserveError::Budget { what, there: there.clone() });
        let found = match (name, listed.as_slice()) {
            (Some(name), all) => all.iter().find(|budget| budget.name_any() == name),
            (None, [only]) => Some(only),
            (None, []) => None,
            (None, _) => return no(format!("the namespace {namespace} has several budgets; say which one")),
        };
        let Some(found) = found else {
            let name = name.map(|name| format!(" {name}")).unwrap_or_default();
            let has = if there.is_empty() { "; say -n where it is in another one" } else { ", which has" };
            return no(format!("no budget{name} in the namespace {namespace}{has}"));
        };
        let (name, place) = (found.name_any(), Name::new(namespace, found.name_any()));
        match found.spec.enforcement {
            Enforcement::Lease => Ok(Self { name, place, budgets, ledgers }),
            other => Err(ReserveError::NoLease(place.to_string(), other)),
        }
    }

    /// Asks for connections, in the place of what was asked for under this name before.
    pub async fn ask(&self, name: &str, connections: u32, lasts: SignedDuration) -> Result<Asked, ReserveError> {
        let now = Timestamp::now();
        let end = now.checked_add(lasts).unwrap_or(Timestamp::MAX).as_second();
        let until = Time(Timestamp::from_second(end).unwrap_or_default());
        let wanted = Reservation { name: name.to_owned(), connections, until };
        let before = self.write(name, Some(&wanted), |_| true).await?;
        Ok(Asked { wanted, before: before.filter(|before| before.until.0 > now) })
    }

    /// Asks for nothing under this name any more. Answers whether something was asked for.
    pub async fn withdraw(&self, name: &str) -> Result<bool, ReserveError> {
        Ok(self.write(name, None, |_| true).await?.is_some())
    }

    /// Asks for what was asked for before, unless somebody has asked for something else since.
    pub async fn restore(&self, asked: &Asked) -> Result<(), ReachError> {
        let is_ours = |there: Option<&Reservation>| there == Some(&asked.wanted);
        match self.write(&asked.wanted.name, asked.before.as_ref(), is_ours).await {
            Err(ReserveError::Reach(error)) => Err(error),
            _ => Ok(()), // or somebody has written what nobody can read
        }
    }

    /// Writes what is asked for under a name, if what is there `is_due`, and on condition that nobody else wrote since.
    /// Answers what was, and drops what has ended.
    async fn write(
        &self,
        name: &str,
        wanted: Option<&Reservation>,
        is_due: impl Fn(Option<&Reservation>) -> bool,
    ) -> Result<Option<Reservation>, ReserveError> {
        let what = || format!("cannot ask for it: the budget {} was not changed", self.place);
        let mut tries = 0;
        loop {
            let budget = self.budgets.get_metadata(&self.name).await.map_err(failed(what()))?;
            let unreadable = |why| ReserveError::Unreadable(self.place.to_string(), why, self.name.clone());
            let mut asked = read(budget.metadata.annotations.as_ref()).map_err(unreadable)?;
            let before = asked.iter().find(|one| one.name == name).cloned();
            if !is_due(before.as_ref()) {
                return Ok(before);
            }
            let now = Timestamp::now();
            asked.retain(|one| one.name != name && one.until.0 > now);
            asked.extend(wanted.cloned());
            let annotations = BTreeMap::from([(RESERVED, written(&asked))]);
            let version = budget.resource_version();
            let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version, "annotations": annotations}}));
            let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
            match self.budgets.patch_metadata(&self.name, &params, &patch).await {
                Ok(_) => return Ok(before),
                Err(kube::Error::Api(status)) if status.is_conflict() && tries < TRIES => tries += 1,
                Err(error) => return Err(failed(what())(error).into()),
            }
        }
    }

    /// Waits until the ledger has an entry of it.
    pub async fn until_kept(&self, asked: &Asked, limit: Duration) -> Result<(), ReserveError> {
        let key = asked.wanted.key();
        let why = |ledger: Option<&DatabaseLedgerSpec>| in_the_way(ledger, &asked.wanted);
        let kept = self.until(|ledger| ledger.is_some_and(|l| l.entries.contains_key(&key)), why, limit).await;
        kept.map_err(|(waited, why)| ReserveError::Late { earlier: asked.before.is_some(), waited, why })
    }

    /// Waits until the ledger has nothing under a name.
    pub async fn until_free(&self, name: &str, limit: Duration) -> Result<(), ReserveError> {
        let keeps = |ledger: &DatabaseLedgerSpec| {
            ledger.entries.values().any(|entry| entry.origin == Origin::Reserved && entry.name == name)
        };
        let why = |_: Option<&DatabaseLedgerSpec>| NOBODY.to_owned();
        let free = self.until(|ledger| !ledger.is_some_and(keeps), why, limit).await;
        free.map_err(|(waited, why)| ReserveError::NotFree { waited, why })
    }

    /// Waits for the ledger; or answers for how long it did, and what is in the way.
    async fn until(
        &self,
        is: impl Fn(Option<&DatabaseLedgerSpec>) -> bool,
        why: impl Fn(Option<&DatabaseLedgerSpec>) -> String,
        limit: Duration,
    ) -> Result<(), (String, String)> {
        let (began, mut last) = (Instant::now(), Ok(None));
        let wait = async {
            let mut changes = pin!(watch_object(self.ledgers.clone(), &self.name).default_backoff());
            while let Some(change) = changes.next().await {
                let Ok(ledger) = change else { continue }; // an outage only takes time
                last = ledger.map(|ledger| readable(&ledger)).transpose();
                if last.as_ref().is_ok_and(|ledger| is(ledger.as_ref())) {
                    return true;
                }
            }
            false
        };
        let is_so = timeout(limit, wait).await.unwrap_or(false);
        if is_so {
            return Ok(());
        }
        let seconds = i64::try_from(began.elapsed().as_secs()).unwrap_or(i64::MAX);
        let why =
            last.map_or_else(|error| format!("the ledger cannot be read: {error}"), |ledger| why(ledger.as_ref()));
        Err((age(0, Moment(seconds)), why))
    }
}

const NOBODY: &str =
    "the ledger has not changed: does dbbudget run? kubectl get leases -A shows when its replicas were heard of";

/// What keeps a reservation from being granted.
fn in_the_way(stored: Option<&DatabaseLedgerSpec>, wanted: &Reservation) -> String {
    let Some(stored) = stored else {
        return "the budget has no ledger yet: dbbudget makes it, if it runs".to_owned();
    };
    if stored.phase == Phase::Adopting {
        return "the ledger still takes in pods that run already".to_owned();
    }
    let ledger = ledger(stored);
    let number = |n: crate::budget::connections::Connections| n.bounded().unwrap_or_default();
    let (held, bound) = (number(ledger.held(Source::Allocatable)), number(ledger.bound(Source::Allocatable)));
    let free = bound.saturating_sub(held);
    if free >= wanted.connections.into() {
        return format!(
            "{free} of {bound} are free, which a pod that is being replaced may need for a minute; or {NOBODY}"
        );
    }
    format!("{free} of {bound} are free, and {} were asked for. dbbudget top shows who holds them", wanted.connections)
}
