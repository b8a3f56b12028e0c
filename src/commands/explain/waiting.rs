//! Why a pod waits for one budget: as its status says, or for those whom the status does not show, as the ledger says.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::Around;
use super::account::Case;
use crate::api::parse::ledger;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::queue::Why;
use crate::budget::ledger::{Ledger, Phase};
use crate::controller::leases::facts::number;
use crate::controller::leases::ledgers::{Kept, Waiting};
use crate::pod::pinned::{Claim, Pinned};

/// Why a pod waits, and what frees it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// What it asks for.
    pub connections: i64,
    /// Since when.
    pub since: Time,
    /// Its place among those who wait, from 1; nothing: behind all that the status shows.
    pub place: Option<usize>,
    /// How many wait.
    pub of: Option<i64>,
    /// Why, in a sentence.
    pub why: String,
    /// What frees it, in a sentence.
    pub frees: String,
}

/// Why it waits for this budget.
pub(super) fn wait(case: &Case, around: &Around, drawn: &Pinned) -> Wait {
    let status = around.current();
    let of = status.and_then(|status| status.waiting_pods);
    let queue = status.map_or(&[][..], |status| &status.queue);
    let is_it =
        |shown: &crate::api::status::Waiting| shown.namespace == case.pod.namespace && shown.pod == case.pod.name;
    if let Some((at, shown)) = queue.iter().enumerate().find(|(_, shown)| is_it(shown)) {
        let (connections, since) = (shown.connections, shown.since.clone());
        return Wait {
            connections,
            since,
            place: Some(at + 1),
            of,
            why: shown.why.clone(),
            frees: shown.frees.clone(),
        };
    }
    let since = Time(Timestamp::from_second(case.pod.created.0).unwrap_or_default());
    let connections = number(with_share(around, drawn).holds());
    let (why, frees) = match (&around.budget, &around.ledger) {
        _ if around.broken.is_some() => {
            ("Its ledger cannot be read.".into(), "Whoever mends the ledger, as it says below.".into())
        }
        (None, _) if around.unread.is_some() => (
            "You may not read its budget.".into(),
            "What its budget's owner sees: kubectl describe dbb shows status.queue.".into(),
        ),
        (None, _) => (
            "Its budget is gone.".into(),
            "dbbudget, within a minute, if it runs: it lets pods go that nothing rules.".into(),
        ),
        (Some(_), None) => {
            ("Its budget has no ledger yet.".into(), "dbbudget, if it runs: it makes the ledger.".into())
        }
        (Some(_), Some(stored)) => reason(case, around, &ledger(stored), connections),
    };
    Wait { connections: connections.into(), since, place: None, of, why, frees }
}

/// The same as the status would say, if it showed all of them.
fn reason(case: &Case, around: &Around, ledger: &Ledger, needs: u32) -> (String, String) {
    let claim = case.pod.pinned.as_ref().and_then(|pinned| pinned.0.first()).map(|claim| claim.claim.clone());
    let claim = claim.unwrap_or_default();
    let source = around.draws(&claim);
    let kept = around.budget.as_ref().and_then(|budget| budget.status.as_ref()?.surge_reserve).unwrap_or(0);
    let kept = if source == Source::Allocatable { u64::try_from(kept).unwrap_or(0) } else { 0 };
    let bound = ledger.bound_of_pods(source).less(Connections::new(kept));
    let free = ledger.bound(source).less(Connections::new(kept)).less(ledger.held(source));
    let why = match Connections::from(needs) {
        _ if ledger.phase() == Phase::Adopting => Why::Adopting,
        needed if needed > bound => Why::Never { needs, bound },
        needed if needed > free => Why::NoRoom { needs, free },
        _ => Why::Behind("".into()),
    };
    let waiting = Waiting { pod: Arc::new(case.pod.clone()), claim, source, connections: needs, why, urgent: None };
    Kept { ledger: ledger.clone(), ..Kept::default() }.reason(&waiting)
}

/// What it will be granted, if its share stays what it is.
fn with_share(around: &Around, drawn: &Pinned) -> Pinned {
    let status = around.budget.as_ref().and_then(|budget| budget.status.as_ref());
    let limit = |claim: &Claim, container: &str, engine: &str| {
        let mut rows = status.into_iter().flat_map(|status| &status.workloads);
        let row = rows.find(|row| format!("{}/{}", row.namespace, row.name) == claim.claim)?;
        let mut engines = row.engines.iter();
        let engine = engines.find(|shown| shown.container == container && shown.name == engine)?;
        u32::try_from(engine.limit?).ok()
    };
    let with = |claim: &Claim| claim.with_share(|container, engine| limit(claim, container, engine));
    Pinned(drawn.0.iter().map(with).collect())
}
