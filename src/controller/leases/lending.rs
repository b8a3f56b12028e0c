//! What other budgets draw from one, or it from others. The rules are [`crate::budget::ledger::lending`]'s.

use std::collections::BTreeSet;

use super::facts::{Facts, number};
use super::ledgers::Ledgers;
use crate::api::parse::{Budget, Capacity, Name};
use crate::api::policy::Enforcement;
use crate::assess::on_server;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::lending::Borrower;
use crate::budget::ledger::{Ledger, Moment};
use crate::cluster::view::View;

/// Notes those that a budget lists as outside, and keeps it to what its lenders record. `ledger`: the budget's own.
pub fn meet(facts: &mut Facts, view: &View, ledgers: &Ledgers, name: &Name, ledger: &Ledger) {
    let here = |of: &str| Name::new(&*name.namespace, of);
    facts.kin.extend(ledger.borrowers().map(here));
    let Some(budget) = view.snapshot().budget(name).filter(|_| facts.terms.is_some()) else { return };
    facts.listed.extend(budget.listed().map(str::to_owned));
    facts.borrowers.extend(budget.listed().filter_map(|of| borrower(view, ledgers, &here(of))));
    facts.kin.extend(budget.listed().map(here));
    let is_unknown = |of: &&str| !ledger.lends_to(of) && !facts.borrowers.iter().any(|borrower| borrower.name == **of);
    if budget.listed().any(|of| is_unknown(&of)) || !(facts.listed.is_empty() || is_of_this_spec(facts)) {
        no_more_than_before(facts, ledger);
    }
    let lists = |lender: &Budget| lender.enforcement == Enforcement::Lease && lender.listed().any(|of| of == name.name);
    let lenders = view.snapshot().budgets().filter(|lender| lender.name.namespace == name.namespace && lists(lender));
    // One whose spec nobody can read lends on.
    let lenders = lenders.map(|lender| lender.name.clone()).chain(ledgers.lenders(name));
    for lender in lenders.collect::<BTreeSet<_>>() {
        if is_kept(budget) {
            keep(facts, view, (&lender, ledgers), name, ledger);
        }
        facts.kin.insert(lender);
    }
}

fn borrower(view: &View, ledgers: &Ledgers, name: &Name) -> Option<Borrower> {
    let (budget, uid) = (view.snapshot().budget(name)?, view.budget(name)?.version.uid.clone());
    let wants = number(on_server(name, view.snapshot())?);
    let generation = budget.generation.unwrap_or(0);
    let has_answered = match &budget.capacity {
        Capacity::Known { .. } => true,
        Capacity::Asked { .. } => view.snapshot().answers.contains_key(name),
    };
    let uses = || {
        let kept = ledgers.of(name).filter(|kept| has_answered && kept.ledger.bounds().generation >= generation)?;
        let all = |of: &dyn Fn(Source) -> Connections| of(Source::Allocatable) + of(Source::Reserve);
        let most = all(&|source| kept.ledger.held(source)).max(all(&|source| kept.ledger.bound(source)));
        Some(number(most + budget.numbers_outside() + beyond_clients(budget)))
    };
    let is_kept = is_kept(budget);
    let uses = if is_kept { uses() } else { Some(0) };
    Some(Borrower { name: name.name.clone(), uid, generation, wants, uses, is_kept })
}

/// Whether a budget's clients are kept to what its ledger grants, and open no more on the server than there are of them.
fn is_kept(budget: &Budget) -> bool {
    let opens_less = matches!(budget.capacity, Capacity::Known { hard, on_server, .. } if on_server < hard);
    budget.enforcement == Enforcement::Lease && !opens_less
}

/// What a pooler may open on the server beyond its clients.
fn beyond_clients(budget: &Budget) -> Connections {
    match budget.capacity {
        Capacity::Known { hard, on_server, .. } => on_server.saturating_sub(hard).into(),
        Capacity::Asked { .. } => Connections::ZERO,
    }
}

/// Whether the numbers were computed from the spec that is known.
fn is_of_this_spec(facts: &Facts) -> bool {
    facts.terms.as_ref().is_some_and(|terms| terms.bounds.is_none_or(|bounds| bounds.generation == terms.generation))
}

fn no_more_than_before(facts: &mut Facts, ledger: &Ledger) {
    if let Some(bounds) = facts.terms.as_mut().and_then(|terms| terms.bounds.as_mut()) {
        *bounds = bounds.at_most(ledger.bounds());
    }
}

fn keep(facts: &mut Facts, view: &View, (lender, ledgers): (&Name, &Ledgers), name: &Name, ledger: &Ledger) {
    let kept = ledgers.of(lender);
    let is_known = view.budget(lender).and_then(|lender| lender.status.as_ref()).is_some_and(|s| s.capacity.is_some());
    if kept.is_none() && ledgers.has_seen(lender) && !is_known {
        return; // it has no ledger, and nobody knows what it has to give: it grants nothing, and keeps nobody
    }
    let wants = on_server(name, view.snapshot()).filter(|_| is_of_this_spec(facts));
    let (Some(wants), Some(bounds)) = (wants, facts.terms.as_mut().and_then(|terms| terms.bounds.as_mut())) else {
        return no_more_than_before(facts, ledger);
    };
    let lender = kept.map(|kept| kept.ledger.clone()).unwrap_or_default();
    *bounds = lender.lends(&name.name, &facts.uid, wants, *bounds, ledger.bounds());
}

/// Brings what is recorded of other budgets in line with what they need. `is_known`: what there is.
pub fn lend(ledger: &mut Ledger, facts: &Facts, is_known: bool, budget: &str, now: Moment) {
    ledger.lend_only(|name| facts.terms.is_some() && facts.listed.contains(name));
    let Some(terms) = &facts.terms else { return };
    let namespace = budget.split('/').next().unwrap_or_default();
    for borrower in &facts.borrowers {
        ledger.lend(borrower, namespace, is_known.then_some(terms.generation), now);
    }
}
