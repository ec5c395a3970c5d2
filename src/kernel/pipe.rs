//! Pipes between processes.

use std::os::fd::OwnedFd;

use tokio::net::unix::pipe::Receiver;

use super::{Error, Result};

/// A pipe: what is read here, what is written there. Neither end is inherited by accident.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|e| Error::about("create", "a pipe", e))
}

/// A pipe whose reading end is this process's own.
pub fn to_here() -> Result<(Receiver, OwnedFd)> {
    let (read, write) = pipe()?;
    let failed = |e| Error::about("watch", "a pipe", e);
    Ok((Receiver::from_owned_fd(read).map_err(failed)?, write))
}
