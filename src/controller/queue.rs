//! Which budget is looked at when. Pure: the clock is handed in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::api::parse::Name;
use crate::cluster::view::Concerned;

/// A first change waits this long for those that come with it: one `kubectl apply` writes several objects.
const GATHER: Duration = Duration::from_millis(15);
/// While changes keep coming, a budget is looked at no more often than this.
const SLOWEST: Duration = Duration::from_millis(800);
/// The longest wait after failures.
const LONGEST_RETRY: Duration = Duration::from_secs(20);

/// Budgets that are to be looked at. Each is looked at by one task at a time.
///
/// A lone change is served at once. While changes keep coming, the pause between two looks doubles from `debounce` to
/// 800 ms, so that a storm costs about one write a second and the status is never more than a second behind.
#[derive(Debug)]
pub struct Queue {
    debounce: Duration,
    due: BTreeMap<Name, Instant>,
    running: BTreeSet<Name>,
    recent: BTreeMap<Name, Recent>,
    failures: BTreeMap<Name, u32>,
}

/// When a budget was looked at last.
#[derive(Clone, Copy, Debug)]
struct Recent {
    at: Instant,
    pause: Duration,
}

impl Queue {
    /// An empty queue. `debounce` is the first pause.
    #[must_use]
    pub fn new(debounce: Duration) -> Self {
        let (due, running, recent, failures) = Default::default();
        Self { debounce, due, running, recent, failures }
    }

    /// These budgets have changed.
    pub fn add(&mut self, names: Concerned, now: Instant) {
        for name in names {
            let after = self.recent.get(&name).map(|recent| recent.at + recent.pause);
            let at = after.map_or(now + GATHER, |after| after.max(now + GATHER));
            let due = self.due.entry(name).or_insert(at);
            *due = at.min(*due);
        }
    }

    /// Takes a budget whose time has come, with how often it failed in a row.
    pub fn take(&mut self, now: Instant) -> Option<(Name, u32)> {
        let due = self.due.iter().filter(|(name, at)| **at <= now && !self.running.contains(*name));
        let name = due.min_by_key(|(_, at)| **at)?.0.clone();
        self.due.remove(&name);
        self.running.insert(name.clone());
        let pause = match self.recent.get(&name) {
            Some(recent) if now < recent.at + recent.pause * 2 => (recent.pause * 2).min(SLOWEST),
            _ => self.debounce,
        };
        self.recent.insert(name.clone(), Recent { at: now, pause });
        let failures = self.failures.get(&name).copied().unwrap_or(0);
        Some((name, failures))
    }

    /// When [`Queue::take`] will have something.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.due.iter().filter(|(name, _)| !self.running.contains(*name)).map(|(_, at)| *at).min()
    }

    /// A budget has been looked at.
    pub fn done(&mut self, name: &Name, now: Instant) {
        self.running.remove(name);
        self.failures.remove(name);
        self.recent.retain(|_, recent| now < recent.at + SLOWEST * 2);
    }

    /// A budget is to be looked at then, though nothing happens.
    pub fn later(&mut self, name: &Name, at: Instant) {
        let due = self.due.entry(name.clone()).or_insert(at);
        *due = at.min(*due);
    }

    /// Looking at a budget failed; it is tried again after `first`, doubled with every failure in a row. A change does not
    /// wait for that.
    pub fn failed(&mut self, name: &Name, first: Duration, now: Instant) {
        self.running.remove(name);
        let failures = self.failures.entry(name.clone()).or_default();
        let wait = (first * 2u32.pow((*failures).min(10))).min(LONGEST_RETRY);
        *failures = failures.saturating_add(1);
        self.later(name, now + wait);
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
        (Queue::new(ms(100)), Instant::now())
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
        assert_eq!(queue.take(start + ms(901)), Some((a, 0)));
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
