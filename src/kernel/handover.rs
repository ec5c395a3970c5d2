//! Standard streams from one process to another, over a Unix socket.
//!
//! A worker that systemd starts has none of its caller's streams; here it gets them.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

use super::{Error, Result};

/// Sends this process's standard streams; of input and output, `/dev/null` unless `all`.
///
/// # Errors
/// What sendmsg(2) answers, `EPIPE` when the other end is gone.
pub fn send_standard(stream: &UnixStream, all: bool) -> Result<()> {
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|e| Error::about("open", "/dev/null", e))?;
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let (input, output) = if all { (stdin.as_fd(), stdout.as_fd()) } else { (null.as_fd(), null.as_fd()) };
    let streams = [input.as_raw_fd(), output.as_raw_fd(), stderr.as_fd().as_raw_fd()];
    // Descriptors travel with at least one byte.
    let bytes = [IoSlice::new(b"S")];
    let rights = [ControlMessage::ScmRights(&streams)];
    super::cached::retry(|| sendmsg::<()>(stream.as_raw_fd(), &bytes, &rights, MsgFlags::MSG_NOSIGNAL, None))
        .map(drop)
        .map_err(|errno| Error::about("hand over", "the standard streams", errno))
}

/// Receives standard streams, which become this process's.
///
/// # Errors
/// What recvmsg(2) answers; `EPROTO` when something else came.
pub fn receive_standard(stream: &UnixStream) -> Result<()> {
    let failed = |errno: Errno| Error::about("take over", "the standard streams", errno);
    let mut byte = [0_u8; 1];
    let mut room = cmsg_space!([RawFd; 3]);
    let mut bytes = [IoSliceMut::new(&mut byte)];
    // No signal interrupts this: nothing is handled so early in the life of a process.
    let message =
        recvmsg::<()>(stream.as_raw_fd(), &mut bytes, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC).map_err(failed)?;
    let mut received = Vec::new();
    for part in message.cmsgs().map_err(failed)? {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: the kernel has just made these descriptors for us, and nobody else knows them.
            received.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    if received.len() != 3 {
        return Err(failed(Errno::EPROTO));
    }
    for (number, fd) in (0..).zip(&received) {
        // SAFETY: both are open descriptors of this process; what 0, 1 or 2 was is closed by the call.
        Errno::result(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map_err(failed)?;
    }
    Ok(())
}
