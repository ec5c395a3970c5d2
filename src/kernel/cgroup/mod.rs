//! Cgroups of version 2: finding a place for one, its controllers, its limits, freezing, killing, removing.
//!
//! Every path comes from outside, so that a tree of plain files does for a test. Writes open without create: a mistyped or
//! missing name is an error, as on cgroupfs itself.

pub mod controller;
#[cfg(test)]
mod kernels;
pub mod limit;
pub mod place;
pub mod tree;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::procfs::Pid;
use super::{Error, Result, process};

/// How long a group that was killed may take to become empty before its removal is given up.
const DELETE_PATIENCE: Duration = Duration::from_secs(5);
/// How long what a group has written may take to reach the disk. A group that is removed earlier hands the rest, uncapped and
/// unaccounted, to its parent.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a state the kernel reaches by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A directory of a cgroup2 file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Creates `parent/name` and makes sure that it can be frozen.
    pub fn create(parent: &Path, name: &str) -> Result<Cgroup> {
        let path = parent.join(name);
        fs::create_dir(&path).map_err(|e| Error::path("create cgroup", &path, e))?;
        let group = Cgroup { path };
        if let Err(error) = group.write("cgroup.freeze", "0") {
            // The reason it is of no use is what the caller needs to hear, not that an empty directory was left.
            fs::remove_dir(&group.path).ok();
            return Err(error);
        }
        Ok(group)
    }

    /// A group that was created earlier; whether it still exists shows at the first use.
    pub fn at(path: PathBuf) -> Cgroup {
        Cgroup { path }
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Whether there are groups in it.
    pub fn has_children(&self) -> bool {
        self.tree().is_ok_and(|tree| tree.len() > 1)
    }

    /// Creates it once more, after somebody removed it.
    pub fn create_again(&self) -> Result<()> {
        fs::create_dir(&self.path).map_err(|e| Error::path("create cgroup", &self.path, e))
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The group it is in; `None` for the root of a file system.
    pub fn parent(&self) -> Option<Cgroup> {
        self.path.parent().map(|path| Cgroup::at(path.to_path_buf()))
    }

    /// An open `cgroup.procs`, for [`process::Spawn::cgroup`].
    pub fn entrance(&self) -> Result<OwnedFd> {
        let path = self.path.join("cgroup.procs");
        OpenOptions::new().write(true).open(&path).map(OwnedFd::from).map_err(|e| Error::path("open", &path, e))
    }

    /// Whether this process, and no other, is in it, and nothing is below it. Never so for the root of the hierarchy, which is not
    /// ours to divide.
    pub fn holds_only(&self, pid: Pid) -> Result<bool> {
        let path = self.path.join("cgroup.procs");
        let text = fs::read_to_string(&path).map_err(|e| Error::path("read", &path, e))?;
        // Only the root has no type.
        let is_root = !self.path.join("cgroup.type").exists();
        Ok(!is_root && text.trim() == pid.to_string() && self.tree()?.len() == 1)
    }

    /// The processes in it and below.
    pub fn members(&self) -> Result<Vec<Pid>> {
        let mut pids = Vec::new();
        for directory in self.tree()? {
            let path = directory.join("cgroup.procs");
            match fs::read_to_string(&path) {
                Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<Pid>().ok())),
                Err(e) if gone(&e) => {}
                Err(e) => return Err(Error::path("read", &path, e)),
            }
        }
        Ok(pids)
    }

    /// Asks the kernel to freeze or thaw. It is done when [`Cgroup::is_frozen`] says so, which may take its time.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        self.write("cgroup.freeze", if frozen { "1" } else { "0" })
    }

    /// Whether everything in it has stopped.
    pub fn is_frozen(&self) -> Result<bool> {
        let path = self.path.join("cgroup.events");
        let text = fs::read_to_string(&path).map_err(|e| Error::path("read", &path, e))?;
        Ok(value(&text, "frozen") == Some(1))
    }

    /// Kills everything in it and below, frozen or not. A group that is gone is no error.
    pub fn kill(&self) -> Result<()> {
        match self.write("cgroup.kill", "1") {
            // Before Linux 5.14 there is no such file: one by one, until nothing is left to fork.
            Err(e) if e.errno() == Some(libc::ENOENT) => {
                for pid in self.members()? {
                    process::signal(pid, Signal::SIGKILL)?;
                }
                Ok(())
            }
            other => other,
        }
    }

    /// Whether the kernel can kill all of it with one write: since Linux 5.14 each group but the root has the file.
    pub fn has_kill(&self) -> bool {
        super::fs::exists(&self.path.join("cgroup.kill"))
    }

    /// Bytes it has written to files that have not reached their disk: `file_dirty` and `file_writeback` of memory.stat, its
    /// children's included. `None` where the memory controller does not count them.
    pub fn unwritten(&self) -> Result<Option<u64>> {
        let Some(text) = super::fs::read_text_if_any(&self.path.join("memory.stat"))? else { return Ok(None) };
        Ok(parse_unwritten(&text))
    }

    /// Waits until what it has written has reached the disk, for 30 s at most; says what is left in bytes.
    pub async fn drain(&self) -> Result<u64> {
        let deadline = Instant::now() + DRAIN_PATIENCE;
        loop {
            match self.unwritten()? {
                Some(left) if left > 0 && Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
                left => return Ok(left.unwrap_or_default()),
            }
        }
    }

    /// Removes it with everything below. Processes that were just killed keep it busy for some milliseconds.
    pub async fn delete(&self) -> Result<()> {
        let deadline = Instant::now() + DELETE_PATIENCE;
        let mut directories = self.tree()?;
        directories.reverse();
        for directory in directories {
            loop {
                match fs::remove_dir(&directory) {
                    Ok(()) => break,
                    Err(e) if gone(&e) => break,
                    Err(e) if e.raw_os_error() == Some(libc::EBUSY) && Instant::now() < deadline => {
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                    Err(e) => return Err(Error::path("remove cgroup", &directory, e)),
                }
            }
        }
        Ok(())
    }

    /// Its directory and those below, parents first.
    fn tree(&self) -> Result<Vec<PathBuf>> {
        let mut found = vec![self.path.clone()];
        let mut next = 0;
        while let Some(directory) = found.get(next).cloned() {
            match fs::read_dir(&directory) {
                Ok(entries) => {
                    found.extend(
                        entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()),
                    );
                }
                Err(e) if gone(&e) => {}
                Err(e) => return Err(Error::path("list", &directory, e)),
            }
            next += 1;
        }
        Ok(found)
    }

    /// Opens without creating, so that a mistyped or missing name is an error.
    fn write(&self, name: &str, value: &str) -> Result<()> {
        let path = self.path.join(name);
        let mut file: File = OpenOptions::new().write(true).open(&path).map_err(|e| Error::path("open", &path, e))?;
        file.write_all(value.as_bytes())
            .map_err(|e| Error::about("write", format!("{value}` to `{}", path.display()), e))
    }
}

