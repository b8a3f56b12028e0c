//! What conditions say of numbers that are lowered, contested, or left to others.

use std::time::Duration;

use super::Plan;
use super::levers::Lever;
use crate::api::conditions::{Type, contested, scaled_down};
use crate::api::status::{Scaled, ScaledField};
use crate::controller::conditions::{Said, Truth};
use crate::controller::sentences::list;
use crate::workload::manager::Owner;

/// How many pods a number lets run, to compare it with another of its kind: a pause is less than none.
pub fn room(field: ScaledField, number: i64) -> i64 {
    match field {
        ScaledField::Replicas | ScaledField::MaxReplicas => number,
        ScaledField::ScaleOut => -number,
    }
}

/// What somebody else has to change, as nothing is written over what a tool keeps.
pub fn change_elsewhere(lever: &Lever, to: i64, owner: &Owner) -> String {
    let object = &lever.key;
    let what = match lever.field {
        ScaledField::Replicas => format!("spec.replicas of {object} from {} to {to}", lever.now),
        ScaledField::MaxReplicas => format!("spec.maxReplicas of {object} from {} to {to}", lever.now),
        ScaledField::ScaleOut => {
            format!("the annotation {} of {object} to \"true\"", crate::workload::scaler::PAUSED)
        }
    };
    match owner {
        Owner::Tool(..) => format!("Not scaled here, as {owner} owns it; in its source, change {what}."),
        Owner::Controller(..) => format!("Not scaled here, as {owner} controls it; there, change {what}."),
    }
}

/// What is refused.
pub fn refused(why: &str) -> String {
    format!("Not scaled: {}.", why.trim_end_matches('.'))
}

fn lowered(record: &Scaled) -> String {
    let Scaled { namespace, target, from, to, .. } = record;
    let object = format!("{} {namespace}/{}", target.kind, target.name);
    match record.field {
        ScaledField::Replicas => format!("{object} from {from} to {to} replicas"),
        ScaledField::MaxReplicas => format!("{object} from {from} to {to} maxReplicas"),
        ScaledField::ScaleOut => format!("{object} no longer scales out"),
    }
}

impl Plan {
    /// Says it in conditions.
    pub fn say(&self, said: &mut Vec<Said>, restore_after: Duration) {
        let named = |is: fn(&Scaled) -> bool| {
            let all: Vec<String> = self.records.iter().filter(|r| is(r)).map(lowered).collect();
            (!all.is_empty()).then(|| list(all.iter().map(String::as_str), "; "))
        };
        if let Some(all) = named(|r| r.given_up.is_none() && r.from != r.to) {
            let seconds = restore_after.as_secs();
            let text = format!(
                "Lowered, as it does not fit otherwise: {all}. Each is restored when it has fit with it for {seconds} s."
            );
            said.push(Said::new(Type::ScaledDown, Truth::True, scaled_down::REDUCED, text));
        }
        if let Some(all) = named(|r| r.given_up.is_some()) {
            let text = format!(
                "Somebody set back twice what was lowered: {all}. It is left as it is until the spec of this budget changes."
            );
            said.push(Said::new(Type::Contested, Truth::True, contested::UNDONE_TWICE, text));
        }
        let within = said.iter_mut().find(|s| s.about == Type::WithinCapacity);
        if let Some(within) = within.filter(|_| !self.left.is_empty()) {
            let left: Vec<&str> = self.left.iter().map(String::as_str).collect();
            within.message = format!("{} {}", within.message, list(left, " "));
        }
    }
}
