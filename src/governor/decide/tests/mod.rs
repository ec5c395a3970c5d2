//! The decision, tick by tick.

mod climb;
mod influence;
mod lines;
mod precedence;
mod properties;

use std::time::Duration;

use super::{Command, Decision, Means, Rule, State, decide};
use crate::config::governor::OnConflict;
use crate::governor::readings::{Own, Reading, Readings, Signal};

const TICK: Duration = Duration::from_millis(250);
const MB: f64 = 1e6;
const BOTH: Means = Means { pace: true, pause: true, test: true };

fn rule() -> Rule {
    Rule {
        floor: 2.0 * MB,
        stretch: 10.0,
        pause_budget: Duration::from_secs(120),
        lock_wait_max: Some(Duration::from_secs(30)),
        on_conflict: OnConflict::Protect,
    }
}

/// The stall of nginx, in percent; harm above 5.
fn stall(percent: f64) -> Reading {
    stall_of("nginx.service", percent)
}

fn stall_of(unit: &str, percent: f64) -> Reading {
    let value = percent / 100.0;
    Reading { signal: Signal::IoStall, of: unit.into(), value, calm: 0.025, throttle: 0.05, pause: None }
}

/// The latency of a page, in seconds; harm above a half, an alarm above 2.
fn latency(value: f64) -> Reading {
    Reading { signal: Signal::Latency, of: "page".into(), value, calm: 0.25, throttle: 0.5, pause: Some(2.0) }
}

/// A run beside others, ticking.
struct Night {
    now: Duration,
    rule: Rule,
    means: Means,
    state: State,
    /// How fast the run would be if nothing held it.
    able: f64,
    own: Own,
    lock_wait: Option<Duration>,
    /// Each change, in words.
    lines: Vec<String>,
}

impl Night {
    /// A run that has been free at 40 MB/s for a while.
    fn new() -> Night {
        Night::with(rule(), BOTH)
    }

    fn with(rule: Rule, means: Means) -> Night {
        let own = Own::default();
        let state = State::default();
        let (now, lines) = (Duration::from_secs(3600), vec![]);
        let mut night = Night { now, rule, means, state, able: 40.0 * MB, own, lock_wait: None, lines };
        night.last(10.0, &[]);
        night
    }

    fn tick(&mut self, signals: &[Reading]) -> Decision {
        self.now += TICK;
        self.own.speed = match self.state.command() {
            Command::Free => self.able,
            Command::Pace(pace) => pace.min(self.able),
            Command::Pause | Command::GiveUp => 0.0,
        };
        let (own, lock_wait) = (self.own, self.lock_wait);
        let readings = Readings { signals: signals.to_vec(), own, lock_wait, ..Readings::default() };
        let decision = decide(self.now, &readings, &self.rule, self.means, &mut self.state);
        if let Some(change) = &decision.change {
            self.lines.push(change.describe(|speed| format!("{:.0} MB/s", speed / MB)));
        }
        decision
    }

    /// The same windows for some seconds; what holds at the end.
    fn last(&mut self, seconds: f64, signals: &[Reading]) -> Command {
        for _ in 0..(seconds * 4.0) as u32 {
            self.tick(signals);
        }
        self.state.command()
    }

    /// The pace in MB/s.
    fn pace(&self) -> f64 {
        match self.state.command() {
            Command::Pace(pace) => pace / MB,
            other => panic!("{other:?}"),
        }
    }
}
