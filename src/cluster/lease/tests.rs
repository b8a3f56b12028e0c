//! The rules, with time as an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::candidate::{Candidate, Step, Stored, Timing};

const SECOND: Duration = Duration::from_secs(1);

fn timing() -> Timing {
    Timing { duration: 15 * SECOND, margin: 4 * SECOND, retry: SECOND, request: 3 * SECOND }
}

fn stored(holder: &str, version: &str) -> Stored {
    let holder = Some(holder.to_owned()).filter(|h| !h.is_empty());
    Stored { holder, version: version.into(), lasts: 15 * SECOND }
}

fn candidate(now: Instant) -> Candidate {
    Candidate::new("me", timing(), now)
}

#[test]
fn looks_before_it_claims() {
    let now = Instant::now();
    let mut me = candidate(now);
    assert_eq!(me.next(now), Step::Read);
    me.see(None, now);
    assert_eq!(me.next(now), Step::Claim);
    assert_eq!(me.leads_until(now), None);
    me.claimed(stored("me", "1"), now);
    assert_eq!(me.leads_until(now), Some(now + 11 * SECOND));
}

#[test]
fn renews_at_a_third_and_stops_one_margin_early() {
    let now = Instant::now();
    let mut me = candidate(now);
    me.claimed(stored("me", "1"), now);
    assert_eq!(me.next(now + SECOND), Step::Wait(now + 5 * SECOND));
    assert_eq!(me.next(now + 5 * SECOND), Step::Claim);
    assert!(me.leads_until(now + 11 * SECOND - Duration::from_nanos(1)).is_some());
    assert_eq!(me.leads_until(now + 11 * SECOND), None);
    // It may become leader again, by a claim like anyone's.
    assert_eq!(me.next(now + 12 * SECOND), Step::Claim);
}

#[test]
fn a_renewal_counts_from_its_begin() {
    let now = Instant::now();
    let mut me = candidate(now);
    me.claimed(stored("me", "1"), now);
    // The answer to a request begun at 5 s arrives at 7 s: others may have seen it at 5 s.
    me.claimed(stored("me", "2"), now + 5 * SECOND);
    assert_eq!(me.leads_until(now + 7 * SECOND), Some(now + 16 * SECOND));
}

#[test]
fn waits_for_as_long_as_the_holder_asked_on_its_own_clock() {
    let now = Instant::now();
    let mut me = candidate(now);
    me.see(Some(stored("other", "1")), now);
    assert_eq!(me.next(now), Step::Wait(now + 15 * SECOND));
    me.see(Some(stored("other", "1")), now + 9 * SECOND); // read again: not a renewal
    assert_eq!(me.next(now + 9 * SECOND), Step::Wait(now + 15 * SECOND));
    me.see(Some(stored("other", "2")), now + 10 * SECOND); // a renewal
    assert_eq!(me.next(now + 15 * SECOND), Step::Wait(now + 25 * SECOND));
    assert_eq!(me.next(now + 25 * SECOND), Step::Claim);
    let longer = Stored { lasts: 60 * SECOND, ..stored("other", "3") };
    me.see(Some(longer), now + 25 * SECOND);
    assert_eq!(me.next(now + 25 * SECOND), Step::Wait(now + 85 * SECOND));
}

#[test]
fn takes_at_once_what_was_handed_over_or_was_its_own() {
    let now = Instant::now();
    let mut me = candidate(now);
    me.see(Some(stored("other", "1")), now);
    me.see(Some(stored("", "2")), now + SECOND);
    assert_eq!(me.next(now + SECOND), Step::Claim);
    me.see(Some(stored("me", "3")), now + SECOND);
    assert_eq!(me.leads_until(now + SECOND), None, "a name alone makes no leader");
    assert_eq!(me.next(now + SECOND), Step::Claim);
}

#[test]
fn after_a_failure_it_reads_again_and_leads_on_while_its_claim_holds() {
    let now = Instant::now();
    let mut me = candidate(now);
    me.claimed(stored("me", "1"), now);
    me.failed(now + 8 * SECOND);
    assert!(me.leads_until(now + 8 * SECOND).is_some());
    assert_eq!(me.next(now + 8 * SECOND), Step::Wait(now + 9 * SECOND));
    assert_eq!(me.next(now + 9 * SECOND), Step::Read);
    me.see(Some(stored("me", "2")), now + 9 * SECOND); // the write had arrived
    assert!(me.leads_until(now + 9 * SECOND).is_some());
    assert_eq!(me.leads_until(now + 11 * SECOND), None, "a write without an answer prolongs nothing");
    assert_eq!(me.next(now + 9 * SECOND), Step::Claim);
}

#[test]
fn one_who_is_replaced_or_deleted_leads_no_more() {
    let now = Instant::now();
    for found in [Some(stored("other", "2")), Some(stored("", "2")), None] {
        let mut me = candidate(now);
        me.claimed(stored("me", "1"), now);
        assert!(!me.is_news(Some(&stored("me", "1"))));
        assert!(me.is_news(found.as_ref()));
        me.see(found, now + SECOND);
        assert_eq!(me.leads_until(now + SECOND), None);
    }
}
