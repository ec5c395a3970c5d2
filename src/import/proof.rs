//! Whether the job is due at the minutes at which cron ran the line: both are asked for a year.

use chrono::{DateTime, TimeDelta, Utc};

use crate::schedule::{Schedule, Trigger, Zone};

/// So far both are asked.
const YEAR: TimeDelta = TimeDelta::days(366);
/// So many differences are kept.
const SHOWN: usize = 5;
/// So many coming runs are shown.
const NEXT: usize = 3;

/// What came of asking both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The zone of the line's times.
    pub zone: Zone,
    /// The next runs under cron.
    pub old: Vec<DateTime<Utc>>,
    /// The next runs of the job, without its jitter.
    pub new: Vec<DateTime<Utc>>,
    /// How often both are due at the same minute, within a year.
    pub alike: usize,
    /// The first minutes at which one of them is due alone.
    pub differences: Vec<Difference>,
}

/// A minute at which one of two is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The minute.
    pub at: DateTime<Utc>,
    /// Under cron; otherwise the job.
    pub only_old: bool,
}

/// Asks both for a year from a moment on. `None` for what no clock triggers: `@reboot`.
pub fn prove(old: &Trigger, zone: Zone, new: &Schedule, from: DateTime<Utc>) -> Option<Proof> {
    if *old == Trigger::Boot {
        return None;
    }
    let until = from.checked_add_signed(YEAR)?;
    let mut olds = Runs::new(from, until, |after| old.next(zone, after));
    let mut news = Runs::new(from, until, |after| new.next(after, TimeDelta::zero()));
    let (mut alike, mut differences) = (0, Vec::new());
    let (mut left, mut right) = (olds.next(), news.next());
    while left.is_some() || right.is_some() {
        let only = |at: DateTime<Utc>, only_old: bool| Difference { at, only_old };
        match (left, right) {
            (Some(a), Some(b)) if a == b => {
                alike += 1;
                (left, right) = (olds.next(), news.next());
                continue;
            }
            (Some(a), b) if b.is_none_or(|b| a < b) => {
                differences.push(only(a, true));
                left = olds.next();
            }
            (_, Some(b)) => {
                differences.push(only(b, false));
                right = news.next();
            }
            (_, None) => break,
        }
        if differences.len() == SHOWN {
            break;
        }
    }
    Some(Proof { zone, old: olds.first, new: news.first, alike, differences })
}

/// The moments at which something is due, one after the other.
struct Runs<F> {
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    next: F,
    first: Vec<DateTime<Utc>>,
}

impl<F: Fn(DateTime<Utc>) -> Option<DateTime<Utc>>> Runs<F> {
    fn new(after: DateTime<Utc>, until: DateTime<Utc>, next: F) -> Self {
        // A job that runs once in two years is shown, too.
        let coming = std::iter::successors(next(after), |at| next(*at));
        let first = coming.take(NEXT).collect();
        Runs { after, until, next, first }
    }
}

impl<F: Fn(DateTime<Utc>) -> Option<DateTime<Utc>>> Iterator for Runs<F> {
    type Item = DateTime<Utc>;

    fn next(&mut self) -> Option<DateTime<Utc>> {
        let at = (self.next)(self.after).filter(|at| *at > self.after && *at < self.until)?;
        self.after = at;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(old: &str, new: &str, zone: &str) -> Proof {
        let zone: Zone = zone.parse().unwrap();
        let schedule = Schedule { triggers: vec![new.parse().unwrap()], zone, ..Schedule::default() };
        let from = "2026-01-01T00:00:00Z".parse().unwrap();
        prove(&old.parse().unwrap(), zone, &schedule, from).unwrap()
    }

    #[test]
    fn what_is_the_same_is_the_same_for_a_year() {
        let proof = proof("20 4 * * *", "20 4 * * *", "Europe/Berlin");
        assert_eq!((proof.alike, proof.differences.len()), (366, 0));
        assert_eq!(proof.old, proof.new);
        assert_eq!(proof.old[0].to_rfc3339(), "2026-01-01T03:20:00+00:00");
    }

    #[test]
    fn the_first_differences_are_told() {
        let proof = proof("0 4 * * *", "0 4 * * 1-5", "UTC");
        assert_eq!(proof.differences.len(), 5);
        assert!(proof.differences.iter().all(|difference| difference.only_old));
        // 2026-01-03 is a Saturday.
        assert_eq!(proof.differences[0].at.to_rfc3339(), "2026-01-03T04:00:00+00:00");
    }

    #[test]
    fn what_never_ends_up_the_same_ends() {
        let proof = proof("* * * * *", "0 0 29 2 *", "UTC");
        assert_eq!((proof.alike, proof.differences.len(), proof.new.len()), (0, 5, 3));
    }
}
