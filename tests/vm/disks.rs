//! Every way to stack file systems on disks that govern has to see through.
//!
//! A stack is made of data disks named after it, when a test first asks for it, and mounted at `/mnt/NAME`; after a reboot or a
//! power cut the next who asks finds it with its files.

use crate::Test;
use crate::machine::Machine;
use crate::side_by_side::side_by_side;

pub const TESTS: &[Test] =
    &[("every_stack_mounts_and_writes_to_its_disks", every_stack_mounts_and_writes_to_its_disks)];

/// A file system and what is under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// ext4 on a partition.
    Partition,
    /// ext4 on a linear logical volume.
    Lvm,
    /// ext4 on an encrypted disk.
    Luks,
    /// ext4 on a logical volume on an encrypted disk.
    LuksLvm,
    /// ext4 on two mirrored disks: each write goes to both, each read to one.
    Raid,
    /// ext4 in a file of an ext4 on a disk.
    Loop,
    /// A directory of [`Stack::Partition`], mounted a second time.
    Bind,
    /// Btrfs on a disk.
    Btrfs,
    /// Btrfs on two disks, data as RAID 0: one stream goes to both, half of it to each.
    BtrfsTwo,
    /// XFS on a disk.
    Xfs,
    /// An overlay, both layers on [`Stack::Partition`].
    Overlay,
    /// In memory.
    Tmpfs,
}

/// What the scripts below have in common. What is there already stays.
const HELPERS: &str = r#"
    disk() { echo "/dev/disk/by-id/virtio-$1"; }
    bare() { [ -z "$(wipefs --noheadings "$1")" ]; }
    # Nothing is left to be initialised later, which would be writes that no test made.
    ext4() { ! bare "$1" || mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$1"; }
    mounted() { mountpoint --quiet "${@: -1}" || { mkdir -p "${@: -1}" && mount "$@"; }; }
    opened() {
        [ -e "/dev/mapper/$2" ] && return
        local fast='--pbkdf pbkdf2 --pbkdf-force-iterations 1000'
        ! bare "$1" || echo secret | cryptsetup luksFormat --batch-mode $fast "$1" -
        echo secret | cryptsetup open "$1" "$2" --key-file=-
    }
    volume() {
        ! bare "$1" || { vgcreate --quiet "$2" "$1" && lvcreate --quiet --name data --extents 100%FREE "$2"; }
        vgchange --quiet --activate y "$2"
    }
    partition() {
        [ -e "$(disk partition)-part1" ] || { echo ',,L' | sfdisk --quiet "$(disk partition)" && udevadm settle; }
        ext4 "$(disk partition)-part1"
        mounted "$(disk partition)-part1" /mnt/partition
    }
"#;

impl Stack {
    pub const ALL: [Stack; 12] = [
        Stack::Partition,
        Stack::Lvm,
        Stack::Luks,
        Stack::LuksLvm,
        Stack::Raid,
        Stack::Loop,
        Stack::Bind,
        Stack::Btrfs,
        Stack::BtrfsTwo,
        Stack::Xfs,
        Stack::Overlay,
        Stack::Tmpfs,
    ];

    /// All of them, in groups that share no disk: two groups can be looked at at the same time.
    pub fn groups() -> Vec<Vec<Stack>> {
        let mut groups: Vec<Vec<Stack>> = vec![];
        for stack in Stack::ALL {
            let shares = |group: &&mut Vec<Stack>| !stack.disks().is_empty() && group[0].disks() == stack.disks();
            match groups.iter_mut().find(shares) {
                Some(group) => group.push(stack),
                None => groups.push(vec![stack]),
            }
        }
        groups
    }

    /// The last part of its mount point.
    pub fn name(self) -> &'static str {
        match self {
            Stack::Partition => "partition",
            Stack::Lvm => "lvm",
            Stack::Luks => "luks",
            Stack::LuksLvm => "luks-lvm",
            Stack::Raid => "raid",
            Stack::Loop => "loop",
            Stack::Bind => "bind",
            Stack::Btrfs => "btrfs",
            Stack::BtrfsTwo => "btrfs-two",
            Stack::Xfs => "xfs",
            Stack::Overlay => "overlay",
            Stack::Tmpfs => "tmpfs",
        }
    }

    /// The disks at the bottom: `/dev/disk/by-id/virtio-NAME`.
    pub fn disks(self) -> &'static [&'static str] {
        match self {
            Stack::Partition | Stack::Bind | Stack::Overlay => &["partition"],
            Stack::Lvm => &["lvm"],
            Stack::Luks => &["luks"],
            Stack::LuksLvm => &["luks-lvm"],
            Stack::Raid => &["raid-a", "raid-b"],
            Stack::Loop => &["loop"],
            Stack::Btrfs => &["btrfs"],
            Stack::BtrfsTwo => &["btrfs-a", "btrfs-b"],
            Stack::Xfs => &["xfs"],
            Stack::Tmpfs => &[],
        }
    }

    /// Makes it where it is missing, mounts it, and returns where.
    #[track_caller]
    pub fn mount(self, machine: &Machine) -> String {
        let path = format!("/mnt/{}", self.name());
        machine.ok(&format!("{HELPERS}\nat={path}\n{}", self.script()));
        path
    }

    /// Mounts it without a file on it: tests before this one left theirs, and a disk is small.
    #[track_caller]
    pub fn mount_empty(self, machine: &Machine) -> String {
        let path = self.mount(machine);
        machine.ok(&format!(
            "for upper in bind overlay; do ! mountpoint --quiet /mnt/$upper || umount /mnt/$upper; done
             find {path} -xdev -mindepth 1 -delete"
        ));
        path
    }

    fn script(self) -> &'static str {
        match self {
            Stack::Partition => "partition",
            Stack::Lvm => "volume $(disk lvm) lvm; ext4 /dev/lvm/data; mounted /dev/lvm/data $at",
            Stack::Luks => "opened $(disk luks) luks; ext4 /dev/mapper/luks; mounted /dev/mapper/luks $at",
            Stack::LuksLvm => {
                "opened $(disk luks-lvm) below-lvm; volume /dev/mapper/below-lvm luks-lvm
                 ext4 /dev/luks-lvm/data; mounted /dev/luks-lvm/data $at"
            }
            Stack::Raid => {
                "pair=\"$(disk raid-a) $(disk raid-b)\"
                 [ -e /dev/md/raid ] || mdadm --quiet --assemble /dev/md/raid $pair ||
                     mdadm --quiet --create /dev/md/raid --run --level=1 --raid-devices=2 --assume-clean $pair
                 udevadm settle; ext4 /dev/md/raid; mounted /dev/md/raid $at"
            }
            Stack::Loop => {
                "ext4 $(disk loop); mounted $(disk loop) /mnt/below-loop
                 [ -e /mnt/below-loop/image ] || truncate --size=256M /mnt/below-loop/image
                 ext4 /mnt/below-loop/image; mounted -o loop /mnt/below-loop/image $at"
            }
            Stack::Bind => "partition; mkdir -p /mnt/partition/bound; mounted --bind /mnt/partition/bound $at",
            Stack::Btrfs => "! bare $(disk btrfs) || mkfs.btrfs --quiet $(disk btrfs); mounted $(disk btrfs) $at",
            Stack::BtrfsTwo => {
                "pair=\"$(disk btrfs-a) $(disk btrfs-b)\"
                 ! bare $(disk btrfs-a) || mkfs.btrfs --quiet --data raid0 --metadata raid1 $pair
                 btrfs device scan $pair >/dev/null; mounted $(disk btrfs-a) $at"
            }
            Stack::Xfs => "! bare $(disk xfs) || mkfs.xfs -q $(disk xfs); mounted $(disk xfs) $at",
            Stack::Overlay => {
                "partition; cd /mnt/partition; mkdir -p lower upper work
                 mounted -t overlay -o lowerdir=$PWD/lower,upperdir=$PWD/upper,workdir=$PWD/work overlay $at"
            }
            Stack::Tmpfs => "mounted -t tmpfs -o size=64M tmpfs $at",
        }
    }
}

