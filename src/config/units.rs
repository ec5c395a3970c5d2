//! Sizes, rates, durations and shares as people write them.
//!
//! Every type prints its shortest exact form, and reads what it prints as the same value. A unit that could mean two
//! things (`20M`, `3 months`, a bare `90`) is refused with a hint: a guess here is a backup that runs at the wrong pace.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod shares;

pub use shares::{CpuMax, Free, Memory, Percent};

/// Why a text is not the value it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {expected}, not `{found}`")]
pub struct BadUnit {
    expected: &'static str,
    found: String,
    hint: Option<String>,
}

impl BadUnit {
    fn new(expected: &'static str, found: &str, hint: Option<String>) -> Self {
        BadUnit { expected, found: found.escape_debug().take(80).collect(), hint }
    }

    /// What to write instead.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The units of a size, small to large. `KB` is read but never printed.
const SIZES: [(&str, u64); 14] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
    ("PB", 1_000_000_000_000_000),
    ("PiB", 1 << 50),
    ("EB", 1_000_000_000_000_000_000),
    ("EiB", 1 << 60),
];

const NO_LIMIT: &str = "leave the key out, or write `unlimited`, for no limit";
const SIZE: &str = "a size such as `64MiB` or `20MB`";
const RATE: &str = "a rate such as `20MB/s`";
const SPAN: &str = "a duration such as `90s`, `2h` or `7d`";

/// A number of bytes: `512`, `64MiB`, `20MB`, `1.5GiB`. `kB`, `MB`, … count in thousands, `KiB`, `MiB`, … in 1024s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    pub fn new(bytes: u64) -> Size {
        Size(bytes)
    }

    /// Bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        size(text, "").map(Size).map_err(|hint| BadUnit::new(SIZE, text, hint))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shortest = SIZES
            .iter()
            .rev()
            .filter(|(name, _)| *name != "KB")
            .filter_map(|(name, unit)| exact(self.0, *unit).map(|number| format!("{number}{name}")))
            .min_by_key(String::len);
        f.pad(&shortest.unwrap_or_else(|| format!("{}B", self.0)))
    }
}

/// A pace in bytes per second, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// A byte a second.
    pub const MIN: Rate = Rate(NonZeroU64::MIN);

    /// A pace in bytes per second; `None` for zero.
    pub fn per_second(bytes: u64) -> Option<Rate> {
        NonZeroU64::new(bytes).map(Rate)
    }

    /// Bytes per second.
    pub fn bytes(self) -> u64 {
        self.0.get()
    }
}

impl FromStr for Rate {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = |hint| BadUnit::new(RATE, text, hint);
        let number = text.trim().trim_end_matches("/s").trim_end();
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            let unlimited = number.bytes().all(|b| b == b'0');
            return Err(bad(Some(if unlimited {
                NO_LIMIT.to_owned()
            } else {
                format!("add a unit: `{number}MB/s` or `{number}MiB/s`")
            })));
        }
        let Some(amount) = text.trim().strip_suffix("/s") else {
            let hint = match size(text, "/s") {
                Ok(_) => Some(format!("write `{}/s`", text.trim())),
                Err(hint) => hint,
            };
            return Err(bad(hint));
        };
        let bytes = size(amount, "/s").map_err(bad)?;
        Rate::per_second(bytes).ok_or_else(|| bad(Some(NO_LIMIT.to_owned())))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", Size(self.bytes())))
    }
}

/// A length of time: `90s`, `2h`, `1h30m`, `7d`, `2w`. Months and years are refused: they have no fixed length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = |hint: Option<String>| BadUnit::new(SPAN, text, hint);
        let number = text.trim();
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad(Some(format!("add a unit: `{number}s`, `{number}m`, `{number}h` or `{number}d`"))));
        }
        let mut units = text.split(|c: char| !c.is_alphabetic());
        if units.any(|unit| matches!(unit, "M" | "month" | "months" | "y" | "yr" | "yrs" | "year" | "years")) {
            return Err(bad(Some("months and years differ in length: count in days, such as `30d`".to_owned())));
        }
        humantime::parse_duration(number)
            .map(Span)
            .map_err(|_| bad(Some("the units are `ms`, `s`, `m`, `h`, `d` and `w`".to_owned())))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u128); 7] = [
            ("d", 86_400_000_000_000),
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
            ("ns", 1),
        ];
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.pad("0s");
        }
        let mut parts = String::new();
        let mut rest = nanos;
        for (name, unit) in UNITS {
            if rest >= unit {
                parts.push_str(&format!("{}{name}", rest / unit));
                rest %= unit;
            }
        }
        let single = UNITS
            .iter()
            .find(|(_, unit)| nanos.is_multiple_of(*unit))
            .map(|(name, unit)| format!("{}{name}", nanos / unit));
        f.pad(&single.filter(|single| single.len() < parts.len()).unwrap_or(parts))
    }
}

/// Bytes, or the hint that helps. `per` is what the caller cut off, so that the hint is a whole value again.
fn size(text: &str, per: &str) -> Result<u64, Option<String>> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    if unit.is_empty() {
        return scaled(number, 1).ok_or(None);
    }
    match SIZES.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => scaled(number, *factor).ok_or(None),
        None if number.is_empty() => Err(None),
        None => Err(other_unit(number, unit, per)),
    }
}

/// What somebody meant who wrote a unit that is none.
fn other_unit(number: &str, unit: &str, per: &str) -> Option<String> {
    if let Some((name, _)) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
        return Some(format!("write `{number}{name}{per}`"));
    }
    let upper = unit.to_ascii_uppercase();
    ["K", "M", "G", "T", "P", "E"].contains(&upper.as_str()).then(|| {
        let thousand = if upper == "K" { "kB".to_owned() } else { format!("{upper}B") };
        format!("write `{number}{thousand}{per}` (in thousands) or `{number}{upper}iB{per}` (in 1024s)")
    })
}

/// A decimal number times a unit, to the nearest whole; `None` if it is no number or too large.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let unit = u128::from(unit);
    let whole = u128::from(whole.parse::<u64>().ok()?).checked_mul(unit)?;
    let part = (fraction.parse::<u128>().ok()? * unit + scale / 2) / scale;
    u64::try_from(whole.checked_add(part)?).ok()
}

/// `bytes / unit` as a decimal number of at most three places, if that is exact and at least 1.
fn exact(bytes: u64, unit: u64) -> Option<String> {
    let thousandths = u128::from(bytes) * 1000;
    if bytes < unit || !thousandths.is_multiple_of(u128::from(unit)) {
        return None;
    }
    let number = thousandths / u128::from(unit);
    let text = format!("{}.{:03}", number / 1000, number % 1000);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests;
