//! Locks that a dead process cannot keep: flock(2), released by the kernel with the last descriptor.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use super::{Error, Result};

/// A lock that is held until it is dropped, or its process ends.
#[derive(Debug)]
pub struct Lock {
    file: Flock<File>,
}

/// The answer to an attempt.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Held(Lock),
    /// Somebody else has it; what they wrote into it.
    Busy(String),
}

impl Lock {
    /// Tries to take the lock at `path`, creating the file (0600), and does not wait. A link is not followed: what it leads to is
    /// not ours to write into.
    pub fn attempt(path: &Path) -> Result<Attempt> {
        let failed = |e: std::io::Error| Error::path("lock", path, e);
        let file = OpenOptions::new()
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Attempt::Held(Lock { file })),
            Err((mut file, nix::Error::EWOULDBLOCK)) => {
                let mut note = String::new();
                file.read_to_string(&mut note).map_err(failed)?;
                Ok(Attempt::Busy(note))
            }
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }

    /// Waits, on this thread, until nobody holds the lock at `path`. One that is not there is held by nobody.
    pub fn wait_until_free(path: &Path) -> Result<()> {
        let failed = |e: std::io::Error| Error::path("wait for", path, e);
        let file = match OpenOptions::new().custom_flags(libc::O_NOFOLLOW).read(true).open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(failed(e)),
        };
        let mut file = file;
        loop {
            match Flock::lock(file, FlockArg::LockShared) {
                Ok(_) => return Ok(()),
                Err((same, nix::Error::EINTR)) => file = same,
                Err((_, errno)) => return Err(failed(errno.into())),
            }
        }
    }

    /// Writes who holds it, for those who find it busy.
    pub fn note(&mut self, text: &str) -> Result<()> {
        let mut write = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        };
        write().map_err(|e| Error::about("write", "the holder into a lock", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_a_drop_frees_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Attempt::Held(mut first) = Lock::attempt(&path).unwrap() else { panic!("a fresh lock is free") };
        first.note("run 7").unwrap();
        assert!(matches!(Lock::attempt(&path).unwrap(), Attempt::Busy(note) if note == "run 7"));
        let waits = std::thread::spawn({
            let path = path.clone();
            move || Lock::wait_until_free(&path)
        });
        drop(first);
        waits.join().unwrap().unwrap();
        assert!(matches!(Lock::attempt(&path).unwrap(), Attempt::Held(_)));
        Lock::wait_until_free(&dir.path().join("none")).unwrap();
    }
}
