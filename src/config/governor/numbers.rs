//! Numbers that only the governor has: shares of time, multiples of what is usual, thresholds, deadlines.
//!
//! They are read and printed here, and what is printed is read as the same value.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::{Deadline, Share, Threshold};
use crate::config::diagnostic::quoted;
use crate::config::units::Span;
use crate::config::value::{self, Read, Refusal, Value};

/// 0.1 % to 100 %: less than that is noise.
const SHARES: RangeInclusive<u32> = 10..=10_000;
/// At `1x` nothing would ever be calm; above 1,000 nothing is ever harm.
const TIMES_USUAL: RangeInclusive<u32> = 11..=10_000;
/// Sockets; there are not more of them on a machine.
const COUNTS: RangeInclusive<i64> = 1..=1_000_000;
/// An answer in less than a millisecond says nothing; nobody waits for an hour.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
/// A run within a minute needs no deadline, and one of a week no help.
const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);

fn refuse<T>(refusal: Refusal) -> Read<T> {
    Err(vec![refusal])
}

/// A share of time or of what there is, 0.1 % to 100 %.
pub fn share(value: &Value<'_>) -> Read<Share> {
    const EXPECTED: &str = "a percentage from `0.1%` to `100%`";
    let wrong = |found: &str| Refusal::new(value, format!("must be {EXPECTED}, not {}", quoted(found)));
    match value.get_ref() {
        DeValue::String(text) => {
            let number = text.trim().strip_suffix('%').map(str::trim_end);
            match number.and_then(|number| decimal(number, 2)).and_then(|n| within(n, &SHARES)) {
                Some(hundredths) => Ok(Share(hundredths)),
                None if number.is_none() && decimal(text.trim(), 2).is_some() => {
                    refuse(wrong(text).hint(format!("add a `%`: `\"{}%\"`", text.trim())))
                }
                None => refuse(wrong(text)),
            }
        }
        other => match number_text(other) {
            Some(text) => refuse(wrong(&text).hint(format!("add a `%`, and quotes: `\"{text}%\"`"))),
            None => value::wrong_type(value, EXPECTED),
        },
    }
}

/// A number with at most one decimal, in tenths.
pub fn tenths(range: RangeInclusive<u32>) -> impl Fn(&Value<'_>) -> Read<u16> {
    number(1, range)
}

/// A number with at most two decimals, in hundredths.
pub fn hundredths(range: RangeInclusive<u32>) -> impl Fn(&Value<'_>) -> Read<u32> {
    number(2, range)
}

/// A number with at most three decimals, in thousandths.
pub fn thousandths(range: RangeInclusive<u32>) -> impl Fn(&Value<'_>) -> Read<u32> {
    number(3, range)
}

fn number<T: TryFrom<u32>>(places: usize, range: RangeInclusive<u32>) -> impl Fn(&Value<'_>) -> Read<T> {
    move |value| {
        let (least, most) = (places_shown(*range.start(), places), places_shown(*range.end(), places));
        let expected = format!("a number from {least} to {most}");
        let Some(text) = number_text(value.get_ref()) else {
            let mut refused = value::wrong_type(value, &expected);
            if let (DeValue::String(text), Err(refusals)) = (value.get_ref(), &mut refused)
                && decimal(text, places).is_some()
            {
                refusals.iter_mut().for_each(|refusal| refusal.hint = Some("leave the quotes out".to_owned()));
            }
            return refused;
        };
        decimal(&text, places).and_then(|n| within(n, &range)).ok_or_else(|| {
            let refusal = Refusal::new(value, format!("must be {expected}, not {}", quoted(&text)));
            let fine = text.split_once('.').is_some_and(|(_, fraction)| fraction.len() > places);
            let digits = match places {
                1 => "one decimal",
                2 => "two decimals",
                _ => "three decimals",
            };
            vec![if fine { refusal.hint(format!("{digits} at most")) } else { refusal }]
        })
    }
}

