//! Which events a change of conditions is worth: one per change of state, none per pass.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::reason;
use super::sentences::list;
use crate::api::conditions::{Type, fit, ready};
use crate::api::status::{BudgetStatus, WorkloadStatus};
use crate::cluster::write::Note;

/// Reason and text of an event.
type Told = (&'static str, &'static str);

/// What is said when a transient condition begins, and when it ends.
const TRANSIENT: [(Type, Told, Told); 7] = [
    (
        Type::Stalled,
        ("Stalled", "dbbudget cannot go on without help: the condition Stalled says what to mend."),
        ("NotStalled", "The ledger and its pods are written again."),
    ),
    (
        Type::OverCommitted,
        ("OverCommitted", "More is held than there is, so nothing is granted: the condition OverCommitted says why."),
        ("NotOverCommitted", "What is held fits again."),
    ),
    (
        Type::GrantedNotStarted,
        ("GrantedNotStarted", "A pod has its connections, and no node: the condition GrantedNotStarted says which."),
        ("NoneNotStarted", "Every pod that has its connections has a node."),
    ),
    (
        Type::Conflicted,
        ("Conflicted", "Another budget counts the same: the condition Conflicted says which, and what to do."),
        ("NotConflicted", "No other budget counts the same any more."),
    ),
    (
        Type::RolloutBlocked,
        ("RolloutBlocked", "A rollout would have no room: the condition RolloutBlocked says which, and what to do."),
        ("RolloutNotBlocked", "Rollouts have room again."),
    ),
    (
        Type::ScaledDown,
        ("ScaledDown", "Numbers of pods are lowered: the condition ScaledDown says which, from what to what."),
        ("Restored", "All numbers of pods are as they were."),
    ),
    (
        Type::Contested,
        ("Contested", "Somebody undid a reduction twice: the condition Contested says which one is given up."),
        ("NotContested", "No reduction is contested any more."),
    ),
];

/// Events for the step from one status to the next. The earlier one is read from the stored object, so that a dbbudget
/// that restarts repeats nothing.
#[must_use]
pub fn notes(before: &[Condition], after: &[Condition]) -> Vec<Note> {
    let mut notes = Vec::new();
    let news = |about| {
        let (old, new) = (reason(before, about), reason(after, about));
        (old != new).then_some((old, new))
    };
    if let Some((old, Some(new))) = news(Type::Ready) {
        notes.extend(ready_note(old, new));
    }
    if let Some((old, Some(new))) = news(Type::WithinCapacity) {
        notes.extend(fit_note(old, new));
    }
    for (about, begins, ends) in TRANSIENT {
        match news(about) {
            Some((None, Some(_))) => notes.push(note(true, begins.0, begins.1)),
            Some((Some(_), None)) => notes.push(note(false, ends.0, ends.1)),
            _ => {}
        }
    }
    notes
}

/// The event for values of templates that shares replace from now on, if there are any.
#[must_use]
pub fn overridden(before: Option<&BudgetStatus>, after: &BudgetStatus) -> Option<Note> {
    let earlier = |row: &WorkloadStatus| {
        let rows = before.into_iter().flat_map(|status| &status.workloads);
        rows.filter(|r| r.target == row.target && r.namespace == row.namespace).any(|r| r.overrides == row.overrides)
    };
    let news = after.workloads.iter().filter(|row| !row.overrides.is_empty() && !earlier(row));
    let each: Vec<String> = news
        .map(|row| format!("{} {}/{} ({})", row.target.kind, row.namespace, row.target.name, row.overrides.join(", ")))
        .collect();
    let all = list(each.iter().map(String::as_str), "; ");
    let text = format!("Shares replace what templates say: {all}. With onConflict: Keep the template's number counts.");
    (!each.is_empty()).then(|| note(false, "Overridden", text))
}

fn note(warning: bool, reason: &str, text: impl Into<String>) -> Note {
    Note { warning, reason: reason.to_owned(), text: text.into() }
}

