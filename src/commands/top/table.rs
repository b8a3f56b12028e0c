//! The same for people: a line per budget, then who holds what, and who waits.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::report::{Holder, OfBudget, Report, Row};
use crate::api::workload::Source;
use crate::budget::ledger::Moment;
use crate::commands::words::{age, clock};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WAITS: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const PLAIN: Style = Style::new();

/// A line of a table: its style, and its cells.
type Line<const N: usize> = (Style, [String; N]);

/// Tables in about a hundred columns. Styles are ANSI codes: pass it to a stream of `anstream`.
#[must_use]
pub fn table(report: &Report, now: Moment) -> String {
    let mut text = columns(&sums(report), [false, false, true, true, true, true, true], "");
    for budget in &report.budgets {
        let rows = rows(budget, now);
        if rows.len() > 1 {
            let _ = write!(text, "\n{BOLD}{}/{}{BOLD:#}\n", budget.namespace, budget.name); // a String takes everything
            text.push_str(&columns(&rows, [false, true, false, true, false], "  "));
        }
        for message in &budget.messages {
            let _ = writeln!(text, "  {BAD}{message}{BAD:#}");
        }
    }
    text
}

fn sums(report: &Report) -> Vec<Line<7>> {
    let head = ["BUDGET", "MODE", "ALLOCATABLE", "HELD", "FREE", "WAITING", "PODS"];
    let number = |n: Option<i64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let line = |of: &OfBudget| {
        let style = match of.free {
            Some(..0) => BAD,
            _ if of.waiting_pods > 0 => WAITS,
            _ => PLAIN,
        };
        let mode = of.enforcement.map_or_else(|| "gone".to_owned(), |enforcement| format!("{enforcement:?}"));
        let phase = of.phase.map(|phase| format!(", {phase:?}")).unwrap_or_default();
        let holding: i64 = of.holders.iter().map(|holder| holder.pods).sum();
        let pods =
            if of.waiting_pods > 0 { format!("{holding} ({} wait)", of.waiting_pods) } else { holding.to_string() };
        let name = format!("{}/{}", of.namespace, of.name);
        let [all, taken, free] = [of.allocatable, of.held, of.free].map(number);
        (style, [name, format!("{mode}{phase}"), all, taken, free, of.waiting.to_string(), pods])
    };
    std::iter::once((DIM, head.map(str::to_owned))).chain(report.budgets.iter().map(line)).collect()
}

fn rows(of: &OfBudget, now: Moment) -> Vec<Line<5>> {
    let mut rows = vec![(DIM, ["HOLDS", "CONNECTIONS", "ORIGIN", "AGE", "STATE"].map(str::to_owned))];
    for holder in &of.holders {
        rows.push(whole(of, holder));
        rows.extend(holder.entries.iter().map(|entry| one(entry, now)));
    }
    if !of.queue.is_empty() {
        rows.push((DIM, ["WAITS", "", "", "", "WHY"].map(str::to_owned)));
    }
    for waiting in &of.queue {
        let other = waiting.namespace != of.namespace;
        let name = if other { format!("{}/{}", waiting.namespace, waiting.pod) } else { waiting.pod.clone() };
        let cells = [name, waiting.connections.to_string(), String::new(), age(waiting.since.0.as_second(), now)];
        let [name, connections, origin, since] = cells;
        rows.push((WAITS, [name, connections, origin, since, waiting.why.clone()]));
    }
    let hidden = of.waiting_pods.saturating_sub(i64::try_from(of.queue.len()).unwrap_or(0));
    if hidden > 0 {
        rows.push((WAITS, [format!("and {hidden} more"), String::new(), String::new(), String::new(), String::new()]));
    }
    rows
}

/// A workload as a whole.
fn whole(of: &OfBudget, holder: &Holder) -> Line<5> {
    let other = holder.namespace != of.namespace && !holder.namespace.is_empty();
    let name = if other { format!("{} in {}", holder.name, holder.namespace) } else { holder.name.clone() };
    let pods = match holder.pods {
        _ if !holder.entries.is_empty() => String::new(),
        1 => "1 pod".to_owned(),
        n => format!("{n} pods"),
    };
    (BOLD, [name, holder.connections.to_string(), String::new(), String::new(), pods])
}

/// One entry of it.
fn one(entry: &Row, now: Moment) -> Line<5> {
    let until = entry.until.as_ref().map(|at| format!("until {}", clock(at.0.as_second(), now))).unwrap_or_default();
    let (style, state) = match (entry.quarantined, &entry.node) {
        (false, _) => (PLAIN, until),
        (true, Some(node)) => (WAITS, format!("gone, counts {until}, or until {node} is heard of")),
        (true, None) => (WAITS, format!("gone, counts {until}")),
    };
    let state = match (entry.source, state.is_empty()) {
        (Source::Allocatable, _) => state,
        (Source::Reserve, true) => "of the reserve".to_owned(),
        (Source::Reserve, false) => format!("of the reserve, {state}"),
    };
    let since = age(entry.since.0.as_second(), now);
    (style, [format!("  {}", entry.name), entry.connections.to_string(), format!("{:?}", entry.origin), since, state])
}

/// Cells below each other; `right`: which ones are numbers.
fn columns<const N: usize>(lines: &[Line<N>], right: [bool; N], indent: &str) -> String {
    let width = |cell: &String| cell.chars().count();
    let widths: [usize; N] =
        std::array::from_fn(|at| lines.iter().map(|(_, cells)| width(&cells[at])).max().unwrap_or(0));
    let mut text = String::new();
    for (style, cells) in lines {
        let padded =
            cells.iter().zip(widths).zip(right).map(|((cell, width), right)| {
                if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
        let line = padded.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{indent}{style}{}{style:#}", line.trim_end()); // a String takes everything
    }
    text
}
