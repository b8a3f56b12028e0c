//! What becomes of a number that was lowered: down at once, up when it has fit for a while, and left alone when somebody
//! else undoes it twice.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::levers::Lever;
use super::said::room;
use crate::api::status::{Scaled, ScaledField};
use crate::cluster::write::scale::Change;

/// After this many times it is somebody else's.
const GIVEN_UP_AFTER: i64 = 2;

/// One look at one recorded number.
pub struct Looking<'a> {
    /// The number.
    pub lever: &'a Lever,
    /// What it has to be, from what its owner wants.
    pub target: i64,
    /// Whether nobody asks any more that it be lowered.
    pub at_once: bool,
    /// Whether it does not fit now.
    pub exceeded: bool,
    /// Whether another budget keeps it lower.
    pub held_elsewhere: bool,
    /// How long it has to fit.
    pub restore_after: Duration,
    /// The budget's generation.
    pub generation: Option<i64>,
    /// The time.
    pub now: Timestamp,
}

/// What follows.
pub struct Followed {
    /// Its record; nothing: it is as its owner wants it, and its owner's.
    pub record: Option<Scaled>,
    /// What is written.
    pub change: Option<Change>,
    /// When to look again.
    pub again: Option<Timestamp>,
}

impl Looking<'_> {
    /// Follows a record.
    pub fn follow(&self, before: &Scaled) -> Followed {
        let mut record = before.clone();
        let room = |n: i64| room(record.field, n);
        let (now, target) = (self.lever.now, self.target);
        let (seen, as_recorded, fits) = (room(now), room(before.to), room(target));
        if seen == as_recorded {
            record.done = true;
        }
        let restored = before.to == before.from && seen >= as_recorded;
        let raised_and_fits = seen > as_recorded && seen <= fits;
        if restored || raised_and_fits && seen >= room(before.from) {
            return self.end(record);
        }
        if before.done && seen < as_recorded {
            record.fits_since = None; // somebody wants even fewer, for now
            return Followed { record: Some(record), change: None, again: None };
        }
        if raised_and_fits {
            (record.to, record.done) = (now, true);
        } else if seen > as_recorded {
            record.from = now; // the latest wish of its owner
            if before.done {
                (record.undone, record.done) = (before.undone + 1, false);
            }
            if record.undone >= GIVEN_UP_AFTER {
                record.given_up = Some(self.generation.unwrap_or_default());
                return Followed { record: Some(record), change: None, again: None };
            }
        }
        let again = self.adjust(&mut record);
        let (key, field, to) = (self.lever.key.clone(), record.field, record.to);
        let change = Change { key, field, seen: now, to, release: to == record.from };
        Followed { change: (!record.done).then_some(change), record: Some(record), again }
    }

    /// It is as its owner wants it. Its field is handed back before it is forgotten.
    fn end(&self, record: Scaled) -> Followed {
        let (key, field, now) = (self.lever.key.clone(), record.field, self.lever.now);
        let change = Change { key, field, seen: now, to: now, release: true };
        let ours = self.lever.managed.ours;
        Followed { record: ours.then_some(record), change: ours.then_some(change), again: None }
    }

    /// Whether its owner allows less than before.
    fn is_below_its_floor(&self, record: &Scaled) -> bool {
        record.field == ScaledField::Replicas && self.lever.candidates.iter().any(|c| i64::from(c.least) > record.to)
    }

    /// Moves to what it has to be. Answers when to look again.
    fn adjust(&self, record: &mut Scaled) -> Option<Timestamp> {
        let (fits, lowered) = (room(record.field, self.target), room(record.field, record.to));
        let moved = if fits < lowered {
            self.exceeded
        } else if fits == lowered || self.held_elsewhere {
            false
        } else if self.at_once || self.is_below_its_floor(record) {
            true
        } else if self.exceeded || self.target != record.from {
            false // in between, shares would grow again, and new pods take more than they would with all
        } else {
            let since = record.fits_since.get_or_insert(Time(self.now)).0;
            if self.now < since + self.restore_after {
                return Some(since + self.restore_after);
            }
            true
        };
        record.fits_since = None;
        if moved {
            (record.to, record.at, record.done) = (self.target, Time(self.now), false);
        }
        None
    }
}
