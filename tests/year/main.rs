//! A year of a server in seconds: hundreds of jobs, and everything that happens to a machine in a year.
//!
//! The core is told an invented time. The machine sleeps, is switched off, loses its power in the middle of runs; its clock is put
//! forward, back a little, back far, and stands in a wrong year until somebody notices; the daemon is killed and comes back with
//! nothing but what was durable then; policies change, jobs are paused, asked for, cancelled. An oracle that knows nothing of the core
//! but its schedules' [`next`](govern::schedule::Schedule::next) holds every record and every start against what was due.
//!
//! `GOVERN_TEST_SEED` names the first seed, `GOVERN_TEST_YEARS` how many small years are lived through, `GOVERN_TEST_JOB`
//! a job all of whose records are told. The same seed is the same
//! year, everywhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod books;
mod happenings;
mod jobs;
mod oracle;
mod orders;
#[path = "../simulator/random.rs"]
#[allow(dead_code)]
mod random;
mod reign;
mod runs;
mod world;

use std::time::Instant;

use happenings::Pace;
use world::World;

/// Jobs of a large server.
const MANY: usize = 500;

/// Jobs of a small one, to which as much happens.
const FEW: usize = 12;

/// Small years of a normal test run.
const YEARS: u64 = 12;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Lives through a year, and fails the test if anything in it was not as it must be.
fn live(seed: u64, jobs: usize, pace: Pace) {
    let began = Instant::now();
    let mut world = World::new(seed, jobs, pace);
    world.live();
    let took = began.elapsed();
    eprintln!("seed {seed}, {jobs} jobs: {} in {:.1} s", world.summary(), took.as_secs_f64());
    let wrong = world.wrong();
    assert!(
        wrong.is_empty(),
        "GOVERN_TEST_SEED={seed} with {jobs} jobs: {} things are wrong, the first are\n{}",
        wrong.len(),
        wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn five_hundred_jobs_live_through_a_year() {
    live(number("GOVERN_TEST_SEED", 1), MANY, Pace::Usual);
}

#[test]
fn few_jobs_live_through_years_of_mishaps() {
    let first = number("GOVERN_TEST_SEED", 1);
    for seed in first..first + number("GOVERN_TEST_YEARS", YEARS) {
        live(seed, FEW, Pace::Wild);
    }
}
