//! A line of a crontab as the model understands it: sets of bits, and which fields start with a star.

use chrono::{Datelike, Days, NaiveDate};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When a line is due. Bit n of a set is the number n as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether day of the month and weekday must both match; else one is enough.
    both_days: bool,
    /// Whether it follows the clock, whatever the clock does; else it is due once at its time of each day.
    pub wildcard: bool,
}

impl Line {
    /// Reads a line that every dialect understands in the same way, or nothing.
    pub fn parse(text: &str) -> Option<Line> {
        let text = match text.trim_matches(BLANKS) {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = text.split(BLANKS).filter(|field| !field.is_empty()).collect();
        let [minute, hour, day, month, weekday] = fields.try_into().ok()?;
        let mut weekdays = set(weekday, 0, 7, &WEEKDAYS)?;
        if weekdays & (1 << 7) != 0 {
            weekdays |= 1;
        }
        Some(Line {
            minutes: set(minute, 0, 59, &[])?,
            hours: set(hour, 0, 23, &[])?,
            days: set(day, 1, 31, &[])?,
            months: set(month, 1, 12, &MONTHS)?,
            weekdays,
            both_days: day.starts_with('*') || weekday.starts_with('*'),
            wildcard: minute.starts_with('*') || hour.starts_with('*'),
        })
    }

    /// Whether it is due on this day at all.
    pub fn on(&self, date: NaiveDate) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().num_days_from_sunday());
        has(self.months, date.month()) && if self.both_days { day && weekday } else { day || weekday }
    }

    /// Whether there is a day on which it is due.
    pub fn ever(&self) -> bool {
        // After 400 years the calendar begins again.
        (0..146_097).any(|day| self.on(NaiveDate::default() + Days::new(day)))
    }

    /// Whether it is due in this hour of such a day.
    pub fn in_hour(&self, hour: u32) -> bool {
        has(self.hours, hour)
    }

    /// Whether it is due in this minute of such an hour.
    pub fn in_minute(&self, minute: u32) -> bool {
        has(self.minutes, minute)
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn has(set: u64, number: u32) -> bool {
    set & (1 << number) != 0
}

/// A list of `N`, `A-B`, `A-B/STEP`, `*` and `*/STEP`.
fn set(field: &str, low: u32, high: u32, names: &[&str]) -> Option<u64> {
    let mut bits = 0;
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|step| (1..=high).contains(step))?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (named(first, low, names)?, named(last, low, names)?),
            // Some dialects read `5/20` as `5`, some as `5-59/20`.
            None if step.is_some() => return None,
            None => (named(range, low, names)?, named(range, low, names)?),
        };
        if first < low || last > high || first > last {
            return None;
        }
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        bits |= (first..=last).step_by(step).fold(0, |bits, number| bits | 1 << number);
    }
    Some(bits)
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn named(text: &str, low: u32, names: &[&str]) -> Option<u32> {
    let place = names.iter().zip(low..).find(|(name, _)| name.eq_ignore_ascii_case(text));
    place.map(|(_, number)| number).or_else(|| number(text))
}
