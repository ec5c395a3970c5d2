//! The keys of `[limits]` and `[slice]` as they were typed, each read on its own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use toml::de::DeValue;

use super::{CpuWeight, Resource, WriteCap};
use crate::config::diagnostic::quoted;
use crate::config::reader::{Field, Reader};
use crate::config::units::{CpuMax, Memory, Rate};
use crate::config::value::{self, Read, Refusal, Value};

/// Slower than this no backup ends; the kernel itself takes 2 bytes per second and more.
const LEAST_RATE: u64 = 64 << 10;
/// The kernel refuses 1, and cuts off silently what does not fit into 32 bits.
const IOPS: std::ops::RangeInclusive<i64> = 2..=u32::MAX as i64;
/// Threads count: tar, a pump and what they start fit into the least; the most is the kernel's number of processes.
const PIDS: std::ops::RangeInclusive<i64> = 16..=1 << 22;

/// `[limits]`
#[derive(Debug, Clone)]
pub struct LimitsKeys {
    /// What `[slice]` has, too.
    pub common: CommonKeys,
    /// `require`
    pub require: Field<BTreeSet<Resource>>,
}

/// `[slice]`, and what `[limits]` has of it. `None` is `"unlimited"`.
#[derive(Debug, Clone)]
pub struct CommonKeys {
    /// `io_read`: 64 KiB/s or more.
    pub io_read: Field<Option<Rate>>,
    /// `io_write`: 64 KiB/s or more.
    pub io_write: Field<Option<Rate>>,
    /// `io_read_iops`: 2 or more.
    pub io_read_iops: Field<Option<u64>>,
    /// `io_write_iops`: 2 or more.
    pub io_write_iops: Field<Option<u64>>,
    /// `io_weight`: 1 to 10,000.
    pub io_weight: Field<u16>,
    /// `io_paths`
    pub io_paths: Field<Vec<PathBuf>>,
    /// `write_cap`
    pub write_cap: Field<WriteCap>,
    /// `cpu_weight`: 1 to 10,000, or `"idle"`.
    pub cpu_weight: Field<CpuWeight>,
    /// `cpu_max`
    pub cpu_max: Field<Option<CpuMax>>,
    /// `memory_high`
    pub memory_high: Field<Option<Memory>>,
    /// `memory_max`
    pub memory_max: Field<Option<Memory>>,
    /// `pids_max`: 16 to 4,194,304.
    pub pids_max: Field<Option<u64>>,
}

impl LimitsKeys {
    /// Reads `[limits]`.
    pub fn read(r: &mut Reader<'_>) -> LimitsKeys {
        LimitsKeys {
            common: CommonKeys::read(r),
            require: r.key("require", |value| {
                const RESOURCES: &[(&str, Resource)] = &[
                    ("io", Resource::Io),
                    ("cpu", Resource::Cpu),
                    ("memory", Resource::Memory),
                    ("freeze", Resource::Freeze),
                ];
                let listed = value::distinct(value::any_list(value::word(RESOURCES)))(value)?;
                Ok(listed.into_iter().collect())
            }),
        }
    }
}

impl CommonKeys {
    /// Takes what is absent for something that could not be read, where a job could be blamed for its absence.
    pub fn doubt(&mut self) {
        self.io_read.doubt();
        self.io_write.doubt();
        self.io_read_iops.doubt();
        self.io_write_iops.doubt();
        self.io_paths.doubt();
        self.write_cap.doubt();
        self.memory_max.doubt();
    }

    /// Reads `[slice]`, or its part of `[limits]`.
    pub fn read(r: &mut Reader<'_>) -> CommonKeys {
        const WRITE_CAPS: &[(&str, WriteCap)] =
            &[("refuse", WriteCap::Refuse), ("accept-journal-stalls", WriteCap::AcceptJournalStalls)];
        const MEMORY: &str = "a size such as `128MiB` or a share of the memory such as `25%`";
        const CORES: &str = "a percentage of one core such as `50%` or `200%`";
        CommonKeys {
            io_read: r.key("io_read", value::or_word("unlimited", rate)),
            io_write: r.key("io_write", value::or_word("unlimited", rate)),
            io_read_iops: r.key("io_read_iops", value::or_word("unlimited", value::integer(IOPS))),
            io_write_iops: r.key("io_write_iops", value::or_word("unlimited", value::integer(IOPS))),
            io_weight: r.key("io_weight", value::integer(1..=10_000)),
            io_paths: r.key("io_paths", value::distinct(value::any_list(value::path))),
            write_cap: r.key("write_cap", value::word(WRITE_CAPS)),
            cpu_weight: r.key("cpu_weight", cpu_weight),
            cpu_max: r.key("cpu_max", value::or_word("unlimited", value::unit(CORES))),
            memory_high: r.key("memory_high", value::or_word("unlimited", value::unit(MEMORY))),
            memory_max: r.key("memory_max", value::or_word("unlimited", value::unit(MEMORY))),
            pids_max: r.key("pids_max", value::or_word("unlimited", value::integer(PIDS))),
        }
    }
}

/// A rate that a backup can end at.
pub fn rate(value: &Value<'_>) -> Read<Rate> {
    let rate: Rate = value::unit("a rate such as `20MB/s`")(value)?;
    match Rate::per_second(LEAST_RATE) {
        Some(least) if rate < least => {
            Err(vec![Refusal::new(value, format!("must be at least `{least}`, not `{rate}`"))])
        }
        _ => Ok(rate),
    }
}

/// A weight, or the word for "after everybody".
fn cpu_weight(value: &Value<'_>) -> Read<CpuWeight> {
    const EXPECTED: &str = "must be an integer from 1 to 10000, or `idle`";
    match value.get_ref() {
        DeValue::String(text) if text == "idle" => Ok(CpuWeight::Idle),
        DeValue::String(text) if text.parse::<i64>().is_err() => {
            Err(vec![Refusal::new(value, format!("{EXPECTED}, not {}", quoted(text)))])
        }
        _ => value::integer(1..=10_000)(value).map(CpuWeight::Shares),
    }
}
