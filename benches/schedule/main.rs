//! How long the next run over 10,000 jobs takes to find, at moments that are hard and at one that is not.
//!
//! `cargo bench --bench schedule -- [--quick]`. Printed: the middle of a number of rounds, for jobs without windows and for jobs that are
//! all in a blackout. Exits with 1 when the goal is missed; what that means in a quick run is in `common/goal.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "../common/figures.rs"]
#[allow(dead_code)]
mod figures;
#[path = "../common/goal.rs"]
mod goal;

use std::process::ExitCode;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use figures::median;
use goal::{DependsOn, Goal};
use govern::schedule::{Schedule, Windows};

/// Jobs.
const JOBS: usize = 10_000;
/// Rounds over all of them.
const ROUNDS: usize = 51;
/// Longest middle round, in milliseconds.
const GOAL: f64 = 10.0;

const CRON: [&str; 6] = ["20 4 * * *", "*/5 * * * *", "@yearly", "15 2,14 */2 * mon", "30 2 * * sun", "0 0 29 2 *"];
const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"];
const MOMENTS: [(&str, &str); 3] = [
    ("2027-06-01T12:00:00Z", "a day in summer"),
    ("2027-03-28T00:30:00Z", "before the clock goes forward"),
    ("2027-10-31T00:30:00Z", "in the hour that comes twice"),
];

fn jobs(windows: &Windows) -> Vec<Schedule> {
    let job = |n: usize| Schedule {
        triggers: vec![CRON[n % CRON.len()].parse().unwrap()],
        zone: ZONES[n % ZONES.len()].parse().unwrap(),
        windows: windows.clone(),
        ..Schedule::default()
    };
    (0..JOBS).map(job).collect()
}

fn round(jobs: &[Schedule], at: DateTime<Utc>) -> f64 {
    let begun = Instant::now();
    let first = jobs.iter().filter_map(|job| job.next(at, TimeDelta::zero())).min();
    assert!(first > Some(at));
    begun.elapsed().as_secs_f64() * 1e3
}

fn main() -> ExitCode {
    let closed = Windows::new(vec!["22:00-23:00".parse().unwrap()], vec!["sat,sun".parse().unwrap()]).unwrap();
    let mut goals = vec![];
    for (windows, windowed) in [(Windows::default(), "no windows"), (closed, "all closed")] {
        let jobs = jobs(&windows);
        for (at, when) in MOMENTS {
            let at = at.parse().unwrap();
            let rounds: Vec<f64> = (0..ROUNDS).map(|_| round(&jobs, at)).collect();
            goals.push(Goal {
                what: format!("{JOBS} jobs, {windowed}, {when}"),
                value: median(&rounds),
                unit: "ms",
                most: GOAL,
                depends: DependsOn::TheClock,
            });
        }
    }
    goal::judge(&goals, std::env::args().any(|word| word == "--quick"))
}
