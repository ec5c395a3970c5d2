//! Thousands of random nights: a machine, users, a backup, and the decision between them.
//!
//! `cargo test --test simulator [--release] -- [--nights N] [--seed FIRST] [--worst N] [--verbose SEED]`; without one of these it
//! is a test like others, of so many nights as CI has time for. It prints the table and the worst nights, and holds what must be true of
//! them.
//! `--verbose SEED` prints one night as a small table of times.
//!
//! The machine is a disk with a rate and a number of requests a second, one queue before it, and some cores. Users come by
//! chance, at a rate that is steady, or comes in bursts, or in waves, or is as much as the disk can take; each request needs a
//! core, then reads, then at times durable writes, and its latency counts from the moment it was due. The backup reads files
//! and then a dump, and writes with as little in flight as the pump allows. Beside each other: nothing holds it; a pace that
//! somebody chose, a third of what the disk would give; the governor with its defaults. Each is held against the same night
//! without a backup.
//!
//! The sensors see what real ones do: the share of each window in which some user waits for the disk, those who wait, a probe's
//! latency; with noise, gaps and blips, and thresholds from five seconds of baseline. They see no write-back of the users, no memory, and no stall
//! of cores. The queue is first come first served: a real elevator, or a disk that answers many at once, is kinder to users.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

mod arm;
mod machine;
mod night;
mod payload;
mod random;
mod report;
mod score;
mod senses;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use libtest_mimic::{Arguments, Trial};

use arm::{Arm, BASELINE, live};
use night::{Night, Shape};
use score::Score;
use senses::Sight;

/// Nights without arguments: some seconds of them.
const NIGHTS: u64 = 200;

struct Options {
    nights: u64,
    first: u64,
    worst: usize,
    verbose: Option<u64>,
}

/// A night, and how it went: free, at a fixed pace, governed; governed by the pressure of all on idle nights.
struct Lived {
    night: Night,
    free: Score,
    fixed: Score,
    governed: Score,
    misled: Option<Score>,
}

fn main() -> ExitCode {
    match options() {
        Some(Options { verbose: Some(seed), .. }) => tell(&Night::of(seed)),
        Some(options) => match lived_well(&options) {
            Ok(()) => {}
            Err(wrong) => {
                println!("wrong:\n{wrong}");
                return ExitCode::FAILURE;
            }
        },
        None => {
            let options = Options { nights: NIGHTS, first: 1, worst: 5, verbose: None };
            let test = Trial::test("what_must_be_true_of_random_nights", move || Ok(lived_well(&options)?));
            return libtest_mimic::run(&Arguments::from_args(), vec![test]).exit_code();
        }
    }
    ExitCode::SUCCESS
}

/// Lives through these nights and tells of them. The error is what must be true and is not.
fn lived_well(options: &Options) -> Result<(), String> {
    let began = Instant::now();
    let nights = live_all(options.first..options.first + options.nights);
    println!("{} nights from seed {} in {:.0} s\n", nights.len(), options.first, began.elapsed().as_secs_f64());
    report::table(&nights);
    report::worst(&nights, options.worst);
    let wrong = report::wrong(&nights);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// `None` where none of our options is given: then it is the test of a test runner, with the options of one.
fn options() -> Option<Options> {
    const OURS: [&str; 4] = ["--nights", "--seed", "--worst", "--verbose"];
    let mut options = Options { nights: NIGHTS, first: 1, worst: 5, verbose: None };
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| OURS.contains(&&**word)) {
        return None;
    }
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|n| n.parse().ok());
        match word.as_str() {
            "--nights" => options.nights = number().expect("--nights N"),
            "--seed" => options.first = number().expect("--seed FIRST"),
            "--worst" => options.worst = number().expect("--worst N") as usize,
            "--verbose" => options.verbose = Some(number().expect("--verbose SEED")),
            other => panic!("unknown option {other}"),
        }
    }
    Some(options)
}

fn live_all(seeds: std::ops::Range<u64>) -> Vec<Lived> {
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut nights: Vec<Lived> = std::thread::scope(|scope| {
        let work = || {
            let mut lived = vec![];
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return lived;
                }
                lived.push(live_through(Night::of(seed)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    nights.sort_by_key(|lived| lived.night.seed);
    nights
}

/// What somebody would choose who knows the disk: a third of what it gives to large reads.
fn by_hand(night: &Night) -> Arm {
    Arm::Fixed(night.disk.0.min(night.disk.1 * 256e3) / 3.0)
}

fn live_through(night: Night) -> Lived {
    let free = live(&night, Arm::Free, false);
    let fixed = live(&night, by_hand(&night), false);
    let governed = live(&night, Arm::Governed(Sight::Others), false);
    let longest = free.took.max(fixed.took).max(governed.took);
    let alone = live(&night, Arm::Alone(BASELINE + longest), false).answers;
    let misled = (night.shape == Shape::Idle).then(|| live(&night, Arm::Governed(Sight::Root), false));
    Lived {
        free: Score::of(&free, &alone),
        fixed: Score::of(&fixed, &alone),
        governed: Score::of(&governed, &alone),
        misled: misled.map(|misled| Score::of(&misled, &alone)),
        night,
    }
}

fn tell(night: &Night) {
    println!("night {}: {night}\n{:?}\n{:?}\n", night.seed, night.users, night.sensors);
    let outcome = live(night, Arm::Governed(Sight::Others), true);
    println!("{}\n", outcome.table.join("\n"));
    let lived = live_through(night.clone());
    report::table(std::slice::from_ref(&lived));
}
