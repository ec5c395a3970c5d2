//! What passed the run's disks, less what the run and its agents moved; and how fast each disk was seen to write.
//!
//! Invariant: a byte is counted once. The disks are the lowest of their stacks, and of the run's own figures only those of the same
//! disks count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::news::News;
use super::{Agents, Ours, OwnRates};
use crate::kernel::block::device::Device;
use crate::kernel::block::diskstats::{self, Passed};
use crate::kernel::block::stat;
use crate::kernel::block::{Number, Roots};
use crate::kernel::fs;
use crate::kernel::kept::Lasting;
use crate::kernel::procfs::{self, Pid};

/// What a disk is believed to write, in bytes a second, until it has shown more: the slowest disk in use today.
pub const LEAST: f64 = 4e6;

/// The share of a window in which a disk must have had something to do for its speed to say what it can do.
const BUSY: f64 = 0.5;

/// Shortest window that tells a speed.
const WINDOW: Duration = Duration::from_millis(500);

/// Most processes whose figures are read one by one, where no cgroup adds them up.
const MOST: usize = 64;

/// The disks of a run.
#[derive(Debug)]
pub struct Disks {
    proc: PathBuf,
    all: Lasting,
    disks: Vec<Disk>,
    own: Own,
    own_before: Option<Bytes>,
    agents: BTreeMap<Pid, u64>,
}

#[derive(Debug)]
struct Disk {
    number: Number,
    name: String,
    before: Option<Passed>,
    /// The largest speed it wrote at while it was busy, in bytes a second.
    shown: Option<f64>,
}

/// Where the run's own bytes are counted.
#[derive(Debug)]
enum Own {
    /// By the kernel, for a group.
    Group(Lasting),
    /// For each process.
    Processes { worker: Pid, group: Option<PathBuf> },
}

/// Bytes moved so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bytes {
    read: u64,
    written: u64,
}

/// What a window showed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Traffic {
    /// Bytes a second of others; `None` where no disk is known.
    pub foreign: Option<f64>,
    /// Of the run itself.
    pub own: OwnRates,
}

impl Disks {
    /// Opens nothing that is not there.
    pub fn open(roots: &Roots, ours: &Ours) -> Disks {
        let disk = |number: &Number| Disk {
            number: *number,
            name: Device::by_number(&roots.sys, *number).map_or_else(|_| number.to_string(), |device| device.name),
            before: None,
            shown: None,
        };
        // Source and target may lie on the same one.
        let devices: BTreeSet<Number> = ours.devices.iter().copied().collect();
        let counted = [&ours.unit, &ours.payload].into_iter().flatten().map(|group| group.join("io.stat"));
        // Of a command it is not known where it reads: its processes tell how much, whatever disk it was.
        let known = !devices.is_empty();
        let own = match counted.into_iter().find(|path| known && fs::exists(path)) {
            Some(path) => Own::Group(Lasting::at(path)),
            None => Own::Processes { worker: ours.worker, group: ours.payload.clone() },
        };
        Disks {
            proc: roots.proc.clone(),
            all: Lasting::at(roots.proc.join("diskstats")),
            disks: devices.iter().map(disk).collect(),
            own,
            own_before: None,
            agents: BTreeMap::new(),
        }
    }

