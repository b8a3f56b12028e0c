//! A plan as a pull request's comment.

use std::io::{self, Write};

use super::against::change;
use super::report::{BudgetReport, FindingReport, Report, WorkloadReport};
use crate::assess::Severity;

/// Prints a plan as GitHub-flavoured Markdown.
pub fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## Database connections\n")?;
    for budget in &report.budgets {
        let before = report.against.as_ref().and_then(|a| a.budget(budget));
        print_budget(budget, before, out)?;
    }
    let (serious, notes): (Vec<_>, Vec<_>) = report.findings.iter().partition(|f| f.severity > Severity::Note);
    for finding in serious {
        print_finding(finding, out)?;
    }
    if !notes.is_empty() {
        writeln!(out, "\n<details><summary>{} notes</summary>\n", notes.len())?;
        for finding in notes {
            print_finding(finding, out)?;
        }
        writeln!(out, "\n</details>")?;
    }
    Ok(())
}

fn print_budget(budget: &BudgetReport, before: Option<&BudgetReport>, out: &mut dyn Write) -> io::Result<()> {
    let mark = match budget.verdict {
        "Fits" => "✅",
        "Unknown" => "❓",
        _ => "❌",
    };
    writeln!(out, "### {mark} `{}/{}`: {}\n", budget.namespace, budget.name, budget.verdict)?;
    let of = budget.capacity.as_ref().map_or("an unknown number".into(), |c| c.allocatable.0.to_string());
    let change_of = |b: Option<super::report::Number>, now| change(b, now);
    let peak = change_of(before.map(|b| b.peak), budget.peak);
    let written = change_of(before.map(|b| b.as_written.peak), budget.as_written.peak);
    write!(out, "**{peak} of {of}** connections at the peak; as written, without dbbudget, {written}")?;
    match before {
        Some(before) if before.verdict != budget.verdict => writeln!(out, ". It was **{}** before.\n", before.verdict)?,
        _ => writeln!(out, ".\n")?,
    }
    writeln!(out, "| workload | pods | processes | per pod | as written | allocated |")?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|")?;
    for workload in &budget.workloads {
        let earlier = before.map(|b| b.workload(workload));
        let new = if matches!(earlier, Some(None)) { " **new**" } else { "" };
        row(workload, earlier.flatten(), new, out)?;
    }
    for gone in before.iter().flat_map(|b| &b.workloads).filter(|w| budget.workload(w).is_none()) {
        writeln!(
            out,
            "| ~~{}/{}~~ | | | | {} → 0 | {} → 0 |",
            gone.kind,
            cell(&gone.name),
            gone.wanted.0,
            gone.allocated.0
        )?;
    }
    if budget.surge_reserve.0 != crate::budget::connections::Connections::ZERO {
        writeln!(out, "| room for one surging pod | | | | | {} |", budget.surge_reserve.0)?;
    }
    writeln!(out)?;
    if budget.ways_out.is_empty() {
        return Ok(());
    }
    writeln!(out, "Ways out, each enough by itself:\n")?;
    for (i, way) in budget.ways_out.iter().enumerate() {
        writeln!(out, "{}. {}", i + 1, way.iter().map(|step| cell(step)).collect::<Vec<_>>().join("<br>"))?;
    }
    writeln!(out)
}

fn row(workload: &WorkloadReport, before: Option<&WorkloadReport>, new: &str, out: &mut dyn Write) -> io::Result<()> {
    let processes = |w: &WorkloadReport| {
        let each = w.containers.iter().map(|c| c.processes.map_or("?".into(), |n| n.to_string()));
        each.collect::<Vec<_>>().join(", ")
    };
    let both = |earlier: Option<String>, now: String| match earlier {
        Some(earlier) if earlier != now => format!("{earlier} → {now}"),
        _ => now,
    };
    writeln!(
        out,
        "| {}/{}{new} | {} | {} | {} | {} | {} |",
        workload.kind,
        cell(&workload.name),
        both(before.map(|w| w.peak_pods.to_string()), workload.peak_pods.to_string()),
        both(before.map(processes), processes(workload)),
        change(before.map(|w| w.per_pod), workload.per_pod),
        change(before.map(|w| w.wanted), workload.wanted),
        change(before.map(|w| w.allocated), workload.allocated),
    )
}

fn print_finding(finding: &FindingReport, out: &mut dyn Write) -> io::Result<()> {
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!(" `{file}:{line}`"),
        _ => String::new(),
    };
    writeln!(out, "- **{}** `{}`{place}  ", finding.severity.as_str(), finding.rule)?;
    writeln!(out, "  {}: {}  ", cell(&finding.target), cell(&finding.message))?;
    writeln!(out, "  *Fix:* {}", cell(&finding.fix))
}

/// Text that cannot break out of a table's cell or start markup of its own.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '*' | '_' | '[' | ']' | '\\' => safe.extend(['\\', c]),
            '\n' | '\r' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
