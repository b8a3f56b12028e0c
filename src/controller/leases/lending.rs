//! What other budgets draw from one, or it from others. The rules are [`crate::budget::ledger::lending`]'s.

use super::facts::{Facts, number};
use super::ledgers::Ledgers;
use crate::api::parse::{Budget, Name, OutsideOf};
use crate::api::policy::Enforcement;
use crate::assess::on_server;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::lending::Borrower;
use crate::budget::ledger::{Ledger, Moment};
use crate::cluster::view::View;

/// Notes those that a budget lists as outside, and keeps it to what its lenders record. `ledger`: the budget's own.
pub fn meet(facts: &mut Facts, view: &View, ledgers: &Ledgers, name: &Name, ledger: &Ledger) {
    let Some(budget) = view.snapshot().budget(name).filter(|_| facts.terms.is_some()) else { return };
    for consumer in &budget.outside {
        if let OutsideOf::Budget(of) = &consumer.takes {
            let of = Name::new(&*name.namespace, &**of);
            facts.borrowers.extend(borrower(view, ledgers, &of));
            facts.kin.insert(of);
        }
    }
    let lists = |lender: &Budget| {
        lender.outside.iter().any(|of| matches!(&of.takes, OutsideOf::Budget(listed) if *listed == name.name))
    };
    let here = view.snapshot().budgets().filter(|lender| lender.name.namespace == name.namespace);
    let lenders = here.filter(|lender| lender.enforcement == Enforcement::Lease && lists(lender));
    for lender in lenders.map(|lender| &lender.name) {
        facts.kin.insert(lender.clone());
        if is_kept(view, budget) {
            keep(facts, view, (lender, ledgers), name, ledger);
        }
    }
}

fn borrower(view: &View, ledgers: &Ledgers, name: &Name) -> Option<Borrower> {
    let (budget, stored) = (view.snapshot().budget(name)?, view.budget(name)?);
    let wants = number(on_server(name, view.snapshot())?);
    let generation = budget.generation.unwrap_or(0);
    let is_kept = is_kept(view, budget);
    let uses = || {
        let capacity = stored.status.as_ref()?.capacity.as_ref()?;
        let beside = i64::from(wants) - capacity.allocatable - capacity.reserve;
        let kept = ledgers.of(name).filter(|kept| kept.ledger.bounds().generation >= generation)?;
        let all = |of: &dyn Fn(Source) -> Connections| of(Source::Allocatable) + of(Source::Reserve);
        let most = all(&|source| kept.ledger.held(source)).max(all(&|source| kept.ledger.bound(source)));
        u32::try_from(i64::from(number(most)) + beside).ok()
    };
    let uses = if is_kept { uses() } else { Some(0) };
    Some(Borrower { name: name.name.clone(), uid: stored.version.uid.clone(), generation, wants, uses, is_kept })
}

/// Whether a budget's clients are kept to what its ledger grants, and open no more on the server than there are of them.
fn is_kept(view: &View, budget: &Budget) -> bool {
    let hard = view.budget(&budget.name).and_then(|b| b.status.as_ref()?.capacity.as_ref().map(|c| c.hard));
    let server = on_server(&budget.name, view.snapshot()).and_then(|n| i64::try_from(n.bounded()?).ok());
    budget.enforcement == Enforcement::Lease && hard.zip(server).is_some_and(|(hard, server)| server >= hard)
}

fn keep(facts: &mut Facts, view: &View, (lender, ledgers): (&Name, &Ledgers), name: &Name, ledger: &Ledger) {
    let Some(terms) = &mut facts.terms else { return };
    let Some(bounds) = &mut terms.bounds else { return };
    let kept = ledgers.of(lender);
    let is_known = view.budget(lender).and_then(|lender| lender.status.as_ref()).is_some_and(|s| s.capacity.is_some());
    if kept.is_none() && !is_known {
        return; // nobody knows what it has to give: it grants nothing, and keeps nobody
    }
    let wants = on_server(name, view.snapshot()).filter(|_| terms.generation == bounds.generation);
    let Some(wants) = wants else {
        *bounds = bounds.at_most(ledger.bounds()); // its status is of an earlier spec
        return;
    };
    let lender = kept.map(|kept| kept.ledger.clone()).unwrap_or_default();
    *bounds = lender.lends(&name.name, &facts.uid, wants, *bounds, ledger.bounds());
}

/// Brings what is recorded of other budgets in line with what they need.
pub fn lend(ledger: &mut Ledger, facts: &Facts, budget: &str, now: Moment) {
    let is_listed = |name: &str| facts.terms.is_some() && facts.kin.iter().any(|kin| kin.name == name);
    ledger.lend_only(is_listed);
    let Some(terms) = &facts.terms else { return };
    let namespace = budget.split('/').next().unwrap_or_default();
    for borrower in &facts.borrowers {
        ledger.lend(borrower, namespace, terms.generation, now);
    }
}
