//! The record of what happened: one SQLite database, several writers.
//!
//! Invariants: a worker writes the rows of its own run, nobody else's; every write is one `BEGIN IMMEDIATE` transaction with
//! `synchronous=FULL`; an [`Entry`] may be applied twice without harm; what the database cannot take now is spooled into the
//! run's directory and merged later, so no entry is lost because a disk was slow or full.

pub mod decisions;
pub mod entry;
pub mod occasions;
mod open;
pub mod query;
mod schema;
pub mod spool;
mod write;
pub mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use entry::{Entry, State};
pub use open::Ledger;

/// The name of the database in the state directory.
pub const FILE: &str = "ledger.sqlite";

/// Why the ledger could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused.
    #[error("ledger `{path}`: cannot {action}")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// A verb phrase.
        action: &'static str,
        /// SQLite's reason.
        #[source]
        source: rusqlite::Error,
    },
    /// The file was written by a newer program.
    #[error("ledger `{path}` has schema {found}, this program knows up to {known}: it was left untouched")]
    Newer {
        /// The database.
        path: PathBuf,
        /// The schema found in it.
        found: i64,
        /// The newest schema this program knows.
        known: i64,
    },
    /// A spool could not be read or written.
    #[error(transparent)]
    Kernel(#[from] crate::kernel::Error),
}

impl Error {
    /// Whether it is on a file system that cannot be written to.
    pub fn read_only(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
        match self {
            Error::Sqlite { source, .. } => {
                source.sqlite_error().is_some_and(|e| matches!(e.code, CannotOpen | ReadOnly))
            }
            Error::Newer { .. } | Error::Kernel(_) => false,
        }
    }

    /// Whether it is no database, or a broken one.
    pub fn corrupt(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Error::Sqlite { source, .. } => {
                source.sqlite_error().is_some_and(|e| matches!(e.code, DatabaseCorrupt | NotADatabase))
            }
            Error::Newer { .. } | Error::Kernel(_) => false,
        }
    }

    /// Whether it is the file system of the state directory that has no room left.
    pub fn disk_full(&self) -> bool {
        match self {
            Error::Sqlite { source, .. } => source.sqlite_error().is_some_and(|e| {
                // The index of the WAL is a file that has to grow before anything can be read.
                e.code == rusqlite::ErrorCode::DiskFull || e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
            }),
            Error::Newer { .. } => false,
            Error::Kernel(error) => error.errno() == Some(crate::kernel::error::ENOSPC),
        }
    }
}

/// The result of the ledger's operations.
pub type Result<T> = std::result::Result<T, Error>;
