//! What there is to say of a pod, for people.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::account::{Explained, OfBudget, State};
use crate::api::ledger::Origin;
use crate::budget::ledger::Moment;
use crate::commands::words::{age, connections};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WAITS: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// A few lines in about a hundred columns. Styles are ANSI codes: pass it to a stream of `anstream`.
#[must_use]
pub fn text(explained: &Explained, now: Moment) -> String {
    let mut text = headline(explained);
    for budget in &explained.budgets {
        text.push('\n');
        for (label, line) in lines(budget, now) {
            let _ = writeln!(text, "  {DIM}{label:<10}{DIM:#}{line}"); // a String takes everything
        }
    }
    for (label, line) in advice(explained) {
        let _ = write!(text, "\n  {DIM}{label:<10}{DIM:#}{line}\n");
    }
    text
}

fn headline(explained: &Explained) -> String {
    let pod = format!("{}/{}", explained.namespace, explained.pod);
    let of = explained.workload.as_ref().map(|workload| format!(" of {workload}")).unwrap_or_default();
    let (style, said) = match explained.state {
        State::Waits => (WAITS, "waits for its connections"),
        State::Escaped => (BAD, "runs without a share, and is counted as it is written"),
        State::Observed => (BOLD, "is counted, and not sized: its budget only observes"),
        State::Unread => (BOLD, "may draw from a budget that cannot be read"),
        State::Counted => (BOLD, "runs without a grant, and is counted"),
        State::Granted => (BOLD, "has its connections"),
        State::Sized => (BOLD, "was born with its share"),
        State::Unclaimed => (BOLD, "is nobody's concern: no claim is about it, so it is not counted"),
        State::Ended => (BOLD, "has ended, and holds nothing"),
    };
    format!("{style}{pod}{of} {said}.{style:#}\n")
}

fn lines(of: &OfBudget, now: Moment) -> Vec<(&'static str, String)> {
    let claim = of.claim.as_ref().map(|claim| format!(", by the claim {claim}")).unwrap_or_default();
    let mut lines = vec![("budget", format!("{}{claim}", of.budget))];
    let since = |verb: &str| {
        of.since.as_ref().map(|at| format!(", {verb} {} ago", age(at.0.as_second(), now))).unwrap_or_default()
    };
    let number = of.connections.map_or_else(|| "nobody knows how many connections".to_owned(), connections);
    match (&of.waits, of.state) {
        (Some(wait), _) => {
            lines.push(("asks for", format!("{number}, since {}", age(wait.since.0.as_second(), now))));
            lines.extend(free(of));
            lines.extend(wait.of.map(|of| ("place", place(wait.place, of))));
            lines.push(("why", wait.why.clone()));
            lines.push(("frees it", wait.frees.clone()));
        }
        (None, State::Granted) => lines.push(("granted", format!("{number}{}", since("given")))),
        (None, State::Sized) => lines.push(("share", number)),
        (None, State::Unread) => {}
        (None, _) => lines.push(("counted", format!("with {number}{}", since("entered")))),
    }
    if of.waits.is_none() {
        lines.extend(free(of));
        lines.extend(values(of).into_iter().enumerate().map(|(at, line)| (if at == 0 { "values" } else { "" }, line)));
    }
    lines.extend(came_about(of.origin).map(|why| ("because", why.to_owned())));
    lines.extend(of.unread.as_ref().map(|why| ("unread", why.clone())));
    lines
}

fn free(of: &OfBudget) -> Option<(&'static str, String)> {
    let (allocatable, held) = (of.allocatable?, of.held?);
    let free = allocatable - held;
    let kept = of.kept.min(free);
    let kept = if kept > 0 { format!(", {kept} of them kept for a rollout") } else { String::new() };
    Some(("free", format!("{free} of {allocatable}{kept}; {held} are held")))
}

fn place(place: Option<usize>, of: i64) -> String {
    let place = place.map_or_else(|| "behind those that status.queue shows,".to_owned(), |place| place.to_string());
    format!("{place} of {of} that wait")
}

/// The numbers that containers read: a line for each container.
fn values(of: &OfBudget) -> Vec<String> {
    let name = of.budget.rsplit('/').next().unwrap_or_default();
    let mut lines: Vec<(&str, Vec<String>)> = Vec::new();
    for (key, value) in &of.values {
        let Some((container, quantity)) = key.split_once(".dbbudget.dev/") else { continue };
        let quantity = quantity.strip_prefix(name).map_or(quantity, |rest| rest.trim_start_matches('.'));
        let quantity = quantity.strip_prefix("default.").unwrap_or(quantity).replace('.', " ");
        match lines.last_mut().filter(|(of, _)| *of == container) {
            Some((_, all)) => all.push(format!("{quantity} {value}")),
            None => lines.push((container, vec![format!("{quantity} {value}")])),
        }
    }
    lines.into_iter().map(|(container, all)| format!("{container}: {}", all.join(", "))).collect()
}

fn came_about(origin: Option<Origin>) -> Option<&'static str> {
    match origin? {
        Origin::Adopted => Some("it ran before the ledger began"),
        Origin::Escaped => {
            Some("it was created without a grant: before its budget leased, or while the webhook was away")
        }
        Origin::Freed => Some("it was let go: no claim ruled it any more"),
        Origin::Granted | Origin::Drain | Origin::Reserved | Origin::Budget => None,
    }
}

/// What people can do.
fn advice(explained: &Explained) -> Vec<(&'static str, String)> {
    let namespace = &explained.namespace;
    let restart = || match explained.workload.as_deref() {
        Some(workload)
            if ["Deployment/", "StatefulSet/", "DaemonSet/"].iter().any(|kind| workload.starts_with(kind)) =>
        {
            format!("kubectl -n {namespace} rollout restart {}", workload.to_lowercase())
        }
        _ => format!("kubectl -n {namespace} delete pod {}", explained.pod),
    };
    let mut advice = Vec::new();
    if explained.state == State::Escaped {
        advice.push(("to size", restart()));
    }
    if explained.state == State::Unclaimed {
        let workload = explained.workload.as_deref().unwrap_or("its workload");
        advice.push((
            "to count",
            format!(
                "name {workload} in spec.workloads of a DatabaseBudget of {namespace}, or in a DatabaseClaim beside it"
            ),
        ));
    }
    if let Some(why) = &explained.unschedulable {
        advice.push(("no node", format!("{} It keeps its connections until it is deleted.", why.trim_end())));
    }
    advice
}