/// `500ms`, `80%`, `3x` or a number.
pub fn threshold(value: &Value<'_>) -> Read<Threshold> {
    const EXPECTED: &str =
        "a time such as `500ms`, a share such as `80%`, a number, or a multiple of what is usual such as `3x`";
    let DeValue::String(text) = value.get_ref() else {
        return match value.get_ref() {
            DeValue::Integer(_) => value::integer(COUNTS)(value).map(Threshold::Count),
            _ => value::wrong_type(value, EXPECTED),
        };
    };
    let text = text.trim();
    let wrong = |expected: &str| Refusal::new(value, format!("must be {expected}, not {}", quoted(text)));
    if text.ends_with('%') {
        return share(value).map(Threshold::Share);
    }
    if let Some(times) = text.strip_suffix('x') {
        return match decimal(times.trim_end(), 1).and_then(|n| within(n, &TIMES_USUAL)) {
            Some(times) => Ok(Threshold::Usual(times)),
            None => refuse(wrong("from `1.1x` to `1000x`")),
        };
    }
    match text.parse::<Span>() {
        Ok(Span(time)) if TIMES.contains(&time) => Ok(Threshold::Time(time)),
        Ok(_) => refuse(wrong(&format!("from `{}` to `{}`", Span(*TIMES.start()), Span(*TIMES.end())))),
        Err(_) if text.parse::<i64>().is_ok() => {
            let hint = format!("a time needs a unit: `\"{text}ms\"`; a number has no quotes: `{text}`");
            refuse(wrong(EXPECTED).hint(hint))
        }
        Err(_) => refuse(wrong(EXPECTED)),
    }
}

/// `90m` or `06:30`; `None` is `none`, which takes back what another layer says.
pub fn deadline(value: &Value<'_>) -> Read<Option<Deadline>> {
    const EXPECTED: &str = "a duration such as `90m`, a time of day such as `06:30`, or `none`";
    let text = match value.get_ref() {
        DeValue::String(text) => text.trim(),
        DeValue::Datetime(time) if time.date.is_none() => {
            let refusal = Refusal::new(value, format!("must be {EXPECTED}, in quotes"));
            let time = time.to_string();
            return refuse(refusal.hint(format!("write `\"{}\"`", time.get(..5).unwrap_or(&time))));
        }
        _ => return value::wrong_type(value, EXPECTED),
    };
    let wrong = |expected: &str| Refusal::new(value, format!("must be {expected}, not {}", quoted(text)));
    if text == "none" {
        return Ok(None);
    }
    if text.contains(':') {
        return match time_of_day(text) {
            Some(minutes) => Ok(Some(Deadline::TimeOfDay(minutes))),
            None => refuse(wrong("a time of day from `00:00` to `23:59`")),
        };
    }
    match text.parse::<Span>() {
        Ok(Span(within)) if WITHIN.contains(&within) => Ok(Some(Deadline::Within(within))),
        Ok(_) => refuse(wrong(&format!("from `{}` to `{}`", Span(*WITHIN.start()), Span(*WITHIN.end())))),
        Err(_) => refuse(wrong(EXPECTED)),
    }
}

/// Minutes since midnight.
fn time_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let part = |text: &str, most: u16| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|n| digits && *n <= most)
    };
    let minutes = part(minutes, 59).filter(|_| minutes.len() == 2)?;
    Some(part(hours, 23)? * 60 + minutes)
}

/// The text of a TOML number, in decimal.
fn number_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n.to_string()),
        DeValue::Float(n) => n.as_str().parse::<f64>().ok().map(|n| n.to_string()),
        _ => None,
    }
}

/// A decimal number in units of its last place, exactly; `None` if it has more places, or is none.
fn decimal(text: &str, places: usize) -> Option<u32> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    (fraction.len() <= places).then(|| format!("{whole}{fraction:0<places$}").parse().ok())?
}

fn within<T: TryFrom<u32>>(number: u32, range: &RangeInclusive<u32>) -> Option<T> {
    T::try_from(number).ok().filter(|_| range.contains(&number))
}

