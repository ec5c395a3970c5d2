//! Starts of whole schedules.

use proptest::prelude::*;

use super::*;

mod crontab;

/// 2026-01-01 to 2027-12-31, in seconds: every change of the clock of two years.
pub(super) const TWO_YEARS: std::ops::Range<i64> = 1_767_225_600..1_830_297_600;

pub(super) fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

pub(super) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn schedule(zone_name: &str, cron: &[&str], between: &[&str], blackouts: &[&str]) -> Schedule {
    let spans = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Schedule {
        triggers: cron.iter().map(|text| text.parse().unwrap()).collect(),
        zone: zone(zone_name),
        windows: Windows::new(spans(between), spans(blackouts)).unwrap(),
        ..Schedule::default()
    }
}

/// The next starts, on the wall.
fn starts(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
    let mut at = utc(from);
    let mut starts = Vec::new();
    while starts.len() < count {
        let Some(next) = schedule.next(at, TimeDelta::zero()) else { break };
        starts.push(schedule.zone.shown(next).format("%a %m-%d %H:%M%:z").to_string());
        at = next;
    }
    starts
}

#[test]
fn triggers_add_up_and_equal_moments_are_one() {
    let mut twice = schedule("UTC", &["0 4 * * *", "0 4 * * sun", "30 16 * * sun"], &[], &[]);
    twice.triggers.push(Trigger::Every(Duration::from_secs(86_400)));
    twice.triggers.push(Trigger::Boot);
    assert_eq!(
        starts(&twice, "2027-03-27T12:00:00Z", 5),
        [
            "Sun 03-28 00:00+00:00",
            "Sun 03-28 04:00+00:00",
            "Sun 03-28 16:30+00:00",
            "Mon 03-29 00:00+00:00",
            "Mon 03-29 04:00+00:00"
        ]
    );
    assert_eq!(schedule("UTC", &["@reboot"], &[], &[]).next(utc("2027-01-01T00:00:00Z"), TimeDelta::zero()), None);
}

#[test]
fn a_start_outside_of_the_windows_is_moved_to_their_opening() {
    let nights = schedule("Europe/Berlin", &["0 */6 * * *"], &["22:00-05:00"], &["sun"]);
    // 06:00, 12:00 and 18:00 become 22:00; what falls into Sunday waits for its end.
    assert_eq!(
        starts(&nights, "2027-06-04T12:00:00Z", 5),
        [
            "Fri 06-04 22:00+02:00",
            "Sat 06-05 00:00+02:00",
            "Sat 06-05 22:00+02:00",
            "Mon 06-07 00:00+02:00",
            "Mon 06-07 22:00+02:00"
        ]
    );
    // The start of 12:00 waits, whenever somebody asks.
    let opening = utc("2027-06-04T20:00:00Z");
    for asked in ["2027-06-04T03:00:00Z", "2027-06-04T10:00:00Z", "2027-06-04T19:59:59.999Z"] {
        assert_eq!(nights.next(utc(asked), TimeDelta::zero()), Some(opening), "{asked}");
    }
    assert!(nights.is_open(opening) && !nights.is_open(utc("2027-06-04T19:59:59Z")));
    // Nothing was due since it closed: nothing waits for the opening.
    let early = schedule("Europe/Berlin", &["0 4 * * *"], &["22:00-05:00"], &[]);
    assert_eq!(starts(&early, "2027-06-04T12:00:00Z", 1), ["Sat 06-05 04:00+02:00"]);
    // A start at the moment of the closing waits.
    let late = schedule("Europe/Berlin", &["0 5 * * *"], &["22:00-05:00"], &[]);
    assert_eq!(starts(&late, "2027-06-04T03:00:00Z", 1), ["Fri 06-04 22:00+02:00"]);
}

#[test]
fn jitter_comes_before_the_windows() {
    let nights = schedule("UTC", &["50 4 * * *"], &["22:00-05:00"], &[]);
    let at = utc("2027-06-04T00:00:00Z");
    assert_eq!(nights.next(at, TimeDelta::seconds(599)), Some(utc("2027-06-04T04:59:59Z")));
    assert_eq!(nights.next(at, TimeDelta::seconds(600)), Some(utc("2027-06-04T22:00:00Z")));
}

#[test]
fn it_is_read_back_as_it_was_written() {
    let mut all =
        schedule("Europe/Berlin", &["20 4 * * mon-fri", "@reboot", "@daily"], &["22:00-05:00"], &["fri 00:00-24:00"]);
    all.triggers.push(Trigger::Every(Duration::from_secs(6 * 3600)));
    let text = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), all);
    for typed in ["\"20 4 * * mon-fri\"", "\"Europe/Berlin\"", "\"22:00-05:00\"", "\"boot\"", "\"one\""] {
        assert!(text.contains(typed), "{typed} in {text}");
    }
}

/// Schedules over everything that moves a start.
fn any_schedule() -> impl Strategy<Value = Schedule> {
    let cron = prop::sample::subsequence(
        vec!["*/7 * * * *", "30 2 * * *", "0 0 * * *", "*/30 1-3 * * *", "15 2,14 */2 * mon", "0 5 * * 6"],
        0..=3,
    );
    let zones =
        prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]);
    let between =
        prop::sample::subsequence(vec!["22:00-05:00", "02:15-02:45", "sat 00:00-24:00", "mon-fri 12:00-13:00"], 0..=3);
    let blackouts = prop::sample::subsequence(vec!["mon-fri 08:00-18:00", "sun", "02:00-03:00"], 0..=2);
    let every = prop::option::of(60_u64..200_000);
    (cron, zones, between, blackouts, every).prop_filter_map("never open", |(cron, name, between, blackouts, every)| {
        let spans = |texts: Vec<&str>| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let mut triggers: Vec<Trigger> = cron.iter().map(|text| text.parse().unwrap()).collect();
        triggers.extend(every.map(|seconds| Trigger::Every(Duration::from_secs(seconds))));
        let windows = Windows::new(spans(between), spans(blackouts)).ok()?;
        Some(Schedule { triggers, zone: zone(name), windows, ..Schedule::default() })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_next_start_is_later_and_the_same_until_it_comes(
        schedule in any_schedule(), at in TWO_YEARS, delay in 0_i64..4000, part in 0.0..1.0_f64,
    ) {
        let after = DateTime::from_timestamp(at, 0).unwrap();
        let delay = TimeDelta::seconds(delay);
        let Some(next) = schedule.next(after, delay) else {
            prop_assert!(schedule.triggers.is_empty());
            return Ok(());
        };
        prop_assert!(next > after && schedule.is_open(next));
        let between = after + TimeDelta::seconds(((next - after).num_seconds() as f64 * part) as i64);
        if between < next {
            prop_assert_eq!(schedule.next(between, delay), Some(next), "asked at {}", between);
        }
        // The union of the triggers, each alone.
        let alone = schedule.triggers.iter().filter_map(|trigger| {
            Schedule { triggers: vec![trigger.clone()], ..schedule.clone() }.next(after, delay)
        });
        prop_assert_eq!(alone.min(), Some(next));
    }
}
