//! What a change of the clock does to a schedule, foretold.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use super::crontab::LARGEST_STEP;
use super::zone::Change;
use super::{Schedule, Trigger};

/// Times are listed up to so many, and counted beyond.
const LISTED: usize = 4;

/// What becomes of the runs whose times a change leaves out or repeats. Times are those of the wall clock, never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The clock skips them, and one run makes up for them.
    Late {
        /// When they were due.
        times: Vec<NaiveDateTime>,
        /// When that run starts.
        start: NaiveDateTime,
    },
    /// The clock skips them, and nothing makes up for them.
    LeftOut(Vec<NaiveDateTime>),
    /// The clock shows their times twice, and they start the first time.
    Once(Vec<NaiveDateTime>),
    /// The clock shows their times twice, and they start each time.
    Twice(Vec<NaiveDateTime>),
}

impl Schedule {
    /// What a change of its zone's clock does to it; `delay` as for [`Schedule::next`]. Periods have no effects: they do not
    /// look at a clock on the wall.
    pub fn effects(&self, change: &Change, delay: TimeDelta) -> Vec<Effect> {
        let expressions = self.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Cron(expression) => Some(expression),
            Trigger::Every(_) | Trigger::Boot => None,
        });
        let (first, end) = (change.from.min(change.to), change.from.max(change.to));
        let forward = change.step() > TimeDelta::zero();
        let small = change.step() < LARGEST_STEP && change.step() >= -LARGEST_STEP;
        let effects = expressions.filter_map(|expression| {
            let times: Vec<_> = expression.calendar().within(first, end).collect();
            if times.is_empty() {
                return None;
            }
            Some(match (forward, expression.is_wildcard()) {
                (true, false) if small => Effect::Late { times, start: self.made_up_at(change.at, delay)? },
                (true, _) => Effect::LeftOut(times),
                (false, false) => Effect::Once(times),
                (false, true) => Effect::Twice(times),
            })
        });
        effects.collect()
    }

    fn made_up_at(&self, change: DateTime<Utc>, delay: TimeDelta) -> Option<NaiveDateTime> {
        self.zone.local(self.opens(change.checked_add_signed(delay)?)?)
    }
}

/// A sentence without its full stop: `the run of 02:30 starts at 03:00`.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Late { times, start } => {
                let verb = if times.len() == 1 { "starts" } else { "start as one" };
                write!(f, "{} {verb} at {}", subject(times), start.format("%H:%M"))
            }
            Effect::LeftOut(times) => {
                let verb = if times.len() == 1 { "is" } else { "are" };
                write!(f, "{} {verb} left out: the clock does not show that time", subject(times))
            }
            Effect::Once(times) => {
                let verb = if times.len() == 1 { "starts" } else { "start" };
                write!(f, "{} {verb} once, before the clock goes back", subject(times))
            }
            Effect::Twice(times) => {
                let verb = if times.len() == 1 { "starts" } else { "start" };
                write!(f, "{} {verb} twice, before the clock goes back and after", subject(times))
            }
        }
    }
}

/// The sentence.
impl Serialize for Effect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `the run of 02:30`, `the runs of 02:00 and 02:30`, `the 12 runs from 02:00 to 02:55`.
fn subject(times: &[NaiveDateTime]) -> String {
    let shown = |time: &NaiveDateTime| time.format("%H:%M").to_string();
    match times {
        [] => "no run".to_owned(),
        [one] => format!("the run of {}", shown(one)),
        [first, .., last] if times.len() > LISTED => {
            format!("the {} runs from {} to {}", times.len(), shown(first), shown(last))
        }
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(shown).collect();
            format!("the runs of {} and {}", most.join(", "), shown(last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{schedule, utc};
    use super::*;

    /// What the next change after a moment does, in words.
    fn told(zone: &str, cron: &str, after: &str, between: &[&str]) -> String {
        let schedule = schedule(zone, &[cron], between, &[]);
        let change = schedule.zone.next_change(utc(after)).unwrap();
        let effects = schedule.effects(&change, TimeDelta::seconds(90));
        let lines: Vec<String> = effects.iter().map(ToString::to_string).collect();
        format!("{} {} {}", change.from.format("%F %R"), change.to.format("%F %R"), lines.join("; "))
    }

    #[test]
    fn forward() {
        let told = |cron, between| told("Europe/Berlin", cron, "2026-12-01T00:00:00Z", between);
        assert_eq!(told("30 2 * * *", &[]), "2027-03-28 02:00 2027-03-28 03:00 the run of 02:30 starts at 03:01");
        assert_eq!(
            told("*/20 2 * * *", &[]),
            "2027-03-28 02:00 2027-03-28 03:00 the runs of 02:00, 02:20 and 02:40 are left out: the clock does not show that time"
        );
        assert_eq!(
            told("5-55/10 2 * * *", &["04:00-05:00"]),
            "2027-03-28 02:00 2027-03-28 03:00 the 6 runs from 02:05 to 02:55 start as one at 04:00"
        );
        assert_eq!(told("30 3 * * *", &[]), "2027-03-28 02:00 2027-03-28 03:00 ");
    }

    #[test]
    fn backward() {
        let told = |cron| told("Europe/Berlin", cron, "2027-03-28T01:00:00Z", &[]);
        assert_eq!(
            told("0,30 2 * * *"),
            "2027-10-31 03:00 2027-10-31 02:00 the runs of 02:00 and 02:30 start once, before the clock goes back"
        );
        assert_eq!(
            told("@hourly"),
            "2027-10-31 03:00 2027-10-31 02:00 the run of 02:00 starts twice, before the clock goes back and after"
        );
    }

    #[test]
    fn a_day_that_is_left_out_and_a_zone_without_changes() {
        assert_eq!(
            told("Pacific/Apia", "30 4 * * *", "2011-12-01T00:00:00Z", &[]),
            "2011-12-30 00:00 2011-12-31 00:00 the run of 04:30 is left out: the clock does not show that time"
        );
        assert_eq!(super::super::Zone::UTC.next_change(utc("2026-12-01T00:00:00Z")), None);
    }
}
