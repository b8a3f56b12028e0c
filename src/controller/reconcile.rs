//! One look at one budget, in five verbs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::DynamicObject;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::decide::{Decision, decide};
use super::events::{notes, overridden};
use super::failure::Failure;
use super::leases::ledgers::Ledgers;
use super::scaling::{Refusals, act};
use super::standing::Mode;
use super::update::Update;
use crate::api::conditions::PERMANENT;
use crate::api::parse::Name;
use crate::cluster::view::item::{self, Item};
use crate::cluster::view::{Shared, View};
use crate::cluster::write::restart::Restarted;
use crate::cluster::write::{Note, Object, WriteError, Writer};
use crate::serve::health::Readiness;
use crate::serve::metrics::Metrics;

/// What every look needs.
pub struct Context {
    /// What is known.
    pub shared: Shared,
    /// How it is written.
    pub writer: Writer,
    /// Whether this replica may write.
    pub leader: watch::Receiver<bool>,
    /// Whether this replica can do its work.
    pub ready: Readiness,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Whether pods get shares.
    pub injects: bool,
    /// How long a share has to stay the same before pods are restarted for it.
    pub restart_after: Duration,
    /// How long everything has to fit before what was scaled down is restored.
    pub restore_after: Duration,
    /// What was refused lately where it was to be scaled down.
    pub refused: Refusals,
    /// What keeps the webhook from being asked.
    pub webhook_trouble: watch::Receiver<Option<String>>,
    /// The ledgers as they were last written.
    pub ledgers: Arc<Ledgers>,
    /// Budgets whose published numbers changed.
    pub wake_leases: mpsc::UnboundedSender<Name>,
}

/// Brings the status of a budget and its claims up to date. `tries`: how often that failed in a row. Answers after which
/// time to look again though nothing happens.
///
/// # Errors
/// When something is not known yet, or was not written. Everything else is done all the same.
pub async fn reconcile(context: &Context, name: &Name, tries: u32) -> Result<Option<Duration>, Failure> {
    let started = Instant::now();
    let Some((mut decision, waiting)) = look(context, name, tries)? else { return Ok(None) };
    // What is to be scaled is tried before it is recorded; each try that fails is a fact for another decision.
    for _ in 0..TRIALS {
        if act::is_possible(context, &decision).await? {
            break;
        }
        let Some((another, _)) = look(context, name, tries)? else { return Ok(None) };
        decision = another;
    }
    if let Some(depends) = decision.depends_on_nodes
        && context.shared.depends_on_nodes(name, depends)
    {
        context.shared.needs_changed();
        gather(&context.shared.read(), name, 0)?; // without nodes this was a guess
    }
    let outcome = apply(context, &mut decision).await;
    let is_settled = outcome.is_ok() && (decision.budget.is_some() || decision.again.is_none());
    if is_settled && !context.shared.read().lowered_before(name).is_empty() {
        context.shared.change(|view| {
            view.forget_lowered(name);
            BTreeSet::new()
        });
    }
    report(context, name, &decision, &outcome, started);
    outcome.and(if waiting.is_empty() { Ok(decision.again.map(until)) } else { Err(Failure::Waiting(waiting)) })
}

/// Trials before one look; whatever changes more often is told to the next.
const TRIALS: u32 = 4;

/// Gathers and decides. Nothing: this replica does not work in that namespace.
fn look(context: &Context, name: &Name, tries: u32) -> Result<Option<(Decision, Vec<String>)>, Failure> {
    let view = context.shared.read(); // gather: it is all in memory, and was parsed as it arrived
    if !view.looks_at(&name.namespace) {
        return Ok(None);
    }
    let waiting = gather(&view, name, tries)?;
    let (left_out, all) = view.left_out(name).unzip();
    let trouble = context.webhook_trouble.borrow().clone();
    let trouble = trouble.or_else(|| left_out.clone().filter(|_| all == Some(true)));
    let now = Timestamp::now();
    let refused = context.refused.at(now);
    let (kept, stalled) = (context.ledgers.of(name), context.ledgers.stalled(name));
    let mode = Mode {
        kept: kept.as_deref(),
        stalled: stalled.as_ref(),
        injects: context.injects,
        trouble: trouble.as_deref(),
        left_out: left_out.as_deref(),
        restart_after: context.restart_after,
        restore_after: context.restore_after,
        refused: Some(&refused),
    };
    Ok(Some((decide(&view, name, &waiting, mode, now), waiting)))
}

fn until(at: Timestamp) -> Duration {
    at.duration_since(Timestamp::now()).try_into().unwrap_or_default()
}

/// How long a budget without any status waits before that is said on it.
const PATIENCE: u32 = 1;
/// How long a server may take to answer before its budget is judged without.
const PATIENCE_WITH_SERVERS: u32 = 4;

/// What is not known yet of a budget. Judging it all the same would tell people of missing workloads that are merely
/// unread, so a budget that has a status keeps it.
fn gather(view: &View, name: &Name, tries: u32) -> Result<Vec<String>, Failure> {
    let mut waiting = view.unfilled(name);
    if !view.is_listed() {
        return Err(Failure::Waiting(waiting)); // a budget that is merely unread is not one that does not exist
    }
    if view.unanswered(name) && tries < PATIENCE_WITH_SERVERS {
        waiting.push("the answer of its database server".into());
    }
    let said = view.budget(name).and_then(|b| b.status.as_ref()).is_some_and(|s| s.conditions.len() >= PERMANENT.len());
    if !waiting.is_empty() && (said || tries < PATIENCE) {
        return Err(Failure::Waiting(waiting));
    }
    Ok(waiting)
}

/// Writes at a time for one budget; it may have thousands of claims.
const WRITES_AT_ONCE: usize = 8;

