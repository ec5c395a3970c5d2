//! Why a decision was made, for the log and for `status`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Command;
use crate::governor::readings::Reading;
use crate::human;

/// Why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Reason {
    /// Others are harmed.
    Harm {
        /// By what.
        reading: Reading,
    },
    /// Nobody is.
    Calm,
    /// Somebody waits for a lock that the dump holds.
    LockWait(Duration),
    /// The pause was as long as one may be.
    BudgetSpent(Duration),
    /// Slowing the run had no effect: it stands still to see whether anything has.
    NoAuthority {
        /// What stays.
        reading: Reading,
    },
    /// What harmed others was gone while the run stood still.
    Ours,
    /// What harms others stayed while the run stood still.
    NotOurs {
        /// What stayed.
        reading: Reading,
    },
}

impl Reason {
    /// The reading it rests on, and what that was held against.
    pub fn reading(&self) -> Option<(&Reading, f64)> {
        match self {
            Reason::Harm { reading } => Some((reading, reading.exceeded())),
            Reason::NoAuthority { reading } | Reason::NotOurs { reading } => Some((reading, reading.throttle)),
            Reason::Calm | Reason::Ours | Reason::LockWait(_) | Reason::BudgetSpent(_) => None,
        }
    }

    pub(super) fn harm(reading: &Reading) -> Reason {
        Reason::Harm { reading: reading.clone() }
    }

    pub(super) fn no_authority(reading: &Reading) -> Reason {
        Reason::NoAuthority { reading: reading.clone() }
    }

    pub(super) fn not_ours(reading: &Reading) -> Reason {
        Reason::NotOurs { reading: reading.clone() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Harm { reading } => {
                write!(f, "{reading} > {}", reading.signal.show(reading.exceeded()))
            }
            Reason::Calm => f.write_str("calm"),
            Reason::Ours => f.write_str("others were calm while the run stood still: it goes on at its slowest"),
            Reason::LockWait(wait) => {
                write!(f, "somebody waits for a lock that the dump holds, for {}", span(*wait))
            }
            Reason::BudgetSpent(budget) => write!(f, "the pause lasted {}, its budget", span(*budget)),
            Reason::NoAuthority { reading } => {
                write!(
                    f,
                    "no authority: {reading} stays above {} at the slowest pace",
                    reading.signal.show(reading.throttle)
                )
            }
            Reason::NotOurs { reading } => {
                write!(
                    f,
                    "no authority: {reading} stays above {} while the run stands still, so it is not the run's",
                    reading.signal.show(reading.throttle)
                )
            }
        }
    }
}

fn span(time: Duration) -> String {
    human::duration(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// A decision that is worth a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What held before.
    pub from: Command,
    /// What holds now.
    pub to: Command,
    /// How fast the run was.
    pub speed: f64,
    /// Why.
    pub reason: Reason,
}

impl Change {
    /// One word: `throttle`, `ease`, `free`, `pause`, `resume`, `hurry`, `give up`.
    pub fn word(&self) -> &'static str {
        match (self.from, self.to, &self.reason) {
            (_, Command::GiveUp, _) => "give up",
            (_, Command::Pause, _) => "pause",
            (_, Command::Free, Reason::LockWait(_)) => "hurry",
            (Command::Pause, _, _) => "resume",
            (_, Command::Free, _) => "free",
            (_, Command::Pace(_), Reason::Calm) => "ease",
            (_, Command::Pace(_), _) => "throttle",
        }
    }

    /// `throttle 38 → 19 MB/s: io stall of nginx.service 9.2 % > 5.0 %`; `show` puts speeds in the unit of the actuator.
    pub fn describe(&self, show: impl Fn(f64) -> String) -> String {
        let speeds = match (self.from, self.to) {
            (_, Command::Pause | Command::GiveUp | Command::Free) => String::new(),
            (Command::Pace(_), Command::Pace(to)) if self.reason == Reason::Calm => format!(" to {}", show(to)),
            (Command::Pace(from), Command::Pace(to)) => format!(" {} → {}", show(from), show(to)),
            (Command::Free, Command::Pace(to)) if to < self.speed => format!(" {} → {}", show(self.speed), show(to)),
            // A run that has hardly begun is slower than its floor.
            (Command::Free, Command::Pace(to)) => format!(" to {}", show(to)),
            (Command::Pause | Command::GiveUp, Command::Pace(to)) => format!(" at {}", show(to)),
        };
        format!("{}{speeds}: {}", self.word(), self.reason)
    }
}
