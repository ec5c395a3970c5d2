//! The layers of `[limits]` and `[slice]` laid over each other, and over hygiene.

use std::fmt::Display;

use super::keys::CommonKeys;
use super::{CpuLimits, IoLimits, MemoryLimits, SliceLimits};
use crate::config::merge::{Merge, first};
use crate::config::reader::Field;

/// What `[limits]` and `[slice]` have in common.
pub fn common(merge: &mut Merge<'_>, section: &str, layers: &[&CommonKeys], built_in: SliceLimits) -> SliceLimits {
    let mut pick = Pick { merge, section, layers };
    let (io, cpu) = (built_in.io, built_in.cpu);
    let memory = kept_in_order(layers, built_in.memory);
    SliceLimits {
        io: IoLimits {
            read: pick.limit("io_read", |keys| &keys.io_read, io.read),
            write: pick.limit("io_write", |keys| &keys.io_write, io.write),
            read_iops: pick.count("io_read_iops", |keys| &keys.io_read_iops, io.read_iops),
            write_iops: pick.count("io_write_iops", |keys| &keys.io_write_iops, io.write_iops),
            weight: pick.io_weight(io.weight),
            paths: pick.value("io_paths", |keys| &keys.io_paths, io.paths, "[]"),
        },
        write_cap: pick.value("write_cap", |keys| &keys.write_cap, built_in.write_cap, "\"refuse\""),
        cpu: CpuLimits {
            weight: pick.value("cpu_weight", |keys| &keys.cpu_weight, cpu.weight, &cpu.weight.to_string()),
            max: pick.limit("cpu_max", |keys| &keys.cpu_max, cpu.max),
        },
        memory: MemoryLimits {
            high: pick.limit("memory_high", |keys| &keys.memory_high, memory.high),
            max: pick.limit("memory_max", |keys| &keys.memory_max, memory.max),
        },
        pids_max: pick.count("pids_max", |keys| &keys.pids_max, built_in.pids_max),
    }
}

/// A typed `memory_max` takes a built-in `memory_high` down with it: whoever sets one shall not have to set both.
fn kept_in_order(layers: &[&CommonKeys], built_in: MemoryLimits) -> MemoryLimits {
    let fields: Vec<_> = layers.iter().map(|keys| &keys.memory_max).collect();
    let max = first(&fields).and_then(|typed| typed.value);
    let high = built_in.high.map(|high| max.filter(|max| *max < high).unwrap_or(high));
    MemoryLimits { high, ..built_in }
}

/// Picks the values of one section.
struct Pick<'m, 'd> {
    merge: &'m mut Merge<'d>,
    section: &'m str,
    layers: &'m [&'m CommonKeys],
}

impl Pick<'_, '_> {
    fn value<T: Clone>(&mut self, key: &str, of: fn(&CommonKeys) -> &Field<T>, built_in: T, printed: &str) -> T {
        let fields: Vec<&Field<T>> = self.layers.iter().map(|keys| of(keys)).collect();
        self.merge.or_default(&format!("{}.{key}", self.section), &fields, built_in, printed)
    }

    /// A limit with a unit.
    fn limit<T: Copy + Display>(
        &mut self,
        key: &str,
        of: fn(&CommonKeys) -> &Field<Option<T>>,
        built_in: Option<T>,
    ) -> Option<T> {
        let printed = built_in.map_or_else(unlimited, |limit| format!("\"{limit}\""));
        self.value(key, of, built_in, &printed)
    }

    /// A limit that is a plain number.
    fn count(&mut self, key: &str, of: fn(&CommonKeys) -> &Field<Option<u64>>, built_in: Option<u64>) -> Option<u64> {
        let printed = built_in.map_or_else(unlimited, |limit| limit.to_string());
        self.value(key, of, built_in, &printed)
    }

    /// There is no word for "no weight": what nobody set is left as the kernel has it.
    fn io_weight(&mut self, built_in: Option<u16>) -> Option<u16> {
        let fields: Vec<&Field<u16>> = self.layers.iter().map(|keys| &keys.io_weight).collect();
        let key = format!("{}.io_weight", self.section);
        match built_in {
            Some(weight) => Some(self.merge.or_default(&key, &fields, weight, &weight.to_string())),
            None => self.merge.optional(&key, &fields),
        }
    }
}

fn unlimited() -> String {
    "\"unlimited\"".to_owned()
}
