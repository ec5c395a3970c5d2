//! The five fields: what is read, what is refused, and when they fire.

use chrono::NaiveDateTime;
use proptest::prelude::*;

use super::super::crontab::{BadExpression, Expression};
use super::*;

fn expression(text: &str) -> Expression {
    text.parse().unwrap()
}

/// The next fires, on the wall.
fn fires(text: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
    let (expression, zone) = (expression(text), zone(zone_name));
    let fires = std::iter::successors(Some(utc(from)), |at| expression.next(zone, *at)).skip(1).take(count);
    fires.map(|at| zone.shown(at).format("%m-%d %H:%M%:z").to_string()).collect()
}

const BERLIN: &str = "Europe/Berlin";
const SPRING: &str = "2027-03-28T00:00:00Z";
const AUTUMN: &str = "2027-10-30T23:30:00Z";

#[test]
fn forward_a_fixed_time_runs_after_the_gap_once() {
    assert_eq!(fires("30 2 * * *", BERLIN, SPRING, 2), ["03-28 03:00+02:00", "03-29 02:30+02:00"]);
    assert_eq!(
        fires("0,15,30 2,3 * * *", BERLIN, SPRING, 3),
        ["03-28 03:00+02:00", "03-28 03:15+02:00", "03-28 03:30+02:00"]
    );
    assert_eq!(fires("15-45/15 2 * * *", BERLIN, SPRING, 2), ["03-28 03:00+02:00", "03-29 02:15+02:00"]);
}

#[test]
fn forward_a_wildcard_simply_goes_on() {
    assert_eq!(
        fires("*/30 * * * *", BERLIN, SPRING, 3),
        ["03-28 01:30+01:00", "03-28 03:00+02:00", "03-28 03:30+02:00"]
    );
    assert_eq!(fires("*/30 2 * * *", BERLIN, SPRING, 1), ["03-29 02:00+02:00"]);
    assert_eq!(fires("30 */2 * * *", BERLIN, SPRING, 1), ["03-28 04:30+02:00"]);
}

#[test]
fn backward_a_fixed_time_runs_once_and_a_wildcard_twice() {
    assert_eq!(fires("30 2 * * *", BERLIN, AUTUMN, 2), ["10-31 02:30+02:00", "11-01 02:30+01:00"]);
    assert_eq!(
        fires("15-45/15 2 * * *", BERLIN, AUTUMN, 4),
        ["10-31 02:15+02:00", "10-31 02:30+02:00", "10-31 02:45+02:00", "11-01 02:15+01:00"]
    );
    assert_eq!(
        fires("*/30 2,3 * * *", BERLIN, AUTUMN, 5),
        ["10-31 02:00+02:00", "10-31 02:30+02:00", "10-31 02:00+01:00", "10-31 02:30+01:00", "10-31 03:00+01:00"]
    );
    // Asked in the second pass, a fixed time waits for the next day.
    assert_eq!(fires("30 2 * * *", BERLIN, "2027-10-31T01:00:00Z", 1), ["11-01 02:30+01:00"]);
}

#[test]
fn half_an_hour_and_a_day_that_is_left_out() {
    let lord_howe = "Australia/Lord_Howe";
    assert_eq!(fires("15 2 * * *", lord_howe, "2026-10-03T14:00:00Z", 2), ["10-04 02:30+11:00", "10-05 02:15+11:00"]);
    assert_eq!(fires("45 1 * * *", lord_howe, "2027-04-03T14:00:00Z", 2), ["04-04 01:45+11:00", "04-05 01:45+10:30"]);
    assert_eq!(
        fires("*/15 1 * * *", lord_howe, "2027-04-03T14:20:00Z", 5),
        ["04-04 01:30+11:00", "04-04 01:45+11:00", "04-04 01:30+10:30", "04-04 01:45+10:30", "04-05 01:00+10:30"]
    );
    // Apia had no 30 December 2011: nothing is made up for it.
    assert_eq!(fires("30 4 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", 1), ["12-30 04:30+14:00"]);
    assert_eq!(
        fires("30 4 * * *", "Pacific/Apia", "2011-12-29T15:00:00Z", 2),
        ["12-31 04:30+14:00", "01-01 04:30+14:00"]
    );
}

#[test]
fn either_day_unless_one_starts_with_a_star() {
    let from = "2026-11-01T12:00:00Z";
    assert_eq!(fires("0 0 13 * fri", "UTC", from, 3), ["11-06 00:00+00:00", "11-13 00:00+00:00", "11-20 00:00+00:00"]);
    assert_eq!(
        fires("0 0 */10 * mon", "UTC", from, 3),
        ["12-21 00:00+00:00", "01-11 00:00+00:00", "02-01 00:00+00:00"]
    );
    assert_eq!(fires("0 0 13 * */5", "UTC", from, 2), ["11-13 00:00+00:00", "12-13 00:00+00:00"]);
}

