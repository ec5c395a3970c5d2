//! Schedules against Vixie's daemon: what a line of a crontab means here is what it means there.
//!
//! [`daemon`] is a model of the daemon's loop, minute by minute, with a parser of its own ([`line`]). It was written from
//! the rules alone, and shares nothing with what is tested but the offsets of the time zones. [`rules`] holds cases that
//! were worked out by hand, for the model as well as for the product.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

mod daemon;
mod line;
mod random;
mod refused;
mod rules;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use govern::schedule::Zone;
use govern::schedule::crontab::Expression;

use line::Line;
use random::Random;

/// How many random lines there are, spread over [`ZONES`].
const LINES: u32 = 2_000;

/// A zone and two whole years of it, in which its clock changes both ways, if ever.
const ZONES: [(&str, i32); 6] = [
    ("Europe/Berlin", 2025),
    ("America/New_York", 2025),
    // Half an hour.
    ("Australia/Lord_Howe", 2025),
    // The 30th of December 2011 is not there.
    ("Pacific/Apia", 2011),
    // A minute after midnight, until the end of 2011.
    ("America/St_Johns", 2010),
    // Never, but not in whole hours from UTC.
    ("Asia/Kathmandu", 2025),
];

/// Zones that change in an odd way, at an odd time or by an odd step: some lines in each.
const ODD_ZONES: [(&str, i32); 8] = [
    // At midnight, so that a day begins at 01:00, and back into the day before.
    ("America/Havana", 2025),
    ("America/Asuncion", 2022),
    // Twice, around Ramadan, backward first.
    ("Africa/Casablanca", 2025),
    // Two hours, and three, for good.
    ("Antarctica/Troll", 2025),
    ("Antarctica/Casey", 2010),
    // Half an hour, for good.
    ("Asia/Pyongyang", 2014),
    ("America/Caracas", 2015),
    // Summer time and another zone at once.
    ("Europe/Volgograd", 2018),
];

/// Lines that run some day; the others are refused.
fn random_lines(seed: u64) -> impl Iterator<Item = String> {
    let mut random = Random(seed);
    std::iter::repeat_with(move || random::line(&mut random)).filter(|line| Line::parse(line).expect(line).ever())
}

fn at(minute: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(minute) * 60, 0).unwrap()
}

fn new_year(year: i32) -> DateTime<Utc> {
    chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc()
}

/// The first run on which the product and the model do not agree.
fn difference(text: &str, zone: &str, window: (DateTime<Utc>, DateTime<Utc>), model: &[u32]) -> Option<String> {
    let expression: Expression = match text.parse() {
        Ok(expression) => expression,
        Err(error) => return Some(format!("`{text}` is refused: {error}")),
    };
    let (tz, product): (Tz, Zone) = (zone.parse().unwrap(), zone.parse().unwrap());
    let (from, to) = window;
    let mut after = from - TimeDelta::seconds(1);
    let mut random = Random(model.len() as u64);
    let ends = model.iter().map(|&minute| Some(at(minute))).chain([None]);
    for wanted in ends {
        let told = expression.next(product, after).filter(|told| *told < to);
        if told != wanted {
            let show = |moment: Option<DateTime<Utc>>| {
                moment.map_or("nothing".into(), |moment| moment.with_timezone(&tz).to_rfc3339())
            };
            let after = after.with_timezone(&tz).to_rfc3339();
            return Some(format!(
                "`{text}` in {zone} after {after}: the model says {}, the product {}",
                show(wanted),
                show(told)
            ));
        }
        let Some(wanted) = wanted else { break };
        // The answer is the same from any moment between two runs.
        after = wanted + TimeDelta::nanoseconds(i64::from(random.below(60)) * 1_016_000_000);
    }
    None
}

/// Follows lines through two years of a zone; gives how many runs there were.
fn compare(lines: &[String], zone: &str, first_year: i32) -> (usize, Vec<String>) {
    let window = (new_year(first_year), new_year(first_year + 2));
    let parsed: Vec<Line> = lines.iter().map(|line| Line::parse(line).expect(line)).collect();
    let fires = daemon::fires(&parsed, zone.parse().unwrap(), window.0, window.1);
    let differences = lines.iter().zip(&fires).filter_map(|(line, fires)| difference(line, zone, window, fires));
    (fires.iter().map(Vec::len).sum(), differences.collect())
}

fn compare_all(zones: &[(&str, i32)], lines: &[String]) {
    let (mut runs, mut differences) = (0, vec![]);
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = zones
            .iter()
            .enumerate()
            .map(|(number, &(zone, year))| {
                let share: Vec<String> = lines.iter().skip(number).step_by(zones.len()).cloned().collect();
                scope.spawn(move || compare(&share, zone, year))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (some, wrong) in results {
        runs += some;
        differences.extend(wrong);
    }
    println!("{} lines, {runs} runs, {} differences", lines.len(), differences.len());
    let shown = differences.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} differences:\n{shown}", differences.len());
}

#[test]
fn two_thousand_lines_run_as_under_vixies_daemon() {
    let lines: Vec<String> = random_lines(5).take(LINES as usize).collect();
    compare_all(&ZONES, &lines);
}

#[test]
fn odd_clocks_are_followed_as_vixies_daemon_does() {
    let lines: Vec<String> = random_lines(7).take(LINES as usize / 5).collect();
    compare_all(&ODD_ZONES, &lines);
}

fn moment(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_str(&text.replace('Z', "+00:00"), "%Y-%m-%dT%H:%M%:z").expect(text).to_utc()
}

#[test]
fn the_model_keeps_the_rules() {
    for case in rules::CASES {
        let line = Line::parse(case.line).expect(case.line);
        let zone: Tz = case.zone.parse().unwrap();
        let (from, to) = (moment(case.window.0), moment(case.window.1));
        let fires = daemon::fires(&[line], zone, from, to).remove(0);
        let shown = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%dT%H:%M%:z").to_string();
        let runs: Vec<String> = fires.into_iter().map(|minute| shown(at(minute))).collect();
        assert_eq!(runs, case.runs, "`{}` in {}", case.line, case.zone);
    }
}

#[test]
fn the_product_keeps_the_rules() {
    let wrong = rules::CASES.iter().filter_map(|case| {
        let runs: Vec<u32> = case.runs.iter().map(|run| (moment(run).timestamp() / 60) as u32).collect();
        difference(case.line, case.zone, (moment(case.window.0), moment(case.window.1)), &runs)
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_dialects_disagree_on_is_refused() {
    let mut random = Random(11);
    let spoilt: Vec<String> = (0..400).map(|_| refused::spoilt(&mut random)).collect();
    let lines: Vec<&str> = refused::TYPED.iter().copied().chain(spoilt.iter().map(String::as_str)).collect();
    let understood: Vec<_> = lines.iter().filter(|line| Line::parse(line).is_some()).collect();
    assert!(understood.is_empty(), "the model takes {understood:#?}");
    let comes = |line: &&str| Line::parse(line).expect(line).ever();
    assert_eq!(refused::NEVER.iter().copied().find(comes), None, "a day that comes");
    let all = lines.iter().chain(refused::NEVER);
    let taken: Vec<_> = all.filter(|line| line.parse::<Expression>().is_ok()).collect();
    assert!(taken.is_empty(), "the product takes {taken:#?}");
}