/// Bytes written to each of these disks since boot.
fn written(machine: &Machine, disks: &[&str]) -> Vec<u64> {
    let list = disks.join(" ");
    let script = format!(
        "for disk in {list}; do name=$(basename \"$(readlink -f /dev/disk/by-id/virtio-$disk)\"); \
         awk '{{ print $7 * 512 }}' /sys/block/$name/stat; done"
    );
    machine.ok(&script).lines().map(|line| line.parse().unwrap()).collect()
}

fn every_stack_mounts_and_writes_to_its_disks(machine: &mut Machine) {
    let machine = &*machine;
    side_by_side(&Stack::groups(), |group| {
        for stack in group {
            mounts_and_writes_to_its_disks(machine, *stack);
        }
    });
}

fn mounts_and_writes_to_its_disks(machine: &Machine, stack: Stack) {
    const FILE: u64 = 8 << 20;
    let path = stack.mount(machine);
    assert_eq!(stack.mount(machine), path, "a second time");
    let before = written(machine, stack.disks());
    machine.ok(&format!("dd if=/dev/urandom of={path}/file bs=1M count=8 conv=fsync status=none"));
    let after = written(machine, stack.disks());
    let share = if stack == Stack::BtrfsTwo { FILE / 2 } else { FILE };
    for ((disk, before), after) in stack.disks().iter().zip(before).zip(after) {
        let grown = after - before;
        assert!((share..share + FILE / 4).contains(&grown), "{stack:?}: {grown} bytes were written to {disk}");
    }
}