/// Writes what differs. A write that fails keeps none of the others from being tried.
async fn apply(context: &Context, decision: &mut Decision) -> Result<(), Failure> {
    let (restarted, mut failed) = match restart(context, decision).await {
        Ok(note) => (note, None),
        Err(failure) => (None, Some(failure)),
    };
    if let Some(update) = decision.budget.as_ref().filter(|u| u.is_needed()) {
        let before = update.before.as_ref().map_or(&[][..], |s| &s.conditions);
        let overridden = overridden(update.before.as_ref(), &update.status).filter(|_| context.injects);
        let notes = notes(before, &update.status.conditions).into_iter().chain(restarted).chain(overridden).collect();
        let written = write(context, update, notes, item::budget).await;
        if written.is_err() {
            decision.scaling.clear(); // what is not recorded is not done
        }
        failed = failed.or(written.err());
    }
    failed = failed.or(act::act(context, decision).await.err());
    let mut writes = Vec::new();
    for update in decision.claims.iter().filter(|u| u.is_needed()) {
        let before = update.before.as_ref().map_or(&[][..], |s| &s.conditions);
        // Whether everything fits is the budget's event; the claim's are about itself.
        let ready = |c: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| c.type_ != "WithinCapacity";
        let of = |all: &[_]| all.iter().filter(ready).cloned().collect::<Vec<_>>();
        let notes = notes(&of(before), &of(&update.status.conditions));
        writes.push(write(context, update, notes, item::claim));
    }
    let mut outcomes = futures::stream::iter(writes).buffer_unordered(WRITES_AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        failed = failed.or(outcome.err());
    }
    failed.map_or(Ok(()), Err)
}

/// Restarts the workload whose turn it is, and notes in the status how that went. Answers the event that it is worth.
async fn restart(context: &Context, decision: &mut Decision) -> Result<Option<Note>, Failure> {
    let (Some(due), Some(update)) = (&decision.restart, &mut decision.budget) else { return Ok(None) };
    if !*context.leader.borrow() {
        return Err(Failure::NotLeader);
    }
    let Some(record) = update.status.restarts.get_mut(due.place) else { return Ok(None) };
    let restarted = context.writer.restart(&due.key, &due.progress, due.at).await;
    context.metrics.written("restart", outcome(&restarted));
    match restarted {
        Ok(Restarted::Yes(item)) => {
            context.shared.change(|view| view.wrote(*item));
            *record = due.done(record);
            let text = format!("{} is restarted, so that its pods get their share.", due.key);
            Ok(Some(Note { warning: false, reason: "Restarted".into(), text }))
        }
        Ok(Restarted::NotNow(why)) => {
            record.message = why;
            decision.again = Some(Timestamp::now() + LOOK_AGAIN);
            Ok(None)
        }
        Err(error) => {
            record.message = format!("It was not restarted: {error}.");
            Err(error.into())
        }
    }
}

/// What keeps pods from being missing is looked at again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Writes one status, and then the events that go with it.
async fn write<S: Serialize>(
    context: &Context,
    update: &Update<S>,
    notes: Vec<Note>,
    read: fn(DynamicObject) -> Item,
) -> Result<(), Failure> {
    let object = &update.object;
    if !*context.leader.borrow() {
        return Err(Failure::NotLeader);
    }
    let written = context.writer.status(object, &update.status).await;
    context.metrics.written(object.kind.as_str(), outcome(&written));
    // What was written is known at once, and not only when the watch brings it back.
    let problem = format!("writing the status of a {}", object.kind.as_str());
    match &written {
        Ok(_) => context.ready.clear(&problem),
        Err(WriteError::Forbidden(sentence)) => context.ready.problem(problem, sentence.clone()),
        Err(_) => {}
    }
    let item = read(written?);
    let leasing = match &item {
        Item::Budget(budget) => Some(&budget.name),
        Item::Claim(claim) => Some(&claim.budget),
        _ => None,
    };
    let leasing = leasing.cloned();
    context.shared.change(|view| view.wrote(item));
    if let Some(name) = leasing {
        let _ = context.wake_leases.send(name); // nobody receives with --mode observe
    }
    for note in notes {
        tell(context, object, &note).await;
    }
    Ok(())
}

async fn tell(context: &Context, object: &Object, note: &Note) {
    tracing::info!(object = %object.name, kind = object.kind.as_str(), reason = note.reason, "{}", note.text);
    if *context.leader.borrow() {
        let published = context.writer.event(object, note).await;
        context.metrics.written("event", outcome(&published));
        if let Err(error) = published {
            tracing::warn!("{error}"); // the status says the same, and stays
        }
    }
}

fn outcome<T>(written: &Result<T, WriteError>) -> &'static str {
    written.as_ref().map_or_else(WriteError::kind, |_| "ok")
}

/// Metrics and logs.
fn report(context: &Context, name: &Name, decision: &Decision, outcome: &Result<(), Failure>, started: Instant) {
    let metrics = &context.metrics;
    // Otherwise the other replica shows them from now on.
    if *context.leader.borrow() {
        match &decision.numbers {
            Some((numbers, workloads)) => metrics.budget(name, numbers, workloads),
            None => metrics.forget_numbers(name),
        }
        metrics.conditions(name, decision.budget.as_ref().map_or(&[][..], |update| &update.status.conditions));
    }
    let error = outcome.as_ref().err().and_then(Failure::kind);
    metrics.reconciled(started.elapsed(), error.map_or(Ok(()), Err));
    match outcome {
        Err(failure) if failure.kind().is_some() => tracing::warn!(budget = %name, "{failure}"),
        _ => tracing::debug!(budget = %name, took = ?started.elapsed(), "looked"),
    }
}