/// A number in units of its last place as a decimal, with one place at least.
pub fn places_shown(number: u32, places: usize) -> String {
    let all = format!("{number:0>width$}", width = places + 1);
    let (whole, fraction) = all.split_at(all.len() - places);
    let fraction = fraction.trim_end_matches('0');
    format!("{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
}

/// `5%`, as it is typed.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = places_shown(u32::from(self.0), 2);
        f.pad(&format!("{}%", shown.strip_suffix(".0").unwrap_or(&shown)))
    }
}

/// `500ms`, `80%`, `100` or `3x`.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Threshold::Time(time) => Span(*time).fmt(f),
            Threshold::Share(share) => share.fmt(f),
            Threshold::Count(count) => count.fmt(f),
            Threshold::Usual(tenths) => {
                let shown = places_shown(u32::from(*tenths), 1);
                f.pad(&format!("{}x", shown.strip_suffix(".0").unwrap_or(&shown)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<T>(toml: &str, read: impl Fn(&Value<'_>) -> Read<T>) -> Result<T, String> {
        let value = DeValue::parse(toml).unwrap();
        read(&value).map_err(|refusals| refusals[0].text.clone())
    }

    #[test]
    fn numbers() {
        assert_eq!(read("\"5%\"", share), Ok(Share(500)));
        assert_eq!(read("\"0.15 %\"", share), Ok(Share(15)));
        assert_eq!(read("1.5", tenths(10..=1000)), Ok(15));
        assert_eq!(read("0x2", tenths(10..=1000)), Ok(20));
        assert_eq!(read("0.125", thousandths(100..=1_000_000)), Ok(125));
        for bad in ["inf", "nan", "-1.5", "1e300", "99999999999999999999", "1.55", "0.9", "true", "\"1.5\""] {
            assert!(read(bad, tenths(10..=1000)).is_err(), "{bad}");
        }
        for bad in ["\"0%\"", "\"101%\"", "\"5\"", "5", "\"%\"", "\"1.234%\"", "\"-5%\"", "\".5%\"", "\"5.%\""] {
            assert!(read(bad, share).is_err(), "{bad}");
        }
    }

    #[test]
    fn thresholds_and_deadlines() {
        assert_eq!(read("\"500ms\"", threshold), Ok(Threshold::Time(Duration::from_millis(500))));
        assert_eq!(read("\"80%\"", threshold), Ok(Threshold::Share(Share(8000))));
        assert_eq!(read("100", threshold), Ok(Threshold::Count(100)));
        assert_eq!(read("\"2.5x\"", threshold), Ok(Threshold::Usual(25)));
        for bad in ["\"1x\"", "\"x\"", "0", "\"0s\"", "\"2h\"", "\"many\"", "1.5", "\"100\""] {
            assert!(read(bad, threshold).is_err(), "{bad}");
        }
        assert_eq!(read("\"90m\"", deadline), Ok(Some(Deadline::Within(Duration::from_secs(5400)))));
        assert_eq!(read("\"06:30\"", deadline), Ok(Some(Deadline::TimeOfDay(390))));
        assert_eq!(read("\"6:30\"", deadline), Ok(Some(Deadline::TimeOfDay(390))));
        for bad in ["\"24:00\"", "\"6:3\"", "\"06:60\"", "\"+6:30\"", "06:30:00", "\"0s\"", "\"8d\"", "\"\"", "90"] {
            assert!(read(bad, deadline).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s)[0-9.:%xmsh+ -]{0,8}|.{0,8}") {
            let quoted = toml::Value::String(text).to_string();
            drop((read(&quoted, threshold), read(&quoted, deadline), read(&quoted, share)));
        }

        #[test]
        fn what_is_printed_is_read_as_the_same(share_of in 10u16..=10_000, tenths in 11u16..=10_000, ms in 1u64..=3_600_000) {
            for value in [Threshold::Share(Share(share_of)), Threshold::Usual(tenths), Threshold::Time(Duration::from_millis(ms))] {
                prop_assert_eq!(read(&format!("\"{value}\""), threshold), Ok(value));
            }
            let shown = places_shown(u32::from(tenths), 1);
            prop_assert_eq!(read(&shown, super::tenths(10..=10_000)), Ok(tenths));
        }
    }
}
