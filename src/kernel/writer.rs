//! Writing a long new file so that nobody else feels it: never more than [`Flight::bound`] bytes of it dirty or under
//! writeback, and nothing of it left in the page cache.
//!
//! Invariants: the file did not exist before, is a regular file and has mode 0600; bytes lie in it in the order they were
//! given; after an error no more is written. The file is complete after [`StreamWriter::finish`], and durable only after
//! [`super::durable::sync_file`].
//!
//! Three ways, the best one the file system accepts: `direct` (O_DIRECT, one request at a time, so what is in flight is
//! that request), `window` (through the cache in windows: start writeback of this one, wait for the one before, drop it)
//! and `buffered` (where not even ranges can be synchronised: fdatasync after each window).

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::uio::pwrite;
use nix::unistd::{close, fdatasync};

use super::aligned::ALIGN;
use super::cached;
use super::flight::Flight;
use super::{Error, Result};

/// A wait shorter than this says that the disk was ready before us, and nothing about how fast it is.
const BLOCKED: Duration = Duration::from_millis(1);

/// How a file is written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Past the page cache.
    Direct,
    /// Through the page cache, behind which we clean up range by range.
    Window,
    /// Through the page cache, without control over ranges.
    Buffered,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Direct => "direct",
            Method::Window => "window",
            Method::Buffered => "buffered",
        })
    }
}

/// A range whose writeback was started.
#[derive(Debug, Clone, Copy)]
struct Started {
    at: u64,
    bytes: usize,
    when: Instant,
}

/// A new file that is being written.
#[derive(Debug)]
pub struct StreamWriter {
    fd: OwnedFd,
    path: PathBuf,
    method: Method,
    offset: u64,
    flight: Flight,
    before: Option<Started>,
    /// Whether RWF_DONTCACHE is still believed to work.
    uncached: bool,
    /// Whether the offset is no multiple of [`ALIGN`] any more: nothing direct can follow.
    ragged: bool,
}

