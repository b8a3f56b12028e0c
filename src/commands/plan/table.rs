//! A plan for people: per budget a line per workload, the sum against the cap, then the findings with their fix.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::against::change;
use super::report::{BudgetReport, FindingReport, Report, WorkloadReport};
use crate::assess::Severity;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints a plan in about a hundred columns.
pub fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for budget in &report.budgets {
        let before = report.against.as_ref().and_then(|a| a.budget(budget));
        print_budget(budget, before, out)?;
    }
    print_findings(&report.findings, out)?;
    if !report.skipped.is_empty() {
        let kinds: Vec<String> = report.skipped.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        writeln!(out, "{}", paint(DIM, &format!("passed over: {}", kinds.join(", "))))?;
    }
    writeln!(out, "{}", summary(report))
}

fn print_budget(budget: &BudgetReport, before: Option<&BudgetReport>, out: &mut dyn Write) -> io::Result<()> {
    let name = format!("{}/{}", budget.namespace, budget.name);
    writeln!(out, "{}  {} · headroom {}", paint(BOLD, &name), budget.enforcement, budget.headroom)?;
    match &budget.capacity {
        Some(c) => writeln!(
            out,
            "{} − {} reserve − {} outside = {} for workloads   {}",
            c.hard.0,
            c.reserve.0,
            c.outside.0,
            paint(BOLD, &c.allocatable.0.to_string()),
            paint(DIM, &c.source)
        )?,
        None => writeln!(out, "what the database gives is not known")?,
    }
    writeln!(out)?;
    let rows = rows(budget, before);
    print_rows(&rows, out)?;
    writeln!(out)?;
    print_sum(budget, before, out)?;
    writeln!(out)
}

const HEAD: [&str; 7] = ["WORKLOAD", "PODS", "PROCESSES", "LIMIT", "PER POD", "AS WRITTEN", "ALLOCATED"];

fn rows(budget: &BudgetReport, before: Option<&BudgetReport>) -> Vec<[String; 7]> {
    let mut rows = vec![HEAD.map(ToOwned::to_owned)];
    for workload in &budget.workloads {
        let earlier = before.and_then(|b| b.workload(workload));
        let new = if before.is_some() && earlier.is_none() { " (new)" } else { "" };
        let reserve = if workload.source == "Reserve" { " (reserve)" } else { "" };
        rows.push([
            format!("{}/{}{new}", workload.kind, workload.name),
            workload.peak_pods.to_string(),
            processes(workload),
            limits(workload),
            workload.per_pod.0.to_string(),
            change(earlier.map(|w| w.wanted), workload.wanted),
            format!("{}{reserve}", change(earlier.map(|w| w.allocated), workload.allocated)),
        ]);
    }
    if let Some(gone) = before {
        for workload in gone.workloads.iter().filter(|w| budget.workload(w).is_none()) {
            let empty = String::new;
            let name = format!("{}/{} (gone)", workload.kind, workload.name);
            rows.push([name, empty(), empty(), empty(), empty(), format!("{} → 0", workload.wanted.0), empty()]);
        }
    }
    if budget.surge_reserve.0 != crate::budget::connections::Connections::ZERO {
        let room = budget.surge_reserve.0.to_string();
        let empty = String::new;
        rows.push(["room for one surging pod".into(), empty(), empty(), empty(), empty(), empty(), room]);
    }
    rows
}

fn processes(workload: &WorkloadReport) -> String {
    let each = workload.containers.iter().map(|c| {
        let processes = c.processes.map_or("?".into(), |n| n.to_string());
        let processes = c.lowered_to.map_or(processes.clone(), |to| format!("{processes} → {to}"));
        c.threads.map_or(processes.clone(), |t| format!("{processes} × {t} threads"))
    });
    each.collect::<Vec<_>>().join(", ")
}

/// `2 × 3 (2+1)`: engines × limit (pool + overflow), for each engine.
fn limits(workload: &WorkloadReport) -> String {
    let engines = workload.containers.iter().flat_map(|c| &c.engines).map(|e| {
        let count = if e.count == 1 { String::new() } else { format!("{} × ", e.count) };
        match (e.limit, e.pool, e.overflow) {
            (Some(limit), Some(pool), Some(overflow)) if overflow > 0 => format!("{count}{limit} ({pool}+{overflow})"),
            (Some(limit), ..) => format!("{count}{limit}"),
            _ => format!("{count}unbounded"),
        }
    });
    engines.collect::<Vec<_>>().join(", ")
}

