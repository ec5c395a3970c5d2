//! What the schedule and the daemon cost.
//!
//! `cargo bench --bench daemon -- [--quick] [--seconds N]`. Printed: the next run over 10,000 different schedules; what the core takes
//! to be told that time has passed, with 10,000 jobs; how much later than its second a due run is decided on, by the real daemon with
//! 1,000 jobs; what an idle daemon with 100 jobs takes of the machine. Exits with 1 when a goal is missed; what that means in a quick
//! run is in `common/goal.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

mod accuracy;
#[path = "../common/goal.rs"]
mod goal;
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

fn main() -> ExitCode {
    let options = options();
    let mut goals = plans::measure(if options.quick { 1 } else { 9 });
    goals.extend(if options.quick { accuracy::measure(50, 10) } else { accuracy::measure(1000, 60) });
    goals.extend(idle::measure(options.seconds));
    goal::judge(&goals, options.quick)
}
