//! What has a descriptor, watched by the runtime.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Something with a descriptor, which says its number as well.
#[derive(Debug)]
pub(super) struct Numbered<T>(pub T);

impl<T: AsFd> AsRawFd for Numbered<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Watches whether there is something to read.
pub(super) fn watched<T: AsFd>(owner: T) -> io::Result<AsyncFd<Numbered<T>>> {
    // SAFETY: what is watched owns its descriptor, and nobody can take it out or close it while it is watched: the field is seen by
    // this module's siblings alone, and they only borrow it.
    unsafe { AsyncFd::register_with_interest(Numbered(owner), Interest::READABLE) }.map_err(Into::into)
}
