//! The rules of the election, without a clock or a server: what one candidate knows, and what it should do next.

use std::time::Duration;

use tokio::time::Instant;

/// How long everything takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A claim holds this long after its last renewal. Whole seconds, at least one.
    pub duration: Duration,
    /// The holder stops being leader this much earlier, so that the last write it began has ended when another may
    /// begin.
    pub margin: Duration,
    /// Pause after a failure.
    pub retry: Duration,
    /// How long one request may take.
    pub request: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { duration: seconds(15), margin: seconds(4), retry: seconds(1), request: seconds(3) }
    }
}

impl Timing {
    /// The holder renews this often.
    #[must_use]
    pub fn renewal(&self) -> Duration {
        self.duration / 3
    }
}

/// What a stored Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Who holds it; nobody after a hand-over.
    pub holder: Option<String>,
    /// Its resourceVersion.
    pub version: String,
    /// How long its holder asked for.
    pub lasts: Duration,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before then.
    Wait(Instant),
    /// Ask the server what it stores.
    Read,
    /// Write one's own name, on condition that nobody wrote since.
    Claim,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Unknown,
    Absent,
    /// `since` is when this candidate first saw this version, on its own clock: clocks of other machines are not
    /// trusted.
    Present(Stored, Instant),
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Candidate {
    me: String,
    timing: Timing,
    seen: Seen,
    /// Begin of the last write that made or kept this candidate leader.
    confirmed: Option<Instant>,
    /// No request before this.
    not_before: Instant,
}

impl Candidate {
    /// A candidate that has seen nothing.
    #[must_use]
    pub fn new(me: impl Into<String>, timing: Timing, now: Instant) -> Self {
        Self { me: me.into(), timing, seen: Seen::Unknown, confirmed: None, not_before: now }
    }

    /// Until when this candidate is leader; nothing when it is not.
    #[must_use]
    pub fn leads_until(&self, now: Instant) -> Option<Instant> {
        let until = self.confirmed? + self.timing.duration.saturating_sub(self.timing.margin);
        (now < until).then_some(until)
    }

    /// Takes in what the server stores, `None` for nothing. Of a leader it must be what a read or a write returned: a
    /// watch may be late, and would unseat it.
    pub fn see(&mut self, stored: Option<Stored>, now: Instant) {
        self.seen = match (stored, &self.seen) {
            (None, _) => Seen::Absent,
            (Some(new), Seen::Present(old, since)) if *old == new => Seen::Present(new, *since),
            (Some(new), _) => Seen::Present(new, now),
        };
        if !self.holds() {
            self.confirmed = None;
        }
    }

    /// Whether a watch told something other than what is known.
    #[must_use]
    pub fn is_news(&self, stored: Option<&Stored>) -> bool {
        match (&self.seen, stored) {
            (Seen::Present(old, _), Some(new)) => old != new,
            (Seen::Absent, None) => false,
            _ => true,
        }
    }

    /// A write of this candidate's name, begun at `begun`, was stored.
    pub fn claimed(&mut self, stored: Stored, begun: Instant) {
        self.seen = Seen::Present(stored, begun);
        self.confirmed = Some(begun);
    }

    /// A request failed: what the server stores is not known, a write may have arrived or not.
    pub fn failed(&mut self, now: Instant) {
        self.seen = Seen::Unknown;
        self.not_before = now + self.timing.retry;
    }

    /// What to do at `now`.
    #[must_use]
    pub fn next(&self, now: Instant) -> Step {
        let (when, what) = match &self.seen {
            Seen::Unknown => (now, Step::Read),
            Seen::Absent => (now, Step::Claim),
            Seen::Present(stored, since) => match (&stored.holder, self.leads_until(now).and(self.confirmed)) {
                (Some(holder), Some(begun)) if *holder == self.me => (begun + self.timing.renewal(), Step::Claim),
                // Also one's own name from an earlier life of this pod: its process has ended.
                (Some(holder), _) if *holder != self.me => (*since + stored.lasts, Step::Claim),
                _ => (now, Step::Claim),
            },
        };
        let when = when.max(self.not_before);
        if when <= now { what } else { Step::Wait(when) }
    }

    fn holds(&self) -> bool {
        matches!(&self.seen, Seen::Present(stored, _) if stored.holder.as_ref() == Some(&self.me))
    }
}
