//! The items of one field: `N`, `A-B`, `*`, with `/STEP` behind the last two, and commas between them.

use std::fmt;
use std::ops::Range;

use super::error::BadExpression;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 8] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What may stand in a field.
#[derive(Debug)]
pub struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// From `least` on.
    names: &'static [&'static str],
    /// How to put a period that does not fit, in a hint.
    period: &'static str,
}

impl Field {
    /// The first field.
    pub const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[], period: "every = \"90m\"" };
    /// The second field.
    pub const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[], period: "every = \"36h\"" };
    /// The third field.
    pub const DAY: Field =
        Field { name: "day of the month", least: 1, most: 31, names: &[], period: "every = \"45d\"" };
    /// The fourth field.
    pub const MONTH: Field = Field { name: "month", least: 1, most: 12, names: &MONTHS, period: "every = \"366d\"" };
    /// The fifth field: 0 and 7 are Sunday.
    pub const WEEKDAY: Field =
        Field { name: "day of the week", least: 0, most: 7, names: &WEEKDAYS, period: "every = \"10d\"" };
}

/// One item, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// `None` is a star.
    range: Option<(u32, u32)>,
    step: u32,
}

/// As the `cron` crate reads it.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.range {
            None => f.write_str("*")?,
            Some((first, last)) if first == last => return first.fmt(f),
            Some((first, last)) => write!(f, "{first}-{last}")?,
        }
        if self.step == 1 { Ok(()) } else { write!(f, "/{}", self.step) }
    }
}

/// The days of the week that items match, 0 (Sunday) to 6, in order.
pub fn weekdays(items: &[Item]) -> impl Iterator<Item = u32> {
    let (least, most) = (Field::WEEKDAY.least, Field::WEEKDAY.most);
    let matches = move |day: u32| {
        items.iter().any(|item| {
            let (first, last) = item.range.unwrap_or((least, most));
            (first..=last).contains(&day) && (day - first).is_multiple_of(item.step)
        })
    };
    (0..7).filter(move |day| matches(*day) || (*day == 0 && matches(7)))
}

/// Reads a field that starts at this byte.
pub fn read(field: &Field, text: &str, start: usize) -> Result<Vec<Item>, BadExpression> {
    let mut at = start;
    let mut items = Vec::new();
    for piece in text.split(',') {
        if piece.is_empty() {
            // The comma itself is what there is to point at.
            let comma = at.saturating_sub(1).max(start);
            let text = format!("the {} has nothing at one side of a comma", field.name);
            return Err(BadExpression::new(comma..comma + 1, text, "leave the comma out"));
        }
        items.push(item(field, piece, at)?);
        at += piece.len() + 1;
    }
    Ok(items)
}

fn item(field: &Field, text: &str, start: usize) -> Result<Item, BadExpression> {
    let span = start..start + text.len();
    let shown = text.escape_debug();
    let bad = |what: &str, hint: String| Err(BadExpression::new(span.clone(), what, hint));
    if text.contains('~') {
        return bad(
            &format!("random times such as `{shown}` are not taken: they would be others after each restart"),
            "write a time, and `jitter = \"30m\"` to spread hosts and jobs".to_owned(),
        );
    }
    if text == "?" {
        return bad(&format!("`?` is not taken as the {}", field.name), "write `*`".to_owned());
    }
    let (base, step) = match text.split_once('/') {
        Some((base, step)) => (base, Some((step, start + base.len() + 1))),
        None => (text, None),
    };
    let range = if base == "*" { None } else { Some(range(field, base, start)?) };
    let Some((typed, at)) = step else { return Ok(Item { range, step: 1 }) };
    let span = at..at + typed.len();
    if range.is_some() && !base.contains('-') {
        let text = format!("the step of `{shown}` has no range in front: dialects of cron disagree on what it means");
        let hint = format!("write `{base}-{}/{typed}`, or `{base}` alone", field.most);
        return Err(BadExpression::new(start..span.end, text, hint));
    }
    let number = number(typed).filter(|step| *step > 0);
    let Some(step) = number else {
        let text = format!("the step of the {} must be a number from 1, not `{}`", field.name, typed.escape_debug());
        // An empty step is shown with its slash.
        let span = if span.is_empty() { at - 1..at } else { span };
        return Err(BadExpression::new(span, text, "`*/15` is every fifteenth"));
    };
    if step > field.most {
        let text = format!("the step of the {} must be at most {}, not `{step}`", field.name, field.most);
        let hint =
            format!("a period that does not fit into the field is written like `{}`, in place of `cron`", field.period);
        return Err(BadExpression::new(span, text, hint));
    }
    Ok(Item { range, step })
}

/// `N` or `A-B`, in numbers or names.
fn range(field: &Field, text: &str, start: usize) -> Result<(u32, u32), BadExpression> {
    let Some((first, last)) = text.split_once('-') else {
        let value = value(field, text, start..start + text.len())?;
        return Ok((value, value));
    };
    let at = start + first.len() + 1;
    let whole = start..at + last.len();
    if first.is_empty() || last.is_empty() || last.contains('-') {
        let text = format!("`{}` is no range", text.escape_debug());
        return Err(BadExpression::new(
            whole,
            text,
            "a range has one `-` between its first and its last value, such as `1-5`",
        ));
    }
    let (low, high) = (value(field, first, start..start + first.len())?, value(field, last, at..at + last.len())?);
    if low <= high {
        return Ok((low, high));
    }
    let text = format!("the range `{text}` goes backwards: dialects of cron disagree on what it means");
    let hint = match (field.most, high) {
        (7, 0) => format!("write `{low}-7`"),
        (7, 1) => format!("write `{low}-7,1`"),
        (7, _) => format!("write `{low}-7,1-{high}`"),
        (most, _) => format!("write `{},{}`", span_of(low, most), span_of(field.least, high)),
    };
    Err(BadExpression::new(whole, text, hint))
}

/// A range as a person writes it.
fn span_of(first: u32, last: u32) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn value(field: &Field, text: &str, span: Range<usize>) -> Result<u32, BadExpression> {
    let shown: String = text.escape_debug().take(40).collect();
    let lower = text.to_ascii_lowercase();
    let named = |name: &str| field.names.iter().position(|known| *known == name).and_then(|at| u32::try_from(at).ok());
    if let Some(at) = named(&lower) {
        return Ok(field.least + at);
    }
    if let Some(number) = number(text).filter(|number| (field.least..=field.most).contains(number)) {
        return Ok(number);
    }
    let message = format!("the {} must be {} to {}, not `{shown}`", field.name, field.least, field.most);
    let short: String = lower.chars().take(3).collect();
    let hint = if named(&short).is_some() {
        format!("write `{short}`")
    } else if let [first, second, ..] = field.names {
        format!("names are taken, too: `{first}`, `{second}`, …")
    } else if text.starts_with('*') {
        "a `*` stands alone, or in front of a step: `*/15`".to_owned()
    } else {
        "an item is a number, a range such as `1-5`, or `*`; steps go behind: `*/15`, `8-18/2`".to_owned()
    };
    Err(BadExpression::new(span, message, hint))
}

/// Digits alone, of a size that cannot be meant otherwise.
fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
