//! Windows on a week of the wall clock.

use super::*;
use crate::schedule::tests::{utc, zone};

fn windows(between: &[&str], blackouts: &[&str]) -> Result<Windows, NeverOpen> {
    let spans = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Windows::new(spans(between), spans(blackouts))
}

fn opens(windows: &Windows, at: &str) -> String {
    let berlin = zone("Europe/Berlin");
    berlin.shown(windows.opens(berlin, utc(at)).unwrap()).format("%a %m-%d %H:%M%:z").to_string()
}

#[test]
fn over_midnight_and_over_the_end_of_the_week() {
    let nights = windows(&["22:00-05:00"], &["sat 23:00-04:00"]).unwrap();
    assert_eq!(opens(&nights, "2027-06-04T12:00:00Z"), "Fri 06-04 22:00+02:00");
    assert_eq!(opens(&nights, "2027-06-05T20:30:00Z"), "Sat 06-05 22:30+02:00");
    assert_eq!(opens(&nights, "2027-06-05T21:30:00Z"), "Sun 06-06 04:00+02:00");
    let weekend = windows(&["fri-sun"], &[]).unwrap();
    assert_eq!(opens(&weekend, "2027-06-07T12:00:00Z"), "Fri 06-11 00:00+02:00");
    let week = windows(&[], &["sat,sun", "mon 00:00-06:00"]).unwrap();
    assert_eq!(opens(&week, "2027-06-05T12:00:00Z"), "Mon 06-07 06:00+02:00");
    let berlin = zone("Europe/Berlin");
    assert_eq!(week.closed_since(berlin, utc("2027-06-07T03:00:00Z")), Some(utc("2027-06-04T22:00:00Z")));
    assert_eq!(week.closed_since(berlin, utc("2027-06-07T05:00:00Z")), None);
}

#[test]
fn where_the_clock_is_changed() {
    let hour = windows(&["02:00-03:00"], &[]).unwrap();
    // There is no such hour on the day the clock goes forward, and there are two when it goes back.
    assert_eq!(opens(&hour, "2027-03-27T02:00:00Z"), "Mon 03-29 02:00+02:00");
    assert_eq!(opens(&hour, "2027-10-31T01:00:00Z"), "Sun 10-31 02:00+01:00");
    assert_eq!(opens(&hour, "2027-10-31T02:00:00Z"), "Mon 11-01 02:00+01:00");
    // An hour and a half: from the moment the clock shows a time within.
    let longer = windows(&["02:00-03:30"], &[]).unwrap();
    assert_eq!(opens(&longer, "2027-03-27T12:00:00Z"), "Sun 03-28 03:00+02:00");
    let early = windows(&["02:00-02:30"], &[]).unwrap();
    assert_eq!(opens(&early, "2027-10-31T00:40:00Z"), "Sun 10-31 02:00+01:00");
    let berlin = zone("Europe/Berlin");
    assert_eq!(early.closed_since(berlin, utc("2027-10-31T00:40:00Z")), Some(utc("2027-10-31T00:30:00Z")));
    assert_eq!(hour.closed_since(berlin, utc("2027-03-28T12:00:00Z")), Some(utc("2027-03-27T02:00:00Z")));
}

#[test]
fn what_is_no_window() {
    for (text, told) in [
        ("", "is not days and times"),
        ("mon 08:00 - 18:00", "is not days and times"),
        ("22:00", "has no end"),
        ("22-05", "is no day"),
        ("22:00-5:00", "is no time of day"),
        ("22:00-24:01", "is no time of day"),
        ("22:60-23:00", "is no time of day"),
        ("24:00-05:00", "starts at `00:00`"),
        ("08:00-08:00", "ends when it starts"),
        ("monday", "is no day"),
        ("mon,", "is no day"),
    ] {
        let error = text.parse::<Span>().unwrap_err();
        assert!(error.to_string().contains(told), "{text}: {error}");
    }
    assert!(windows(&["sun"], &["fri-mon"]).is_err());
    assert!(windows(&[], &["mon-sun"]).is_err());
    assert!(windows(&["sun 22:00-05:00"], &["sun"]).is_ok());
}
