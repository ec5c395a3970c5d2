//! How things stand with the governor, for those who look: the live display, the heartbeat, `status`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::governor::Mode;
use crate::governor::decide::Command;
use crate::governor::readings::{Context, Knob, Reading};
use crate::governor::round::Round;
use crate::human::bytes;

/// So many readings are shown: those closest to harm.
const SHOWN: usize = 5;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Situation {
    /// What holds, or would hold.
    pub command: Command,
    /// What a pace means for this run.
    pub knob: Knob,
    /// False: it only records.
    pub enforced: bool,
    /// Why it holds: the last decision.
    pub reason: Option<String>,
    /// The readings closest to harm, the worst first.
    pub readings: Vec<Reading>,
    /// How many more there are.
    pub more: usize,
    /// What does not steer.
    pub context: Context,
}

impl Default for Situation {
    fn default() -> Situation {
        Situation {
            command: Command::Free,
            knob: Knob::Bytes,
            enforced: false,
            reason: None,
            readings: vec![],
            more: 0,
            context: Context::default(),
        }
    }
}

impl Situation {
    /// Whether the run is held back.
    pub fn holds(&self) -> bool {
        self.enforced && self.command != Command::Free
    }

    pub(super) fn of(round: &Round, mode: Mode, last_reason: Option<String>) -> Situation {
        let knob = round.readings.own.knob;
        let mut readings = round.readings.signals.clone();
        readings.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
        let more = readings.len().saturating_sub(SHOWN);
        readings.truncate(SHOWN);
        let told = round.decision.change.as_ref().map(|change| change.describe(|speed| show(knob, speed)));
        Situation {
            command: round.decision.command,
            knob,
            enforced: mode == Mode::On,
            reason: told.or(last_reason),
            readings,
            more,
            context: round.readings.context.clone(),
        }
    }
}

/// A speed in the unit of what holds it: `19.1 MiB/s`, `45 % cpu`.
pub fn show(knob: Knob, speed: f64) -> String {
    match knob {
        Knob::Bytes => format!("{}/s", bytes(speed.max(0.0) as u64)),
        Knob::Cpu => format!("{speed:.0} % cpu"),
    }
}

impl fmt::Display for Situation {
    /// `at 19.1 MiB/s`, `paused`, `free (only recorded)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.command {
            Command::Free => f.write_str("free")?,
            Command::Pace(pace) => write!(f, "at {}", show(self.knob, pace))?,
            Command::Pause => f.write_str("paused")?,
            Command::GiveUp => f.write_str("given up")?,
        }
        if !self.enforced {
            f.write_str(" (only recorded)")?;
        }
        Ok(())
    }
}