#[test]
fn names_sundays_and_nicknames() {
    let from = "2026-11-01T12:00:00Z";
    let same = |a: &str, b: &str| assert_eq!(fires(a, "UTC", from, 20), fires(b, "UTC", from, 20), "{a}");
    same("0 4 * * 7", "0 4 * * 0");
    same("0 4 * * SUN", "0 4 * * 0");
    same("0 4 * * 5-7", "0 4 * * 0,5,6");
    same("0 4 * * 1-7/2", "0 4 * * 0,1,3,5");
    same("0 4 * * */7", "0 4 * * 0");
    same("0 4 * Feb-apr,12 *", "0 4 * 2,3,4,12 *");
    same("  05  04 * * *  ", "5 4 * * *");
    same("1-1 4 * * *", "1 4 * * *");
    for (nickname, fields) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ] {
        same(nickname, fields);
    }
}

#[test]
fn a_leap_day_comes_again() {
    let from = utc("2096-02-29T00:00:00Z");
    assert_eq!(expression("0 0 29 2 *").next(Zone::UTC, from), Some(utc("2104-02-29T00:00:00Z")));
    // 29 February on a Saturday or Sunday.
    let rare = expression("0 0 29 2 */6");
    assert_eq!(rare.next(Zone::UTC, utc("2033-01-01T00:00:00Z")), Some(utc("2048-02-29T00:00:00Z")));
}

/// What is pointed at, and the message with its hint.
fn refused(text: &str) -> (String, String) {
    let BadExpression { text: message, hint, span } = text.parse::<Expression>().unwrap_err();
    (text[span].to_owned(), format!("{message}; {hint}"))
}

#[test]
fn what_dialects_disagree_on_is_refused() {
    for (text, at, told) in [
        ("0 22-2 * * *", "22-2", "goes backwards: dialects of cron disagree on what it means; write `22-23,0-2`"),
        ("0 4 * * fri-mon", "fri-mon", "write `5-7,1`"),
        ("0 4 * * 6-0", "6-0", "write `6-7`"),
        ("*/90 * * * *", "90", "must be at most 59, not `90`; a period that does not fit"),
        ("5/20 * * * *", "5/20", "write `5-59/20`, or `5` alone"),
        ("mon * * * *", "mon", "minute must be 0 to 59, not `mon`"),
        ("0 4 * * mon/2", "mon/2", "no range in front"),
        ("0~59 4 * * *", "0~59", "random times"),
        ("0 4 ? * *", "?", "write `*`"),
        ("0,,5 4 * * *", ",", "nothing at one side of a comma"),
        ("0 4, * * *", ",", "nothing at one side of a comma"),
        ("0 ,4 * * *", ",", "nothing at one side of a comma"),
        ("*5 4 * * *", "*5", "a `*` stands alone"),
        ("60 4 * * *", "60", "must be 0 to 59"),
        ("0 24 * * *", "24", "must be 0 to 23"),
        ("0 4 0 * *", "0", "must be 1 to 31"),
        ("0 4 * 13 *", "13", "must be 1 to 12"),
        ("0 4 * * 8", "8", "must be 0 to 7"),
        ("0 4 * * monday", "monday", "write `mon`"),
        ("*/0 4 * * *", "0", "must be a number from 1"),
        ("*/ 4 * * *", "/", "must be a number from 1"),
        ("1-5-9 4 * * *", "1-5-9", "is no range"),
        ("-5 4 * * *", "-5", "is no range"),
        ("99999999999 4 * * *", "99999999999", "must be 0 to 59"),
        ("0 4 L * *", "L", "must be 1 to 31"),
        ("ä 4 * * *", "ä", "must be 0 to 59"),
    ] {
        let (shown, message) = refused(text);
        assert_eq!(shown, at, "{text}: {message}");
        assert!(message.contains(told), "{text}: {message}");
    }
}

