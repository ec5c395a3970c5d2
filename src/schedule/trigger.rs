//! What makes a job due.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::crontab::{BadExpression, Expression};
use super::every;
use super::zone::Zone;

/// What makes a job due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Five fields of a crontab, or a nickname.
    Cron(Expression),
    /// The multiples of a period since 1970-01-01T00:00Z: whole seconds, 1 min to 366 d.
    Every(Duration),
    /// The start of the machine, once (`@reboot`).
    Boot,
}

/// How [`Trigger::Boot`] is written, here as in a crontab.
const BOOT: &str = "@reboot";

impl Trigger {
    /// The first moment it makes a job due after the given one, strictly later. None of [`Trigger::Boot`] can be foretold.
    pub fn next(&self, zone: Zone, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Trigger::Cron(expression) => expression.next(zone, after),
            Trigger::Every(period) => every::next(*period, after),
            Trigger::Boot => None,
        }
    }
}

/// Reads what stands in front of the command in a crontab: five fields, a nickname, `@reboot`.
impl FromStr for Trigger {
    type Err = BadExpression;

    fn from_str(text: &str) -> Result<Self, BadExpression> {
        if text.trim() == BOOT { Ok(Trigger::Boot) } else { text.parse().map(Trigger::Cron) }
    }
}

/// `20 4 * * *`, `every 6h`, `@reboot`.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::Cron(expression) => expression.fmt(f),
            Trigger::Every(period) => f.pad(&format!("every {}", humantime::format_duration(*period))),
            Trigger::Boot => f.pad(BOOT),
        }
    }
}
