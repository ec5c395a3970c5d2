//! Which runs of a schedule are due, and which were missed: a pure function of the time up to which it was looked at and of now.

use chrono::TimeDelta;

use super::words::Moment;
use crate::schedule::{Missed, Schedule};

/// Later than this a run is not late but missed: cron, too, runs what is due in the present minute.
pub const LATE: TimeDelta = TimeDelta::minutes(1);

/// What was due before that is not looked for: after a year nobody waits for a backup of then.
const LOOK_BACK: TimeDelta = TimeDelta::days(366);

/// Of all that was missed at most so many are run one by one.
pub const MOST_MISSED: usize = 100;

/// What a schedule asked for between two moments.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dues {
    /// To be run now: those that are on time.
    pub now: Vec<Moment>,
    /// To be run when there is room: those that were missed and are made up for.
    pub missed: Vec<Moment>,
    /// Not to be run: the first, the last, and how many.
    pub skipped: Option<Skipped>,
}

/// Runs that were due and are not run.
#[derive(Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The first of them.
    pub first: Moment,
    /// The last of them.
    pub last: Moment,
    /// How many.
    pub count: u32,
    /// Why.
    pub why: &'static str,
}

/// What lies in a time that was lived through before the clock was put back, and forward again: after `considered` up to and including
/// `until`, from the first that is not `known` to be waiting or under way.
pub fn lived_through(
    schedule: &Schedule,
    delay: TimeDelta,
    considered: Moment,
    until: Moment,
    known: impl Fn(Moment) -> bool,
) -> Option<Skipped> {
    let begin = considered.max(until - LOOK_BACK);
    let all = std::iter::successors(schedule.next(begin, delay), |due| schedule.next(*due, delay));
    all.take_while(|due| *due <= until).skip_while(|due| known(*due)).fold(None, |so_far: Option<Skipped>, due| {
        let why = "its time was lived through before the clock was put back";
        let (first, count) = so_far.map_or((due, 0), |so_far| (so_far.first, so_far.count));
        Some(Skipped { first, last: due, count: count + 1, why })
    })
}

/// What was due after `considered` up to and including `now`.
pub fn dues(schedule: &Schedule, delay: TimeDelta, considered: Moment, now: Moment) -> Dues {
    let mut found = Dues::default();
    let mut missed: Vec<Moment> = vec![];
    let (mut before, mut first, mut dropped) = (0_u32, None, None);
    let mut at = considered.max(now - LOOK_BACK);
    while let Some(due) = schedule.next(at, delay).filter(|due| *due <= now) {
        at = due;
        if now - due <= LATE {
            found.now.push(due);
            continue;
        }
        first = first.or(Some(due));
        missed.push(due);
        if missed.len() > MOST_MISSED {
            dropped = Some(missed.remove(0));
            before += 1;
        }
    }
    let (Some(first), Some(newest)) = (first, missed.last().copied()) else { return found };
    let many = u32::try_from(missed.len()).unwrap_or(u32::MAX);
    let skipped = |last, count, why| (count > 0).then_some(Skipped { first, last, count, why });
    match schedule.missed {
        Missed::None => found.skipped = skipped(newest, before + many, "missed, and missed runs are not made up for"),
        // One that is on time does for those before it.
        Missed::One if !found.now.is_empty() => {
            found.skipped = skipped(newest, before + many, "missed, and the run that is due now does for it");
        }
        Missed::One => {
            let last = missed.iter().rev().nth(1).copied().unwrap_or(first);
            found.skipped = skipped(last, before + many - 1, "missed, and one run does for all that were missed");
            found.missed.push(newest);
        }
        Missed::All => {
            found.skipped =
                skipped(dropped.unwrap_or(first), before, "missed, and too many were missed to run them all");
            found.missed = missed;
        }
    }
    found
}
