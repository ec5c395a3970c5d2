//! The time of a crontab's line: no panic, however far from today one asks; it is shown as it is understood; and what comes
//! next is later, and comes next from just before as well.
#![no_main]

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use govern::schedule::Zone;
use govern::schedule::crontab::Expression;
use libfuzzer_sys::fuzz_target;

/// Zones, and a moment before something odd: an hour that is left out, one that comes twice, a day that is left out, the end
/// of what can be counted.
static MOMENTS: LazyLock<Vec<(Zone, DateTime<Utc>)>> = LazyLock::new(|| {
    let at = |zone: &str, moment: &str| (zone.parse().expect("a zone"), moment.parse().expect("a moment"));
    vec![
        at("Europe/Berlin", "2026-03-29T00:59:59.5Z"),
        at("America/St_Johns", "2010-11-07T02:00:00Z"),
        at("Australia/Lord_Howe", "2026-04-04T14:59:00Z"),
        at("Pacific/Apia", "2011-12-30T09:59:00Z"),
        at("UTC", "2096-02-28T23:59:59Z"),
        ("America/New_York".parse().expect("a zone"), DateTime::<Utc>::MIN_UTC),
        ("Asia/Kathmandu".parse().expect("a zone"), DateTime::<Utc>::MAX_UTC - TimeDelta::days(300)),
    ]
});

fuzz_target!(|text: &str| {
    let expression: Expression = match text.parse() {
        Ok(expression) => expression,
        Err(error) => return drop(error.to_string()),
    };
    assert_eq!(expression.to_string().parse::<Expression>().as_ref(), Ok(&expression));
    for &(zone, after) in &*MOMENTS {
        if let Some(next) = expression.next(zone, after) {
            assert!(next > after, "{next} is not later than {after}");
            let just_before = next - TimeDelta::nanoseconds(1);
            assert_eq!(expression.next(zone, just_before), Some(next));
        }
    }
});
