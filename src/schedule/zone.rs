//! Time zones: from moments to wall clocks and back, and where a clock is changed.
//!
//! The rules of the zones are those that were compiled in; what the machine's own files say is not read.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};

/// How far ahead changes are looked for, in days.
const TWO_YEARS: i64 = 731;

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Zone(Tz);

/// There is no zone of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{0}`")]
pub struct UnknownZone(String);

/// A time of day on a wall clock, as moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moments {
    /// The usual case.
    Once(DateTime<Utc>),
    /// The clock was set back over it: before and after.
    Twice(DateTime<Utc>, DateTime<Utc>),
    /// The clock was set forward over it.
    Never(Change),
}

/// A change of a zone's offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The first moment with the new offset.
    pub at: DateTime<Utc>,
    /// What the clock would have shown then, without the change.
    pub from: NaiveDateTime,
    /// What it shows.
    pub to: NaiveDateTime,
}

impl Change {
    /// How far the clock is set: forward is positive.
    pub fn step(&self) -> TimeDelta {
        self.to.signed_duration_since(self.from)
    }
}

impl Zone {
    /// Universal time.
    pub const UTC: Zone = Zone(Tz::UTC);

    /// The zone that somebody may have meant: written otherwise, or by its city alone.
    pub fn nearest(text: &str) -> Option<Zone> {
        let plain = |text: &str| text.trim().to_lowercase().replace([' ', '-'], "_");
        let typed = plain(text);
        let distance = |zone: &Tz| {
            let name = plain(zone.name());
            let city = name.rsplit('/').next().unwrap_or(&name);
            strsim::damerau_levenshtein(&typed, &name).min(strsim::damerau_levenshtein(&typed, city))
        };
        let (distance, zone) =
            chrono_tz::TZ_VARIANTS.iter().map(|zone| (distance(zone), zone)).min_by_key(|near| near.0)?;
        (distance <= 1 + typed.len() / 6).then_some(Zone(*zone))
    }

    /// How far this zone's clock is ahead of universal time.
    pub fn offset(self, at: DateTime<Utc>) -> FixedOffset {
        self.0.offset_from_utc_datetime(&at.naive_utc()).fix()
    }

    /// What a clock on the wall shows; `None` at the ends of what can be counted.
    pub fn local(self, at: DateTime<Utc>) -> Option<NaiveDateTime> {
        at.naive_utc().checked_add_offset(self.offset(at))
    }

    /// The moment with its offset.
    pub fn shown(self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.offset(at))
    }

    /// When a clock on the wall shows this; `None` at the ends of what can be counted.
    pub fn moments(self, local: NaiveDateTime) -> Option<Moments> {
        let moment = |offset: FixedOffset| Some(local.checked_sub_offset(offset)?.and_utc());
        match self.0.offset_from_local_datetime(&local) {
            MappedLocalTime::Single(offset) => moment(offset.fix()).map(Moments::Once),
            MappedLocalTime::Ambiguous(first, second) => {
                Some(Moments::Twice(moment(first.fix())?, moment(second.fix())?))
            }
            MappedLocalTime::None => {
                let gap = GapInfo::new(&local, &self.0)?;
                let (from, _) = gap.begin?;
                let end = gap.end?;
                Some(Moments::Never(Change { at: end.to_utc(), from, to: end.naive_local() }))
            }
        }
    }

    /// The next change of this zone's clock, within two years.
    pub fn next_change(self, after: DateTime<Utc>) -> Option<Change> {
        // Two changes were never so near to each other that a day holds both.
        (0..TWO_YEARS).find_map(|day| {
            let from = after.checked_add_signed(TimeDelta::days(day))?;
            self.change_between(from, from.checked_add_signed(TimeDelta::days(1))?)
        })
    }

    /// The change of the offset between two moments; of several one, if the last leads to another offset than the first
    /// came from. `after` itself is left out, `until` is not.
    pub fn change_between(self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<Change> {
        let (before, changed) = (self.offset(after), self.offset(until));
        if before == changed {
            return None;
        }
        // The offset is `before` at `low`, and another at `high`. Changes are at whole seconds.
        let (mut low, mut high) = (after.timestamp(), until.timestamp());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset(DateTime::from_timestamp(middle, 0)?) == before { low = middle } else { high = middle }
        }
        let at = DateTime::from_timestamp(high, 0)?;
        Some(Change { at, from: at.naive_utc().checked_add_offset(before)?, to: self.local(at)? })
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        text.parse().map(Zone).map_err(|_| UnknownZone(text.to_owned()))
    }
}

/// As in the IANA database.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name())
    }
}
