//! Windows: when runs may start.
//!
//! A week of the wall clock in minutes, each open or closed. What is between openings is a stretch that is closed, and a start
//! that falls into it waits for its end. Where the clock is changed its own time counts: a window of 02:00-03:00 opens twice in
//! autumn, and not at all in spring.

mod span;

use std::collections::VecDeque;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};

pub use span::{BadSpan, Span};

use super::zone::Zone;

/// Minutes of a week.
const WEEK: u16 = 7 * DAY;
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// A closed stretch is at most a week and a change of the clock long. More steps than this are a change every few hours.
const STEPS: u32 = 64;

/// When runs may start. The default is always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Typed", into = "Typed")]
pub struct Windows {
    typed: Typed,
    /// Minutes of the week from Sunday 00:00, first and end, in order; the last may end in the week after.
    closed: Vec<(u16, u16)>,
}

/// As it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Typed {
    between: Vec<Span>,
    blackouts: Vec<Span>,
}

/// The blackouts leave nothing of the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the windows are never open")]
pub struct NeverOpen;

impl Windows {
    /// Open in any of `between`, or always if there is none; never in one of `blackouts`.
    pub fn new(between: Vec<Span>, blackouts: Vec<Span>) -> Result<Windows, NeverOpen> {
        let within = |spans: &[Span], minute| spans.iter().any(|span| span.holds(minute));
        let is_closed = |minute| (!between.is_empty() && !within(&between, minute)) || within(&blackouts, minute);
        let mut closed: VecDeque<(u16, u16)> = VecDeque::new();
        for minute in (0..WEEK).filter(|minute| is_closed(*minute)) {
            match closed.back_mut() {
                Some((_, end)) if *end == minute => *end += 1,
                _ => closed.push_back((minute, minute + 1)),
            }
        }
        if closed.front() == Some(&(0, WEEK)) {
            return Err(NeverOpen);
        }
        // What is closed over the end of the week is one stretch.
        if let (Some((0, first_end)), Some((_, last_end))) = (closed.front().copied(), closed.back_mut())
            && *last_end == WEEK
        {
            *last_end += first_end;
            closed.pop_front();
        }
        Ok(Windows { typed: Typed { between, blackouts }, closed: closed.into() })
    }

    /// Whether runs may start at any time.
    pub fn are_always_open(&self) -> bool {
        self.closed.is_empty()
    }

    /// Whether a run may start at this moment.
    pub fn is_open(&self, zone: Zone, at: DateTime<Utc>) -> bool {
        self.are_always_open() || zone.local(at).is_none_or(|local| self.closed_around(local).is_none())
    }

    /// The first moment from this one on at which a run may start; `None` at the end of what can be counted.
    pub fn opens(&self, zone: Zone, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut at = at;
        for _ in 0..STEPS {
            if self.are_always_open() {
                return Some(at);
            }
            let local = zone.local(at)?;
            let Some((_, left)) = self.closed_around(local) else { return Some(at) };
            let opens = at.checked_add_signed(left)?;
            // Where the clock is changed on the way, what it shows from there on counts.
            at = zone.change_between(at, opens).map_or(opens, |change| change.at);
        }
        None
    }

    /// Since when it has been closed at this moment; `None` if it is open.
    pub fn closed_since(&self, zone: Zone, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.is_open(zone, at) {
            return None;
        }
        let mut since = at;
        for _ in 0..STEPS {
            let before = since.checked_sub_signed(TimeDelta::nanoseconds(1))?;
            let local = zone.local(before)?;
            let Some((passed, _)) = self.closed_around(local) else { return Some(since) };
            let closed = before.checked_sub_signed(passed)?;
            since = zone.change_between(closed, before).map_or(closed, |change| change.at);
        }
        None
    }

    /// Within a closed stretch, how much of it has passed at a time on the wall clock, and how much is left, never nothing.
    fn closed_around(&self, local: NaiveDateTime) -> Option<(TimeDelta, TimeDelta)> {
        let day = u16::try_from(local.weekday().num_days_from_sunday()).ok()?;
        let minute = day * DAY + u16::try_from(local.hour() * 60 + local.minute()).ok()?;
        let begun = self.closed.partition_point(|(start, _)| *start <= minute);
        let here = begun.checked_sub(1).and_then(|at| self.closed.get(at)).map(|stretch| (minute, *stretch));
        // The last stretch may go on at the beginning of the week.
        let over_the_end = self.closed.last().map(|stretch| (minute + WEEK, *stretch));
        let (now, (start, end)) = here.into_iter().chain(over_the_end).find(|(now, (_, end))| now < end)?;
        let into_minute = TimeDelta::new(i64::from(local.second()), local.nanosecond())?;
        let minutes = |from: u16, to: u16| TimeDelta::minutes(i64::from(to - from));
        Some((minutes(start, now) + into_minute, minutes(now, end) - into_minute))
    }
}

impl TryFrom<Typed> for Windows {
    type Error = NeverOpen;

    fn try_from(typed: Typed) -> Result<Self, NeverOpen> {
        Windows::new(typed.between, typed.blackouts)
    }
}

impl From<Windows> for Typed {
    fn from(windows: Windows) -> Typed {
        windows.typed
    }
}

#[cfg(test)]
mod tests;
