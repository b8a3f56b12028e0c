//! What is said in conditions, and when it last changed.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::conditions::{PERMANENT, Type, ready};

/// Every condition that is ours; others may stand beside them.
pub const OURS: [Type; 12] = [
    Type::Ready,
    Type::WithinCapacity,
    Type::Injected,
    Type::Observed,
    Type::Reconciling,
    Type::Stalled,
    Type::OverCommitted,
    Type::RolloutBlocked,
    Type::GrantedNotStarted,
    Type::ScaledDown,
    Type::Contested,
    Type::Conflicted,
];

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    Unknown,
}

impl Truth {
    /// As in `conditions[].status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it is about.
    pub about: Type,
    /// Whether it holds.
    pub truth: Truth,
    /// One word.
    pub reason: &'static str,
    /// Sentences.
    pub message: String,
}

impl Said {
    /// A condition.
    pub fn new(about: Type, truth: Truth, reason: &'static str, message: impl Into<String>) -> Self {
        Self { about, truth, reason, message: message.into() }
    }
}

/// All conditions of a status: what is said, `Unknown` for permanent ones of which nothing is said. The time of a
/// condition stays while its status does.
#[must_use]
pub fn conditions(said: &[Said], before: &[Condition], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let silent = PERMANENT.into_iter().filter(|about| said.iter().all(|s| s.about != *about));
    let silent = silent.map(|about| {
        Said::new(about, Truth::Unknown, ready::PENDING, "Nothing is known yet, or the spec is not valid: see Ready.")
    });
    let mut all: Vec<Said> = said.iter().cloned().chain(silent).collect();
    all.sort_by_key(|s| s.about);
    let condition = |said: Said| {
        let (type_, status) = (said.about.as_str(), said.truth.as_str());
        let same = before.iter().find(|c| c.type_ == type_ && c.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: said.reason.to_owned(),
            message: cut(said.message),
            observed_generation: generation,
            last_transition_time: same.map_or_else(|| Time(whole_second(now)), |c| c.last_transition_time.clone()),
        }
    };
    all.into_iter().map(condition).collect()
}

/// The longest message that the API takes is 32 768 bytes; nobody reads as much.
const LONGEST_MESSAGE: usize = 4_000;

fn cut(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|&i| message.is_char_boundary(i)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// Times are stored in whole seconds; a finer one would differ from what comes back.
#[must_use]
pub fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The reason of a condition, if it is there.
#[must_use]
pub fn reason(conditions: &[Condition], about: Type) -> Option<&str> {
    conditions.iter().find(|c| c.type_ == about.as_str()).map(|c| c.reason.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::conditions::fit;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millisecond(second * 1_000 + 345).unwrap()
    }

    #[test]
    fn permanent_conditions_are_always_there_and_unknown_at_first() {
        let shown = conditions(&[], &[], Some(1), at(10));
        let types: Vec<_> = shown.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
        let unknown = "Unknown";
        let expected = [("Ready", unknown), ("WithinCapacity", unknown), ("Injected", unknown), ("Observed", unknown)];
        assert_eq!(types, expected);
        assert!(shown.iter().all(|c| c.observed_generation == Some(1)
            && c.last_transition_time == Time(at(10).round(jiff::Unit::Second).unwrap())));
    }

    #[test]
    fn time_changes_with_the_status_and_not_with_the_reason() {
        let said = |truth, reason, text: &str| [Said::new(Type::WithinCapacity, truth, reason, text)];
        let first = conditions(&said(Truth::True, fit::HEALTHY, "4 of 13"), &[], Some(1), at(10));
        let second = conditions(&said(Truth::True, fit::WARNING, "10 of 13"), &first, Some(2), at(20));
        let third = conditions(&said(Truth::False, fit::EXCEEDED, "14 of 13"), &second, Some(2), at(30));
        let of = |all: &[Condition]| {
            let c = all.iter().find(|c| c.type_ == "WithinCapacity").unwrap().clone();
            (c.reason, c.observed_generation, c.last_transition_time.0.as_second())
        };
        assert_eq!(of(&first), ("Healthy".into(), Some(1), 10));
        assert_eq!(of(&second), ("Warning".into(), Some(2), 10));
        assert_eq!(of(&third), ("Exceeded".into(), Some(2), 30));
    }

    #[test]
    fn transient_conditions_go_when_nothing_is_said_of_them() {
        let conflicted = [Said::new(Type::Conflicted, Truth::True, "SharedEngine", "two budgets")];
        let first = conditions(&conflicted, &[], None, at(10));
        assert_eq!(reason(&first, Type::Conflicted), Some("SharedEngine"));
        let second = conditions(&[], &first, None, at(20));
        assert_eq!(reason(&second, Type::Conflicted), None);
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let message = cut("ä".repeat(5_000));
        assert!(message.len() <= LONGEST_MESSAGE + '…'.len_utf8() && message.ends_with("ä…"));
    }
}
