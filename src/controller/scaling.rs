//! With `whenExceeded: ScaleDown`: which numbers of pods are lowered, when they are restored, and what is left to people.
//! What is done is recorded before it is done, so that nobody who takes over loses what a number was. Pure.
//!
//! | file | question it answers |
//! |---|---|
//! | `levers` | which numbers are there, and what would they have to be? |
//! | `record` | what becomes of one that was lowered? |
//! | `said` | what do the conditions say of it? |
//! | [`act`] | how is it done? |

pub mod act;
mod levers;
mod record;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::conditions::{Said, whole_second};
use super::standing::Standing;
use crate::api::conditions::{Type, fit};
use crate::api::parse::Name;
use crate::api::policy::WhenExceeded;
use crate::api::status::{BudgetStatus, Scaled, ScaledField};
use crate::cluster::view::{Stored, View};
use crate::cluster::write::scale::Change;
use crate::workload::Key;
use levers::{Lever, Levers, key_of};
use record::{Followed, Looking};

/// Which number.
pub type Number = (Key, ScaledField);

/// Why a number cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its object is gone, or what there was to do for it is done.
    Over,
    /// It is refused; the sentence says what to grant or change.
    Refused(String),
}

/// Numbers that cannot be written now.
pub type Refused = BTreeMap<Number, Refusal>;

/// What was refused lately. In memory alone: whoever takes over is told again.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<Number, (Timestamp, Refusal)>>);

impl Refusals {
    /// It is written again.
    pub fn forget(&self, number: &Number) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(number);
    }

    /// Those that are not to be tried again yet.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Refused {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (until, _)| *until > now);
        all.iter().map(|(number, (_, why))| (number.clone(), why.clone())).collect()
    }

    fn add(&self, number: Number, until: Timestamp, why: Refusal) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, (until, why));
    }
}

/// What follows from one look.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What the status says of it.
    pub records: Vec<Scaled>,
    /// What is written, once the status says so.
    pub changes: Vec<Change>,
    /// When to look again though nothing happens.
    pub again: Option<Timestamp>,
    /// What is not done here, each in a sentence.
    left: BTreeSet<String>,
}

/// After this time what was refused is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Nobody tells of what is not watched, so that it is looked at again.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What was lowered for a budget: as its status says, or that of an earlier one of its name.
#[must_use]
pub fn recorded<'a>(view: &'a View, stored: &'a Stored<BudgetStatus>) -> &'a [Scaled] {
    let own = stored.status.as_ref().map_or(&[][..], |status| &status.scaled);
    if own.is_empty() { view.lowered_before(&stored.budget) } else { own }
}

/// What is to be restored of a budget that is gone.
#[must_use]
pub fn restore(
    view: &View,
    name: &Name,
    refused: Option<&Refused>,
    now: Timestamp,
) -> (Vec<Change>, Option<Timestamp>) {
    let why_not = |record: &Scaled| refused.and_then(|refused| refused.get(&(key_of(record), record.field)));
    let lowered = view.lowered_before(name);
    let is_lower_elsewhere = |record: &Scaled| lowered_by(view, name, record).is_some();
    let waits = |record: &Scaled| matches!(why_not(record), Some(Refusal::Refused(_))) || is_lower_elsewhere(record);
    let again = lowered.iter().any(waits);
    let due = lowered.iter().filter(|record| why_not(record).is_none() && !is_lower_elsewhere(record));
    (due.map(back).collect(), again.then(|| now + TRY_AGAIN))
}

/// Hands a number back as it was.
fn back(record: &Scaled) -> Change {
    Change { key: key_of(record), field: record.field, seen: record.to, to: record.from, release: true }
}

/// How low another budget keeps the same number.
fn lowered_by(view: &View, budget: &Name, record: &Scaled) -> Option<i64> {
    let others = view.all_budgets().into_iter().filter(|name| name != budget);
    let records = others.filter_map(|name| {
        let status = view.budget(&name)?.status.as_ref()?;
        let other = levers::record(&status.scaled, &key_of(record), record.field)?;
        (other.given_up.is_none() && other.to != other.from).then(|| said::room(record.field, other.to))
    });
    records.min()
}

/// What is to be lowered and restored, by what was recorded before.
#[must_use]
pub fn plan(standing: &Standing, view: &View, stored: &Stored<BudgetStatus>, said: &[Said], now: Timestamp) -> Plan {
    let recorded = recorded(view, stored);
    let wanted = standing.budget.when_exceeded == WhenExceeded::ScaleDown && standing.injects();
    if recorded.is_empty() && !wanted {
        return Plan::default();
    }
    if !standing.mode.injects || !standing.sees_pods() {
        return Plan { records: recorded.to_vec(), ..Plan::default() }; // nothing is changed by half of the numbers
    }
    let now = whole_second(now);
    let recorded: Vec<Scaled> =
        recorded.iter().filter(|r| r.given_up.is_none() || r.given_up == stored.version.generation).cloned().collect();
    let lowered: Vec<Scaled> = recorded.iter().filter(|r| r.given_up.is_none()).cloned().collect();
    let exceeded = is_exceeded(said);
    let levers = Levers::new(standing, view, &lowered);
    let planning = Planning { standing, view, stored, recorded: &recorded, wanted, exceeded, now };
    planning.plan(&levers)
}

