//! When a watch that failed is tried again, and what its failures say.

use std::time::{Duration, Instant};

use kube_runtime::utils::Backoff;

/// A quick first retry after the API server restarted, doubling, and never long without a look.
///
/// The stream calls `reset` for every event, and a watcher announces each list before it knows whether it may list; so
/// what starts anew is decided by time alone.
pub(in crate::cluster) struct Retries {
    wait: Duration,
    last: Instant,
}

impl Retries {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(10);

    pub(in crate::cluster) fn new() -> Self {
        Self { wait: Self::FIRST, last: Instant::now() }
    }

    fn after(&mut self, now: Instant) -> Duration {
        if now > self.last + Self::LONGEST * 2 {
            self.wait = Self::FIRST;
        }
        self.last = now;
        let wait = self.wait;
        self.wait = (wait * 2).min(Self::LONGEST);
        wait
    }
}

impl Iterator for Retries {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.after(Instant::now()))
    }
}

impl Backoff for Retries {
    fn reset(&mut self) {}
}

/// Tells a permission that is missing from an API server that has just begun, which refuses everybody until it has read
/// the roles.
#[derive(Default)]
pub(in crate::cluster) struct Refusals {
    allowed_before: bool,
    since: Option<Instant>,
}

impl Refusals {
    /// As long as it may take to read the roles.
    const BEGINNING: Duration = Duration::from_secs(10);

    /// The watch was allowed.
    pub(in crate::cluster) fn allowed(&mut self) {
        *self = Self { allowed_before: true, since: None };
    }

    /// The watch was refused. Answers whether that is to be believed.
    pub(in crate::cluster) fn refused(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        !self.allowed_before || now >= since + Self::BEGINNING
    }
}

/// Tells a watch that is cut off from one that failed now and then.
pub(in crate::cluster) struct Pulse {
    patience: Duration,
    /// The first and the last failure of a series.
    failures: Option<(Instant, Instant)>,
}

impl Pulse {
    /// A watch that goes on tells nobody, and one that does not fails again within this time: an attempt takes 30 s at
    /// most, and a pause 10 s.
    const SERIES: Duration = Duration::from_secs(60);

    /// `patience`: how long a watch may fail.
    pub(in crate::cluster) fn new(patience: Duration) -> Self {
        Self { patience, failures: None }
    }

    /// The watch brought something.
    pub(in crate::cluster) fn alive(&mut self) {
        self.failures = None;
    }

    /// The watch failed. Answers whether it is cut off.
    pub(in crate::cluster) fn failed(&mut self, now: Instant) -> bool {
        let first = self.failures.filter(|(_, last)| now <= *last + Self::SERIES).map_or(now, |(first, _)| first);
        self.failures = Some((first, now));
        now >= first + self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_begin_quickly_never_stop_and_begin_anew_after_a_while() {
        let mut retries = Retries::new();
        let mut now = Instant::now();
        let waits: Vec<u128> = (0..8)
            .map(|_| {
                let wait = retries.after(now);
                Backoff::reset(&mut retries);
                now += wait;
                wait.as_millis()
            })
            .collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(retries.after(now + Duration::from_secs(30)), Retries::FIRST);
    }

    #[test]
    fn a_watch_that_fails_again_and_again_is_cut_off_and_one_that_fails_now_and_then_is_not() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut pulse = Pulse::new(90 * second);
        let mut at = |n: u32| pulse.failed(now + n * second);
        assert_eq!([0, 40, 80, 89].map(&mut at), [false; 4]);
        assert!(at(90) && at(130));
        pulse.alive();
        let mut at = |n: u32| pulse.failed(now + n * second);
        assert_eq!([140, 201, 290, 380, 470].map(&mut at), [false; 5], "an hour of silence is no hour of failures");
    }

    #[test]
    fn a_permission_that_was_there_is_missed_only_after_a_while() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut refusals = Refusals::default();
        assert!(refusals.refused(now), "nothing says that it was there");
        refusals.allowed();
        assert!(!refusals.refused(now));
        assert!(!refusals.refused(now + 9 * second));
        assert!(refusals.refused(now + 10 * second));
        refusals.allowed();
        assert!(!refusals.refused(now + 11 * second));
    }
}
