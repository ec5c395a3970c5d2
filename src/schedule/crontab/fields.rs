//! From text to sets: five fields, or a nickname.
//!
//! Each item is checked here, so that what the dialects of cron read in different ways is refused; the `cron` crate then
//! expands the fields. It wants seconds in front and weekdays from 1, and gets them.

use std::ops::Range;

use cron::TimeUnitSpec;

use super::error::BadExpression;
use super::items::{self, Field};
use crate::schedule::calendar::Calendar;

/// The nicknames and the fields they stand for. `@reboot` is no time, and read elsewhere.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const FIVE: &str = "minute, hour, day of the month, month, day of the week: `20 4 * * *` is every day at 04:20";

/// What the fields match, and whether minute or hour starts with a star.
pub fn read(text: &str) -> Result<(Calendar, bool), BadExpression> {
    let parts = parts(text);
    if let Some((span, nickname)) = parts.first().filter(|(_, part)| part.starts_with('@')) {
        let Some((_, fields)) = NICKNAMES.iter().find(|(name, _)| name == nickname) else {
            return Err(unknown_nickname(span.clone(), nickname));
        };
        return match parts.get(1) {
            Some((second, _)) => Err(surplus(second.start..text.trim_end().len(), "a nickname stands alone")),
            None => read(fields),
        };
    }
    let [minute, hour, day, month, weekday] = match <[_; 5]>::try_from(parts) {
        Ok(five) => five,
        Err(parts) => {
            return Err(match parts.get(5) {
                Some((sixth, _)) => surplus(sixth.start..text.trim_end().len(), "there is more than five fields"),
                None => {
                    let end = text.trim_end().len();
                    let start = text.len() - text.trim_start().len();
                    let text = format!("there are {} fields, not five", parts.len());
                    BadExpression::new(start.min(end)..end, text, format!("the fields are {FIVE}"))
                }
            });
        }
    };
    let items = |field: &Field, (span, text): &(Range<usize>, &str)| items::read(field, text, span.start);
    let (minutes, hours) = (items(&Field::MINUTE, &minute)?, items(&Field::HOUR, &hour)?);
    let (days, months) = (items(&Field::DAY, &day)?, items(&Field::MONTH, &month)?);
    let weekdays = items(&Field::WEEKDAY, &weekday)?;
    let weekdays: Vec<String> = items::weekdays(&weekdays).map(|day| (day + 1).to_string()).collect();
    let [minutes, hours, days, months] = [minutes, hours, days, months].map(|items| listed(&items));
    let line = format!("0 {minutes} {hours} {days} {months} {}", weekdays.join(","));
    let whole = minute.0.start..weekday.0.end;
    let refused = |error: cron::error::Error| {
        BadExpression::new(whole.clone(), format!("this is no schedule: {error}"), format!("the fields are {FIVE}"))
    };
    let schedule: cron::Schedule = line.parse().map_err(refused)?;
    let starred = |(_, text): &(Range<usize>, &str)| text.starts_with('*');
    let calendar = Calendar {
        minutes: bits(schedule.minutes(), 0..60),
        hours: bits(schedule.hours(), 0..24) as u32,
        days: bits(schedule.days_of_month(), 1..32) as u32,
        months: bits(schedule.months(), 1..13) as u16,
        weekdays: (bits(schedule.days_of_week(), 1..8) >> 1) as u8,
        either: !starred(&day) && !starred(&weekday),
    };
    if !calendar.can_match() {
        let hint =
            "no month that is named has such a day: `28-31` with a check in the job is the last day of any month";
        return Err(BadExpression::new(day.0.start..month.0.end, "this day never comes", hint));
    }
    Ok((calendar, starred(&minute) || starred(&hour)))
}

/// The parts between blanks, each with its place.
fn parts(text: &str) -> Vec<(Range<usize>, &str)> {
    // cron's only blanks.
    let blank = |c: char| matches!(c, ' ' | '\t');
    let mut parts = Vec::new();
    let mut at = 0;
    for piece in text.split(blank) {
        if !piece.is_empty() {
            parts.push((at..at + piece.len(), piece));
        }
        at += piece.len() + 1;
    }
    parts
}

fn surplus(span: Range<usize>, text: &str) -> BadExpression {
    let hint = format!("leave out seconds, years and the command; the fields are {FIVE}");
    BadExpression::new(span, text, hint)
}

fn unknown_nickname(span: Range<usize>, typed: &str) -> BadExpression {
    let lower = typed.to_ascii_lowercase();
    let hint = match NICKNAMES.iter().find(|(name, _)| *name == lower) {
        Some((name, _)) => format!("write `{name}`"),
        None if lower == "@every" => "write `every = \"6h\"` in place of `cron`".to_owned(),
        None => "there are `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually` and, alone, `@reboot`"
            .to_owned(),
    };
    BadExpression::new(span, format!("there is no nickname `{}`", typed.escape_debug()), hint)
}

/// Items as the `cron` crate reads them: numbers only.
fn listed(items: &[items::Item]) -> String {
    items.iter().map(items::Item::to_string).collect::<Vec<_>>().join(",")
}

/// The numbers of a field that match, bit by bit.
fn bits(unit: &impl TimeUnitSpec, numbers: Range<u32>) -> u64 {
    numbers.filter(|number| unit.includes(*number)).fold(0, |bits, number| bits | 1 << number)
}
