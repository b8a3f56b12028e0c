//! What other budgets draw from one, or it from others. The rules are [`crate::budget::ledger::lending`]'s.

use std::collections::BTreeSet;

use super::facts::{Facts, number};
use super::ledgers::Ledgers;
use crate::api::parse::{Budget, Capacity, Name};
use crate::api::policy::Enforcement;
use crate::assess::on_server;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::lending::{Borrower, Says, Spec};
use crate::budget::ledger::{Bounds, Ledger, Moment};
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
    facts.knows_listed = !budget.listed().any(|of| is_unknown(&of)) && is_of_this_spec(facts);
    if !facts.listed.is_empty() && !facts.knows_listed {
        no_more_than_before(facts, ledger);
    }
    let lists = |lender: &Budget| lender.enforcement == Enforcement::Lease && lender.listed().any(|of| of == name.name);
    let lenders = view.snapshot().budgets().filter(|lender| lender.name.namespace == name.namespace && lists(lender));
    // One whose spec nobody can read lends on.
    let lenders = lenders.map(|lender| lender.name.clone()).chain(ledgers.lenders(name));
    let lenders: BTreeSet<Name> = lenders.collect();
    if is_kept(budget) {
        let wanted = facts.terms.as_ref().and_then(|terms| terms.bounds);
        for lender in &lenders {
            keep(facts, view, (lender, ledgers), (name, wanted), ledger);
        }
        if view.faulty(&name.namespace).any(|other| ledgers.may_be_there(other)) {
            no_more_than_before(facts, ledger); // it may be a lender
        }
    }
    facts.kin.extend(lenders);
    if let (false, Some(terms)) = (facts.listed.is_empty() || facts.knows_listed, &mut facts.terms)
        && let Some(bounds) = &mut terms.bounds
    {
        bounds.generation = terms.generation; // whoever knows an older spec drops nothing of what this one lists
    }
}

fn borrower(view: &View, ledgers: &Ledgers, name: &Name) -> Option<Borrower> {
    let (budget, uid) = (view.snapshot().budget(name)?, view.budget(name)?.version.uid.clone());
    let spec = Spec { uid, created: Moment(budget.created), generation: budget.generation.unwrap_or(0) };
    let wants = number(on_server(name, view.snapshot())?);
    let says = match &budget.capacity {
        Capacity::Known { .. } => Says::Spec,
        Capacity::Asked { .. } if view.snapshot().answers.contains_key(name) => Says::Server,
        Capacity::Asked { .. } if view.unanswered(name) => Says::Nobody,
        Capacity::Asked { .. } => Says::Guess,
    };
    let is_kept = is_kept(budget);
    if !is_kept {
        let (name, holds, most, follows) = (name.name.clone(), 0, 0, true);
        return Some(Borrower { name, spec, wants, says, holds, most, follows, is_kept });
    }
    if !ledgers.has_seen(name) {
        return None; // nobody knows what its pods hold
    }
    let ledger = ledgers.of(name).map(|kept| kept.ledger.clone()).unwrap_or_default();
    let all = |of: &dyn Fn(Source) -> Connections| of(Source::Allocatable) + of(Source::Reserve);
    let held = all(&|source| ledger.held(source));
    let beside = budget.numbers_outside() + beyond_clients(budget);
    let most = held.max(all(&|source| ledger.bound(source))) + beside;
    let follows = matches!(says, Says::Spec | Says::Server) && ledger.bounds().generation >= spec.generation;
    Some(Borrower {
        name: name.name.clone(),
        spec,
        wants,
        says,
        holds: number(held + beside),
        most: number(most),
        follows,
        is_kept,
    })
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

/// Keeps a budget to what one lender records of the bounds that its own numbers come to.
fn keep(
    facts: &mut Facts,
    view: &View,
    (lender, ledgers): (&Name, &Ledgers),
    (name, wanted): (&Name, Option<Bounds>),
    ledger: &Ledger,
) {
    let kept = ledgers.of(lender);
    let is_known = view.budget(lender).and_then(|lender| lender.status.as_ref()).is_some_and(|s| s.capacity.is_some());
    if kept.is_none() && ledgers.has_seen(lender) && !is_known {
        return; // it has no ledger, and nobody knows what it has to give: it grants nothing, and keeps nobody
    }
    let wants =
        on_server(name, view.snapshot()).filter(|wants| is_of_this_spec(facts) && is_published(view, name, *wants));
    let bounds = facts.terms.as_mut().and_then(|terms| terms.bounds.as_mut());
    let (Some(wants), Some(wanted), Some(bounds)) = (wants, wanted, bounds) else {
        return no_more_than_before(facts, ledger);
    };
    let lender = kept.map(|kept| kept.ledger.clone()).unwrap_or_default();
    *bounds = bounds.at_most(lender.lends(&name.name, &facts.uid, wants, wanted, ledger.bounds()));
}

/// Whether the numbers in the status follow from what the server said last.
fn is_published(view: &View, name: &Name, wants: Connections) -> bool {
    let is_asked = view.snapshot().budget(name).is_some_and(|b| matches!(b.capacity, Capacity::Asked { .. }));
    let capacity = view.budget(name).and_then(|stored| stored.status.as_ref()?.capacity.as_ref());
    !is_asked || capacity.is_some_and(|capacity| u64::try_from(capacity.hard).ok() == wants.bounded())
}

/// Brings what is recorded of other budgets in line with what they need. `is_known`: what there is. `kept`: for pods.
pub fn lend(ledger: &mut Ledger, facts: &Facts, (is_known, kept): (bool, Connections), budget: &str, now: Moment) {
    let Some(terms) = &facts.terms else { return ledger.lend_only(|_| false) };
    // What is recorded goes with a spec that no longer lists it, and not before all of that spec is known.
    if facts.knows_listed && terms.generation >= ledger.bounds().generation {
        ledger.lend_only(|name| facts.listed.contains(name));
    }
    let namespace = budget.split('/').next().unwrap_or_default();
    for borrower in &facts.borrowers {
        ledger.lend(borrower, namespace, (is_known.then_some(terms.generation), kept), now);
    }
}
