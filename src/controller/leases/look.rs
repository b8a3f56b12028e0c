//! One look at one ledger, in five verbs: read, gather, prove, decide, write. What is granted is executed beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::watch;

use super::adopting;
use super::asking::Lost;
use super::decide::decide;
use super::facts::{Absent, Facts, now};
use super::heartbeats::Heartbeats;
use super::ledgers::{Kept, Ledgers, budget_name};
use super::lending::meet;
use super::plan::{Known, Plan};
use super::strays::confirm;
use super::writing::write;
use crate::api::parse::Name;
use crate::budget::ledger::adoption::{Adopted, NotYet};
use crate::budget::ledger::ended::{Verdict, judge};
use crate::budget::ledger::queue::Why;
use crate::budget::ledger::{Ledger, Moment, Phase, Uid};
use crate::cluster::confirm::Replicas;
use crate::cluster::view::Shared;
use crate::cluster::view::pods::Pod;
use crate::cluster::webhook::Namespaces;
use crate::cluster::write::ledger::Stored;
use crate::cluster::write::{WriteError, Writer};
use crate::controller::failure::Failure;
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

/// What could not be read, or was not certain, is looked at again after this time.
const READ_AGAIN: Duration = Duration::from_secs(1);
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
    let facts = gather(context, name, keeping).inspect_err(|_| {
        if !context.ledgers.has_seen(name) && keeping.stored.is_some() {
            // Budgets that draw from this one count with its ledger, whether or not anybody understands its spec.
            context.ledgers.put(name, Some(Kept { ledger: keeping.ledger.clone(), ..Kept::default() }));
        }
    })?;
    if keeping.stored.is_none()
        && facts.terms.as_ref().and_then(|terms| terms.bounds).is_none()
        && facts.strays.pods.is_empty()
    {
        let others = if context.ledgers.put(name, None) { facts.kin } else { BTreeSet::new() };
        return Ok(Outcome { others, ..Outcome::default() }); // nobody leases, or nobody knows yet what there is
    }
    let (verdicts, failed) = prove(context, name, &facts).await;
    let freed = confirm(context, name, &facts).await;
    let incomplete = failed || freed.is_none();
    let freed = freed.unwrap_or_default();
    let (adopted, not_yet) = adopt(context, name, keeping, &facts).await?;
    let nodes: BTreeSet<String> = keeping.ledger.quarantined().values().filter_map(|kept| kept.node.clone()).collect();
    keeping.heartbeats.listen(&context.writer, nodes.iter().map(String::as_str)).await;
    let unknown = facts.terms.as_ref().is_some_and(|terms| terms.bounds.is_none());
    keeping.unknown_since = unknown.then(|| keeping.unknown_since.unwrap_or_else(now));
    let heartbeats = std::mem::take(&mut keeping.heartbeats);
    let (budget, begins) = (name.to_string(), adopted.is_some());
    let Others { elsewhere, hopeless, promised } = others(context, name, &facts);
    let known = Known {
        budget: &budget,
        verdicts: &verdicts,
        adopted,
        freed: &freed,
        elsewhere: &elsewhere,
        hopeless: &hopeless,
        promised: &promised,
        node: &|node| heartbeats.of(node),
        unknown_since: keeping.unknown_since,
        now: now(),
    };
    let is_same = |stored: &Stored| stored.beside.budget_uid == facts.uid || facts.uid.is_empty();
    let same = keeping.stored.as_ref().is_some_and(is_same);
    let plan = decide(&keeping.ledger, same, &facts, known, &mut keeping.lost);
    keeping.heartbeats = heartbeats;
    let wrote = write(context, name, keeping, &facts, &plan.ledger).await?;
    let outcome = report(context, name, keeping, (plan, freed, not_yet), (begins, &facts));
    let again = outcome.again.into_iter().chain(incomplete.then_some(READ_AGAIN)).min();
    Ok(Outcome { again, wrote, ..outcome })
}

/// What is known. Nothing is concluded from a spec that nobody can make sense of, or before all has been read.
fn gather(context: &Context, name: &Name, keeping: &Keeping) -> Result<Facts, Failure> {
    let view = context.shared.read();
    let mut waits_for = view.unfilled(name);
    if view.budget(name).is_some_and(|stored| !stored.faults.is_empty()) {
        waits_for.push("a spec that can be understood".into());
    }
    if !waits_for.is_empty() {
        return Err(Failure::Waiting(waits_for));
    }
    let none = BTreeMap::new();
    let nodes = keeping.stored.as_ref().map_or(&none, |stored| &stored.beside.nodes);
    let mut facts = Facts::gather(&view, name, keeping.stored.as_ref().map(|_| &keeping.ledger), nodes);
    meet(&mut facts, &view, &context.ledgers, name, &keeping.ledger);
    Ok(facts)
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

/// Reads every pod that nobody sees any more, and draws the conclusion. What was not read is read again.
/// Answers, too, whether some were not.
async fn prove(context: &Context, name: &Name, facts: &Facts) -> (Vec<(Absent, Verdict)>, bool) {
    let reads = facts.absent.iter().cloned().map(|absent| async move {
        let answer = context.writer.pod(&absent.pod.namespace, &absent.pod.name, &absent.uid).await?;
        let verdict = judge(&absent.uid, &answer, absent.last.as_ref().map(|pod| pod.seen));
        Ok::<_, WriteError>((absent, verdict))
    });
    let mut reads = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE);
    let (mut verdicts, mut failed) = (Vec::new(), Vec::new());
    while let Some(read) = reads.next().await {
        match read {
            Ok(verdict) => verdicts.push(verdict),
            Err(error) => failed.push(error),
        }
    }
    if let Some(error) = failed.first() {
        tracing::warn!(budget = %name, "{error}; {} pods are read again", failed.len());
    }
    (verdicts, !failed.is_empty())
}

