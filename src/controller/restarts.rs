//! With `restart: Rolling`: which workload is restarted next, so that its pods get their share. One at a time, each once
//! for one share, and those first that hold most beyond it. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::conditions::whole_second;
use super::rows::Row;
use super::sentences;
use super::standing::Standing;
use crate::api::policy::Restart as Policy;
use crate::api::status::{Restart, TargetStatus, WorkloadStatus};
use crate::cluster::view::View;
use crate::workload::progress::{Progress, State};
use crate::workload::{Key, group_of};

/// What follows from one look.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What the status says of it.
    pub records: Vec<Restart>,
    /// The one that is restarted now.
    pub due: Option<Due>,
    /// When to look again though nothing happens.
    pub again: Option<Timestamp>,
}

/// A workload to be restarted now.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its place in [`Plan::records`].
    pub place: usize,
    /// Which one.
    pub key: Key,
    /// What is written to its template. Whoever writes it, and however often, writes the same.
    pub at: Timestamp,
    /// How it replaces its pods.
    pub progress: Progress,
}

impl Due {
    /// Its record when it has been restarted.
    #[must_use]
    pub fn done(&self, record: &Restart) -> Restart {
        Restart { at: Some(Time(whole_second(self.at))), message: UNDER_WAY.into(), ..record.clone() }
    }
}

const UNDER_WAY: &str = "It was restarted, and its pods are being replaced.";

/// A workload with all its rows.
struct Workload<'a> {
    target: &'a TargetStatus,
    share: Vec<String>,
    behind: u64,
    excess: i64,
    progress: &'a Progress,
}

/// What is to be restarted, by what was recorded before.
#[must_use]
pub fn plan(standing: &Standing, view: &View, recorded: &[Restart], now: Timestamp) -> Plan {
    if standing.budget.restart != Policy::Rolling || !standing.injects() {
        return Plan::default();
    }
    if standing.mode.trouble.is_some() {
        return Plan { records: recorded.to_vec(), ..Plan::default() }; // new pods would get no share
    }
    let workloads = by_workload(standing.rows, view);
    let records: BTreeMap<&Key, Restart> =
        workloads.iter().filter_map(|(key, workload)| Some((key, workload.record(key, recorded, now)?))).collect();
    let busy = workloads.iter().find(|(key, w)| match w.progress.state {
        State::UnderWay => true,
        State::Stuck => records.get(key).is_some_and(|record| record.at.is_some()),
        State::ByHand | State::Paused | State::Settled => false,
    });
    let due_at = |record: &Restart| record.since.0 + standing.mode.restart_after;
    let mut plan = Plan::default();
    let mut best = None;
    for (key, mut record) in records {
        let workload = &workloads[key];
        let at = due_at(&record);
        let waits = workload.waits(key, &record, at > now, busy.map(|(busy, _)| busy));
        if waits.is_none() && best.is_none_or(|excess| excess < workload.excess) {
            best = Some(workload.excess);
            let progress = workload.progress.clone();
            plan.due = Some(Due { place: plan.records.len(), key: key.clone(), at, progress });
        }
        if record.at.is_none() && at > now {
            plan.again = plan.again.into_iter().chain([at]).min();
        }
        record.message = waits.unwrap_or_else(|| "It is restarted next.".into());
        plan.records.push(record);
    }
    plan
}

fn by_workload<'a>(rows: &'a [Row], view: &'a View) -> BTreeMap<Key, Workload<'a>> {
    let mut all = BTreeMap::new();
    for row in rows.iter().filter(|row| row.exists) {
        let target = &row.shown.target;
        let key = Key {
            group: group_of(&target.api_version).to_owned(),
            kind: target.kind.clone(),
            namespace: row.shown.namespace.clone(),
            name: target.name.clone(),
        };
        let Some(read) = view.snapshot().workload(&key) else { continue };
        let progress = &read.progress;
        let workload =
            all.entry(key).or_insert_with(|| Workload { target, share: Vec::new(), behind: 0, excess: 0, progress });
        workload.share.push(share(&row.shown));
        workload.behind += row.behind;
        let excess = row.shown.held.map_or(i64::MAX, |held| held - row.shown.allocated.unwrap_or(held));
        workload.excess = workload.excess.saturating_add(excess);
    }
    all
}

/// A share in words: `app.default=3 app.processes=2`.
fn share(row: &WorkloadStatus) -> String {
    let limit = |limit: Option<i64>| limit.map_or_else(|| "unset".to_owned(), |n| n.to_string());
    let engines = row.engines.iter().map(|e| format!("{}.{}={}", e.container, e.name, limit(e.limit)));
    let lowered = row.lowered.iter().map(|l| format!("{}.processes={}", l.container, l.processes));
    engines.chain(lowered).collect::<Vec<_>>().join(" ")
}

impl Workload<'_> {
    /// What is recorded of it; nothing: all its pods have their share.
    fn record(&self, key: &Key, recorded: &[Restart], now: Timestamp) -> Option<Restart> {
        let share = self.share.join(" ");
        let same =
            |r: &&Restart| r.namespace == key.namespace && r.target.kind == key.kind && r.target.name == key.name;
        let before = recorded.iter().find(same).filter(|r| r.share == share);
        let at = before.and_then(|r| r.at.clone());
        let under_way = at.is_some() && matches!(self.progress.state, State::UnderWay | State::Stuck);
        if self.behind == 0 && !under_way {
            return None;
        }
        let since = before.map_or_else(|| Time(whole_second(now)), |r| r.since.clone());
        let (namespace, target) = (key.namespace.clone(), self.target.clone());
        Some(Restart { namespace, target, share, since, at, message: String::new() })
    }

    /// What it waits for, in a sentence; nothing: it may be restarted now.
    fn waits(&self, key: &Key, record: &Restart, young: bool, busy: Option<&Key>) -> Option<String> {
        let command = |verb: &str| sentences::rollout(verb, &key.kind, &key.namespace, &key.name);
        Some(match (self.progress.state, &record.at) {
            (State::ByHand, _) => {
                "It does not replace its pods when it is restarted; to size them, delete them.".into()
            }
            (State::Paused, _) => format!("It is paused; to let it go on: {}.", command("resume")),
            (State::UnderWay, Some(_)) => UNDER_WAY.into(),
            (State::Stuck, Some(_)) => {
                let status = command("status");
                format!("It was restarted, and its new pods do not become available: see {status}. Others wait for it.")
            }
            (State::Settled, Some(_)) => {
                let again = command("restart");
                format!(
                    "It was restarted once for this share, and has pods without it again; to replace them: {again}."
                )
            }
            (State::UnderWay, None) => "Somebody rolls it out; it is restarted afterwards if that is needed.".into(),
            (State::Stuck, None) => format!("Its last rollout is stuck: see {}.", command("status")),
            (State::Settled, None) if young => "It is restarted when its share has stayed the same for a while.".into(),
            (State::Settled, None) => format!("It waits until {} is done.", busy?),
        })
    }
}
