//! A ledger in words: who waits, why, and who frees it next.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::ledgers::{Kept, Waiting};
use crate::api::conditions::Type;
use crate::api::parse::UNBOUNDED;
use crate::api::status::Waiting as Shown;
use crate::budget::claim::Source;
use crate::budget::connections::Connections;
use crate::budget::ledger::adoption::NotYet;
use crate::budget::ledger::queue::Why;
use crate::budget::ledger::{Entry, Moment, Origin, Phase};
use crate::cluster::view::pods::Pod;
use crate::controller::conditions::{Said, Truth};

/// Waiting pods that are shown.
const QUEUE: usize = 100;
/// Holders that a sentence names.
const NAMED: usize = 3;

impl Kept {
    /// What waiting pods ask for together.
    #[must_use]
    pub fn asked(&self) -> i64 {
        self.waiting.iter().filter(|w| w.connections < UNBOUNDED).map(|w| i64::from(w.connections)).sum()
    }

    /// The same of one claim.
    #[must_use]
    pub fn asked_by(&self, claim: &str) -> i64 {
        let of = self.waiting.iter().filter(|w| w.claim == claim && w.connections < UNBOUNDED);
        of.map(|w| i64::from(w.connections)).sum()
    }

    /// The first of those who wait.
    #[must_use]
    pub fn queue(&self) -> Vec<Shown> {
        let next = [Source::Allocatable, Source::Reserve].map(|source| (source, self.next_to_end(source)));
        let shown = self.waiting.iter().take(QUEUE).map(|waiting| {
            let next = next.iter().find(|(source, _)| *source == waiting.source);
            let (why, frees) = self.reason_before(waiting, next.map_or("", |(_, next)| next));
            Shown {
                namespace: waiting.pod.namespace.clone(),
                pod: waiting.pod.name.clone(),
                connections: waiting.connections.into(),
                since: Time(Timestamp::from_second(waiting.pod.created.0).unwrap_or_default()),
                why,
                frees,
            }
        });
        shown.collect()
    }

    /// Why a pod waits, and what frees it.
    #[must_use]
    pub fn reason(&self, waiting: &Waiting) -> (String, String) {
        self.reason_before(waiting, &self.next_to_end(waiting.source))
    }

    fn reason_before(&self, waiting: &Waiting, next: &str) -> (String, String) {
        let (why, frees) = self.cause(waiting, next);
        let advice = waiting.urgent.map(|urgent| format!(" {}", urgent.advice(&waiting.pod)));
        (why + &advice.unwrap_or_default(), frees)
    }

    /// `next`: who gives connections back next.
    fn cause(&self, waiting: &Waiting, next: &str) -> (String, String) {
        match &waiting.why {
            Why::Adopting => ("The ledger still takes in pods that run already.".into(), self.begins()),
            Why::NoShareYet => ("Its share is being computed.".into(), "Its share, in a moment.".into()),
            Why::CapacityUnknown => (
                "Nobody has known for 10 minutes how many connections there are.".into(),
                "Nothing by itself: see the condition WithinCapacity.".into(),
            ),
            Why::NoRoom { needs, free } => {
                let free = free.bounded().unwrap_or_default();
                (format!("It needs {needs}, and {free} are free for it."), next.to_owned())
            }
            Why::Behind(uid) => {
                let first = self.waiting.iter().find(|other| other.pod.uid == *uid);
                let first =
                    first.map_or_else(|| "another pod".into(), |w| format!("{}/{}", w.pod.namespace, w.pod.name));
                (format!("{first} waits longer, or comes first, for the same connections."), next.to_owned())
            }
            Why::Never { needs, .. } if *needs >= UNBOUNDED => (
                "Nobody knows how many it would open (Unbounded).".into(),
                "Its claim, once it says processes and limits; then replace the pod.".into(),
            ),
            Why::Never { needs, bound } => (
                format!(
                    "It needs {needs}, and there are never more than {} for it.",
                    bound.bounded().unwrap_or_default()
                ),
                "A larger capacity; or fewer processes or smaller limits, and then replace the pod.".into(),
            ),
            Why::Elsewhere => {
                let awaited = waiting.pod.awaited().join(" and ");
                (format!("It draws from {awaited}, and not all of them have room."), "Room in all of them.".into())
            }
        }
    }

    /// What keeps the ledger from granting.
    #[must_use]
    pub fn begins(&self) -> String {
        match self.not_yet {
            Some(NotYet::TooEarly(at)) => format!("The ledger, which begins to grant at {}.", time(at)),
            Some(NotYet::NobodyAnswers) => "The webhook, once a replica of it answers.".into(),
            Some(NotYet::Unconfirmed) => {
                "The webhook, once all its replicas make pods of this budget wait, and the API server asks them.".into()
            }
            None => "The ledger, in a moment.".into(),
        }
    }

