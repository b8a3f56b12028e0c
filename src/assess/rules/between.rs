//! What budgets have in common, and what nobody claims.

use crate::api::parse::{Budget, Entry, Name, Which};
use crate::assess::claims::Drawing;
use crate::assess::finding::{About, Finding, Rule};
use crate::assess::snapshot::Snapshot;
use crate::workload::Workload;
use crate::workload::engines::url_variables;

/// Other budgets about the same database, and other budgets that count the same engine.
pub(super) fn findings(budget: &Budget, snapshot: &Snapshot, drawings: &[Drawing]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(database) = &budget.database {
        let same = snapshot.budgets().filter(|b| b.name != budget.name && b.database.as_ref() == Some(database));
        findings.extend(same.map(|other| {
            let message = format!(
                "{} and {} are both about the database {database}, and each gives out all that it has",
                budget.name, other.name
            );
            let fix = "keep one of them, and let its claims come from every namespace";
            Finding::new(Rule::SharedDatabase, About::Budget(budget.name.clone()), "/spec/database", message, fix)
        }));
    }
    for drawing in drawings {
        for name in snapshot.budgets_concerned(&drawing.key) {
            let Some(other) = snapshot.budget(&name).filter(|b| b.name != budget.name) else { continue };
            if let Some(engine) = shared_engine(drawing, other, snapshot) {
                let message = format!(
                    "{}: the engine {engine} is counted by {} and by {name}; {}",
                    drawing.key,
                    budget.name,
                    ruling(budget, other)
                );
                let fix = "name one engine per database, each in one budget";
                findings.push(Finding::new(
                    Rule::SharedEngine,
                    drawing.about.clone(),
                    drawing.pointer.clone(),
                    message,
                    fix,
                ));
            }
        }
    }
    findings
}

fn ruling(budget: &Budget, other: &Budget) -> String {
    let oldest = [budget, other].into_iter().min_by_key(|b| (b.created, &b.name)).unwrap_or(budget);
    format!("the older one rules: {}", oldest.name)
}

/// The first engine of a workload that another budget counts, too.
fn shared_engine(drawing: &Drawing, other: &Budget, snapshot: &Snapshot) -> Option<String> {
    let own = other.entries.iter().filter(|_| other.name.namespace == drawing.key.namespace);
    let claims = snapshot.claims_on(&other.name).filter(|c| c.name.namespace == drawing.key.namespace);
    // A claim that is refused counts for nothing.
    let let_in = |namespace: &str| {
        namespace == other.name.namespace || other.namespaces.iter().any(|n| n.namespace == namespace)
    };
    let claims = claims.filter(|c| let_in(&c.name.namespace));
    let entries = own.chain(claims.map(|c| &c.entry)).filter(|entry| is_about(entry, drawing));
    let theirs: Vec<(String, String)> = entries.flat_map(|e| engines(e, drawing)).collect();
    let mine = drawing.built.iter().flat_map(|c| c.engines.iter().map(|e| (c.name.clone(), e.name.clone())));
    mine.into_iter().find(|engine| theirs.contains(engine)).map(|(container, engine)| format!("{container}/{engine}"))
}

fn is_about(entry: &Entry, drawing: &Drawing) -> bool {
    let target = &entry.target;
    target.kind == drawing.key.kind
        && target.group == drawing.key.group
        && match &target.which {
            Which::Named(name) => *name == drawing.key.name,
            Which::Selected(selector) => drawing.workload.as_ref().is_some_and(|w| selector.matches(&w.labels)),
        }
}

/// Container and engine names of an entry; the empty container name is the template's only one.
fn engines(entry: &Entry, drawing: &Drawing) -> Vec<(String, String)> {
    let template = drawing.workload.as_ref().and_then(|w| w.template.as_ref());
    let real =
        |name: &str| template.and_then(|t| t.container(name)).map_or_else(|| name.to_owned(), |c| c.name.clone());
    let containers = entry.containers.iter();
    containers.flat_map(|c| c.engines.iter().map(move |e| (real(&c.name), e.name.clone()))).collect()
}

/// What concerns no budget in particular: claims on budgets that do not exist, workloads with a database URL that no
/// budget claims.
#[must_use]
pub fn of_snapshot(snapshot: &Snapshot) -> Vec<Finding> {
    let mut findings = Vec::new();
    for claim in snapshot.claims().filter(|c| snapshot.budget(&c.budget).is_none()) {
        let message = format!("it draws from the budget {}, which does not exist", claim.budget);
        let about = About::Claim(claim.name.clone());
        let fix = "correct spec.budgetRef, or create the budget";
        findings.push(Finding::new(Rule::BudgetNotFound, about, "/spec/budgetRef", message, fix));
    }
    if snapshot.budgets().next().is_some() {
        findings.extend(snapshot.workloads().filter(|w| unclaimed(w, snapshot)).filter_map(|w| unclaimed_urls(w)));
    }
    findings.retain(|f| match &f.about {
        About::Object(key) => !snapshot.workload(key).is_some_and(|w| w.ignore.iter().any(|r| r == f.rule.as_str())),
        About::Claim(name) => !snapshot.claim(name).is_some_and(|c| c.ignore.iter().any(|r| r == f.rule.as_str())),
        About::Budget(_) => true,
    });
    findings
}

/// Whether no entry or claim of any budget is about a workload.
fn unclaimed(workload: &Workload, snapshot: &Snapshot) -> bool {
    let about = |entry: &Entry, namespace: &str| {
        let target = &entry.target;
        let same = (target.kind.as_str(), target.group.as_str(), namespace)
            == (workload.key.kind.as_str(), workload.key.group.as_str(), workload.key.namespace.as_str());
        same && match &target.which {
            Which::Named(name) => *name == workload.key.name,
            Which::Selected(selector) => selector.matches(&workload.labels),
        }
    };
    let of_budget = |name: &Name| {
        let own = snapshot.budget(name).is_some_and(|b| b.entries.iter().any(|e| about(e, &b.name.namespace)));
        own || snapshot.claims_on(name).any(|c| about(&c.entry, &c.name.namespace))
    };
    !snapshot.budgets_concerned(&workload.key).iter().any(of_budget)
}

fn unclaimed_urls(workload: &Workload) -> Option<Finding> {
    let containers = workload.template.iter().flat_map(|t| &t.containers);
    let (container, variable) =
        containers.flat_map(|c| url_variables(c, &[]).map(move |(name, _)| (c, name))).next()?;
    let message = format!("container {} has a database URL ({variable}), and no budget claims it", container.name);
    let fix = format!(
        "claim it: `- {{name: {}, target: {{kind: {}}}, client: …}}`, or annotate {}: {}",
        workload.key.name,
        workload.key.kind,
        crate::api::IGNORE,
        Rule::UnclaimedDatabaseUrl
    );
    let about = About::Object(workload.key.clone());
    Some(Finding::new(Rule::UnclaimedDatabaseUrl, about, container.pointer_to(variable), message, fix))
}
