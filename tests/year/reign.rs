//! A stretch of time over which one schedule of one job counts: everything that was due in it is accounted for exactly once.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use govern::daemon::core::words::{Moment, Planned};
use govern::schedule::Schedule;

/// What was due before that is not looked for (`due.rs`).
pub const LOOK_BACK: TimeDelta = TimeDelta::days(366);

/// The stretch.
#[derive(Debug)]
pub struct Reign {
    /// Tells it from those before.
    pub number: u32,
    pub schedule: Schedule,
    delay: TimeDelta,
    from: Moment,
    accounted: BTreeSet<Moment>,
    /// Nobody looks for what was due up to here.
    excused: Moment,
}

impl Reign {
    pub fn new(number: u32, plan: &Planned, from: Moment) -> Reign {
        let (schedule, delay) = (plan.policy.schedule.clone(), plan.delay);
        Reign { number, schedule, delay, from, accounted: BTreeSet::new(), excused: from }
    }

    /// Whether this plan would be due at the same moments, and its runs be made up for in the same way.
    pub fn is_of(&self, plan: &Planned) -> bool {
        self.schedule == plan.policy.schedule
    }

    /// The clock shows so much more that nobody looks for all of what was due.
    pub fn excuse(&mut self, until: Moment) {
        self.excused = self.excused.max(until);
    }

    /// All moments that are due after one and up to another.
    fn dues(&self, after: Moment, until: Moment) -> impl Iterator<Item = Moment> {
        let next = move |at: &Moment| self.schedule.next(*at, self.delay).filter(|due| *due <= until);
        std::iter::successors(next(&after), next)
    }

    /// One was run, or is to be, or is skipped.
    pub fn account(&mut self, due: Moment) -> Result<(), String> {
        if due <= self.from {
            return Err(format!("was due before its schedule counted, from {}", self.from));
        }
        if self.dues(due - TimeDelta::microseconds(1), due).next() != Some(due) {
            return Err("was never due".to_owned());
        }
        self.insert(due)
    }

    fn insert(&mut self, due: Moment) -> Result<(), String> {
        if !self.accounted.insert(due) {
            return Err("is accounted for twice".to_owned());
        }
        Ok(())
    }

    /// Several were skipped together.
    pub fn account_for_all(&mut self, first: Moment, last: Moment, count: u32) -> Result<(), String> {
        let dues: Vec<Moment> = self.dues(first - TimeDelta::microseconds(1), last).collect();
        if dues.len() != count as usize || dues.first() != Some(&first) || dues.last() != Some(&last) {
            return Err(format!("stands for {count} until {last}, but {} were due", dues.len()));
        }
        if first <= self.from {
            return Err(format!("was due before its schedule counted, from {}", self.from));
        }
        dues.into_iter().try_for_each(|due| self.insert(due))
    }

    /// It is over, and counted up to this moment: what was left out?
    pub fn left_out(&self, until: Moment) -> Vec<Moment> {
        self.dues(self.excused, until).filter(|due| !self.accounted.contains(due)).collect()
    }
}
