//! What kind of file system a mount is, as far as its devices are concerned.

use super::Number;
use super::uncapped::Why;

/// Where the bytes of a file system are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// On the block device mountinfo names.
    Device(Number),
    /// On members that sysfs lists.
    Btrfs,
    /// In directories of other file systems.
    Overlay,
    /// Nowhere a cap could reach.
    Nowhere(Why),
}

/// Decides by the kind mountinfo tells, then by the number: `fuseblk` names a disk, but a process of its own reads it.
pub fn holder(kind: &str, device: Number) -> Holder {
    let nowhere = |why: fn(String) -> Why| Holder::Nowhere(why(kind.to_owned()));
    match kind {
        "btrfs" => Holder::Btrfs,
        "overlay" => Holder::Overlay,
        "tmpfs" | "ramfs" | "devtmpfs" | "hugetlbfs" => nowhere(Why::Memory),
        "autofs" => Holder::Nowhere(Why::NotMounted),
        "zfs" => nowhere(Why::OwnThreads),
        "9p" | "virtiofs" | "vboxsf" | "fuse.vmhgfs-fuse" | "prl_fs" => nowhere(Why::Host),
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "ceph" | "afs" | "lustre" => nowhere(Why::Network),
        "proc" | "sysfs" | "cgroup" | "cgroup2" | "devpts" | "debugfs" | "tracefs" | "securityfs" | "bpf"
        | "mqueue" | "configfs" | "fusectl" | "efivarfs" | "pstore" | "binfmt_misc" | "rpc_pipefs" | "nfsd"
        | "selinuxfs" | "nsfs" => nowhere(Why::Pseudo),
        _ if kind.starts_with("fuse") => nowhere(Why::Process),
        _ if device.major != 0 => Holder::Device(device),
        _ => nowhere(Why::NoDevice),
    }
}

/// Whether a walk through a tree that comes upon such a file system moves bytes of a disk or of a network. An automount point does:
/// the walk has something mounted there.
pub fn is_storage(kind: &str, device: Number) -> bool {
    !matches!(holder(kind, device), Holder::Nowhere(Why::Memory(_) | Why::Pseudo(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: Number = Number { major: 0, minor: 44 };
    const DISK: Number = Number { major: 8, minor: 1 };

    fn why(kind: &str, device: Number) -> String {
        match holder(kind, device) {
            Holder::Nowhere(why) => why.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_has_its_reason() {
        assert_eq!(holder("xfs", DISK), Holder::Device(DISK));
        assert_eq!(holder("btrfs", NONE), Holder::Btrfs);
        assert_eq!(holder("overlay", NONE), Holder::Overlay);
        assert_eq!(why("tmpfs", NONE), "`tmpfs` keeps its files in memory");
        assert_eq!(why("nfs4", NONE), "`nfs4` reads and writes through the network");
        assert_eq!(why("cifs", NONE), "`cifs` reads and writes through the network");
        assert_eq!(why("zfs", NONE), "`zfs` reads and writes in threads of its own, outside of the run");
        assert_eq!(why("fuse.sshfs", NONE), "a process outside of the run reads and writes for `fuse.sshfs`");
        assert_eq!(why("virtiofs", NONE), "the host of this machine reads and writes for `virtiofs`");
        assert_eq!(why("autofs", NONE), "nothing is mounted on this automount point");
        assert_eq!(why("proc", NONE), "the files of `proc` are made by the kernel when they are read");
        assert_eq!(why("ubifs", NONE), "`ubifs` names no block device");
    }

    #[test]
    fn a_disk_that_a_process_reads_is_not_capped() {
        assert_eq!(why("fuseblk", DISK), "a process outside of the run reads and writes for `fuseblk`");
    }

    proptest! {
        #[test]
        fn never_panics(kind in ".{0,12}", major: u32) {
            is_storage(&kind, Number { major, minor: 0 });
        }
    }
}
