//! Reading a long file from front to back without disturbing the page cache: what others have cached stays, what only we
//! read does not.
//!
//! Invariants: exactly the bytes the file had when it was opened are delivered, in order; a file that became shorter is an
//! error, never a silent end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::uio::pread;

use super::aligned::{ALIGN, Block};
use super::cached;
use super::flight::Flight;
use super::writer::Method;
use super::{Error, Result};

/// A file that is being read.
#[derive(Debug)]
pub struct StreamReader {
    fd: OwnedFd,
    path: PathBuf,
    method: Method,
    size: u64,
    offset: u64,
    flight: Flight,
    /// Whether RWF_DONTCACHE is still believed to work.
    uncached: bool,
}

impl StreamReader {
    /// Opens a regular file, to be read by `best` or what comes below it.
    ///
    /// # Errors
    /// What open(2) answers, `ELOOP` for a symbolic link, `EINVAL` for what is no regular file.
    pub fn open(path: &Path, best: Method) -> Result<StreamReader> {
        // O_NONBLOCK: a FIFO put in its place must not hang us; it means nothing for a regular file.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let opened = |errno| Error::path("open", path, errno);
        let fd = cached::retry(|| open(path, flags, Mode::empty())).map_err(opened)?;
        let stat = fstat(&fd).map_err(opened)?;
        if stat.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
            return Err(opened(Errno::EINVAL));
        }
        let method = match best {
            Method::Direct if cached::set_direct(fd.as_fd(), true).is_err() => Method::Window,
            other => other,
        };
        if method != Method::Direct {
            cached::no_readahead(fd.as_fd());
        }
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let path = path.to_path_buf();
        Ok(StreamReader { fd, path, method, size, offset: 0, flight: Flight::default(), uncached: true })
    }

    /// The file's size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How it is read; final when the end is reached.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Fills the block with what comes next. It is left empty at the end of the file.
    ///
    /// # Errors
    /// `EIO` and the like; `UnexpectedEof` when the file has become shorter.
    pub fn fill(&mut self, block: &mut Block) -> Result<()> {
        block.reset(self.flight.block());
        let left = self.size - self.offset;
        while !block.is_full() && (block.data().len() as u64) < left {
            let at = self.offset + block.data().len() as u64;
            let begun = Instant::now();
            match self.read(block.room(), at) {
                Ok(0) => {
                    let short = io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read");
                    return Err(Error::path("read", &self.path, short));
                }
                Ok(done) => {
                    self.flight.observe(done, begun.elapsed());
                    block.advance(done.min(usize::try_from(left).unwrap_or(usize::MAX)));
                    // Direct reads cannot go on from the middle of a page.
                    if done % ALIGN != 0 && (block.data().len() as u64) < left {
                        self.leave_direct();
                    }
                }
                Err(Errno::EINVAL | Errno::EOPNOTSUPP) if self.method == Method::Direct => self.leave_direct(),
                Err(errno) => return Err(Error::path("read", &self.path, errno)),
            }
        }
        self.offset += block.data().len() as u64;
        Ok(())
    }

    fn leave_direct(&mut self) {
        // If this fails the next read does, and says so.
        cached::set_direct(self.fd.as_fd(), false).ok();
        cached::no_readahead(self.fd.as_fd());
        self.method = Method::Window;
    }

    fn read(&mut self, room: &mut [u8], at: u64) -> nix::Result<usize> {
        if self.method != Method::Direct {
            if self.uncached {
                match cached::retry(|| cached::read_uncached(self.fd.as_fd(), room, at)) {
                    Err(errno) if cached::flag_refused(errno) => self.uncached = false,
                    answer => return answer,
                }
            }
            let page = at - at % ALIGN as u64;
            let bytes = room.len() as u64 + (at - page);
            let resident = cached::any_resident(self.fd.as_fd(), page, usize::try_from(bytes).unwrap_or_default());
            let answer = cached::retry(|| pread(&self.fd, room, cached::offset(at)));
            if !resident {
                cached::drop_range(self.fd.as_fd(), page, bytes);
            }
            return answer;
        }
        cached::retry(|| pread(&self.fd, room, cached::offset(at)))
    }
}
