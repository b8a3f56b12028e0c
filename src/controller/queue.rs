//! Which budget is looked at when. Pure: the clock is handed in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::api::parse::Name;
use crate::cluster::view::Concerned;

/// A look that wrote nothing lets so many times its own duration pass before the next, so that a storm of changes that
/// matter to nobody takes a part of one core.
const REST: u32 = 4;
/// The same after one that wrote: what a write costs grows with what is written, and the next takes in all that comes
/// meanwhile.
const REST_AFTER_WRITE: u32 = 2;
/// However long a write took, nobody waits longer than this for the next.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// The longest wait after failures.
const LONGEST_RETRY: Duration = Duration::from_secs(20);

/// Budgets that are to be looked at. Each is looked at by one task at a time.
///
/// A lone change is served at once. While changes keep coming, the pause between two looks doubles up to the longest.
#[derive(Debug)]
pub struct Queue {
    pace: Pace,
    due: BTreeMap<Name, Instant>,
    /// What is looked at now, and what was known of the look before.
    running: BTreeMap<Name, Option<Recent>>,
    recent: BTreeMap<Name, Recent>,
    failures: BTreeMap<Name, u32>,
}

/// How often budgets are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A first change waits this long for those that come with it: one `kubectl apply` writes several objects.
    pub gather: Duration,
    /// The first pause.
    pub first: Duration,
    /// While changes keep coming, a budget is looked at no more often than this.
    pub slowest: Duration,
}

impl Pace {
    /// For what people see: a storm costs about one write a second, and is never more than a second behind.
    #[must_use]
    pub const fn of_status(first: Duration) -> Self {
        Self { gather: Duration::from_millis(15), first, slowest: Duration::from_millis(800) }
    }
}

/// When a budget was looked at last.
#[derive(Clone, Copy, Debug)]
struct Recent {
    at: Instant,
    pause: Duration,
    /// Not before this.
    rests: Instant,
}

impl Recent {
    fn over(self) -> Instant {
        self.rests.max(self.at + self.pause)
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        let (due, running, recent, failures) = Default::default();
        Self { pace, due, running, recent, failures }
    }

    /// These budgets have changed.
    pub fn add(&mut self, names: Concerned, now: Instant) {
        for name in names {
            let gathered = now + self.pace.gather;
            // How long to pause after a look that runs is known when it is done.
            let recent = self.recent.get(&name).filter(|_| !self.running.contains_key(&name));
            let at = recent.map_or(gathered, |recent| recent.over().max(gathered));
            let due = self.due.entry(name).or_insert(at);
            *due = at.min(*due);
        }
    }

    /// Takes a budget whose time has come, with how often it failed in a row.
    pub fn take(&mut self, now: Instant) -> Option<(Name, u32)> {
        let due = self.due.iter().filter(|(name, at)| **at <= now && !self.running.contains_key(*name));
        let name = due.min_by_key(|(_, at)| **at)?.0.clone();
        self.due.remove(&name);
        let pause = match self.recent.get(&name) {
            Some(recent) if now < recent.at + recent.pause * 2 => (recent.pause * 2).min(self.pace.slowest),
            _ => self.pace.first,
        };
        let before = self.recent.insert(name.clone(), Recent { at: now, pause, rests: now });
        self.running.insert(name.clone(), before);
        let failures = self.failures.get(&name).copied().unwrap_or(0);
        Some((name, failures))
    }

