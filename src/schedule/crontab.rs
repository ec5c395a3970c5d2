//! The five fields of a crontab, and what cron does where the clock is changed.
//!
//! The rules are those of Vixie's cron and its heirs (Debian's, cronie):
//!
//! - If the day of the month or the day of the week *starts with* a star, both must match, else either.
//! - Where the clock is set forward by up to three hours, a job of a fixed time that was skipped starts right after, once.
//!   One with a star in front of its minute or hour simply goes on.
//! - Where the clock is set back, a job of a fixed time does not start again; one with such a star does.
//! - A larger step is a correction of the clock: nothing is made up for.

mod error;
mod fields;
mod items;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use error::BadExpression;

use super::calendar::Calendar;
use super::zone::{Moments, Zone};

/// A step forward that is shorter is made up for; at this one cron takes the clock to have been set (it counts the minute it is in as well:
/// cron.c of Vixie's cron).
pub(super) const LARGEST_STEP: TimeDelta = TimeDelta::hours(3);

/// Five fields, or a nickname. Equal are those that read the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression {
    text: String,
    calendar: Calendar,
    wildcard: bool,
}

impl Expression {
    /// Whether minute or hour starts with a star, so that a change of the clock makes up for nothing and holds nothing back.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// Whether a fire makes up for times that the clock skips just before it.
    pub fn is_made_up(&self, zone: Zone, fire: DateTime<Utc>) -> bool {
        let next = |from| self.calendar.within(from, from.checked_add_signed(TimeDelta::minutes(1))?).next();
        zone.local(fire).is_some_and(|local| next(local).is_none())
    }

    /// What it matches, whatever happens to the clock.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The first moment it fires after the given one, strictly later; `None` at the end of what can be counted.
    pub fn next(&self, zone: Zone, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = zone.local(after)?;
        if self.wildcard
            && let Some(again) = self.in_second_pass(zone, after, local)
        {
            return Some(again);
        }
        let mut from = local;
        loop {
            from = self.calendar.after(from)?;
            match zone.moments(from)? {
                Moments::Once(at) if at > after => return Some(at),
                Moments::Twice(at, _) if at > after => return Some(at),
                Moments::Twice(_, at) if at > after && self.wildcard => return Some(at),
                Moments::Once(_) | Moments::Twice(..) => {}
                Moments::Never(gap) => {
                    if !self.wildcard && gap.step() < LARGEST_STEP && gap.at > after {
                        return Some(gap.at);
                    }
                    from = gap.to.checked_sub_signed(TimeDelta::minutes(1))?;
                }
            }
        }
    }

    /// The first fire after the clock is set back, where that is what comes next: the clock shows an hour that it will show
    /// again, and nothing fires any more before it does.
    fn in_second_pass(&self, zone: Zone, after: DateTime<Utc>, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let Moments::Twice(first, second) = zone.moments(local)? else { return None };
        if after != first {
            return None;
        }
        let change = zone.change_between(after, second)?;
        let before = self.calendar.after(local).is_some_and(|next| next < change.from);
        if before {
            return None;
        }
        let next = self.calendar.within(change.to, change.from).next()?;
        change.at.checked_add_signed(next.signed_duration_since(change.to))
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl FromStr for Expression {
    type Err = BadExpression;

    fn from_str(text: &str) -> Result<Self, BadExpression> {
        let (calendar, wildcard) = fields::read(text)?;
        Ok(Expression { text: text.trim().to_owned(), calendar, wildcard })
    }
}

impl TryFrom<String> for Expression {
    type Error = BadExpression;

    fn try_from(text: String) -> Result<Self, BadExpression> {
        text.parse()
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> String {
        expression.text
    }
}

/// As it was typed.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
