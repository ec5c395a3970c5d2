//! What a process of `govern` finds open when it starts: standard input and output, and a control socket.
//!
//! Invariants: reads and writes are retried when a signal interrupts them, and wait where the other end is not ready, also
//! when somebody made the pipe non-blocking.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use nix::unistd::{read, write};

use super::cached::retry;
use super::{Error, Result};

/// Takes over the stream socket inherited as descriptor `number`. To be called once, before anything is opened.
///
/// # Errors
/// `EBADF` when nothing was inherited, `ENOTSOCK` or `EINVAL` when it is no stream socket.
pub fn control_socket(number: RawFd) -> Result<UnixStream> {
    let failed = |errno: Errno| Error::about("take over the control socket", format!("descriptor {number}"), errno);
    // SAFETY: only asked about; the borrow ends with this statement, and the kernel refuses what is not open.
    let kind = getsockopt(&unsafe { BorrowedFd::borrow_raw(number) }, sockopt::SockType).map_err(failed)?;
    if kind != SockType::Stream {
        return Err(failed(Errno::EINVAL));
    }
    // SAFETY: it is open, it was inherited for us, and nobody else in this process knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(failed)?;
    Ok(UnixStream::from(socket))
}

/// One end of the stream a process was started with.
#[derive(Debug, Clone, Copy)]
pub enum Standard {
    /// Descriptor 0.
    Input,
    /// Descriptor 1.
    Output,
}

impl Standard {
    /// Asks for a pipe of `bytes` (the kernel rounds up to a power of two pages; 1 MiB is the unprivileged limit of
    /// /proc/sys/fs/pipe-max-size). Whatever it answers, the stream works.
    pub fn resize_pipe(self, bytes: usize) {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        self.with(|fd| fcntl(fd, FcntlArg::F_SETPIPE_SZ(bytes)).ok());
    }

    /// How many bytes the pipe holds; `None` where the stream is no pipe.
    pub fn pipe_size(self) -> Option<usize> {
        self.with(|fd| fcntl(fd, FcntlArg::F_GETPIPE_SZ)).ok().and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// Waits until there is something to read, or room to write, or the other end is gone.
    ///
    /// # Errors
    /// What poll(2) answers; `EBADF` when the descriptor is closed.
    pub fn wait(self) -> Result<()> {
        let events = match self {
            Standard::Input => PollFlags::POLLIN,
            Standard::Output => PollFlags::POLLOUT,
        };
        self.with(|fd| {
            let mut polled = [PollFd::new(fd, events)];
            retry(|| poll(&mut polled, PollTimeout::NONE)).map_err(|errno| self.failed("wait for", errno))?;
            match polled.first().and_then(PollFd::revents) {
                Some(answer) if answer.contains(PollFlags::POLLNVAL) => Err(self.failed("wait for", Errno::EBADF)),
                _ => Ok(()),
            }
        })
    }

    /// Reads at most `room.len()` bytes; 0 is the end.
    ///
    /// # Errors
    /// What read(2) answers.
    pub fn read(self, room: &mut [u8]) -> Result<usize> {
        loop {
            match self.with(|fd| retry(|| read(fd, room))) {
                Err(Errno::EAGAIN) => self.wait()?,
                answer => return answer.map_err(|errno| self.failed("read", errno)),
            }
        }
    }

    /// Writes at most all of `data`. `None`: nobody reads any more.
    ///
    /// # Errors
    /// What write(2) answers, but for `EPIPE`.
    pub fn write(self, data: &[u8]) -> Result<Option<usize>> {
        loop {
            match self.with(|fd| retry(|| write(fd, data))) {
                Ok(done) => return Ok(Some(done)),
                Err(Errno::EPIPE) => return Ok(None),
                Err(Errno::EAGAIN) => self.wait()?,
                Err(errno) => return Err(self.failed("write", errno)),
            }
        }
    }

    fn with<T>(self, call: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        match self {
            Standard::Input => call(io::stdin().as_fd()),
            Standard::Output => call(io::stdout().as_fd()),
        }
    }

    fn failed(self, action: &'static str, errno: Errno) -> Error {
        let subject = match self {
            Standard::Input => "standard input",
            Standard::Output => "standard output",
        };
        Error::about(action, subject, errno)
    }
}

/// Ends this process at once, without running what others registered for its end.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: takes no memory and does not return.
    unsafe { libc::_exit(i32::from(code)) }
}
