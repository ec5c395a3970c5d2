//! Phases and their ends, as values.

use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::ledger::State;
use crate::ledger::entry::{Times, Usage};

/// A phase that has begun.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its number.
    pub seq: u32,
    /// `archive /etc`.
    pub title: String,
    pub(super) name: String,
    pub(super) detail: Option<String>,
    pub(super) started: Stamp,
    pub(super) times: Times,
    pub(super) expected: Option<u64>,
}

/// A phase that has ended, for the manifest.
#[derive(Debug, Clone)]
pub struct Closed {
    /// Its name.
    pub name: String,
    /// What it worked on.
    pub detail: Option<String>,
    /// Whether it is part of another.
    pub top: bool,
    /// When it began.
    pub started: Stamp,
    /// How it ended.
    pub state: State,
    /// Where the time went.
    pub times: Times,
}

/// How a phase ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Its state.
    pub state: State,
    /// Why not `ok`.
    pub message: Option<String>,
    /// What it used.
    pub usage: Usage,
    /// Exit code of its program.
    pub exit_code: Option<i32>,
}

impl Ending {
    /// As it should be, with nothing used worth mentioning.
    pub fn ok() -> Ending {
        Ending { state: State::Ok, message: None, usage: Usage::default(), exit_code: None }
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Conclusion {
    /// Its state.
    pub state: State,
    /// Why not `ok`.
    pub failure: Option<Failure>,
    /// What `govern` ends with.
    pub code: u8,
    /// The artifact it published.
    pub artifact: Option<String>,
    /// The failure is the exit code of the command of `govern exec`.
    pub by_command: bool,
}
