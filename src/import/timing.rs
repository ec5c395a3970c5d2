//! When an entry runs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::crontab::Entry;
use super::plan::Refusal;
use crate::schedule::crontab::BadExpression;
use crate::schedule::{Trigger, Zone};

/// When an entry runs.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The time, as the schedule understands it.
    pub trigger: Trigger,
    /// The zone of that time.
    pub zone: Zone,
    /// The zone that the crontab names.
    pub named: Option<Zone>,
    /// The longest of its random delays.
    pub jitter: Option<Duration>,
}

/// When an entry runs on a machine in this zone.
///
/// # Errors
/// What is wrong with its time, and what to write.
pub fn of(entry: &Entry, zone: Zone) -> Result<Timing, Refusal> {
    let trigger = entry.when.to_string().parse::<Trigger>();
    let trigger = trigger.map_err(|BadExpression { text, hint, .. }| (text, hint))?;
    let named = match entry.environment.filled("CRON_TZ") {
        None => None,
        Some(name) => Some(name.parse::<Zone>().map_err(|error| {
            (format!("`CRON_TZ`: {error}"), "write its name in the IANA database, such as `Europe/Berlin`".to_owned())
        })?),
    };
    // crontab(5) of cronie: in minutes.
    let minutes = entry.environment.filled("RANDOM_DELAY").and_then(|value| value.trim().parse::<u64>().ok());
    let jitter = minutes.filter(|minutes| *minutes > 0).map(|minutes| Duration::from_secs(60 * minutes.min(1440)));
    Ok(Timing { trigger, zone: named.unwrap_or(zone), named, jitter })
}

impl Timing {
    /// How often it runs in so many days, counted up to `most`.
    pub fn runs_within(&self, days: u32, from: DateTime<Utc>, most: u32) -> u32 {
        let Some(until) = from.checked_add_signed(TimeDelta::days(i64::from(days))) else { return most };
        let first = self.trigger.next(self.zone, from);
        let runs = std::iter::successors(first, |at| self.trigger.next(self.zone, *at)).take_while(|at| *at < until);
        let most_runs = usize::try_from(most).unwrap_or(usize::MAX);
        u32::try_from(runs.take(most_runs).count()).unwrap_or(most)
    }
}
