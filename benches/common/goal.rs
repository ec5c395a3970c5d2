//! A figure and its goal, and when a benchmark fails for it.
//!
//! A full run has the machine for itself and fails when a goal is missed. A quick run is part of the tests, beside whatever else the
//! machine does: what a clock or the count of a whole machine tells there fails only when it misses the goal by an order of magnitude,
//! on top of what a build without optimisation costs. What nothing else can change, such as the ratio of two sides that took turns, is
//! held to its goal in both.

use std::process::ExitCode;

/// A quick run fails for a figure above so many times its goal, where the figure depends on more than us.
const ORDER_OF_MAGNITUDE: f64 = 10.0;

/// The build of the tests is so many times slower than that of a release, for what computes: the schedule takes 14 ms instead of 2.6.
const UNOPTIMISED: f64 = if cfg!(debug_assertions) { 5.0 } else { 1.0 };

/// What changes a figure beside our own doing.
#[derive(Clone, Copy)]
#[allow(dead_code)]
pub enum DependsOn {
    /// It is measured by a clock: on what else the machine does, and on the build.
    TheClock,
    /// It is counted for the whole machine, or differs in a build for tests.
    TheMachine,
    /// It is counted for our processes alone, or it is a ratio of two sides that took turns.
    UsAlone,
}

/// A figure and the most it may be.
pub struct Goal {
    /// What was measured.
    pub what: String,
    /// The figure.
    pub value: f64,
    /// Its unit; empty for a ratio.
    pub unit: &'static str,
    /// The goal, in the same unit.
    pub most: f64,
    /// What else changes the figure.
    pub depends: DependsOn,
}

impl Goal {
    /// Whether the benchmark fails for it.
    fn fails(&self, quick: bool) -> bool {
        let patience = match self.depends {
            DependsOn::TheClock if quick => ORDER_OF_MAGNITUDE * UNOPTIMISED,
            DependsOn::TheMachine if quick => ORDER_OF_MAGNITUDE,
            _ => 1.0,
        };
        self.value > patience * self.most
    }
}

/// Prints each figure with its goal. The exit code is 1 where the benchmark fails for one of them.
pub fn judge(goals: &[Goal], quick: bool) -> ExitCode {
    println!();
    for goal in goals {
        let verdict = match (goal.fails(quick), goal.value > goal.most) {
            (true, _) => "MISSED",
            (false, true) => "missed (a quick run fails by an order of magnitude)",
            (false, false) => "met",
        };
        let Goal { what, value, unit, most, .. } = goal;
        println!("{what:<72} {value:>10.3} {unit:<6} goal <= {most} {unit}: {verdict}");
    }
    ExitCode::from(u8::from(goals.iter().any(|goal| goal.fails(quick))))
}
