//! Times, spans and numbers as people read and write them.

use jiff::{SignedDuration, Timestamp};

use crate::budget::ledger::Moment;

/// What counts for as many as it likes.
const UNBOUNDED: i64 = crate::api::parse::UNBOUNDED as i64;

/// `5m`, as kubectl shows ages: the two largest units while that says something.
#[must_use]
pub fn age(since: i64, now: Moment) -> String {
    let seconds = now.0.saturating_sub(since).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds / 60);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 if seconds % 60 > 0 => format!("{minutes}m{}s", seconds % 60),
        120..10_800 => format!("{minutes}m"),
        10_800..172_800 => format!("{hours}h"),
        _ => format!("{days}d"),
    }
}

/// `12:30:00 UTC`; with its date where that is not today.
#[must_use]
pub fn clock(at: i64, now: Moment) -> String {
    let far = (at - now.0).abs() > 43_200;
    let format = if far { "%Y-%m-%d %H:%M:%S UTC" } else { "%H:%M:%S UTC" };
    Timestamp::from_second(at)
        .map_or_else(|_| "a time that nobody can tell".into(), |at| at.strftime(format).to_string())
}

/// `3 connections`.
#[must_use]
pub fn connections(n: i64) -> String {
    match n {
        1 => "1 connection".to_owned(),
        UNBOUNDED.. => "as many connections as it likes".to_owned(),
        n => format!("{n} connections"),
    }
}

/// Reads a span such as `30m`, `1h 30m` or `90s`, which has to be longer than nothing.
///
/// # Errors
/// When it is not of that form.
pub fn span(text: &str) -> Result<SignedDuration, String> {
    let read = text.parse::<SignedDuration>().map_err(|_| "expected a span, such as 90s, 30m or 1h30m".to_owned())?;
    if read.as_secs() < 1 { Err("expected a second or more".into()) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_as_kubectl_shows_them() {
        let ages = [0, 119, 120, 135, 660, 7_200, 10_800, 200_000].map(|s| age(0, Moment(s)));
        assert_eq!(ages, ["0s", "119s", "2m", "2m15s", "11m", "120m", "3h", "2d"]);
        assert_eq!(age(10, Moment(5)), "0s", "a clock that is behind");
    }

    #[test]
    fn a_time_has_its_date_where_that_is_another_day() {
        assert_eq!(clock(1_795_696_200, Moment(1_795_696_000)), "12:30:00 UTC");
        assert_eq!(clock(1_795_696_200, Moment(0)), "2026-11-26 12:30:00 UTC");
    }

    #[test]
    fn spans_are_read_or_refused_with_an_example() {
        assert_eq!(span("30m"), Ok(SignedDuration::from_mins(30)));
        assert_eq!(span("1h30m"), Ok(SignedDuration::from_mins(90)));
        for wrong in ["", "30", "soon", "0s", "-5m"] {
            assert!(span(wrong).is_err(), "{wrong:?}");
        }
    }
}