fn print_rows(rows: &[[String; 7]], out: &mut dyn Write) -> io::Result<()> {
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    for (i, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            // Words to the left, numbers to the right.
            if [0, 2, 3].contains(&column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(out, "  {}", if i == 0 { paint(DIM, line.trim_end()) } else { line.trim_end().to_owned() })?;
    }
    Ok(())
}

fn style_of(verdict: &str) -> Style {
    match verdict {
        "Fits" => colour(AnsiColor::Green).bold(),
        "Unknown" => colour(AnsiColor::Yellow).bold(),
        _ => colour(AnsiColor::Red).bold(),
    }
}

fn print_sum(budget: &BudgetReport, before: Option<&BudgetReport>, out: &mut dyn Write) -> io::Result<()> {
    let style = style_of(budget.verdict);
    let verdict = paint(style, budget.verdict);
    let Some(capacity) = &budget.capacity else {
        return writeln!(out, "  {verdict}: {} connections of an unknown number", budget.peak.0);
    };
    let cap = capacity.allocatable.0;
    let bar = bar(budget.peak.0.bounded(), cap.bounded().unwrap_or(0));
    let sum = change(before.map(|b| b.peak), budget.peak);
    writeln!(out, "  {}  {sum} of {cap}  {verdict}", paint(style, &bar))?;
    let written = &budget.as_written;
    let wanted = change(before.map(|b| b.as_written.peak), written.peak);
    writeln!(
        out,
        "  {}",
        paint(DIM, &format!("as written, without dbbudget: {wanted} of {cap}, {}", written.verdict))
    )?;
    for (i, way) in budget.ways_out.iter().enumerate() {
        let head = if i == 0 { "ways out:" } else { "      or:" };
        for (j, step) in way.iter().enumerate() {
            writeln!(out, "  {} {step}", if j == 0 { head } else { "     and:" })?;
        }
    }
    Ok(())
}

/// Forty cells for what there is, and up to ten more for what goes beyond.
fn bar(peak: Option<u64>, cap: u64) -> String {
    const CELLS: u64 = 40;
    let cells = |n: u64| if cap == 0 { CELLS * u64::from(n > 0) } else { (n.saturating_mul(CELLS)).div_ceil(cap) };
    let filled = peak.map_or(u64::MAX, cells);
    let (inside, beyond) = (filled.min(CELLS), filled.saturating_sub(CELLS).min(10));
    let repeat = |text: &str, n: u64| text.repeat(usize::try_from(n).unwrap_or(0));
    let arrow = if filled > CELLS + 10 { ">" } else { "" };
    format!("[{}{}]{}{arrow}", repeat("#", inside), repeat("-", CELLS - inside), repeat("#", beyond))
}

/// Findings of one rule with one fix are one paragraph; notes are a line each.
fn print_findings(findings: &[FindingReport], out: &mut dyn Write) -> io::Result<()> {
    let key = |f: &FindingReport| (f.severity, f.rule, f.fix.clone());
    let mut done = Vec::new();
    let (serious, notes): (Vec<_>, Vec<_>) = findings.iter().partition(|f| f.severity > Severity::Note);
    for first in &serious {
        if done.contains(&key(first)) {
            continue;
        }
        done.push(key(first));
        let shade = if first.severity == Severity::Error { AnsiColor::Red } else { AnsiColor::Yellow };
        writeln!(out, "{} {}", paint(colour(shade).bold(), first.severity.as_str()), paint(BOLD, first.rule))?;
        for finding in serious.iter().filter(|f| key(f) == key(first)) {
            if let Some(place) = place(finding) {
                writeln!(out, "  {}", paint(DIM, &place))?;
            }
            writeln!(out, "    {}: {}", finding.target, finding.message)?;
        }
        // The ways out stand with the sum already.
        if ["infeasible", "exceeded"].contains(&first.rule) {
            writeln!(out)?;
        } else {
            writeln!(out, "  {} {}\n", paint(colour(AnsiColor::Cyan), "fix:"), first.fix)?;
        }
    }
    for note in &notes {
        let place = place(note).map_or(String::new(), |place| paint(DIM, &format!("  {place}")));
        writeln!(out, "note {}: {}{place}", note.target, note.message)?;
    }
    if notes.is_empty() { Ok(()) } else { writeln!(out) }
}

fn place(finding: &FindingReport) -> Option<String> {
    finding.file.as_ref().zip(finding.line).map(|(file, line)| format!("{file}:{line}"))
}

fn summary(report: &Report) -> String {
    let count = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    let plural = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
    let fit = report.budgets.iter().filter(|b| b.verdict == "Fits").count();
    format!(
        "{} of {} fit; {}, {}, {}",
        fit,
        plural(report.budgets.len(), "budget"),
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
        plural(count(Severity::Note), "note")
    )
}
