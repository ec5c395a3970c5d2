//! The error of everything that touches the operating system.

use std::io;
use std::path::Path;

/// An operation of the kernel that failed: what was tried, on what, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{subject}`")]
pub struct Error {
    /// A verb phrase that fits behind "cannot".
    pub action: &'static str,
    /// The path or value it was tried on.
    pub subject: String,
    /// What the kernel answered.
    #[source]
    pub source: io::Error,
}

impl Error {
    /// An error about a path.
    pub fn path(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Error { action, subject: path.display().to_string(), source: source.into() }
    }

    /// An error about something that is no path.
    pub fn about(action: &'static str, subject: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Error { action, subject: subject.into(), source: source.into() }
    }

    /// In one line: what was tried, and what the kernel answered.
    pub fn chain(&self) -> String {
        format!("{self}: {}", self.source)
    }

    /// The kernel's error number, if there is one.
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// Whether what it was tried on is no more: a name (ENOENT), a cgroup or device (ENODEV), a process (ESRCH).
    pub fn is_gone(&self) -> bool {
        matches!(self.errno(), Some(libc::ENOENT | libc::ENODEV | libc::ESRCH))
    }
}

/// The result of everything that touches the operating system.
pub type Result<T> = std::result::Result<T, Error>;

/// No room is left on a file system.
pub const ENOSPC: i32 = libc::ENOSPC;

/// Nothing has this name.
pub const ENOENT: i32 = libc::ENOENT;
