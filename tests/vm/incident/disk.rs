//! The disks of the matrix: how fast, and how much there is to back up, so that an arm takes about a minute.

use crate::qemu::Speed;

/// How fast the one disk is that has the database, the files, and the artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disk {
    /// A virtual disk as servers rent it.
    Usual,
    /// The cheapest one.
    Slow,
    /// A local SSD, next to this CPU.
    Fast,
}

impl Disk {
    pub const ALL: [Disk; 3] = [Disk::Usual, Disk::Slow, Disk::Fast];

    pub fn name(self) -> &'static str {
        match self {
            Disk::Usual => "usual",
            Disk::Slow => "slow",
            Disk::Fast => "fast",
        }
    }

    /// What qemu lets pass, in both directions together.
    pub fn speed(self) -> Speed {
        match self {
            Disk::Usual => Speed { bytes: 40 << 20, requests: 400 },
            Disk::Slow => Speed { bytes: 10 << 20, requests: 100 },
            Disk::Fast => Speed { bytes: 200 << 20, requests: 5_000 },
        }
    }

    /// What is backed up, so that cron takes about a minute for it.
    pub fn volume(self) -> Volume {
        match self {
            Disk::Usual | Disk::Fast => Volume { files: "forum", left_out: &["pgbench_accounts"] },
            Disk::Slow => Volume::SMALL,
        }
    }

    /// Fixed rates for the pump, uncompressed bytes a second: from a pace that hurts nobody to one that is not felt as a limit.
    pub fn rates(self) -> [&'static str; 3] {
        match self {
            Disk::Usual | Disk::Fast => ["5MB/s", "10MB/s", "20MB/s"],
            Disk::Slow => ["1500KB/s", "3MB/s", "6MB/s"],
        }
    }
}

/// What is backed up; see `tests/vm/incident/disk`.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    /// The directory below /forum/srv: 122 MB in `forum`, 53 in `few`.
    pub files: &'static str,
    /// Tables whose rows a dump leaves out. Without pgbench's it has 300 MB, without the old posts 100.
    pub left_out: &'static [&'static str],
}

impl Volume {
    /// The smaller one.
    pub const SMALL: Volume = Volume { files: "few", left_out: &["pgbench_accounts", "posts_old"] };
}
