//! Pure time: when a job is due. No clock is read here.
//!
//! ```text
//! triggers (crontab, every, at boot) ─▶ jitter ─▶ windows ─▶ the moment of a start
//! ```
//!
//! Invariant: [`Schedule::next`] is strictly later than what it is asked for, and the same for every moment before it. So a
//! daemon may ask at any time and any number of times, and no run is made up or doubled by asking.

pub mod calendar;
pub mod clock_change;
pub mod crontab;
pub mod every;
pub mod jitter;
pub mod moment;
mod trigger;
pub mod window;
pub mod zone;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use trigger::Trigger;
pub use window::Windows;
pub use zone::Zone;

/// When a job is run. One that is never run by itself has no triggers; that is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What makes the job due; several add up, and where two agree on a moment it is one run.
    pub triggers: Vec<Trigger>,
    /// Where the times of day of triggers and windows are meant.
    pub zone: Zone,
    /// When runs may start.
    pub windows: Windows,
    /// Runs start so much later at most, each host and job by an amount of its own: see [`jitter::delay`]. Whole seconds.
    pub jitter: Duration,
    /// What becomes of runs that were due while nobody could start them.
    pub missed: Missed,
}

/// What becomes of runs that were due while the machine was off, asleep, or without its daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are recorded, and not made up for.
    None,
    /// One run makes up for all of them.
    #[default]
    One,
    /// Each is made up for.
    All,
}

/// A start to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start<'s> {
    /// When.
    pub at: DateTime<Utc>,
    /// When the trigger makes the job due.
    pub due: DateTime<Utc>,
    /// What makes it due; the first of several that agree.
    pub trigger: &'s Trigger,
    /// Due, and delayed by the jitter, it would fall outside of the windows.
    pub waits_for_window: bool,
}

impl Schedule {
    /// The first start after a moment, strictly later; `None` if there is none. `delay` is this host's and job's share of the
    /// jitter. A start that would fall outside of the windows is moved to their next opening; several that are moved to
    /// the same opening are one. [`Trigger::Boot`] has no moment of its own and is left out.
    pub fn next(&self, after: DateTime<Utc>, delay: TimeDelta) -> Option<DateTime<Utc>> {
        self.next_start(after, delay).map(|start| start.at)
    }

    /// The same, and how it comes about.
    pub fn next_start(&self, after: DateTime<Utc>, delay: TimeDelta) -> Option<Start<'_>> {
        // What became due since the windows closed, at that very moment or later, still waits for them to open.
        let from = match self.windows.closed_since(self.zone, after) {
            Some(since) => since.checked_sub_signed(TimeDelta::nanoseconds(1))?,
            None => after,
        };
        let from = from.checked_sub_signed(delay)?;
        let dues = self.triggers.iter().filter_map(|trigger| Some((trigger.next(self.zone, from)?, trigger)));
        let (due, trigger) = dues.min_by_key(|(due, _)| *due)?;
        let delayed = due.checked_add_signed(delay)?;
        let at = self.opens(delayed)?;
        Some(Start { at, due, trigger, waits_for_window: at > delayed })
    }

    /// Whether a run may start at this moment.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.windows.is_open(self.zone, at)
    }

    /// The first moment from this one on at which a run may start.
    pub fn opens(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.windows.opens(self.zone, at)
    }
}

#[cfg(test)]
mod tests;
