//! What the core remembers of a job.

use chrono::TimeDelta;

use super::words::{Moment, Planned};

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its schedule was looked at up to here.
    pub considered: Moment,
    /// Before the clock was put back its schedule was looked at up to here: what lies before was dealt with, if that clock was right.
    pub dealt_with: Option<Moment>,
    /// When it is due next.
    pub next: Option<Moment>,
    /// The time between that and the one after it.
    pub period: Option<TimeDelta>,
    /// When its last good backup was ready.
    pub last_good: Option<Moment>,
    /// Why what was due last was not run.
    pub skipped: Option<String>,
}

impl Job {
    /// A job whose schedule was looked at up to here.
    pub fn new(considered: Moment, last_good: Option<Moment>) -> Job {
        Job { considered, dealt_with: None, next: None, period: None, last_good, skipped: None }
    }

    /// From where on to look for what is due by now.
    pub fn since(&self, now: Moment) -> Moment {
        self.considered.max(self.dealt_with.filter(|at| *at <= now).unwrap_or(self.considered))
    }

    /// Looks for what comes after what was considered.
    pub fn look_ahead(&mut self, plan: &Planned) {
        let next = |after| plan.policy.schedule.next(after, plan.delay);
        self.next = next(self.considered);
        self.period = self.next.and_then(|first| Some(next(first)? - first));
    }
}
