//! How a run gives way to others: `[governor]` of `govern.toml` and of a job.
//!
//! ```text
//! keys, numbers, patterns, probes (what was typed) ─▶ rules (what contradicts itself), merge (which layer holds) ─▶ Governor
//! ```
//!
//! Invariant: what stands here is complete and in range. Whether this machine can sense and act as asked is not known here: the
//! run finds out, and says so.

pub mod keys;
mod merge;
pub(super) mod numbers;
mod patterns;
mod probes;
mod profile;
pub(super) mod rules;

use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::Rate;

/// The governor of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Governor {
    /// Whether it acts.
    pub mode: Mode,
    /// Where its numbers come from, unless they were typed.
    pub profile: Profile,
    /// Whose harm counts: patterns of units, `*` and `?` as in a shell; `None` is every service that is not of the system's own.
    pub protect: Option<Vec<String>>,
    /// Patterns of units that work for the run, beside those that are found: their stall is no witness.
    pub agents: Vec<String>,
    /// So long the others are watched before the first byte, to know what is usual for them; 0 to 60 s. 0: what the ledger has.
    pub baseline: Duration,
    /// From where on others are harmed.
    pub thresholds: Thresholds,
    /// A throttled run is never slower than this.
    pub floor: Rate,
    /// A throttled run takes at most so many times what it would take alone, 1 to 100.
    pub stretch: NonZeroU16,
    /// The longest pause; then the run goes on at the floor.
    pub pause_budget: Duration,
    /// A dump that others wait for because of a lock is cancelled after this; `None`: never.
    pub lock_wait_max: Option<Duration>,
    /// When the run should be ready; it is slowed less to make it.
    pub deadline: Option<Deadline>,
    /// What matters more when both cannot be had.
    pub on_conflict: OnConflict,
    /// What users feel, by name, in the order of the names.
    pub probes: Vec<Probe>,
}

/// Whether the governor acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It throttles and pauses.
    On,
    /// It only records what it would do.
    SenseOnly,
    /// It neither senses nor acts; limits and bounded writes remain.
    Off,
}

/// A set of numbers for those who do not want to choose them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Gives way early and far.
    Gentle,
    /// Gives way before a user notices.
    Balanced,
    /// Gives way only to clear harm, and little.
    Urgent,
}

impl Profile {
    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Gentle => "gentle",
            Profile::Balanced => "balanced",
            Profile::Urgent => "urgent",
        }
    }
}

/// From where on a signal means harm. Calm begins midway between that and what is usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Share of time in which a protected unit waits for a disk.
    pub io_stall: Share,
    /// Share of time in which it waits for memory.
    pub memory_stall: Share,
    /// Share of time in which it waits for a processor.
    pub cpu_stall: Share,
    /// Sessions of the database that wait while they work for somebody else, on average, in thousandths.
    pub waiters: u32,
    /// How long an fsync of others may have to wait for what is dirty.
    pub dirty_debt: Duration,
    /// A signal that is usual for a unit is harm only above so many times its usual value, in tenths: 15 is 1.5 times.
    pub above_usual: u16,
}

/// A share of time, in hundredths of a percent: 500 is 5 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share(pub u16);

/// When a run should be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deadline {
    /// So long after its start.
    Within(Duration),
    /// At the next time of day after its start: minutes since midnight, local time.
    TimeOfDay(u16),
}

/// What matters more when a deadline and the others cannot both be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The others: the deadline may be missed.
    Protect,
    /// The deadline, unless a probe asks for a pause.
    Finish,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub target: Target,
    /// How often.
    pub interval: Duration,
    /// An answer that takes longer is none.
    pub timeout: Duration,
    /// From where on the run is throttled.
    pub throttle: Threshold,
    /// From where on it is paused; `None`: never.
    pub pause: Option<Threshold>,
    /// A probe that failed for so long is taken for absent, loudly, and steers no more until it answers.
    pub absent_after: Duration,
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The time of an HTTP/1.1 answer. `http://` only.
    Http {
        /// Where.
        url: String,
        /// The status it must have.
        status: u16,
        /// What its body must hold.
        contains: Option<String>,
    },
    /// The time of a connection.
    Tcp {
        /// `HOST:PORT`.
        address: String,
    },
    /// The time of a query.
    Postgres {
        /// How the server is reached.
        connection: super::policy::Connection,
        /// The account whose rights it has; `None` is the worker's.
        user: Option<String>,
        /// The query.
        query: String,
    },
    /// The share of its connections that memcached has in use; a refused one is harm.
    Memcached {
        /// `HOST:PORT`, or the path of a socket.
        address: String,
    },
    /// The share of its workers that PHP-FPM has in use; a waiting request is harm. Asked with FastCGI.
    PhpFpm {
        /// `HOST:PORT`, or the path of a socket.
        address: String,
        /// `pm.status_path`.
        status_path: String,
    },
    /// How many sockets of a state there are at a local port.
    Connections {
        /// The port.
        port: u16,
        /// The state.
        state: SocketState,
    },
    /// The time of a program; one that fails is a failed probe.
    Command {
        /// Program and arguments. Never empty.
        argv: Vec<String>,
    },
}

/// States of a TCP socket that tell of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketState {
    /// Connected.
    Established,
    /// Asked to connect, and not answered.
    SynSent,
    /// The other end has gone and the program has not noticed.
    CloseWait,
    /// Ended, and remembered.
    TimeWait,
}

/// From where on a probe means harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// A time.
    Time(Duration),
    /// A share of what there is, in hundredths of a percent.
    Share(Share),
    /// A number.
    Count(u32),
    /// So many times what is usual, in tenths.
    Usual(u16),
}
