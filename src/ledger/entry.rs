//! What is written: one value for each thing that happened.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kernel::clock::Stamp;

/// How far a run or a phase is. All but `Running` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has started and not ended.
    Running,
    /// As it should be.
    Ok,
    /// Done, with something to look at.
    Warning,
    /// Published, and not trusted: it has less than is expected. It counts as good once somebody has accepted it.
    Suspect,
    /// Not done.
    Failed,
    /// Ended because somebody asked.
    Cancelled,
    /// Its worker vanished: kill -9, power loss. Closed afterwards with its last sign of life.
    Interrupted,
    /// Not started, for a reason.
    Skipped,
}

impl State {
    /// Every state, for completeness checks and help texts.
    pub const ALL: [State; 8] = [
        State::Running,
        State::Ok,
        State::Warning,
        State::Suspect,
        State::Failed,
        State::Cancelled,
        State::Interrupted,
        State::Skipped,
    ];

    /// The word used in the ledger, the log and on screens.
    pub fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Ok => "ok",
            State::Warning => "warning",
            State::Suspect => "suspect",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Interrupted => "interrupted",
            State::Skipped => "skipped",
        }
    }

    /// Whether the work was done: `ok` or `warning`.
    pub fn is_good(self) -> bool {
        matches!(self, State::Ok | State::Warning)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is no state.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no state of a run, phase or limit")]
pub struct NoState(String);

impl FromStr for State {
    type Err = NoState;

    fn from_str(word: &str) -> Result<State, NoState> {
        State::ALL.into_iter().find(|s| s.word() == word).ok_or_else(|| NoState(word.to_owned()))
    }
}

/// Where the time of a run or a phase went, in µs of the monotonic clock. `wall` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// From start to end.
    pub wall: u64,
    /// Working.
    pub active: u64,
    /// Waiting to be let in.
    pub waiting: u64,
    /// Held back by a pace.
    pub throttled: u64,
    /// Stopped.
    pub paused: u64,
}

/// What a run or a phase used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes taken in: uncompressed bytes of the pipe, or bytes read from disks where there is none.
    pub read: u64,
    /// Bytes put out: bytes of the stored file, or bytes written to disks where there is none.
    pub written: u64,
    /// CPU time in µs, of the payload and its pump.
    pub cpu_us: u64,
    /// Largest resident set of one payload process, in bytes.
    pub peak_memory: u64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A run began, or was refused (then it is final at once).
    RunStarted(RunStarted),
    /// A phase began.
    PhaseStarted(PhaseStarted),
    /// A phase ended.
    PhaseEnded(PhaseEnded),
    /// A run ended.
    RunEnded(RunEnded),
    /// A limit of a run was set, could not be set, or was found to hold or not to hold.
    Limit(LimitKnown),
    /// The governor of a run decided something.
    Decision(DecisionMade),
    /// What is usual for others was seen.
    Usual(UsualSeen),
    /// An artifact got its name.
    Published(Published),
    /// An artifact was checked again.
    Verified {
        /// Where it lies.
        path: PathBuf,
        /// When.
        at: Stamp,
        /// Whether it was whole.
        good: bool,
    },
    /// An artifact that was suspect is trusted from now on.
    Accepted {
        /// Where it lies.
        path: PathBuf,
    },
    /// An artifact was removed by retention.
    Removed {
        /// Where it lay.
        path: PathBuf,
        /// When.
        at: Stamp,
    },
}

/// The beginning of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The run.
    pub run: String,
    /// Its job.
    pub job: String,
    /// `filesystem`, `pg_dump`, `command`.
    pub kind: String,
    /// `backup`, `exec`, `verify`, `restore`.
    pub action: String,
    /// When it was asked for.
    pub at: Stamp,
    /// The level of enforcement: `full`, `partial`, `freeze` or `signals`.
    pub level: String,
    /// The worker.
    pub pid: i32,
    /// This boot of the machine.
    pub boot: String,
    /// `running`, or `skipped` for a run that was refused.
    pub state: State,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// What is known of a limit that somebody asked for. The last word on it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitKnown {
    /// The run.
    pub run: String,
    /// The limit, in the words of the kernel.
    pub what: String,
    /// What is known.
    pub state: LimitState,
    /// Why, where it does not hold.
    pub why: Option<String>,
    /// Since when.
    pub at: Stamp,
}

