//! What the schedule and the daemon cost.
//!
//! `cargo bench --bench daemon -- [--quick] [--seconds N]`. Printed: the next run over 10,000 different schedules; what the core takes
//! to be told that time has passed, with 10,000 jobs; how much later than its second a due run is decided on, by the real daemon with
//! 1,000 jobs; what an idle daemon with 100 jobs takes of the machine. Exits with 1 when a goal is missed; with `--quick` it only shows
//! that it works, for a busy machine misses goals of time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

mod accuracy;
mod idle;
mod place;
mod plans;

use std::process::ExitCode;

struct Options {
    quick: bool,
    /// How long the idle daemon is watched.
    seconds: u64,
}

fn options() -> Options {
    let mut options = Options { quick: false, seconds: 20 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => options = Options { quick: true, seconds: 3 },
            "--seconds" => options.seconds = words.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    options
}

/// A figure and its goal.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// How much it is.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// It is not to be more.
    pub most: f64,
}

fn main() -> ExitCode {
    let options = options();
    let mut rows = plans::measure(if options.quick { 1 } else { 9 });
    rows.extend(accuracy::measure(if options.quick { 50 } else { 1000 }));
    rows.extend(idle::measure(options.seconds));
    println!();
    let mut good = true;
    for Row { what, value, unit, most } in &rows {
        let met = value <= most;
        good &= met;
        let verdict = if met { "met" } else { "MISSED" };
        println!("{what:<72} {value:>10.3} {unit:<6} goal <= {most} {unit}: {verdict}");
    }
    ExitCode::from(u8::from(!good && !options.quick))
}
