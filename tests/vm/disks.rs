//! The storage stacks that people have, each built once on disks of its own and mounted at `/mnt/NAME`.

use crate::machine::Machine;

/// A stack of block devices.
pub struct Stack {
    /// Its name, and where it is mounted below `/mnt`.
    pub name: &'static str,
    /// Builds and mounts it; `$1` is the mount point.
    build: &'static str,
    /// The devices whose cap reaches it, as paths; each serves the same share of one stream.
    pub capped: &'static [&'static str],
}

/// What LUKS needs: a key that is no secret, derived at once.
const LUKS: &str = "
    luks() {
        echo key >/run/key
        cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \"$1\" /run/key
        cryptsetup open --key-file /run/key \"$1\" \"$2\"
    }
    disk() { readlink -f \"/dev/disk/by-id/virtio-$1\"; }
";

/// Every stack on which a cap can work.
pub const STACKS: &[Stack] = &[
    Stack {
        name: "partition",
        build: "echo , | sfdisk --quiet --label gpt $(disk ext4); udevadm settle; mkfs.ext4 -q $(disk ext4)1; mount $(disk ext4)1 $1",
        capped: &["/dev/disk/by-id/virtio-ext4"],
    },
    Stack {
        name: "lvm",
        build: "pvcreate -q $(disk lvm); vgcreate -q vg $(disk lvm); lvcreate -q -y -n data -l 100%FREE vg
                mkfs.ext4 -q /dev/vg/data; mount /dev/vg/data $1",
        capped: &["/dev/vg/data"],
    },
    Stack {
        name: "luks",
        build: "luks $(disk luks) safe; mkfs.ext4 -q /dev/mapper/safe; mount /dev/mapper/safe $1",
        capped: &["/dev/mapper/safe"],
    },
    Stack {
        name: "lvm-on-luks",
        build: "luks $(disk luks-lvm) crypt; pvcreate -q /dev/mapper/crypt; vgcreate -q inside /dev/mapper/crypt
                lvcreate -q -y -n data -l 100%FREE inside; mkfs.ext4 -q /dev/inside/data; mount /dev/inside/data $1",
        capped: &["/dev/inside/data"],
    },
    Stack {
        name: "md",
        build: "mdadm --quiet --create /dev/md/pair --run --metadata=1.2 --level=1 --raid-devices=2 $(disk raid-a) $(disk raid-b)
                udevadm settle; mkfs.ext4 -q /dev/md/pair; mount /dev/md/pair $1",
        capped: &["/dev/md/pair"],
    },
    Stack {
        name: "loop",
        build: "mkdir -p /mnt/host; mkfs.ext4 -q $(disk loop); mount $(disk loop) /mnt/host; truncate -s 200M /mnt/host/image
                losetup /dev/loop5 /mnt/host/image; mkfs.ext4 -q /dev/loop5; mount /dev/loop5 $1",
        capped: &["/dev/loop5"],
    },
    Stack {
        name: "bind",
        build: "mkdir -p /mnt/partition/below; mount --bind /mnt/partition/below $1",
        capped: &["/dev/disk/by-id/virtio-ext4"],
    },
    Stack {
        name: "btrfs",
        build: "mkfs.btrfs -q -f $(disk btrfs); mount $(disk btrfs) $1",
        capped: &["/dev/disk/by-id/virtio-btrfs"],
    },
    Stack {
        name: "btrfs-pair",
        build: "mkfs.btrfs -q -f -m raid1 -d raid0 $(disk btrfs-a) $(disk btrfs-b); mount $(disk btrfs-a) $1",
        capped: &["/dev/disk/by-id/virtio-btrfs-a", "/dev/disk/by-id/virtio-btrfs-b"],
    },
    Stack {
        name: "xfs",
        build: "mkfs.xfs -q -f $(disk xfs); mount $(disk xfs) $1",
        capped: &["/dev/disk/by-id/virtio-xfs"],
    },
    Stack {
        name: "overlay",
        build: "mkdir -p /mnt/partition/upper /mnt/partition/work /mnt/partition/lower
                mount -t overlay -o lowerdir=/mnt/partition/lower,upperdir=/mnt/partition/upper,workdir=/mnt/partition/work overlay $1",
        capped: &["/dev/disk/by-id/virtio-ext4"],
    },
];

impl Stack {
    /// Where it is mounted.
    pub fn mount_point(&self) -> String {
        format!("/mnt/{}", self.name)
    }

    /// Builds and mounts it, unless it is there.
    pub fn mount(&self, machine: &mut Machine) {
        let point = self.mount_point();
        let Stack { build, .. } = self;
        let script = format!(
            "mountpoint -q {point} && exit; mkdir -p {point}; {LUKS}\nbuild() {{ set -e\n{build}\n}}\nbuild {point} >/dev/null"
        );
        machine.ok(&script);
    }

    /// The numbers of the devices whose cap reaches it, as io.max has them.
    pub fn numbers(&self, machine: &mut Machine) -> Vec<String> {
        let one = |path: &&str| machine.ok(&format!("cat /sys/class/block/$(basename $(readlink -f {path}))/dev"));
        self.capped.iter().map(one).collect()
    }
}
