//! What a scrape shows.

use super::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

fn numbers(held: i64, fit: &'static str) -> BudgetNumbers {
    BudgetNumbers {
        hard: Some(15),
        allocatable: Some(13),
        peak: None,
        held: Some(held),
        free: Some(13 - held),
        waiting: None,
        waiting_pods: Some(0),
        fit,
    }
}

fn workload(name: &str) -> WorkloadNumbers {
    let (namespace, name) = ("astrid".into(), name.into());
    WorkloadNumbers { namespace, name, allocated: Some(3), wanted: None, held: Some(2) }
}

fn condition(type_: &str, status: &str, reason: &str) -> Condition {
    Condition {
        type_: type_.into(),
        status: status.into(),
        reason: reason.into(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
    }
}

#[test]
fn a_budget_shows_what_is_known_and_leaves_nothing_behind() {
    let metrics = Metrics::default();
    let empty = metrics.encode();
    let name = Name::new("astrid", "supabase");
    metrics.budget(&name, &numbers(20, fit::EXCEEDED), &[workload("api"), workload("jobs")]);
    let page = metrics.encode();
    let of = "namespace=\"astrid\",budget=\"supabase\"";
    for line in [
        format!("dbbudget_free_connections{{{of}}} -7"),
        format!("dbbudget_fit{{{of},reason=\"Exceeded\"}} 1"),
        format!("dbbudget_fit{{{of},reason=\"Healthy\"}} 0"),
        format!("dbbudget_workload_held_connections{{{of},workload_namespace=\"astrid\",workload=\"api\"}} 2"),
    ] {
        assert!(page.lines().any(|l| l == line), "no {line} in\n{page}");
    }
    for absent in ["dbbudget_peak_connections{", "dbbudget_waiting_connections{", "workload_wanted_connections{"] {
        assert!(!page.contains(absent), "{absent} in\n{page}");
    }

    metrics.budget(&name, &numbers(4, fit::HEALTHY), &[workload("api")]);
    let page = metrics.encode();
    assert!(!page.contains("workload=\"jobs\""), "{page}");
    assert!(page.contains(&format!("dbbudget_fit{{{of},reason=\"Exceeded\"}} 0")), "{page}");

    metrics.forget_budget(&name);
    assert_eq!(metrics.encode(), empty);
}

#[test]
fn conditions_are_shown_as_they_are_also_without_numbers() {
    let metrics = Metrics::default();
    let name = Name::new("astrid", "supabase");
    metrics.budget(&name, &numbers(20, fit::EXCEEDED), &[workload("api")]);
    metrics.conditions(&name, &[condition("Ready", "True", "Published"), condition("Stalled", "True", "LedgerFailed")]);
    let of = "namespace=\"astrid\",budget=\"supabase\"";
    let stalled = format!("dbbudget_condition{{{of},type=\"Stalled\",status=\"True\",reason=\"LedgerFailed\"}} 1");
    assert!(metrics.encode().contains(&stalled), "{}", metrics.encode());
    metrics.forget_numbers(&name);
    metrics.conditions(&name, &[condition("Ready", "False", "Invalid")]);
    let page = metrics.encode();
    let series: Vec<&str> = page.lines().filter(|line| line.contains("astrid")).collect();
    assert_eq!(series, [format!("dbbudget_condition{{{of},type=\"Ready\",status=\"False\",reason=\"Invalid\"}} 1")]);
}

#[test]
fn every_metric_says_what_it_is() {
    let metrics = Metrics::default();
    metrics.reconciled(Duration::from_millis(3), Err("Conflict"));
    metrics.written("budget", "ok");
    metrics.leader(true);
    let page = metrics.encode();
    for line in ["dbbudget_reconcile_errors_total{kind=\"Conflict\"} 1", "dbbudget_leader 1"] {
        assert!(page.contains(line), "no {line} in\n{page}");
    }
    assert!(page.contains("dbbudget_api_writes_total{kind=\"budget\",outcome=\"ok\"} 1"), "{page}");
    let help = page.lines().filter(|l| l.starts_with("# HELP dbbudget_")).count();
    assert_eq!(help, page.lines().filter(|l| l.starts_with("# TYPE ")).count());
}

/// The chart's alerts, and what is documented.
const ABOUT: [&str; 2] =
    [include_str!("../../../charts/dbbudget/files/alerts.yaml"), include_str!("../../../deploy/README.md")];

#[test]
fn what_is_said_of_metrics_names_those_that_there_are() {
    let (metrics, name, one) = (Metrics::default(), Name::new("astrid", "supabase"), Some(1));
    let all = BudgetNumbers { peak: one, waiting: one, ..numbers(2, fit::HEALTHY) };
    metrics.budget(&name, &all, &[WorkloadNumbers { wanted: one, ..workload("api") }]);
    metrics.conditions(&name, &[condition("Ready", "True", "Published")]);
    metrics.reconciled(Duration::from_millis(3), Err("Conflict"));
    metrics.written("budget", "ok");
    metrics.reviewed(Duration::from_millis(3), "pods", "injected");
    let page = metrics.encode();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (name, kind) in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')) {
        known.insert(if kind == "counter" { format!("{name}_total") } else { name.to_owned() });
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = ABOUT.map(|text| -> BTreeSet<String> {
        let words = text.split(|c| !is_name(c)).filter(|word| word.starts_with("dbbudget_"));
        words.map(str::to_owned).collect()
    });
    let [alerts, documented] = named;
    assert!(alerts.len() > 3 && alerts.is_subset(&known), "{alerts:?} of {known:?}");
    assert_eq!(documented, known);
}
