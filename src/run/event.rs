//! What a worker tells those who are attached, and what they may ask of it: one JSON value a line.

use serde::{Deserialize, Serialize};

use super::governing::situation::Situation;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::ledger::State;
use crate::ledger::entry::{Times, Usage};

/// Worker to client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    Begun {
        /// The run.
        run: String,
        /// Its job.
        job: String,
        /// The level of enforcement.
        level: String,
        /// What that means.
        explanation: String,
    },
    /// A phase begins.
    PhaseBegun {
        /// Its number.
        seq: u32,
        /// The phase it is part of.
        parent: Option<u32>,
        /// Its name.
        name: String,
        /// What it works on.
        detail: Option<String>,
        /// When.
        at: Stamp,
        /// Uncompressed bytes it took in the last time.
        expected: Option<u64>,
    },
    /// A phase ended.
    PhaseEnded {
        /// Its number.
        seq: u32,
        /// How.
        state: State,
        /// Why not `ok`.
        message: Option<String>,
        /// Where the time went.
        times: Times,
        /// What it used.
        usage: Usage,
    },
    /// Where the current phase stands.
    Progress(Progress),
    /// The governor decided something.
    Decided {
        /// One line.
        text: String,
    },
    /// Something worth saying that is no phase.
    Note {
        /// One line.
        text: String,
    },
    /// The run ended; the last event.
    Ended {
        /// How.
        state: State,
        /// Why not `ok`.
        failure: Option<Failure>,
        /// What `govern` ends with.
        code: u8,
        /// Where the time went.
        times: Times,
        /// What it used.
        usage: Usage,
        /// The artifact it published.
        artifact: Option<String>,
        /// The failure is the exit code of the command of `govern exec`, which has spoken for itself.
        by_command: bool,
    },
    /// The answer to an [`Order`].
    Answer {
        /// Why it was refused, if it was.
        refused: Option<String>,
    },
}

/// Where the current phase stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Its number.
    pub seq: u32,
    /// Uncompressed bytes so far.
    pub plain: u64,
    /// Stored bytes so far.
    pub stored: u64,
    /// Uncompressed bytes a second, over the last seconds.
    pub rate: u64,
    /// The pace in force, in bytes a second.
    pub pace: Option<u64>,
    /// The payload stands still.
    pub paused: bool,
    /// How things stand with the governor, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<Box<Situation>>,
}

/// Client to worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Send events until the end.
    Attach,
    /// End cleanly: TERM, then the policy's grace.
    Cancel,
    /// End at once.
    Kill,
    /// Stop the payload, for at most so many seconds.
    Pause {
        /// Seconds.
        seconds: u64,
    },
    /// Let it go on.
    Resume,
    /// Hold the pump to a pace, for at most so many seconds; `None` takes the policy's again.
    Throttle {
        /// Bytes a second.
        rate: Option<u64>,
        /// Seconds.
        seconds: u64,
    },
}