    /// The names of the disks.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.disks.iter().map(|disk| disk.name.as_str()).collect();
        names.join(", ")
    }

    /// Bytes a second the disks can write, as far as they have shown it; `None` before any was busy, for then nobody waits either.
    /// Of several the fastest one counts: two halves of a mirror write the same bytes.
    pub fn write_rate(&self) -> Option<f64> {
        self.disks.iter().filter_map(|disk| disk.shown).max_by(f64::total_cmp).map(|shown| shown.max(LEAST))
    }

    /// What passed in a window.
    pub fn look(&mut self, window: Duration, agents: &Agents, news: &mut News) -> Traffic {
        let passed = self.passed(window, news);
        let own = self.own(news);
        let (before, seconds) = (self.own_before, window.as_secs_f64().max(0.001));
        self.own_before = own.or(before);
        let moved = before.zip(own).map_or_else(Bytes::default, |(before, now)| now.since(before));
        let agents = self.agents(agents, news);
        let foreign = passed.map(|bytes| bytes.saturating_sub(moved.read + moved.written).saturating_sub(agents));
        Traffic {
            foreign: foreign.map(|bytes| bytes as f64 / seconds),
            own: OwnRates {
                read_bytes: moved.read as f64 / seconds,
                write_bytes: moved.written as f64 / seconds,
                cpu: 0.0,
            },
        }
    }

    /// Bytes through the disks since the last look.
    fn passed(&mut self, window: Duration, news: &mut News) -> Option<u64> {
        let disks = &mut self.disks;
        let mut now = vec![None; disks.len()];
        let read = self.all.parsed(|text| {
            for (number, passed) in diskstats::parse(text) {
                let places = disks.iter().zip(now.iter_mut()).filter(|(disk, _)| disk.number == number);
                places.for_each(|(_, place)| *place = Some(passed));
            }
            Some(())
        });
        match read {
            Ok(Some(())) => {}
            Ok(None) => return None,
            Err(e) => {
                news.tell(e.chain());
                return None;
            }
        }
        let mut sum = None;
        for (disk, now) in self.disks.iter_mut().zip(now) {
            if now.is_none() {
                news.tell(format!("the disk `{}` is not there: its figures are missing", disk.name));
            }
            if let (Some(before), Some(now)) = (disk.before, now) {
                let written = now.written.saturating_sub(before.written);
                let bytes = now.read.saturating_sub(before.read).saturating_add(written);
                sum = Some(sum.unwrap_or(0_u64).saturating_add(bytes));
                let busy = Duration::from_millis(now.busy.saturating_sub(before.busy));
                if window >= WINDOW && busy >= window.mul_f64(BUSY) {
                    let speed = written as f64 / window.as_secs_f64();
                    disk.shown = Some(disk.shown.unwrap_or(0.0).max(speed));
                }
            }
            disk.before = now;
        }
        sum
    }

    /// Bytes of the run since it is there.
    fn own(&mut self, news: &mut News) -> Option<Bytes> {
        match &mut self.own {
            Own::Group(file) => {
                let disks = &self.disks;
                let sum = file.parsed(|text| {
                    let stat = stat::parse(text).ok()?;
                    let each = disks.iter().map(|disk| stat.of(disk.number));
                    Some(each.fold(Bytes::default(), |sum, moved| sum.plus(moved.rbytes, moved.wbytes)))
                });
                sum.unwrap_or_else(|e| {
                    news.tell(e.chain());
                    None
                })
            }
            Own::Processes { worker, group } => {
                // What a child moved becomes its parent's when it has been waited for: with this process the sum never falls.
                let members = match group {
                    Some(group) => crate::kernel::cgroup::Cgroup::at(group.clone()).members().unwrap_or_default(),
                    None => procfs::family(&self.proc, *worker),
                };
                if members.len() > MOST {
                    news.tell(format!(
                        "of more than {MOST} processes of the run, what the others move counts as foreign"
                    ));
                }
                let asked = members.into_iter().take(MOST).chain([*worker]);
                let io = asked.filter_map(|pid| procfs::io(&self.proc, pid).ok());
                Some(io.fold(Bytes::default(), |sum, io| {
                    sum.plus(io.read_bytes, io.write_bytes.saturating_sub(io.cancelled_write_bytes))
                }))
            }
        }
    }

    /// Bytes of those who work for the run, since the last look.
    fn agents(&mut self, agents: &Agents, news: &mut News) -> u64 {
        let mut now = BTreeMap::new();
        for pid in agents.pids.iter().take(MOST) {
            match procfs::io(&self.proc, *pid) {
                Ok(io) => {
                    now.insert(*pid, io.read_bytes.saturating_add(io.write_bytes));
                }
                Err(e) if e.is_gone() => {}
                Err(e) => news.tell(format!("what its agents move counts as foreign: {}", e.source)),
            }
        }
        let moved = now.iter().filter_map(|(pid, bytes)| Some(bytes.saturating_sub(*self.agents.get(pid)?))).sum();
        self.agents = now;
        moved
    }
}

impl Bytes {
    fn plus(self, read: u64, written: u64) -> Bytes {
        Bytes { read: self.read.saturating_add(read), written: self.written.saturating_add(written) }
    }

    fn since(self, before: Bytes) -> Bytes {
        Bytes { read: self.read.saturating_sub(before.read), written: self.written.saturating_sub(before.written) }
    }
}

/// Whether a directory is a group that counts what it has written and not yet sent to a disk; of one that is yet to come, whether
/// those beside it do.
pub fn counts_memory(group: &Path) -> bool {
    let beside = group.parent().filter(|_| !fs::exists(group));
    [Some(group), beside].into_iter().flatten().any(|group| fs::exists(&group.join("memory.stat")))
}