/// A spec that was understood at once is no news.
fn ready_note(old: Option<&str>, new: &str) -> Option<Note> {
    let unknown = matches!(old, None | Some(ready::PENDING));
    let text = match new {
        ready::PUBLISHED if unknown => return None,
        ready::PENDING => return None,
        ready::PUBLISHED => "The spec is valid, and counts again.",
        ready::INVALID => "It is not valid: the condition Ready says which field.",
        ready::FORBIDDEN => "dbbudget lacks a permission: the condition Ready names it.",
        ready::BUDGET_NOT_FOUND => "Its budget does not exist.",
        ready::NAMESPACE_NOT_LET_IN => "Its budget does not let this namespace in.",
        ready::TARGET_NOT_FOUND => "Its workload does not exist yet.",
        _ => "The condition Ready says why.",
    };
    Some(note(new != ready::PUBLISHED, new, text))
}

/// That a new budget has room is no news.
fn fit_note(old: Option<&str>, new: &str) -> Option<Note> {
    let unknown = matches!(old, None | Some(ready::PENDING));
    let (warning, text) = match new {
        fit::HEALTHY if unknown => return None,
        ready::PENDING => return None,
        fit::HEALTHY => (false, "There is room again."),
        fit::WARNING => (true, "Running pods can hold more than the warning threshold."),
        fit::CRITICAL => (true, "Running pods can hold almost all that is allocatable."),
        fit::EXCEEDED => (
            true,
            "More connections can be opened than are allocatable: the condition WithinCapacity has the ways out.",
        ),
        fit::INFEASIBLE => {
            (true, "Even the smallest safe pools do not fit: the condition WithinCapacity has the ways out.")
        }
        fit::SECRET_FORBIDDEN => (true, "dbbudget may not read the Secret that names the database."),
        _ => (true, "Nobody can say whether it fits: the condition WithinCapacity says what is not known."),
    };
    Some(note(warning, new, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(type_: &str, reason: &str) -> Condition {
        let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH);
        Condition {
            type_: type_.into(),
            reason: reason.into(),
            status: "True".into(),
            message: "13 of 13".into(),
            observed_generation: None,
            last_transition_time: time,
        }
    }

    fn reasons(before: &[Condition], after: &[Condition]) -> Vec<(String, bool)> {
        notes(before, after).into_iter().map(|n| (n.reason, n.warning)).collect()
    }

    #[test]
    fn one_event_per_change_of_state() {
        let healthy = [condition("Ready", "Published"), condition("WithinCapacity", "Healthy")];
        let exceeded = [condition("Ready", "Published"), condition("WithinCapacity", "Exceeded")];
        assert!(reasons(&[], &healthy).is_empty(), "that a new budget has room is no news");
        assert_eq!(reasons(&[], &exceeded), [("Exceeded".into(), true)]);
        assert_eq!(reasons(&healthy, &exceeded), [("Exceeded".into(), true)]);
        assert!(reasons(&exceeded, &exceeded).is_empty());
        assert_eq!(reasons(&exceeded, &healthy), [("Healthy".into(), false)]);
    }

    #[test]
    fn transient_conditions_begin_and_end() {
        let quiet = [condition("Ready", "Published")];
        let blocked = [condition("Ready", "Published"), condition("RolloutBlocked", "NoRoom")];
        assert_eq!(reasons(&quiet, &blocked), [("RolloutBlocked".into(), true)]);
        assert_eq!(reasons(&blocked, &quiet), [("RolloutNotBlocked".into(), false)]);
    }

    #[test]
    fn what_a_share_replaces_is_told_once() {
        let status = |overrides: &[&str]| {
            let overrides = overrides.iter().map(ToString::to_string).collect();
            let row = WorkloadStatus { namespace: "shop".into(), overrides, ..WorkloadStatus::default() };
            BudgetStatus { workloads: vec![row], ..BudgetStatus::default() }
        };
        let (none, one, two) = (status(&[]), status(&["A"]), status(&["A", "B"]));
        assert!(overridden(None, &one).is_some_and(|note| note.text.contains("(A)") && !note.warning));
        assert!(overridden(Some(&none), &one).is_some());
        assert!(overridden(Some(&one), &one).is_none() && overridden(None, &none).is_none());
        assert!(overridden(Some(&one), &two).is_some_and(|note| note.text.contains("(A, B)")));
    }

    #[test]
    fn a_claim_says_why_it_is_refused_and_when_it_counts() {
        let (refused, counts) = ([condition("Ready", "NamespaceNotLetIn")], [condition("Ready", "Published")]);
        assert_eq!(reasons(&[], &refused), [("NamespaceNotLetIn".into(), true)]);
        assert_eq!(reasons(&refused, &counts), [("Published".into(), false)]);
    }
}