#[test]
fn too_few_too_many_never_and_nicknames_that_are_none() {
    for (text, at, told) in [
        ("", "", "there are 0 fields, not five"),
        ("30 2 * *", "30 2 * *", "there are 4 fields"),
        ("0 30 2 * * * /bin/x", "* /bin/x", "more than five fields; leave out seconds"),
        ("@daily /bin/x", "/bin/x", "a nickname stands alone"),
        ("@Daily", "@Daily", "write `@daily`"),
        ("@every 6h", "@every", "every = \"6h\""),
        ("@fortnightly", "@fortnightly", "there are `@hourly`"),
        ("@reboot", "@reboot", "alone, `@reboot`"),
        ("0 0 31 2 *", "31 2", "this day never comes"),
        ("0 0 31 feb,apr */2", "31 feb,apr", "this day never comes"),
    ] {
        let (shown, message) = refused(text);
        assert_eq!(shown, at, "{text}: {message}");
        assert!(message.contains(told), "{text}: {message}");
    }
    // Here the weekday is enough.
    assert_eq!(fires("0 0 31 2 mon", "UTC", "2027-01-20T00:00:00Z", 1), ["02-01 00:00+00:00"]);
    assert_eq!("@reboot".parse(), Ok(Trigger::Boot));
}

/// Items of a field, as text.
fn field(least: u32, most: u32) -> impl Strategy<Value = String> {
    let item = prop_oneof![
        3 => Just("*".to_owned()),
        2 => (1..=most).prop_map(|step| format!("*/{step}")),
        3 => (least..=most).prop_map(|n| n.to_string()),
        2 => (least..=most, least..=most, 1..=most).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ];
    prop::collection::vec(item, 1..3).prop_map(|items| items.join(","))
}

/// Every moment within two days at which a loop over minutes, which knows of steps of the clock what cron knows, fires.
fn by_the_minute(expression: &Expression, zone: Zone, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let calendar = expression.calendar();
    let fires_at = |time: NaiveDateTime| calendar.within(time, time + TimeDelta::minutes(1)).next().is_some();
    let mut seen = zone.local(from).unwrap();
    let mut at = from;
    let mut fires = Vec::new();
    while at < until {
        at += TimeDelta::minutes(1);
        let now = zone.local(at).unwrap();
        let step = now - seen;
        let fired = if expression.is_wildcard() || step.num_hours().abs() > 3 {
            fires_at(now)
        } else {
            let mut missed = std::iter::successors(Some(seen), |time| Some(*time + TimeDelta::minutes(1))).skip(1);
            step > TimeDelta::zero() && missed.by_ref().take(step.num_minutes() as usize).any(fires_at)
        };
        if fired {
            fires.push(at);
        }
        if step > TimeDelta::zero() || step.num_hours().abs() > 3 {
            seen = now;
        }
    }
    fires
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_same_as_a_loop_over_minutes(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 31), weekday in field(0, 7),
        place in prop::sample::select(vec![
            (BERLIN, "2027-03-27T12:00:00Z"), (BERLIN, "2027-10-30T12:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"), ("Australia/Lord_Howe", "2027-04-03T00:00:00Z"),
            ("Pacific/Apia", "2011-12-29T00:00:00Z"), ("America/Havana", "2026-03-07T12:00:00Z"),
            ("America/Havana", "2026-10-31T12:00:00Z"), ("Africa/Casablanca", "2027-02-06T12:00:00Z"),
        ]),
    ) {
        let Ok(expression) = format!("{minute} {hour} {day} * {weekday}").parse::<Expression>() else { return Ok(()) };
        let (zone, from) = (zone(place.0), utc(place.1));
        let until = from + TimeDelta::days(3);
        let fires: Vec<_> = std::iter::successors(Some(from), |at| expression.next(zone, *at))
            .skip(1).take_while(|at| *at <= until).collect();
        prop_assert_eq!(fires, by_the_minute(&expression, zone, from, until), "{}", expression);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*", fields in "[0-9*/,a-z@~?\u{e4} -]{0,30}") {
        for text in [text, fields] {
            match text.parse::<Trigger>() {
                Ok(trigger) => prop_assert_eq!(trigger.to_string().parse::<Trigger>().ok(), Some(trigger)),
                Err(error) => prop_assert!(text.get(error.span.clone()).is_some(), "{:?} in {:?}", error, text),
            }
            let span = text.parse::<window::Span>().ok();
            prop_assert!(span.is_none_or(|span| span.to_string().parse() == Ok(span)));
            let zone = text.parse::<Zone>().ok();
            prop_assert!(zone.is_none_or(|zone| zone.to_string().parse() == Ok(zone)));
        }
    }

    #[test]
    fn the_ends_of_time_are_no_panic(text in prop::sample::select(vec!["* * * * *", "0 0 29 2 *", "@yearly"])) {
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            for name in ["UTC", BERLIN, "Pacific/Apia"] {
                let _ = expression(text).next(zone(name), at);
                let _ = schedule(name, &[text], &["sun 02:00-03:00"], &[]).next(at, TimeDelta::hours(1));
            }
        }
    }
}
