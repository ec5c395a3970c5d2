//! A cgroup that can be frozen and killed as a whole.
//!
//! This is the level that needs no controller: a cgroup2 mount of any kind (alone, or beside v1 on a hybrid machine) and the
//! right to create a group in it. Where systemd runs, only a subtree it has delegated is touched: everything else is its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::mounts::{self, Mount};
use super::procfs::Pid;
use super::{Error, Result, process};

/// How long a group that was killed may take to become empty before its removal is given up.
const DELETE_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at a state the kernel reaches by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A directory of a cgroup2 file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

/// Where a group of our own may be created, or why nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Below this directory.
    Below(PathBuf),
    /// Nowhere; the reason, for people.
    Nowhere(String),
}

/// What the machine says about itself, gathered for [`place`].
pub struct Surroundings<'a> {
    /// The mounts.
    pub mounts: &'a [Mount],
    /// The text of /proc/self/cgroup.
    pub own: &'a str,
    /// Whether systemd is the init system.
    pub systemd: bool,
    /// Whether a directory carries the mark of a delegated subtree.
    pub delegated: &'a dyn Fn(&Path) -> bool,
}

/// Decides where a group may be created.
pub fn place(around: &Surroundings<'_>) -> Place {
    let Some(mount) = around.mounts.iter().find(|m| m.kind == "cgroup2") else {
        return Place::Nowhere("no cgroup2 file system is mounted".to_owned());
    };
    if mount.read_only {
        return Place::Nowhere(format!("`{}` is mounted read-only", mount.point.display()));
    }
    let Some(own) = around.own.lines().find_map(|line| line.strip_prefix("0::")) else {
        return Place::Nowhere("this process is in no cgroup of version 2".to_owned());
    };
    // Inside a cgroup namespace the mount's root is itself below the hierarchy's; what the process sees is relative to it.
    let directory = mount.point.join(own.trim_start_matches('/'));
    if around.systemd && !(around.delegated)(&directory) {
        return Place::Nowhere(format!("systemd owns `{}` and has not delegated it", directory.display()));
    }
    Place::Below(directory)
}

/// Where a group may be created on this machine.
pub fn find_place() -> Place {
    let proc = Path::new(super::procfs::PROC);
    let mounts = match mounts::read(proc) {
        Ok(mounts) => mounts,
        Err(error) => return Place::Nowhere(error.to_string()),
    };
    let own = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let systemd = super::fs::is_dir(Path::new("/run/systemd/system"));
    place(&Surroundings { mounts: &mounts, own: &own, systemd, delegated: &is_delegated })
}

/// systemd marks the root of a delegated subtree with one of these attributes (CGROUP_DELEGATION, "xattrs").
fn is_delegated(directory: &Path) -> bool {
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let (Ok(path), Ok(name)) = (c_string(directory.as_os_str()), std::ffi::CString::new(*name)) else {
            return false;
        };
        let mut value = [0_u8; 8];
        // SAFETY: both strings end with a NUL and the buffer is as long as stated.
        let length = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        length == 1 && value.first() == Some(&b'1')
    })
}

fn c_string(text: &std::ffi::OsStr) -> io::Result<std::ffi::CString> {
    use std::os::unix::ffi::OsStrExt;
    Ok(std::ffi::CString::new(text.as_bytes())?)
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

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An open `cgroup.procs`, for [`process::Spawn::cgroup`].
    pub fn entrance(&self) -> Result<OwnedFd> {
        let path = self.path.join("cgroup.procs");
        OpenOptions::new().write(true).open(&path).map(OwnedFd::from).map_err(|e| Error::path("open", &path, e))
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
        Ok(event(&text, "frozen") == Some(1))
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

    /// Removes it with everything below. Processes that were just killed keep it busy for some milliseconds.
    pub fn delete(&self) -> Result<()> {
        let deadline = Instant::now() + DELETE_PATIENCE;
        let mut directories = self.tree()?;
        directories.reverse();
        for directory in directories {
            loop {
                match fs::remove_dir(&directory) {
                    Ok(()) => break,
                    Err(e) if gone(&e) => break,
                    Err(e) if e.raw_os_error() == Some(libc::EBUSY) && Instant::now() < deadline => {
                        std::thread::sleep(LOOK_AGAIN);
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

fn gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

fn event(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                          41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    fn decide(mountinfo: &str, own: &str, systemd: bool, delegated: bool) -> Place {
        let mounts = mounts::parse(mountinfo);
        place(&Surroundings { mounts: &mounts, own, systemd, delegated: &|_| delegated })
    }

    #[test]
    fn a_place_is_below_the_own_group_wherever_cgroup2_is_mounted() {
        let below = |p: &str| Place::Below(PathBuf::from(p));
        assert_eq!(decide(HYBRID, "9:pids:/\n0::/\n", false, false), below("/sys/fs/cgroup/unified"));
        assert_eq!(decide(UNIFIED, "0::/a/b\n", false, false), below("/sys/fs/cgroup/a/b"));
        assert_eq!(
            decide(UNIFIED, "0::/system.slice/x.service\n", true, true),
            below("/sys/fs/cgroup/system.slice/x.service")
        );
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let nowhere = |place| match place {
            Place::Nowhere(why) => why,
            Place::Below(path) => panic!("{}", path.display()),
        };
        assert_eq!(nowhere(decide("", "0::/\n", false, false)), "no cgroup2 file system is mounted");
        assert_eq!(
            nowhere(decide(UNIFIED, "0::/user.slice\n", true, false)),
            "systemd owns `/sys/fs/cgroup/user.slice` and has not delegated it"
        );
        let read_only = UNIFIED.replace(" rw,nosuid", " ro,nosuid");
        assert_eq!(nowhere(decide(&read_only, "0::/\n", false, false)), "`/sys/fs/cgroup` is mounted read-only");
        assert_eq!(nowhere(decide(UNIFIED, "4:memory:/\n", false, false)), "this process is in no cgroup of version 2");
    }

    #[test]
    fn a_directory_without_a_freezer_is_refused_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let error = Cgroup::create(dir.path(), "g").unwrap_err();
        assert_eq!(error.to_string(), format!("cannot open `{}/g/cgroup.freeze`", dir.path().display()));
        assert!(!dir.path().join("g").exists());
    }

    #[test]
    fn events_are_read_by_their_whole_name() {
        let text = "populated 1\nfrozen 0\n";
        assert_eq!(event(text, "frozen"), Some(0));
        assert_eq!(event(text, "populated"), Some(1));
        assert_eq!(event(text, "pop"), None);
    }
}
