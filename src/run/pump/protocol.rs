//! What worker and pump say to each other: one JSON value a line, over the socket pair the pump inherits as descriptor
//! [`CONTROL_FD`]. The worker's first line is the [`PumpSpec`]; after it only [`Order`]s. The pump answers with [`Word`]s and
//! ends with exactly one [`Word::Done`] or [`Word::Failed`]; an end of file before that means that it was killed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::policy::Compression;
use crate::config::units::Rate;

/// The descriptor the pump finds its control socket on.
pub const CONTROL_FD: i32 = 3;

/// What one pump does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PumpSpec {
    /// From the pipe to a file, or back.
    pub direction: Direction,
    /// How the file is stored.
    pub compression: Compression,
    /// Pace in uncompressed bytes; `None` is as fast as both ends allow.
    pub rate: Option<Rate>,
}

/// Which way the bytes go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Standard input is compressed into a new file, mode 0600, which must not exist.
    Store {
        /// The file.
        path: PathBuf,
    },
    /// A file is read back, hashed, decompressed, and handed to standard output. When the reader of standard output goes
    /// away the rest is still read, decompressed and hashed.
    Load {
        /// The file.
        path: PathBuf,
        /// Its size and hash as the manifest states them; a difference is a failure.
        expect: Option<Expected>,
    },
}

/// What a stored file must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Size in bytes.
    pub stored: u64,
    /// BLAKE3 of the file as it lies on the disk, lower-case hex.
    pub blake3: String,
}

/// Worker to pump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// From now on at this pace.
    Rate(Option<Rate>),
}

/// Pump to worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Where it stands, every [`PROGRESS_EVERY`](super::PROGRESS_EVERY).
    Progress(Counters),
    /// All of it went through. The file is written, but only `flush` makes it durable.
    Done(Report),
    /// It ends here: nothing more is written to the file, standard input and output are closed.
    Failed {
        /// One line, lower case, with path and value.
        message: String,
        /// The operating system's error number, where one is behind it.
        errno: Option<i32>,
        /// The file was looked at, and is not what it has to be: gone, or of another size, hash or form. False: it could not
        /// be looked at, which says nothing about it.
        content: bool,
    },
}

/// Bytes so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Uncompressed bytes.
    pub plain: u64,
    /// Bytes of the file.
    pub stored: u64,
    /// Time spent waiting for the token bucket, in µs.
    pub throttled_us: u64,
}

/// The end of a pump that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The final counters.
    pub counters: Counters,
    /// BLAKE3 of the file, lower-case hex.
    pub blake3: String,
    /// How the file was written or read: `direct`, `window` or `buffered`.
    pub method: String,
}
