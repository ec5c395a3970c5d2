//! A moment as a person writes it.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::zone::{Moments, Zone};

/// Why a text is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no date and time")]
pub struct BadMoment(String);

/// How a moment is written.
pub const EXAMPLES: &str = "write it like `2027-03-28 01:00`, `2027-03-28`, or `2027-03-28T01:00:00+01:00`";

/// RFC 3339, or a date with or without a time on the wall. Of a time that the clock shows twice it is the first; one that it
/// does not show is when it goes on.
pub fn read(text: &str, zone: Zone) -> Result<DateTime<Utc>, BadMoment> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.and_time(NaiveTime::MIN));
    // Further away there are no rules of zones, and years have more than four digits.
    let counted = time.or_else(date).filter(|time| (1970..=9999).contains(&time.year()));
    match counted.and_then(|local| zone.moments(local)) {
        Some(Moments::Once(at) | Moments::Twice(at, _)) => Ok(at),
        Some(Moments::Never(gap)) => Ok(gap.at),
        None => Err(BadMoment(text.chars().take(60).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{utc, zone};
    use super::*;

    #[test]
    fn dates_and_times() {
        let berlin = zone("Europe/Berlin");
        for (text, expected) in [
            ("2027-03-28T01:00:00+01:00", "2027-03-28T00:00:00Z"),
            ("2027-03-28 01:00", "2027-03-28T00:00:00Z"),
            ("2027-03-28T01:00:30", "2027-03-28T00:00:30Z"),
            ("2027-03-28", "2027-03-27T23:00:00Z"),
            ("2027-03-28 02:30", "2027-03-28T01:00:00Z"),
            ("2027-10-31 02:30", "2027-10-31T00:30:00Z"),
        ] {
            assert_eq!(read(text, berlin), Ok(utc(expected)), "{text}");
        }
        for text in ["", "tomorrow", "01:00", "2027-02-30", "2027-03-28 25:00", "+262142-12-31 23:59", "28.3.2027"] {
            assert!(read(text, berlin).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[-+0-9T:Z. ]{0,30}") {
            read(&text, zone("Europe/Berlin")).ok();
        }
    }
}