fn is_exceeded(said: &[Said]) -> bool {
    let within = said.iter().find(|s| s.about == Type::WithinCapacity);
    within.is_some_and(|s| [fit::EXCEEDED, fit::INFEASIBLE].contains(&s.reason))
}

struct Planning<'a> {
    standing: &'a Standing<'a>,
    view: &'a View,
    stored: &'a Stored<BudgetStatus>,
    recorded: &'a [Scaled],
    /// Whether the budget asks for it.
    wanted: bool,
    exceeded: bool,
    now: Timestamp,
}

impl Planning<'_> {
    fn plan(&self, levers: &Levers) -> Plan {
        let given_up = |lever: &Lever| self.recorded_of(lever).is_some_and(|r| r.given_up.is_some());
        let by_anybody = levers.targets(|lever| self.wanted && !given_up(lever));
        let may = |lever: &Lever| {
            let refused = self.refused(&(lever.key.clone(), lever.field));
            let is_free = lever.managed.owner.is_none() && !matches!(refused, Some(Refusal::Refused(_)));
            self.wanted && !given_up(lever) && is_free
        };
        let targets = levers.targets(may);
        let mut plan = Plan::default();
        for ((lever, target), by_anybody) in levers.all.iter().zip(targets).zip(by_anybody) {
            if self.exceeded && !may(lever) && by_anybody != lever.from {
                self.leave(&mut plan, lever, by_anybody);
            }
            self.follow(&mut plan, lever, target);
        }
        self.follow_unclaimed(&mut plan, &levers.all);
        if !plan.left.is_empty() {
            plan.again = plan.again.into_iter().chain([self.now + TRY_AGAIN]).min();
        }
        plan
    }

    fn recorded_of(&self, lever: &Lever) -> Option<&Scaled> {
        levers::record(self.recorded, &lever.key, lever.field)
    }

    fn refused(&self, number: &Number) -> Option<&Refusal> {
        self.standing.mode.refused?.get(number)
    }

    /// Notes what somebody else has to do.
    fn leave(&self, plan: &mut Plan, lever: &Lever, to: i64) {
        match (&lever.managed.owner, self.refused(&(lever.key.clone(), lever.field))) {
            (Some(owner), _) => plan.left.extend([said::change_elsewhere(lever, to, owner)]),
            (None, Some(Refusal::Refused(why))) => plan.left.extend([said::refused(why)]),
            (None, _) => {}
        }
    }

    fn follow(&self, plan: &mut Plan, lever: &Lever, target: i64) {
        let number = (lever.key.clone(), lever.field);
        let Some(before) = self.recorded_of(lever) else {
            if self.exceeded && said::room(lever.field, target) < said::room(lever.field, lever.now) {
                let record = self.begin(lever, target);
                plan.changes.push(Change {
                    key: lever.key.clone(),
                    field: lever.field,
                    seen: lever.now,
                    to: target,
                    release: false,
                });
                plan.records.push(record);
            }
            return;
        };
        if before.given_up.is_some() {
            plan.records.push(before.clone());
            return;
        }
        if let Some(Refusal::Refused(why)) = self.refused(&number) {
            plan.left.extend([said::refused(why)]);
            plan.records.push(before.clone());
            return;
        }
        let looking = Looking {
            lever,
            target,
            at_once: !self.wanted || lever.candidates.is_empty(),
            exceeded: self.exceeded,
            held_elsewhere: self.held_elsewhere(before),
            restore_after: self.standing.mode.restore_after,
            generation: self.stored.version.generation,
            now: self.now,
        };
        let Followed { record, change, again } = looking.follow(before);
        plan.records.extend(record);
        plan.changes.extend(change);
        plan.again = plan.again.into_iter().chain(again).min();
    }

    fn begin(&self, lever: &Lever, to: i64) -> Scaled {
        Scaled {
            namespace: lever.key.namespace.clone(),
            target: lever.target.clone(),
            field: lever.field,
            from: lever.now,
            to,
            at: Time(self.now),
            done: false,
            undone: 0,
            fits_since: None,
            given_up: None,
        }
    }

    /// What no claim is about any more is restored at once, though nobody watches it.
    fn follow_unclaimed(&self, plan: &mut Plan, levers: &[Lever]) {
        let claimed = |r: &&Scaled| levers.iter().any(|l| l.field == r.field && l.key == key_of(r));
        for before in self.recorded.iter().filter(|r| !claimed(r) && r.given_up.is_none()) {
            let number = (key_of(before), before.field);
            match self.refused(&number) {
                Some(Refusal::Over) => {}
                Some(Refusal::Refused(why)) => {
                    plan.left.extend([said::refused(why)]);
                    plan.records.push(before.clone());
                }
                None => {
                    plan.changes.push(back(before));
                    plan.records.push(before.clone());
                    plan.again = Some(self.now + AT_ONCE);
                }
            }
        }
    }

    /// Whether another budget keeps the same number lower still.
    fn held_elsewhere(&self, before: &Scaled) -> bool {
        let lowest = lowered_by(self.view, &self.standing.budget.name, before);
        lowest.is_some_and(|lowest| lowest < said::room(before.field, before.to))
    }
}