/// A decision of a run's governor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionMade {
    /// The run.
    pub run: String,
    /// Number within the run, from 1.
    pub seq: u32,
    /// When.
    pub at: Stamp,
    /// `throttle`, `ease`, `free`, `pause`, `resume`, `hurry`, `give up`.
    pub word: String,
    /// False: it was only recorded.
    pub enforced: bool,
    /// What it rests on, where that is a signal.
    pub cause: Option<Cause>,
    /// All of it, for people.
    pub text: String,
}

/// The signal that a decision rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The signal, such as `io-stall`.
    pub signal: String,
    /// Whose it is.
    pub unit: String,
    /// Its value, in the unit of the signal.
    pub value: f64,
    /// What it was held against.
    pub threshold: f64,
}

/// What is usual for a unit or a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsualSeen {
    /// Whose it is.
    pub unit: String,
    /// The signal.
    pub signal: String,
    /// The value, in the unit of the signal.
    pub value: f64,
    /// When.
    pub at: Stamp,
}

/// Whether a limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitState {
    /// It could not be set.
    Unmet,
    /// The kernel has it; nothing has shown yet that it reaches the payload.
    Unproven,
    /// What the payload moved passed the device that is capped.
    Proven,
    /// It did not, or passed faster than allowed.
    Disproved,
}

impl LimitState {
    /// Every one.
    pub const ALL: [LimitState; 4] =
        [LimitState::Unmet, LimitState::Unproven, LimitState::Proven, LimitState::Disproved];

    /// The word used in the ledger, the log and on screens.
    pub fn word(self) -> &'static str {
        match self {
            LimitState::Unmet => "unmet",
            LimitState::Unproven => "unproven",
            LimitState::Proven => "proven",
            LimitState::Disproved => "disproved",
        }
    }

    /// Whether the policy does not get what it asks for.
    pub fn is_trouble(self) -> bool {
        matches!(self, LimitState::Unmet | LimitState::Disproved)
    }
}

impl FromStr for LimitState {
    type Err = NoState;

    fn from_str(word: &str) -> Result<LimitState, NoState> {
        LimitState::ALL.into_iter().find(|s| s.word() == word).ok_or_else(|| NoState(word.to_owned()))
    }
}

/// The beginning of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseStarted {
    /// The run.
    pub run: String,
    /// Number within the run, from 1, in the order of the starts.
    pub seq: u32,
    /// The phase it is part of.
    pub parent: Option<u32>,
    /// `prepare`, `archive`, `table`, …
    pub name: String,
    /// What it works on: a source, a database, a table.
    pub detail: Option<String>,
    /// When.
    pub at: Stamp,
}

/// The end of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseEnded {
    /// The run.
    pub run: String,
    /// Its number.
    pub seq: u32,
    /// How it ended. The exit code is that of its program, or 128 and the signal that ended it.
    pub end: End,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnded {
    /// The run.
    pub run: String,
    /// How it ended. The exit code is the one `govern` ended with.
    pub end: End,
}

/// How a run or a phase ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its final state.
    pub state: State,
    /// When.
    pub at: Stamp,
    /// Where the time went.
    pub times: Times,
    /// What it used.
    pub usage: Usage,
    /// An exit code, where there is one.
    pub exit_code: Option<i32>,
    /// Why it did not end `ok`, or what else there is to say.
    pub why: Option<String>,
}

/// An artifact under its final name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The run that made it.
    pub run: String,
    /// Its job.
    pub job: String,
    /// Its directory.
    pub path: PathBuf,
    /// When.
    pub at: Stamp,
    /// Bytes on disk.
    pub stored: u64,
    /// Uncompressed bytes.
    pub plain: u64,
    /// How it was verified before: `none`, `hash`, `list`.
    pub verified: String,
    /// Its number among the artifacts of its job, from 1 in the order of publication; 0 where an older program published it.
    #[serde(default)]
    pub sequence: u64,
    /// Whether it counts as a good backup: it is not suspect.
    #[serde(default = "yes")]
    pub trusted: bool,
}

/// What older programs published was good.
fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_word_of_its_own() {
        for state in State::ALL {
            assert_eq!(state.word().parse::<State>().unwrap(), state);
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
        }
        assert_eq!("done".parse::<State>().unwrap_err().to_string(), "`done` is no state of a run, phase or limit");
    }
}
