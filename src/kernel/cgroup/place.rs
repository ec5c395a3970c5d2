//! Where on this machine a cgroup of our own may be.
//!
//! Where systemd runs, only a subtree it has delegated is touched: everything else is its own.

use std::fs;
use std::path::{Path, PathBuf};

use super::controller::Controller;
use crate::kernel::mounts::{self, Mount};
use crate::kernel::procfs;

/// How the machine's cgroups are mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hierarchy {
    /// Version 2 alone: every controller is there.
    Unified(PathBuf),
    /// Version 2 beside version 1, which keeps the controllers: freezing, killing and pressure work, limits do not.
    Hybrid(PathBuf),
    /// Version 1 alone, or nothing.
    None,
}

impl Hierarchy {
    /// Reads it off the mounts. The first cgroup2 mount counts; no path is assumed.
    pub fn of(mounts: &[Mount]) -> Hierarchy {
        let Some(mount) = mounts.iter().find(|m| m.kind == "cgroup2") else { return Hierarchy::None };
        let point = mount.point.clone();
        match mounts.iter().any(|m| m.kind == "cgroup") {
            true => Hierarchy::Hybrid(point),
            false => Hierarchy::Unified(point),
        }
    }
}

/// Where version 1 has a controller mounted, which version 2 then has not.
pub fn held_by_v1(mounts: &[Mount], controller: Controller) -> Option<&Path> {
    let holds = |m: &&Mount| m.kind == "cgroup" && m.options.split(',').any(|o| o == controller.legacy_name());
    mounts.iter().find(holds).map(|mount| mount.point.as_path())
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
    let directory = match own.trim_start_matches('/') {
        "" => mount.point.clone(),
        below => mount.point.join(below),
    };
    if around.systemd && !(around.delegated)(&directory) {
        return Place::Nowhere(format!("systemd owns `{}` and has not delegated it", directory.display()));
    }
    Place::Below(directory)
}

/// Where a group may be created on this machine. `unit` is the unit this process may be, which was asked for with `Delegate=yes`: a
/// user's manager leaves no mark.
pub fn find_place(unit: &str) -> Place {
    let proc = Path::new(procfs::PROC);
    let mounts = match mounts::read(proc) {
        Ok(mounts) => mounts,
        Err(error) => return Place::Nowhere(error.to_string()),
    };
    let own = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let systemd = crate::kernel::fs::is_dir(Path::new("/run/systemd/system"));
    let delegated = |directory: &Path| directory.ends_with(unit) || is_delegated(directory);
    place(&Surroundings { mounts: &mounts, own: &own, systemd, delegated: &delegated })
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

fn c_string(text: &std::ffi::OsStr) -> std::io::Result<std::ffi::CString> {
    use std::os::unix::ffi::OsStrExt;
    Ok(std::ffi::CString::new(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                          32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                          41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
    const LEGACY: &str = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";

    fn decide(mountinfo: &str, own: &str, systemd: bool, delegated: bool) -> Place {
        let mounts = mounts::parse(mountinfo);
        place(&Surroundings { mounts: &mounts, own, systemd, delegated: &|_| delegated })
    }

    #[test]
    fn the_hierarchy_is_read_off_the_mounts() {
        let of = |text| Hierarchy::of(&mounts::parse(text));
        assert_eq!(of(UNIFIED), Hierarchy::Unified("/sys/fs/cgroup".into()));
        assert_eq!(of(HYBRID), Hierarchy::Hybrid("/sys/fs/cgroup/unified".into()));
        assert_eq!(of(LEGACY), Hierarchy::None);
    }

    #[test]
    fn version_1_holds_what_it_has_mounted() {
        let blkio = "33 31 0:30 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio";
        let mounts = mounts::parse(&format!("{HYBRID}\n{blkio}"));
        assert_eq!(held_by_v1(&mounts, Controller::Io), Some(Path::new("/sys/fs/cgroup/blkio")));
        assert_eq!(held_by_v1(&mounts, Controller::Cpu), Some(Path::new("/sys/fs/cgroup/cpu")));
        assert_eq!(held_by_v1(&mounts, Controller::Memory), None);
        assert_eq!(held_by_v1(&mounts::parse(UNIFIED), Controller::Cpu), None);
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
}
