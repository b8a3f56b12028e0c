//! One look at one ledger, in five verbs: read, gather, prove, decide, write. What is granted is executed beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::watch;

use super::adopting;
use super::asking::Lost;
use super::decide::{Known, Plan, decide};
use super::facts::{Absent, Facts, now};
use super::heartbeats::Heartbeats;
use super::ledgers::{Kept, Ledgers};
use super::writing::write;
use crate::api::parse::Name;
use crate::budget::ledger::adoption::NotYet;
use crate::budget::ledger::ended::{Verdict, judge};
use crate::budget::ledger::{Ledger, Moment, Phase, Uid};
use crate::cluster::confirm::Replicas;
use crate::cluster::view::Shared;
use crate::cluster::view::pods::Pod;
use crate::cluster::webhook::Namespaces;
use crate::cluster::write::ledger::Stored;
use crate::cluster::write::{WriteError, Writer};
use crate::controller::failure::Failure;
use crate::pod::pinned::Pinned;
use crate::serve::metrics::Metrics;

/// What every look needs.
pub struct Context {
    /// What is known.
    pub shared: Shared,
    /// How it is written.
    pub writer: Writer,
    /// Counts what is written.
    pub metrics: Arc<Metrics>,
    /// Whether this replica may write.
    pub leader: watch::Receiver<bool>,
    /// The ledgers, for others.
    pub ledgers: Arc<Ledgers>,
    /// What the webhook's replicas confirm.
    pub replicas: Replicas,
    /// The namespaces that the API server asks about.
    pub registered: watch::Receiver<Option<Arc<Namespaces>>>,
    /// Seconds between a confirmation and the list that is adopted.
    pub settle: u32,
}

/// What follows from a look.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Pods that have what they waited for.
    pub execute: Vec<Arc<Pod>>,
    /// Other budgets that some of its pods draw from, where they have to know.
    pub others: BTreeSet<Name>,
    /// After which time to look again though nothing happens.
    pub again: Option<Duration>,
    /// Whether the ledger was written.
    pub wrote: bool,
}

/// What is remembered of one ledger between two looks.
#[derive(Default)]
pub struct Keeping {
    /// As it is stored; nothing: it has not been read, or there is none.
    pub(super) stored: Option<Stored>,
    /// The same, as it is computed with.
    pub(super) ledger: Ledger,
    pub(super) was_read: bool,
    pub(super) lost: Lost,
    pub(super) heartbeats: Heartbeats,
    pub(super) unknown_since: Option<Moment>,
    /// When nodes are noted though nothing else is written.
    pub(super) nodes_due: Option<Instant>,
    /// Since when its namespaces are registered.
    pub(super) registered_since: Option<Moment>,
}

/// Reads that go on at the same time.
const READS_AT_ONCE: usize = 16;

/// Brings a ledger up to date.
///
/// # Errors
/// When something was not read or written. What was not written was not granted.
pub async fn look(context: &Context, name: &Name, keeping: &mut Keeping) -> Result<Outcome, Failure> {
    if !*context.leader.borrow() {
        return Err(Failure::NotLeader);
    }
    let outcome = steps(context, name, keeping).await;
    if outcome.is_err() {
        keeping.was_read = false; // somebody else may have written it
    }
    outcome
}