    /// Who gives connections back next.
    fn next_to_end(&self, source: Source) -> String {
        let ours = |entry: &&Entry| entry.source == source;
        let drains = |entry: &&Entry| entry.origin == Origin::Drain;
        let ends = self.ledger.entries().values().filter(ours).filter(drains);
        let ends = ends.filter_map(|entry| Some((entry.until?, entry)));
        let apart = self.ledger.quarantined().values().map(|kept| (kept.until, &kept.entry));
        if let Some((at, entry)) = ends.chain(apart).min_by_key(|(at, _)| *at) {
            let Entry { namespace, name, connections, .. } = entry;
            return format!(
                "{namespace}/{name}, which is gone and counts with {connections} until {} at the latest.",
                time(at)
            );
        }
        let pods = self.ledger.entries().values().filter(ours).filter(|entry| entry.origin.is_pod());
        let mut largest: Vec<&Entry> = pods.filter(|entry| entry.connections > 0).collect();
        largest.sort_by_key(|entry| (std::cmp::Reverse(entry.connections), &entry.name));
        let named: Vec<String> = largest
            .iter()
            .take(NAMED)
            .map(|entry| format!("{}/{} ({})", entry.namespace, entry.name, entry.connections))
            .collect();
        match (named.is_empty(), largest.len() > NAMED) {
            (true, _) => "A larger capacity: no pod holds any.".into(),
            (false, more) => {
                format!("The next pod to end, of {}{}.", named.join(", "), if more { " and others" } else { "" })
            }
        }
    }

    /// Whether more is held than there is.
    #[must_use]
    pub fn over_committed(&self) -> Option<Said> {
        let over = |source| {
            let (held, bound) = (self.ledger.held(source), self.ledger.bound(source));
            (held > bound && !self.ledger.entries().is_empty()).then_some((held, bound))
        };
        let (what, (held, bound)) = match (over(Source::Allocatable), over(Source::Reserve)) {
            (Some(numbers), _) => ("allocatable", numbers),
            (None, Some(numbers)) => ("in the reserve", numbers),
            (None, None) => return None,
        };
        let number = |n: Connections| n.bounded().unwrap_or_default();
        let text = format!(
            "The ledger holds {}, and {} are {what}: the capacity was lowered, or pods run that were not granted \
             anything. Nothing is granted until it fits again; {}",
            number(held),
            number(bound),
            self.origins(),
        );
        Some(Said::new(Type::OverCommitted, Truth::True, "AboveAllocatable", text))
    }

    /// How entries came about, in words.
    fn origins(&self) -> String {
        let count = |origin| self.ledger.entries().values().filter(|entry| entry.origin == origin).count();
        let kinds = [
            (Origin::Granted, "granted"),
            (Origin::Adopted, "that ran before"),
            (Origin::Escaped, "that escaped"),
            (Origin::Freed, "that were freed"),
        ];
        let each = kinds.map(|(origin, word)| (count(origin), word)).into_iter().filter(|(n, _)| *n > 0);
        let each: Vec<String> = each.map(|(n, word)| format!("{n} {word}")).collect();
        let apart = self.ledger.quarantined().len();
        let apart = if apart > 0 { format!(", and {apart} that vanished") } else { String::new() };
        let lent = self.ledger.lent().bounded().filter(|lent| *lent > 0);
        let lent = lent.map(|lent| format!("; other budgets have {lent}")).unwrap_or_default();
        format!("pods it counts: {}{apart}{lent}.", each.join(", "))
    }

    /// Granted pods that no node takes.
    #[must_use]
    pub fn granted_not_started(&self) -> Option<Said> {
        let (first, why) = self.not_started.first()?;
        let others = match self.not_started.len() {
            1 => String::new(),
            n => format!(" The same holds for {} more.", n - 1),
        };
        let text = format!(
            "The pod {}/{} has its connections, and no node takes it: {}.{others} It keeps them until it is deleted.",
            first.namespace,
            first.name,
            why.trim_end_matches('.')
        );
        Some(Said::new(Type::GrantedNotStarted, Truth::True, "Unschedulable", text))
    }

    /// A broken rollout that has the room, so that others wait.
    #[must_use]
    pub fn rollout_blocked(&self) -> Option<Said> {
        let Pod { namespace, name, owners, .. } = self.stuck.as_deref()?;
        let workload = owners.last().map_or_else(|| "its workload".into(), ToString::to_string);
        let text = format!(
            "The pod {namespace}/{name} has the room that is kept for one surging pod, and is not Ready: the rollout of \
             {workload} exceeded its deadline. Other rollouts that have to surge wait for it. To let them proceed: mend \
             it, or undo that rollout."
        );
        Some(Said::new(Type::RolloutBlocked, Truth::True, "RoomTaken", text))
    }

    /// Who waits, for the condition Injected.
    #[must_use]
    pub fn waits(&self) -> String {
        let waiting = self.waiting.len();
        if self.ledger.phase() == Phase::Adopting {
            return format!(
                " Nothing is granted yet, and {waiting} pods wait. What frees them: {}",
                lower(&self.begins())
            );
        }
        match waiting {
            0 => " None waits.".into(),
            1 => " 1 waits for its connections: see status.queue.".into(),
            n => format!(" {n} wait for their connections: see status.queue."),
        }
    }
}

fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(char::to_lowercase).into_iter().flatten().chain(letters).collect()
}

/// A time of the day.
#[must_use]
pub fn time(at: Moment) -> String {
    Timestamp::from_second(at.0)
        .map_or_else(|_| "a time that nobody can tell".into(), |at| at.strftime("%H:%M:%S UTC").to_string())
}