    /// When [`Queue::take`] will have something.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.due.iter().filter(|(name, _)| !self.running.contains_key(*name)).map(|(_, at)| *at).min()
    }

    /// A budget has been looked at, and something was written.
    pub fn done(&mut self, name: &Name, now: Instant) {
        if let Some(recent) = self.recent.get_mut(name) {
            recent.rests = now + ((now - recent.at) * REST_AFTER_WRITE).min(LONGEST_REST);
        }
        self.settled(name, now);
    }

    fn settled(&mut self, name: &Name, now: Instant) {
        self.ended(name);
        self.failures.remove(name);
        let slowest = self.pace.slowest;
        self.recent.retain(|_, recent| now < recent.rests.max(recent.at + slowest * 2));
    }

    /// A budget has been looked at, and there was nothing to write. The next look does not wait as if there had been.
    pub fn idle(&mut self, name: &Name, now: Instant) {
        let Some(recent) = self.recent.get_mut(name) else { return self.settled(name, now) };
        let rests = now + (now - recent.at) * REST;
        let before = self.running.get(name).copied().flatten();
        let before = before.unwrap_or(Recent { at: recent.at, pause: Duration::ZERO, rests });
        *recent = Recent { rests, ..before };
        self.settled(name, now);
    }

    /// Nobody looks any more. What has changed meanwhile waits for the pause.
    fn ended(&mut self, name: &Name) {
        self.running.remove(name);
        if let (Some(due), Some(recent)) = (self.due.get_mut(name), self.recent.get(name)) {
            *due = recent.over().max(*due);
        }
    }

    /// A budget is to be looked at then, though nothing happens.
    pub fn later(&mut self, name: &Name, at: Instant) {
        let due = self.due.entry(name.clone()).or_insert(at);
        *due = at.min(*due);
    }

    /// Looking at a budget failed; it is tried again after `first`, doubled with every failure in a row. A change does not
    /// wait for that.
    pub fn failed(&mut self, name: &Name, first: Duration, now: Instant) -> u32 {
        self.ended(name);
        let failures = self.failures.entry(name.clone()).or_default();
        let wait = (first * 2u32.pow((*failures).min(10))).min(LONGEST_RETRY);
        *failures = failures.saturating_add(1);
        let in_a_row = *failures;
        self.later(name, now + wait);
        in_a_row
    }

    /// Forgets everything but what runs: somebody else looks now.
    pub fn clear(&mut self) {
        self.due.clear();
        self.failures.clear();
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn names(names: &[&str]) -> Concerned {
        names.iter().map(|name| Name::new("shop", *name)).collect()
    }

    fn queue() -> (Queue, Instant) {
        (Queue::new(Pace::of_status(ms(100))), Instant::now())
    }

    #[test]
    fn a_lone_change_is_served_at_once_and_a_burst_together() {
        let (mut queue, start) = queue();
        queue.add(names(&["a"]), start);
        queue.add(names(&["a"]), start + ms(10));
        assert_eq!(queue.next(), Some(start + ms(15)));
        assert_eq!(queue.take(start + ms(14)), None);
        assert_eq!(queue.take(start + ms(15)), Some((Name::new("shop", "a"), 0)));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn one_task_at_a_time_and_no_change_is_lost() {
        let (mut queue, start) = queue();
        let a = Name::new("shop", "a");
        queue.add(names(&["a"]), start);
        queue.take(start + ms(15)).unwrap();
        queue.add(names(&["a", "b"]), start + ms(20));
        assert_eq!(queue.take(start + ms(900)).unwrap().0.name, "b", "a still runs");
        assert_eq!(queue.take(start + ms(900)), None);
        queue.done(&a, start + ms(901));
        assert_eq!(queue.take(start + ms(1_900)), None, "that took long, and is not done again at once");
        assert_eq!(queue.take(start + ms(1_901)), Some((a, 0)));
    }

    #[test]
    fn a_storm_is_coalesced_and_never_a_second_behind() {
        let (mut queue, start) = queue();
        let a = Name::new("shop", "a");
        let mut looks = Vec::new();
        for n in 0..5_000 {
            let now = start + ms(n);
            queue.add(names(&["a"]), now);
            if queue.take(now).is_some() {
                looks.push(n);
                queue.done(&a, now);
            }
        }
        assert!((8..=10).contains(&looks.len()), "{looks:?}");
        assert!(looks.windows(2).all(|w| w[1] - w[0] <= 800), "{looks:?}");
        queue.take(start + ms(6_000)).unwrap();
        queue.done(&a, start + ms(6_000));
        queue.add(names(&["a"]), start + ms(9_000));
        assert_eq!(queue.next(), Some(start + ms(9_015)), "after a rest it is quick again");
    }

    #[test]
    fn what_wrote_nothing_holds_nobody_up() {
        let (mut queue, start) = queue();
        let a = Name::new("shop", "a");
        queue.add(names(&["a"]), start);
        queue.take(start + ms(15)).unwrap();
        queue.idle(&a, start + ms(20));
        queue.add(names(&["a"]), start + ms(21));
        assert_eq!(queue.next(), Some(start + ms(40)), "it rests four times as long as it took");
        queue.take(start + ms(40)).unwrap();
        queue.done(&a, start + ms(41));
        queue.add(names(&["a"]), start + ms(42));
        assert_eq!(queue.next(), Some(start + ms(140)), "after a write it pauses");
        queue.take(start + ms(140)).unwrap();
        queue.idle(&a, start + ms(141));
        queue.add(names(&["a"]), start + ms(142));
        assert_eq!(queue.next(), Some(start + ms(157)), "and does not double that for what was idle");
    }

    #[test]
    fn failures_wait_longer_each_time_and_changes_do_not_wait_for_them() {
        let (mut queue, start) = queue();
        let a = Name::new("shop", "a");
        queue.add(names(&["a"]), start);
        let mut now = start + ms(15);
        for wait in [1_000, 2_000, 4_000] {
            queue.take(now).unwrap();
            queue.failed(&a, ms(1_000), now);
            assert_eq!(queue.next(), Some(now + ms(wait)));
            now += ms(wait);
        }
        assert_eq!(queue.take(now), Some((a.clone(), 3)));
        queue.failed(&a, ms(1_000), now);
        queue.add(names(&["a"]), now + ms(2_000));
        assert_eq!(queue.next(), Some(now + ms(2_015)));
        queue.take(now + ms(2_015)).unwrap();
        queue.done(&a, now + ms(2_015));
        queue.add(names(&["a"]), now + ms(20_000));
        assert_eq!(queue.take(now + ms(21_000)), Some((a, 0)));
    }
}