async fn steps(context: &Context, name: &Name, keeping: &mut Keeping) -> Result<Outcome, Failure> {
    read(context, name, keeping).await?;
    let facts = {
        let view = context.shared.read();
        let unfilled = view.unfilled(name);
        if !unfilled.is_empty() {
            return Err(Failure::Waiting(unfilled));
        }
        let none = BTreeMap::new();
        let nodes = keeping.stored.as_ref().map_or(&none, |stored| &stored.beside.nodes);
        Facts::gather(&view, name, keeping.stored.as_ref().map(|_| &keeping.ledger), nodes)
    };
    if keeping.stored.is_none()
        && facts.terms.as_ref().and_then(|terms| terms.bounds).is_none()
        && facts.strays.is_empty()
    {
        context.ledgers.put(name, None);
        return Ok(Outcome::default()); // nobody leases, or nobody knows yet what there is
    }
    let verdicts = prove(context, &facts).await?;
    let freed = confirm_strays(context, name, &facts).await?;
    let (adopted, not_yet) = adopt(context, name, keeping, &facts).await?;
    let nodes: BTreeSet<String> = keeping.ledger.quarantined().values().filter_map(|kept| kept.node.clone()).collect();
    keeping.heartbeats.listen(&context.writer, nodes.iter().map(String::as_str)).await;
    let unknown = facts.terms.as_ref().is_some_and(|terms| terms.bounds.is_none());
    keeping.unknown_since = unknown.then(|| keeping.unknown_since.unwrap_or_else(now));
    let heartbeats = std::mem::take(&mut keeping.heartbeats);
    let (budget, begins) = (name.to_string(), adopted.is_some());
    let known = Known {
        budget: &budget,
        verdicts: &verdicts,
        adopted,
        freed: &freed,
        elsewhere: &elsewhere(context, name, &facts),
        promised: &context.ledgers.of(name).map(|kept| kept.has_room_for.clone()).unwrap_or_default(),
        node: &|node| heartbeats.of(node),
        unknown_since: keeping.unknown_since,
        now: now(),
    };
    let is_same = |stored: &Stored| stored.beside.budget_uid == facts.uid || facts.uid.is_empty();
    let same = keeping.stored.as_ref().is_some_and(is_same);
    let plan = decide(&keeping.ledger, same, &facts, known, &mut keeping.lost);
    keeping.heartbeats = heartbeats;
    let wrote = write(context, name, keeping, &facts, &plan.ledger).await?;
    let outcome = report(context, name, keeping, (plan, freed, not_yet), (begins, facts.terms.is_some()));
    Ok(Outcome { wrote, ..outcome })
}

/// The ledger as it is stored, unless this replica wrote it last.
async fn read(context: &Context, name: &Name, keeping: &mut Keeping) -> Result<(), Failure> {
    if !keeping.was_read {
        let (stored, ledger) = context.writer.ledger(name).await?.unzip();
        (keeping.stored, keeping.ledger) = (stored, ledger.unwrap_or_default());
        keeping.was_read = true;
    }
    Ok(())
}

/// Reads every pod that nobody sees any more, and draws the conclusion.
async fn prove(context: &Context, facts: &Facts) -> Result<Vec<(Absent, Verdict)>, Failure> {
    let reads = facts.absent.iter().cloned().map(|absent| async move {
        let answer = context.writer.pod(&absent.pod.namespace, &absent.pod.name, &absent.uid).await?;
        let verdict = judge(&absent.uid, &answer, absent.last.as_ref().map(|pod| pod.seen));
        Ok::<_, WriteError>((absent, verdict))
    });
    let read: Vec<_> = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE).collect().await;
    Ok(read.into_iter().collect::<Result<_, _>>()?)
}

/// Pods that wait for this budget although no claim on it rules them any more. The objects are read anew, after the pods
/// were seen: a claim that is merely unread still rules.
async fn confirm_strays(context: &Context, name: &Name, facts: &Facts) -> Result<Vec<Arc<Pod>>, Failure> {
    if facts.strays.is_empty() {
        return Ok(Vec::new());
    }
    let known = {
        let view = context.shared.read();
        let claims = view.claims_on(name).map(|(claim, stored)| (claim.clone(), stored.version.clone()));
        (view.budget(name).map(|stored| stored.version.clone()), claims.collect::<BTreeMap<_, _>>())
    };
    let stored = context.writer.rules(name, facts.strays.iter().map(|pod| pod.namespace.as_str()).collect()).await?;
    let same = stored.budget == known.0.as_ref().map(|version| (version.uid.clone(), version.generation))
        && stored
            .claims
            .iter()
            .all(|(claim, of)| known.1.get(claim).map(|v| (v.uid.clone(), v.generation)) == Some(of.clone()));
    if same { Ok(facts.strays.clone()) } else { Err(Failure::Waiting(vec![format!("the newest state of {name}")])) }
}

