//! Wall time for people and records, monotonic time for durations.

use std::fmt;

use chrono::{DateTime, FixedOffset, Local, Offset, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment of wall time with the offset that was in force where it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    pub us: i64,
    /// Seconds east of UTC.
    pub offset: i32,
}

impl Stamp {
    /// Now, on this machine's clock and in its zone.
    pub fn now() -> Stamp {
        let now = Local::now();
        Stamp { us: now.timestamp_micros(), offset: now.offset().fix().local_minus_utc() }
    }

    /// Minutes since midnight in its zone, and seconds of the minute.
    pub fn time_of_day(self) -> (u32, u32) {
        let seconds = (self.us.div_euclid(1_000_000) + i64::from(self.offset)).rem_euclid(86_400);
        let seconds = u32::try_from(seconds).unwrap_or_default();
        (seconds / 60, seconds % 60)
    }

    /// As a date and time of `chrono`. A stamp beyond its range becomes the epoch.
    pub fn date_time(self) -> DateTime<FixedOffset> {
        let utc = DateTime::<Utc>::from_timestamp_micros(self.us).unwrap_or_default();
        let zone = FixedOffset::east_opt(self.offset).unwrap_or_else(|| Utc.fix());
        utc.with_timezone(&zone)
    }

    /// RFC 3339 with microseconds and offset: `2026-11-23T05:29:03.000412+01:00`.
    pub fn rfc3339(self) -> String {
        self.date_time().to_rfc3339_opts(SecondsFormat::Micros, false)
    }

    /// To the second and without the offset, for tables: `2026-11-23 05:29:03`.
    pub fn short(self) -> String {
        self.date_time().format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// UTC in the basic format, for file names that sort: `20261123T042903Z`.
    pub fn compact_utc(self) -> String {
        self.date_time().with_timezone(&Utc).format("%Y%m%dT%H%M%SZ").to_string()
    }

    /// Microseconds from `earlier` to here; 0 when the clock went back.
    pub fn since(self, earlier: Stamp) -> u64 {
        u64::try_from(self.us.saturating_sub(earlier.us)).unwrap_or(0)
    }
}

/// A stamp as RFC 3339, for `#[serde(with = …)]`: what others read.
pub mod as_rfc3339 {
    use chrono::DateTime;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Stamp;

    /// Writes it.
    pub fn serialize<S: Serializer>(stamp: &Stamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&stamp.rfc3339())
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Stamp, D::Error> {
        let text = String::deserialize(from)?;
        let read = DateTime::parse_from_rfc3339(&text).map_err(de::Error::custom)?;
        Ok(Stamp { us: read.timestamp_micros(), offset: read.offset().local_minus_utc() })
    }
}

/// The same for a stamp that may be missing.
pub mod as_rfc3339_if_any {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Stamp;

    #[derive(Serialize, Deserialize)]
    struct Wrapped(#[serde(with = "super::as_rfc3339")] Stamp);

    /// Writes it, or null.
    pub fn serialize<S: Serializer>(stamp: &Option<Stamp>, to: S) -> Result<S::Ok, S::Error> {
        stamp.map(Wrapped).serialize(to)
    }

    /// Reads it, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Stamp>, D::Error> {
        Ok(Option::<Wrapped>::deserialize(from)?.map(|wrapped| wrapped.0))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_prints_microseconds_and_offset() {
        let stamp = Stamp { us: 1_795_408_143_000_412, offset: 3600 };
        assert_eq!(stamp.rfc3339(), "2026-11-23T05:29:03.000412+01:00");
        assert_eq!(stamp.short(), "2026-11-23 05:29:03");
        assert_eq!(stamp.compact_utc(), "20261123T042903Z");
    }

    #[test]
    fn a_clock_that_went_back_gives_no_duration() {
        let (early, late) = (Stamp { us: 10, offset: 0 }, Stamp { us: 25, offset: 7200 });
        assert_eq!(late.since(early), 15);
        assert_eq!(early.since(late), 0);
        assert_eq!(Stamp { us: i64::MAX, offset: i32::MAX }.rfc3339(), "1970-01-01T00:00:00.000000+00:00");
    }
}