impl StreamWriter {
    /// Creates `path`, which must not exist, to be written by `best` or what comes below it.
    ///
    /// # Errors
    /// What open(2) answers: `EEXIST`, `ENOENT`, `EACCES`, `ENOSPC`, …
    pub fn create(path: &Path, best: Method) -> Result<StreamWriter> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = cached::retry(|| open(path, flags, Mode::S_IRUSR | Mode::S_IWUSR))
            .map_err(|errno| Error::path("create", path, errno))?;
        // O_DIRECT only now: some file systems create the file first and refuse the flag after it, and a second O_EXCL
        // would then find our own file.
        let method = match best {
            Method::Direct if cached::set_direct(fd.as_fd(), true).is_err() => Method::Window,
            other => other,
        };
        let path = path.to_path_buf();
        let flight = Flight::default();
        Ok(StreamWriter { fd, path, method, offset: 0, flight, before: None, uncached: true, ragged: false })
    }

    /// How many bytes the next [`write`](Self::write) should carry: at most [`super::flight::LARGEST`], a multiple of [`ALIGN`].
    pub fn wants(&self) -> usize {
        match self.method {
            Method::Direct => self.flight.block(),
            Method::Window | Method::Buffered => self.window(),
        }
    }

    /// Two windows are in flight at once.
    fn window(&self) -> usize {
        self.flight.bound() / 2
    }

    /// Appends `data`. Direct I/O needs it aligned to [`ALIGN`]; what is not aligned, in memory or in length, goes through the
    /// page cache.
    ///
    /// # Errors
    /// `ENOSPC`, `EDQUOT`, `EIO` and the like; in the methods other than `direct` also for bytes of an earlier call.
    pub fn write(&mut self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            if self.ragged && self.method == Method::Direct {
                self.leave_direct()?;
            }
            let done = match self.method {
                Method::Direct => self.write_direct(data)?,
                Method::Window | Method::Buffered => self.write_window(data)?,
            };
            data = data.get(done..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends the file and closes it. Returns how it was written.
    ///
    /// # Errors
    /// An error of the disk for bytes that were still in flight, or of close(2), which on network file systems tells of
    /// writes that failed.
    pub fn finish(mut self) -> Result<Method> {
        if let Some(before) = self.before.take() {
            self.settle(before)?;
        }
        match close(self.fd) {
            // The descriptor is gone in either case; retrying could close somebody else's.
            Ok(()) | Err(Errno::EINTR) => Ok(self.method),
            Err(errno) => Err(Error::path("finish writing", &self.path, errno)),
        }
    }

    fn write_direct(&mut self, data: &[u8]) -> Result<usize> {
        let whole = data.len() - data.len() % ALIGN;
        let Some(aligned) = data.get(..whole).filter(|part| !part.is_empty()) else {
            return self.write_tail(data);
        };
        let begun = Instant::now();
        match cached::retry(|| pwrite(&self.fd, aligned, cached::offset(self.offset))) {
            Ok(0) => Err(self.failed(Errno::ENOSPC)),
            Ok(done) => {
                self.flight.observe(done, begun.elapsed());
                self.offset += done as u64;
                self.ragged = done % ALIGN != 0;
                Ok(done)
            }
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => {
                self.leave_direct()?;
                Ok(0)
            }
            Err(errno) => Err(self.failed(errno)),
        }
    }

    /// Writes the last few bytes of a direct stream through the cache: they are less than a page, and the flush gets them.
    fn write_tail(&mut self, data: &[u8]) -> Result<usize> {
        cached::set_direct(self.fd.as_fd(), false).map_err(|errno| self.failed(errno))?;
        self.ragged = true;
        self.write_cached(data)
    }

    fn leave_direct(&mut self) -> Result<()> {
        cached::set_direct(self.fd.as_fd(), false).map_err(|errno| self.failed(errno))?;
        self.method = Method::Window;
        self.flight = Flight::default();
        Ok(())
    }

    fn write_window(&mut self, data: &[u8]) -> Result<usize> {
        let window = data.get(..self.window()).unwrap_or(data);
        let at = self.offset;
        let done = self.write_cached(window)?;
        if self.method == Method::Window {
            match cached::start_writeback(self.fd.as_fd(), at, done as u64) {
                Ok(()) => {
                    let started = Started { at, bytes: done, when: Instant::now() };
                    if let Some(before) = self.before.replace(started) {
                        self.settle(before)?;
                    }
                }
                Err(Errno::ESPIPE | Errno::ENOSYS | Errno::EINVAL | Errno::EOPNOTSUPP) => {
                    self.method = Method::Buffered
                }
                Err(errno) => return Err(self.failed(errno)),
            }
        }
        if self.method == Method::Buffered {
            let begun = Instant::now();
            match cached::retry(|| fdatasync(&self.fd)) {
                Ok(()) => self.flight.observe(done, begun.elapsed()),
                Err(Errno::EINVAL | Errno::ENOSYS | Errno::EROFS) => {}
                Err(errno) => return Err(self.failed(errno)),
            }
            cached::drop_range(self.fd.as_fd(), at, done as u64);
        }
        Ok(done)
    }

    /// Waits until a window is on the disk and drops it from the cache.
    fn settle(&mut self, window: Started) -> Result<()> {
        let begun = Instant::now();
        cached::await_writeback(self.fd.as_fd(), window.at, window.bytes as u64).map_err(|errno| self.failed(errno))?;
        // Where we had to wait the disk was busy from the start to now. Where not, it was faster than the stream, and
        // the window that is there is large enough.
        if begun.elapsed() > BLOCKED {
            self.flight.observe(window.bytes, window.when.elapsed());
        }
        if !self.uncached {
            cached::drop_range(self.fd.as_fd(), window.at, window.bytes as u64);
        }
        Ok(())
    }

    /// One write through the page cache, as short as the kernel makes it.
    fn write_cached(&mut self, data: &[u8]) -> Result<usize> {
        let mut answer = Err(Errno::EOPNOTSUPP);
        if self.uncached {
            answer = cached::retry(|| cached::write_uncached(self.fd.as_fd(), data, self.offset));
            self.uncached = !answer.is_err_and(cached::flag_refused);
        }
        if !self.uncached {
            answer = cached::retry(|| pwrite(&self.fd, data, cached::offset(self.offset)));
        }
        match answer {
            Ok(0) => Err(self.failed(Errno::ENOSPC)),
            Ok(done) => {
                self.offset += done as u64;
                Ok(done)
            }
            Err(errno) => Err(self.failed(errno)),
        }
    }

    fn failed(&self, errno: Errno) -> Error {
        Error::path("write", &self.path, errno)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::kernel::aligned::Block;
    use crate::kernel::reader::StreamReader;

    /// Writes blocks of the given sizes and returns what should be there, and how it was written.
    fn write_all(path: &Path, best: Method, sizes: &[usize]) -> (Vec<u8>, Method) {
        let mut writer = StreamWriter::create(path, best).unwrap();
        let mut all = Vec::new();
        let mut block = Block::new(3 << 20);
        for &size in sizes {
            block.reset(size);
            for (at, byte) in block.room().iter_mut().enumerate() {
                *byte = (at * 31 + all.len()) as u8;
            }
            block.advance(size);
            all.extend_from_slice(block.data());
            writer.write(block.data()).unwrap();
        }
        (all, writer.finish().unwrap())
    }

    #[test]
    fn every_method_writes_and_reads_every_shape() {
        let shapes: [&[usize]; 5] =
            [&[], &[1], &[4096; 3], &[3 << 20, 2 << 20, 777], &[5000, 4096, 1 << 20, 3, 2 << 20]];
        for best in [Method::Direct, Method::Window, Method::Buffered] {
            for (number, sizes) in shapes.iter().enumerate() {
                let dir = tempfile::tempdir_in("/var/tmp").unwrap();
                let path = dir.path().join(number.to_string());
                let (all, method) = write_all(&path, best, sizes);
                assert!(fs::read(&path).unwrap() == all, "{best} {sizes:?}");
                assert!(best == Method::Direct || method == best);
                for best in [Method::Direct, Method::Window] {
                    let mut reader = StreamReader::open(&path, best).unwrap();
                    assert_eq!(reader.size(), all.len() as u64);
                    let (mut back, mut block) = (Vec::new(), Block::new(Block::DISK));
                    loop {
                        reader.fill(&mut block).unwrap();
                        if block.is_empty() {
                            break;
                        }
                        back.extend_from_slice(block.data());
                    }
                    assert!(back == all, "read {best} {sizes:?}");
                }
            }
        }
    }

    #[test]
    fn reading_leaves_the_cache_of_others_alone() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = dir.path().join("file");
        fs::write(&path, vec![7; 2 << 20]).unwrap();
        super::super::durable::sync_file(&path).unwrap();
        super::super::durable::sync_dir(dir.path()).unwrap();
        let file = fs::File::open(&path).unwrap();
        for cached_before in [true, false] {
            if !cached_before {
                cached::drop_range(file.as_fd(), 0, 2 << 20);
                if cached::any_resident(file.as_fd(), 0, 2 << 20) {
                    return; // A file system that lives in memory, or one that ignores the advice.
                }
            }
            for best in [Method::Direct, Method::Window] {
                let mut reader = StreamReader::open(&path, best).unwrap();
                let mut block = Block::new(Block::DISK);
                reader.fill(&mut block).unwrap();
                while !block.is_empty() {
                    reader.fill(&mut block).unwrap();
                }
                assert_eq!(cached::any_resident(file.as_fd(), 0, 2 << 20), cached_before, "{best}");
            }
        }
    }
}