/// Where everybody gates by now, everything that runs without a grant.
async fn adopt(
    context: &Context,
    name: &Name,
    keeping: &mut Keeping,
    facts: &Facts,
) -> Result<(Option<crate::budget::ledger::adoption::Adopted>, Option<NotYet>), Failure> {
    let Some(terms) = facts.terms.as_ref().filter(|_| keeping.ledger.phase() == Phase::Adopting) else {
        return Ok((None, None));
    };
    let registered = context.registered.borrow().clone();
    let covered = registered.is_some_and(|all| facts.namespaces.iter().all(|name| all.contains_key(name)));
    keeping.registered_since = covered.then(|| keeping.registered_since.unwrap_or_else(now));
    let replicas = context.replicas.of(&facts.uid, keeping.registered_since.map(|at| (terms.generation, at))).await?;
    match adopting::adopt(context, name, terms.generation, facts, &replicas).await? {
        Ok(adopted) => Ok((Some(adopted), None)),
        Err(not_yet) => Ok((None, Some(not_yet))),
    }
}

/// Pods that another budget keeps waiting. Budgets are taken from in their order, and the first is taken from only when all
/// others have room.
fn elsewhere(context: &Context, name: &Name, facts: &Facts) -> BTreeSet<Uid> {
    let me = name.to_string();
    let kept_waiting = |pod: &Arc<Pod>| {
        let awaited = pod.pinned.as_ref().map(|pinned| pinned.awaited()).unwrap_or_default();
        awaited.into_iter().filter(|other| *other != me).any(|other| {
            let kept = budget_name(other).and_then(|other| context.ledgers.of(&other));
            let has = |kept: &Kept| kept.ledger.knows(&pod.uid) || kept.let_go.contains(&pod.uid);
            let has_room = |kept: &Kept| *other > *me && kept.has_room_for.contains(&pod.uid);
            !kept.is_some_and(|kept| has(&kept) || has_room(&kept))
        })
    };
    let waiting = facts.members.values().filter(|member| member.waits);
    waiting.filter(|member| kept_waiting(&member.pod)).map(|member| member.pod.uid.clone()).collect()
}

/// `astrid/supabase` as a name.
#[must_use]
pub fn budget_name(text: &str) -> Option<Name> {
    text.split_once('/').map(|(namespace, name)| Name::new(namespace, name))
}

/// Tells others, and lets pods go.
fn report(
    context: &Context,
    name: &Name,
    keeping: &Keeping,
    (plan, freed, not_yet): (Plan, Vec<Arc<Pod>>, Option<NotYet>),
    (begins, leases): (bool, bool),
) -> Outcome {
    let again = match not_yet {
        _ if begins => Some(Duration::ZERO),
        Some(NotYet::TooEarly(at)) => Some(until(at)),
        Some(NotYet::NobodyAnswers | NotYet::Unconfirmed) => Some(Duration::from_secs(1)),
        None => plan.again.map(until),
    };
    let noted = keeping.nodes_due.map(|at| at.saturating_duration_since(Instant::now()));
    let again = again.into_iter().chain(noted).min();
    let pods = plan.waiting.iter().map(|waiting| &waiting.pod).chain(&plan.execute);
    let awaited = pods.filter_map(|pod| pod.pinned.as_deref()).flat_map(Pinned::awaited);
    let others: BTreeSet<Name> = awaited.filter_map(budget_name).filter(|other| other != name).collect();
    let kept = Kept {
        ledger: keeping.ledger.clone(),
        waiting: plan.waiting,
        has_room_for: plan.has_room_for,
        let_go: freed.iter().map(|pod| pod.uid.clone()).collect(),
        not_started: plan.not_started,
        stuck: plan.stuck,
        not_yet,
        unknown_since: keeping.unknown_since,
    };
    let counted = keeping.ledger.entries().values().filter(|_| !leases).map(|entry| entry.namespace.clone());
    context.shared.outlived(name, counted.collect());
    let is_empty = keeping.stored.is_none() && freed.is_empty();
    let changed = context.ledgers.put(name, (!is_empty).then_some(kept));
    let others = if changed { others } else { BTreeSet::new() };
    Outcome { execute: plan.execute, others, again, wrote: false }
}

fn until(at: Moment) -> Duration {
    let seconds = at.0.saturating_sub(now().0).max(0);
    Duration::from_secs(seconds.unsigned_abs()) + Duration::from_millis(200)
}
