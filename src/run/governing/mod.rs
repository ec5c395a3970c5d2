//! The governor at work in one run: what it needs is gathered, what it decides is put into the terms of this run.
//!
//! ```text
//! begin (whom to protect, what is usual) ─▶ rounds ─▶ actuator (pump, caps on reads, cpu.max, freezer)
//! ```
//!
//! Invariant: what it sets it lifts, at the latest with the payload's group.

pub mod actuator;
mod begin;
pub mod deadline;
mod lateness;
pub mod situation;

use std::time::{Duration, Instant};

pub use begin::begin;

use self::lateness::Lateness;
use self::situation::Situation;
use crate::config::governor::Mode;
use crate::config::units::Rate;
use crate::governor::decide::{Command, Means};
use crate::governor::readings::{Knob, Own};
use crate::governor::round::{Governor, Round};
use crate::governor::usual::Usual;
use crate::kernel::procfs::Pid;

/// The governor of the run that is under way.
pub struct Governing {
    governor: Governor,
    mode: Mode,
    /// What is to be said before it begins.
    remarks: Vec<String>,
    deadline: Option<Instant>,
    /// Bytes a run like this one took in the last time, in all.
    expected: Option<u64>,
    command: Command,
    /// The last pace, until the run is free: a pause that is not there yet must not let it run.
    pace: Option<f64>,
    /// What the program under way is held by.
    knob: Knob,
    situation: Situation,
    lateness: Lateness,
}

/// How far the run is, for the governor.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Bytes taken in so far, in all.
    pub done: u64,
    /// Bytes a second through the pump, where there is one.
    pub pumped: Option<f64>,
    /// Whether reads of the payload can be capped.
    pub reads: bool,
    /// Whether its share of the processors can be.
    pub cpu: bool,
    /// Whether it can be stopped.
    pub pause: bool,
    /// Whether a program is under way.
    pub performing: bool,
}

/// Fewer bytes a second than this are no work: a program that computes, or one that waits.
const HARDLY_READS: f64 = 64.0 * 1024.0;

impl Governing {
    /// Whether what it decides is done.
    pub fn acts(&self) -> bool {
        self.mode == Mode::On
    }

    /// Whom it protects, for people.
    pub fn describe(&self) -> String {
        self.governor.describe()
    }

    /// What is to be said before it begins.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// How long others are watched before the first byte.
    pub fn baseline(&self) -> Duration {
        self.governor.baseline()
    }

    /// Watches the others for one window; see [`Governor::watch_the_quiet`].
    pub fn watch_the_quiet(&mut self) -> (bool, Vec<String>) {
        self.governor.watch_the_quiet(Instant::now())
    }

    /// The quiet is over; see [`Governor::end_the_quiet`].
    pub fn end_the_quiet(&mut self) -> Usual {
        self.governor.end_the_quiet()
    }

    /// A program without a pump is held by its reads once it was seen to read, else by its share of the processors; and by nothing else as
    /// long as it is held, for then it reads and computes as little as it may.
    fn choose_knob(&mut self, standing: &Standing, reads: f64) {
        if !standing.performing {
            return;
        }
        if standing.pumped.is_some() {
            self.knob = Knob::Bytes;
        } else if self.command == Command::Free {
            self.knob = if standing.reads && reads >= HARDLY_READS { Knob::Bytes } else { Knob::Cpu };
        }
    }

    /// A round came so late.
    pub fn came_late(&mut self, late: Duration) {
        self.lateness.take(late);
    }

    /// How it went, for the log.
    pub fn summary(&self) -> Option<String> {
        (self.lateness.rounds() > 0).then(|| format!("governor: {}", self.lateness.describe()))
    }

    /// Senses and decides.
    pub fn round(&mut self, now: Instant, standing: Standing) -> Round {
        let (left, time_left) = match (self.expected, self.deadline) {
            (Some(expected), Some(deadline)) => {
                (Some(expected.saturating_sub(standing.done) as f64), Some(deadline.saturating_duration_since(now)))
            }
            _ => (None, None),
        };
        let rates = self.governor.own_rates();
        self.choose_knob(&standing, rates.read_bytes);
        let speed = match (standing.pumped, self.knob) {
            (Some(pumped), _) => pumped,
            (None, Knob::Bytes) => rates.read_bytes,
            (None, Knob::Cpu) => rates.cpu * 100.0,
        };
        // How far a program is shows in the pump alone.
        let own = Own { knob: self.knob, speed, left: left.filter(|_| standing.pumped.is_some()), time_left };
        let pace = standing.pumped.is_some() || if self.knob == Knob::Bytes { standing.reads } else { standing.cpu };
        let round = self.governor.round(now, own, Means { pace, pause: standing.pause, test: self.acts() });
        self.command = round.decision.command;
        match self.command {
            Command::Pace(pace) => self.pace = Some(pace),
            Command::Free => self.pace = None,
            Command::Pause | Command::GiveUp => {}
        }
        self.situation = Situation::of(&round, self.mode, self.situation.reason.take());
        round
    }

    /// Programs it runs itself: no orphans of the payload.
    pub fn pids(&self) -> Vec<Pid> {
        self.governor.pids()
    }

    /// How things stand, for whoever looks.
    pub fn situation(&self) -> &Situation {
        &self.situation
    }

    /// The pace that a pump is held to.
    pub fn pump_pace(&self) -> Option<Rate> {
        self.pace.filter(|_| self.acts() && self.knob == Knob::Bytes).map(rate)
    }

    /// Whether the run stands still because of it.
    pub fn pauses(&self) -> bool {
        self.acts() && self.command == Command::Pause
    }

    /// Somebody let the run go on by hand.
    pub fn resumed_by_hand(&mut self) {
        self.governor.resumed_by_hand();
        if self.command == Command::Pause {
            (self.command, self.pace) = (Command::Free, None);
        }
    }
}

/// Whole bytes a second; a pace is never nothing.
fn rate(pace: f64) -> Rate {
    Rate::per_second(pace.max(1.0) as u64).unwrap_or(Rate::MIN)
}
