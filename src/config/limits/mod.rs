//! What a run may take of the machine: `[limits]` of a job, `[slice]` of `govern.toml`.
//!
//! ```text
//! keys (what was typed) ─▶ rules (what contradicts itself), merge (which layer holds) ─▶ Limits, SliceLimits
//! ```
//!
//! Invariant: what stands here is what the kernel takes. A value out of its range is refused where it was typed, not when
//! the run starts. Whether a limit can be enforced on this machine is not known here: the run decides, and says so.

pub mod keys;
mod merge;
pub(super) mod rules;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fragment::KindName;
use super::merge::Setting;
use super::policy::Compression;
use super::units::{CpuMax, Memory, Rate};

/// The limits of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Disks.
    pub io: IoLimits,
    /// Whether `io.write` and `io.write_iops` are set on a file system that others write to.
    pub write_cap: WriteCap,
    /// Processors.
    pub cpu: CpuLimits,
    /// Memory.
    pub memory: MemoryLimits,
    /// Most processes and threads at once, 16 to 4,194,304; `None`: no limit.
    pub pids_max: Option<u64>,
    /// What must be in force: without it the run does not start, and when it turns out not to hold the run ends.
    pub require: BTreeSet<Resource>,
}

/// The limits of all runs together. Each run has those that stood in `govern.toml` when it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceLimits {
    /// Disks: those of the runs there are, and those of its own paths.
    pub io: IoLimits,
    /// Whether `io.write` and `io.write_iops` are set on a file system that others write to.
    pub write_cap: WriteCap,
    /// Processors.
    pub cpu: CpuLimits,
    /// Memory.
    pub memory: MemoryLimits,
    /// Most processes and threads at once, 16 to 4,194,304; `None`: no limit.
    pub pids_max: Option<u64>,
}

/// [`SliceLimits`] and where they came from.
#[derive(Debug, Clone)]
pub struct Slice {
    /// What holds.
    pub limits: SliceLimits,
    /// Where each value came from, in the order of the keys.
    pub settings: Vec<Setting>,
}

/// Limits on disks. A cap holds for each disk on its own; `None`: no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoLimits {
    /// Bytes read in a second, 64 KiB or more.
    pub read: Option<Rate>,
    /// Bytes written in a second, 64 KiB or more.
    pub write: Option<Rate>,
    /// Reads in a second, 2 (the kernel refuses 1) to 4,294,967,295.
    pub read_iops: Option<u64>,
    /// Writes in a second, in the same range.
    pub write_iops: Option<u64>,
    /// Share of a busy disk among siblings, 1 to 10,000; `None` leaves the kernel's 100. It acts under BFQ and iocost only.
    pub weight: Option<u16>,
    /// Absolute paths whose disks the caps are set on, beside those of the sources and the target, which are known.
    pub paths: Vec<PathBuf>,
}

/// Whether a cap on writes may be set where it makes others wait.
///
/// ext4 in ordered mode writes the data of a capped writer before its journal commits: everybody's fsync waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteCap {
    /// Only on a file system that nobody else writes to.
    #[default]
    Refuse,
    /// Everywhere.
    AcceptJournalStalls,
}

/// Limits on processors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuLimits {
    /// Share of a busy processor.
    pub weight: CpuWeight,
    /// The most it gets on an idle machine, too; `None`: no limit.
    pub max: Option<CpuMax>,
}

/// Share of a busy processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuWeight {
    /// Among siblings, 1 to 10,000; who says nothing has 100.
    Shares(u16),
    /// Only what nobody else wants (`cpu.idle`).
    Idle,
}

/// Limits on memory, the page cache of a job's files included; `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryLimits {
    /// From here on the job's own cache is reclaimed, and the job made to wait: nothing is killed.
    pub high: Option<Memory>,
    /// What needs more is killed.
    pub max: Option<Memory>,
}

impl MemoryLimits {
    /// `high` and `max` in bytes, on a machine with so many bytes of memory. Where a share and a size meet, `high` can come
    /// out above `max`; it is lowered then, so that a job waits before it is killed.
    pub fn bytes(self, total: u64) -> (Option<u64>, Option<u64>) {
        let bytes = |limit: Option<Memory>| limit.map(|memory| memory.bytes(total));
        let (high, max) = (bytes(self.high), bytes(self.max));
        (high.map(|high| max.map_or(high, |max| high.min(max))), max)
    }
}

/// As it is typed.
impl fmt::Display for CpuWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CpuWeight::Shares(shares) => shares.fmt(f),
            CpuWeight::Idle => f.pad("\"idle\""),
        }
    }
}

/// What a policy can insist on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// The caps on disks.
    Io,
    /// The limits on processors.
    Cpu,
    /// The limits on memory.
    Memory,
    /// That the payload can be frozen as a whole.
    Freeze,
}

impl Resource {
    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Resource::Io => "io",
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Freeze => "freeze",
        }
    }
}

/// A tenth of what everybody else gets.
const LOW: u16 = 10;

impl Limits {
    /// What holds without a word in the policy.
    ///
    /// Measured on a disk of 40 MB/s and 400 IOPS beside a busy database (the share of its requests over 500 ms): `tar`
    /// as cron runs it 9.4 %, in 88 s; with `memory.high` at 128 MiB, `cpu.weight` 10 and few writes in flight none, in
    /// 69 s. The job reclaims its own cache, not that of the database.
    ///
    /// Of 128 MiB a pump takes 16 at zstd's level 3, 27 at level 9, but 58 at 12 and 103 at 19 (peak resident memory,
    /// measured): above level 9 it gets 96 MiB more, so that what is left for the cache stays the same.
    ///
    /// A command gets a quarter of the machine: what it needs is not known, and a restic with its index in memory would
    /// crawl under a small fixed value.
    pub fn hygiene(kind: KindName, compression: Compression) -> Limits {
        let high = match (kind, compression) {
            (KindName::Command | KindName::Unit, _) => Memory::Percent(25),
            (_, Compression::Zstd { level: 10.. }) => Memory::Bytes(224 << 20),
            _ => Memory::Bytes(128 << 20),
        };
        Limits {
            io: IoLimits::default(),
            write_cap: WriteCap::Refuse,
            cpu: CpuLimits { weight: CpuWeight::Shares(LOW), max: None },
            memory: MemoryLimits { high: Some(high), max: None },
            pids_max: None,
            require: BTreeSet::new(),
        }
    }
}

impl SliceLimits {
    /// What holds without a word in `govern.toml`: low weights, and nothing that could make one run slow for the sake of
    /// another.
    pub fn hygiene() -> SliceLimits {
        SliceLimits {
            io: IoLimits { weight: Some(LOW), ..IoLimits::default() },
            write_cap: WriteCap::Refuse,
            cpu: CpuLimits { weight: CpuWeight::Shares(LOW), max: None },
            memory: MemoryLimits::default(),
            pids_max: None,
        }
    }
}
