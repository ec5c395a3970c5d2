//! `mon-fri 08:00-18:00`: days, times of day, or both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{DAY, WEEK};

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A part of each week. Without days it is on all of them, without times the whole day. One that ends before it starts goes
/// on into the next day: `fri 22:00-05:00` ends on Saturday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    text: String,
    /// Bit 0 is Sunday: the days on which it starts.
    days: u8,
    /// Minutes of the day.
    start: u16,
    /// Minutes from the start, 1 to those of a day.
    length: u16,
}

/// Why a text is no part of a week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct BadSpan {
    text: String,
    hint: &'static str,
}

impl BadSpan {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

const EXAMPLES: &str = "examples: `22:00-05:00`, `mon-fri 08:00-18:00`, `sat,sun`";

impl Span {
    /// Whether a minute of the week, from Sunday 00:00, is in it.
    pub(super) fn holds(&self, minute: u16) -> bool {
        (0..7).filter(|day| self.days & (1 << day) != 0).any(|day| {
            let start = day * DAY + self.start;
            (start..start + self.length).contains(&minute) || (start..start + self.length).contains(&(minute + WEEK))
        })
    }
}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let (days, times) = match parts.as_slice() {
            [one] if one.contains(':') => (None, Some(*one)),
            [one] => (Some(*one), None),
            [days, times] => (Some(*days), Some(*times)),
            _ => return Err(bad(format!("`{}` is not days and times", shown(text)), EXAMPLES)),
        };
        let days = days.map_or(Ok(0x7f), read_days)?;
        let (start, length) = times.map_or(Ok((0, DAY)), read_times)?;
        Ok(Span { text: parts.join(" "), days, start, length })
    }
}

/// `mon-fri`, `sat,sun`, `fri-mon`.
fn read_days(text: &str) -> Result<u8, BadSpan> {
    let mut days = 0;
    for item in text.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last) = (read_day(first)?, read_day(last)?);
        // A week has no end: from Friday to Monday are four days.
        let count = (last + 7 - first) % 7;
        days |= (0..=count).fold(0, |days, more| days | 1 << ((first + more) % 7));
    }
    Ok(days)
}

fn read_day(text: &str) -> Result<usize, BadSpan> {
    const HINT: &str = "the days are `mon`, `tue`, `wed`, `thu`, `fri`, `sat` and `sun`: `mon-fri`, `sat,sun`";
    let day = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text));
    day.ok_or_else(|| bad(format!("`{}` is no day", shown(text)), HINT))
}

/// Start and length of `22:00-05:00`.
fn read_times(text: &str) -> Result<(u16, u16), BadSpan> {
    let Some((start, end)) = text.split_once('-') else {
        return Err(bad(
            format!("`{}` has no end", shown(text)),
            "write when it starts and when it ends: `22:00-05:00`",
        ));
    };
    let (from, to) = (read_time(start)?, read_time(end)?);
    if from == DAY {
        return Err(bad("a day starts at `00:00`, not at `24:00`".to_owned(), EXAMPLES));
    }
    if from == to {
        let hint = "for a whole day leave the times out, or write `00:00-24:00`";
        return Err(bad(format!("`{}` ends when it starts", shown(text)), hint));
    }
    Ok((from, if to > from { to - from } else { to + DAY - from }))
}

/// Minutes of the day, 24:00 included.
fn read_time(text: &str) -> Result<u16, BadSpan> {
    let number = |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok());
    let time = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute): (u16, u16) = (number(hour)??, number(minute)??);
        (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
    });
    time.ok_or_else(|| {
        bad(format!("`{}` is no time of day", shown(text)), "write it like `08:00`, from `00:00` to `24:00`")
    })
}

fn bad(text: String, hint: &'static str) -> BadSpan {
    BadSpan { text, hint }
}

fn shown(text: &str) -> String {
    text.escape_debug().take(40).collect()
}

impl TryFrom<String> for Span {
    type Error = BadSpan;

    fn try_from(text: String) -> Result<Self, BadSpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.text
    }
}

/// As it was typed.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
