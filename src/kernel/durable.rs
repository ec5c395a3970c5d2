//! Making what was written survive a power cut.
//!
//! Invariant: when a function here returns `Ok` the kernel has said that the disk has it.

use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::fsync;

use super::cached::retry;
use super::{Error, Result};

/// Waits until a file's bytes and size are on the disk.
///
/// # Errors
/// What open(2) and fsync(2) answer; `EIO` and `ENOSPC` mean that the file is lost.
pub fn sync_file(path: &Path) -> Result<()> {
    let fd =
        retry(|| open(path, OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty()))
            .map_err(|errno| Error::path("open", path, errno))?;
    retry(|| fsync(&fd)).map_err(|errno| Error::path("flush", path, errno))
}

/// Waits until the names in a directory are on the disk: after a file was created, renamed or removed in it.
///
/// # Errors
/// As [`sync_file`]. File systems that know no fsync of a directory (`EINVAL`) are taken as done.
pub fn sync_dir(path: &Path) -> Result<()> {
    let fd = retry(|| open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()))
        .map_err(|errno| Error::path("open", path, errno))?;
    match retry(|| fsync(&fd)) {
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(errno) => Err(Error::path("flush", path, errno)),
    }
}