/// Where everybody gates by now, everything that runs without a grant.
async fn adopt(
    context: &Context,
    name: &Name,
    keeping: &mut Keeping,
    facts: &Facts,
) -> Result<(Option<Adopted>, Option<NotYet>), Failure> {
    let Some(terms) = facts.terms.as_ref().filter(|_| keeping.ledger.phase() == Phase::Adopting) else {
        return Ok((None, None));
    };
    let registered = context.registered.borrow().clone();
    // Pods of namespaces that dbbudget stays out of are entered as facts, now and later.
    let serves = |name: &String, all: &Namespaces| all.contains_key(name) || context.shared.read().stays_out_of(name);
    let covered = registered.is_some_and(|all| facts.namespaces.iter().all(|name| serves(name, &all)));
    keeping.registered_since = covered.then(|| keeping.registered_since.unwrap_or_else(now));
    let replicas = context.replicas.of(&facts.uid, keeping.registered_since.map(|at| (terms.generation, at))).await?;
    match adopting::adopt(context, name, terms.generation, facts, &replicas).await? {
        Ok(adopted) => Ok((Some(adopted), None)),
        Err(not_yet) => Ok((None, Some(not_yet))),
    }
}

/// What the ledgers of other budgets say of pods that wait for this one, too.
#[derive(Default)]
struct Others {
    /// Those that another budget keeps waiting.
    elsewhere: BTreeSet<Uid>,
    /// Of these, the ones that it will never let go.
    hopeless: BTreeSet<Uid>,
    /// Those that were told of room here, or hold connections of another budget because of that.
    promised: BTreeSet<Uid>,
}

/// Budgets are taken from in their order, and the first is taken from only when all others have room.
fn others(context: &Context, name: &Name, facts: &Facts) -> Others {
    let me = name.to_string();
    let promised = context.ledgers.of(name).map(|kept| kept.has_room_for.clone()).unwrap_or_default();
    let mut others = Others { promised, ..Others::default() };
    for pod in facts.members.values().filter(|member| member.waits).map(|member| &member.pod) {
        for other in pod.awaited().into_iter().filter(|other| *other != me) {
            let kept = budget_name(other).and_then(|other| context.ledgers.of(&other)).unwrap_or_default();
            let holds = kept.ledger.knows(&pod.uid);
            let has_room = *other > *me && kept.has_room_for.contains(&pod.uid);
            if holds {
                others.promised.insert(pod.uid.clone());
            } else if !has_room && !kept.let_go.contains(&pod.uid) {
                others.elsewhere.insert(pod.uid.clone());
            }
            let never = |why: &Why| matches!(why, Why::Never { .. } | Why::CapacityUnknown);
            if kept.waiting.iter().any(|waiting| waiting.pod.uid == pod.uid && never(&waiting.why)) {
                others.hopeless.insert(pod.uid.clone());
            }
        }
    }
    others
}

/// Tells others, and lets pods go.
fn report(
    context: &Context,
    name: &Name,
    keeping: &Keeping,
    (plan, freed, not_yet): (Plan, Vec<Arc<Pod>>, Option<NotYet>),
    (begins, facts): (bool, &Facts),
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
    let awaited = pods.flat_map(|pod| pod.awaited());
    let others: BTreeSet<Name> = awaited.filter_map(budget_name).chain(facts.kin.iter().cloned()).collect();
    let kept = Kept {
        ledger: keeping.ledger.clone(),
        waiting: plan.waiting,
        has_room_for: plan.has_room_for,
        let_go: freed.iter().map(|pod| pod.uid.clone()).collect(),
        not_started: plan.not_started,
        stuck: plan.stuck,
        not_yet,
    };
    // Namespaces that no claim is in any more; those of its claims are watched for their sake.
    let counted = keeping.ledger.entries().values().map(|entry| &entry.namespace);
    let counted = counted.filter(|namespace| !namespace.is_empty() && !facts.namespaces.contains(*namespace));
    context.shared.outlived(name, counted.cloned().collect());
    let is_empty = keeping.stored.is_none() && freed.is_empty();
    let changed = context.ledgers.put(name, (!is_empty).then_some(kept));
    let others = if changed { others.into_iter().filter(|other| other != name).collect() } else { BTreeSet::new() };
    Outcome { execute: plan.execute, others, again, wrote: false }
}

fn until(at: Moment) -> Duration {
    let seconds = at.0.saturating_sub(now().0).max(0);
    Duration::from_secs(seconds.unsigned_abs()) + Duration::from_millis(200)
}
