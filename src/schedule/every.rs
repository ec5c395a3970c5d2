//! `every = "6h"`: the multiples of a period since 1970-01-01T00:00Z.
//!
//! They are the same on every machine and after every restart, and no change of a clock's offset moves them.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Periods that are taken, in whole seconds: a minute, as with a crontab, to a leap year.
pub const PERIODS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(366 * 86_400);

/// The first multiple after a moment, strictly later; `None` for a period below a second.
pub fn next(period: Duration, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let period = i64::try_from(period.as_secs()).ok().filter(|seconds| *seconds > 0)?;
    let passed = after.timestamp().div_euclid(period);
    DateTime::from_timestamp(passed.checked_add(1)?.checked_mul(period)?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(period: u64, text: &str) -> String {
        let next = next(Duration::from_secs(period), text.parse().unwrap()).unwrap();
        next.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn multiples_of_the_period() {
        assert_eq!(after(6 * 3600, "2027-03-28T00:00:00Z"), "2027-03-28T06:00:00Z");
        assert_eq!(after(6 * 3600, "2027-03-28T05:59:59.999Z"), "2027-03-28T06:00:00Z");
        assert_eq!(after(90 * 60, "2027-03-28T06:00:00Z"), "2027-03-28T07:30:00Z");
        assert_eq!(after(3600, "1969-12-31T22:30:00Z"), "1969-12-31T23:00:00Z");
    }

    #[test]
    fn no_period_and_the_end_of_time() {
        assert_eq!(next(Duration::ZERO, DateTime::UNIX_EPOCH), None);
        assert_eq!(next(Duration::from_secs(60), DateTime::<Utc>::MAX_UTC), None);
    }
}
