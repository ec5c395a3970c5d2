//! Whether what a job writes into the page cache is written to disk in its name.
//!
//! Buffered writes reach the disk later, from a kernel thread. Only a file system that does cgroup writeback has them charged to
//! the cgroup that wrote, and only where the controllers `io` and `memory` are both on for that cgroup
//! (Documentation/admin-guide/cgroup-v2.rst, "Writeback"). Elsewhere they are charged to the root, and no cap on the job holds them.
//! Reads and direct writes are always charged to the reader and writer.

use std::fmt;

/// The file systems that set `SB_I_CGROUPWB`, in Linux 6.1.
const CHARGED: [&str; 5] = ["ext2", "ext4", "btrfs", "f2fs", "xfs"];

/// Why buffered writes are not capped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escape {
    /// The file system does no cgroup writeback; its kind.
    FileSystem(String),
    /// A controller is missing; its name.
    Controller(&'static str),
}

/// Whether buffered writes to a file system of this kind escape a cap, given the controllers that are on for the cgroup. An overlay
/// writes to its upper directory: ask for the kind of that one.
pub fn escape(filesystem: &str, io: bool, memory: bool) -> Option<Escape> {
    match (CHARGED.contains(&filesystem), io, memory) {
        (false, _, _) => Some(Escape::FileSystem(filesystem.to_owned())),
        (true, false, _) => Some(Escape::Controller("io")),
        (true, true, false) => Some(Escape::Controller("memory")),
        (true, true, true) => None,
    }
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Escape::FileSystem(kind) => write!(f, "`{kind}` does not write back in the name of the cgroup that wrote"),
            Escape::Controller(name) => write!(f, "the controller `{name}` is off for the cgroup that writes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_file_systems_and_two_controllers() {
        assert_eq!(escape("ext4", true, true), None);
        let why = |fs, io, memory| escape(fs, io, memory).unwrap().to_string();
        assert_eq!(why("ext3", true, true), "`ext3` does not write back in the name of the cgroup that wrote");
        assert_eq!(why("vfat", false, true), "`vfat` does not write back in the name of the cgroup that wrote");
        assert_eq!(why("xfs", false, false), "the controller `io` is off for the cgroup that writes");
        assert_eq!(why("btrfs", true, false), "the controller `memory` is off for the cgroup that writes");
    }
}