/// Bytes that have not reached their disk, in a memory.stat.
pub fn parse_unwritten(text: &str) -> Option<u64> {
    value(text, "file_dirty")?.checked_add(value(text, "file_writeback")?)
}

/// The time its tasks had a processor, in µs, in a cpu.stat.
pub fn parse_usage(text: &str) -> Option<u64> {
    value(text, "usage_usec")
}

fn gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

/// The number behind a key, in a file of `key number` lines.
fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_freezer_is_refused_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let error = Cgroup::create(dir.path(), "g").unwrap_err();
        assert_eq!(error.to_string(), format!("cannot open `{}/g/cgroup.freeze`", dir.path().display()));
        assert!(!dir.path().join("g").exists());
    }

    #[test]
    fn linux_5_13_has_no_kill() {
        let dir = tempfile::tempdir().unwrap();
        let group = Cgroup::at(dir.path().to_path_buf());
        assert!(!group.has_kill());
        std::fs::write(dir.path().join("cgroup.kill"), "").unwrap();
        assert!(group.has_kill());
    }

    #[test]
    fn keys_are_read_by_their_whole_name() {
        let text = "populated 1\nfrozen 0\n";
        assert_eq!(value(text, "frozen"), Some(0));
        assert_eq!(value(text, "populated"), Some(1));
        assert_eq!(value(text, "pop"), None);
    }

    #[test]
    fn figures_that_are_missing_or_odd_are_none() {
        assert_eq!(parse_unwritten("file_dirty 5\nfile_writeback 7\n"), Some(12));
        assert_eq!(parse_usage("usage_usec 202016\nuser_usec 17192\n"), Some(202_016));
        let large = format!("file_dirty {0}\nfile_writeback {0}\n", u64::MAX);
        for odd in ["", "file_dirty 5\n", "file_dirty x\nfile_writeback 1\n", large.as_str()] {
            assert_eq!((parse_unwritten(odd), parse_usage(odd)), (None, None), "{odd}");
        }
    }
}
