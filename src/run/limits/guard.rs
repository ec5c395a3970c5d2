//! Watches the caps of a payload while it reads and writes, and says when one is proven or disproved.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::{Duration, Instant};

use super::enforce::InForce;
use super::proof::{self, Sample, Verdict, Watch};
use crate::kernel::Result;
use crate::kernel::block::device::Device;
use crate::kernel::block::stat::IoStat;
use crate::kernel::block::{Number, Roots};
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::limit::{IoKey, Limit};
use crate::kernel::procfs::{self, Io, PROC, Pid};

/// How often samples are taken: twice in the time over which a speed is taken.
const EVERY: Duration = Duration::from_millis(500);

/// The guard of one payload.
#[derive(Debug)]
pub struct Guard {
    watched: Vec<Watched>,
    tally: Tally,
    /// Whether a device is the lowest of its stack; it is asked once.
    lowest: BTreeMap<Number, bool>,
    begun: Instant,
    last: Option<Instant>,
}

#[derive(Debug)]
struct Watched {
    limit: Limit,
    device: Number,
    key: IoKey,
    watch: Watch,
}

/// A cap of which something new is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// The cap.
    pub limit: Limit,
    /// What is known.
    pub verdict: Verdict,
}

/// What the processes of a payload moved, those that are gone included.
///
/// The kernel adds the figures of a process to those of its parent when the parent has waited for it, so a child that is gone
/// counts only where its parent is not in the payload: else it would count twice. Between the two its figures are nowhere; the sums
/// stand still meanwhile instead of falling, so that no gap becomes a jump.
#[derive(Debug, Default)]
struct Tally {
    living: BTreeMap<Pid, (Io, Pid)>,
    ended: Io,
    highest: Io,
}

impl Tally {
    fn look(&mut self, members: &[Pid]) {
        let proc = Path::new(PROC);
        let read = |pid: &Pid| Some((*pid, (procfs::io(proc, *pid).ok()?, procfs::stat(proc, *pid)?.parent)));
        self.take(members.iter().filter_map(read).collect());
    }

    fn take(&mut self, living: BTreeMap<Pid, (Io, Pid)>) {
        let before = std::mem::replace(&mut self.living, living);
        for (io, parent) in before.iter().filter(|(pid, _)| !self.living.contains_key(pid)).map(|(_, known)| known) {
            if !self.living.contains_key(parent) {
                add(&mut self.ended, io);
            }
        }
        let mut sum = self.ended;
        self.living.values().for_each(|(io, _)| add(&mut sum, io));
        let highest = &mut self.highest;
        highest.read_bytes = highest.read_bytes.max(sum.read_bytes);
        highest.write_bytes = highest.write_bytes.max(sum.write_bytes);
        highest.cancelled_write_bytes = highest.cancelled_write_bytes.max(sum.cancelled_write_bytes);
    }

    fn read(&self) -> u64 {
        self.highest.read_bytes
    }

    fn written(&self) -> u64 {
        self.highest.write_bytes.saturating_sub(self.highest.cancelled_write_bytes)
    }
}

fn add(sum: &mut Io, io: &Io) {
    sum.read_bytes += io.read_bytes;
    sum.write_bytes += io.write_bytes;
    sum.cancelled_write_bytes += io.cancelled_write_bytes;
}

impl Guard {
    /// Guards the caps that were just set.
    pub fn new(in_force: &InForce, now: Instant) -> Guard {
        let watched = in_force.caps.iter().flat_map(|(_, limits)| limits).filter_map(Watched::of).collect();
        Guard { watched, tally: Tally::default(), lowest: BTreeMap::new(), begun: now, last: None }
    }

    /// A cap has another value from now on, is one more, or is gone.
    pub fn change(&mut self, limit: &Limit) {
        let Some(new) = Watched::of(limit) else {
            if let Limit::Io { device, key, cap: None } = *limit {
                self.watched.retain(|watched| (watched.device, watched.key) != (device, key));
            }
            return;
        };
        match self.watched.iter_mut().find(|watched| watched.device == new.device && watched.key == new.key) {
            Some(watched) => {
                watched.limit = new.limit;
                watched.watch.change(new.watch.cap());
            }
            None => self.watched.push(new),
        }
    }

    /// Looks, if it is time to; says of which caps something new is known.
    ///
    /// # Errors
    /// When the counters of the cgroup cannot be read.
    pub fn look(&mut self, cgroup: &Cgroup, now: Instant) -> Result<Vec<News>> {
        if self.watched.is_empty() || self.last.is_some_and(|last| now.duration_since(last) < EVERY) {
            return Ok(vec![]);
        }
        self.last = Some(now);
        self.tally.look(&cgroup.members()?);
        let stat = IoStat::read(cgroup.path())?;
        let unwritten = cgroup.unwritten()?.unwrap_or_default();
        self.learn(&stat);
        let (lowest, begun) = (&self.lowest, self.begun);
        let mut news = vec![];
        for watched in &mut self.watched {
            let own = stat.of(watched.device);
            let elsewhere = stat.elsewhere(watched.device, &|device| lowest.get(&device).copied().unwrap_or(true));
            let at = now.duration_since(begun);
            let sample = match watched.key {
                IoKey::ReadBytes | IoKey::ReadOps => Sample {
                    at,
                    payload: self.tally.read(),
                    pending: 0,
                    elsewhere: elsewhere.rbytes,
                    bytes: own.rbytes,
                    requests: own.rios,
                },
                IoKey::WriteBytes | IoKey::WriteOps => Sample {
                    at,
                    payload: self.tally.written(),
                    pending: unwritten,
                    elsewhere: elsewhere.wbytes,
                    bytes: own.wbytes,
                    requests: own.wios,
                },
            };
            let before = watched.watch.verdict();
            let verdict = watched.watch.feed(sample);
            if std::mem::discriminant(&before) != std::mem::discriminant(&verdict) {
                news.push(News { limit: watched.limit, verdict });
            }
        }
        Ok(news)
    }

    fn learn(&mut self, stat: &IoStat) {
        let sys = Roots::default().sys;
        for device in stat.devices() {
            self.lowest.entry(device).or_insert_with(|| {
                Device::by_number(&sys, device).and_then(|device| device.is_lowest()).unwrap_or(true)
            });
        }
    }
}

impl Watched {
    fn of(limit: &Limit) -> Option<Watched> {
        let Limit::Io { device, key, cap: Some(cap) } = *limit else { return None };
        let unit = match key {
            IoKey::ReadBytes | IoKey::WriteBytes => proof::Unit::Bytes,
            IoKey::ReadOps | IoKey::WriteOps => proof::Unit::Requests,
        };
        let watch = Watch::new(proof::Cap { unit, per_second: NonZeroU64::new(cap)? });
        Some(Watched { limit: *limit, device, key, watch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: Pid = 1;

    fn io(read_bytes: u64) -> Io {
        Io { read_bytes, ..Io::default() }
    }

    #[test]
    fn a_child_that_its_parent_waited_for_counts_once() {
        let mut tally = Tally::default();
        tally.take([(10, (io(1), WORKER)), (11, (io(100), 10))].into());
        assert_eq!(tally.read(), 101);
        // It is gone, and its parent has not waited yet: no gap.
        tally.take([(10, (io(1), WORKER))].into());
        assert_eq!(tally.read(), 101);
        tally.take([(10, (io(101), WORKER))].into());
        assert_eq!(tally.read(), 101);
        // The parent is waited for by the worker, which is not in the payload.
        tally.take([].into());
        tally.take([(12, (io(5), WORKER))].into());
        assert_eq!(tally.read(), 106);
    }

    #[test]
    fn what_was_removed_before_it_reached_a_disk_was_not_written() {
        let mut tally = Tally::default();
        let temporary = Io { write_bytes: 50, cancelled_write_bytes: 40, ..Io::default() };
        tally.take([(10, (temporary, WORKER))].into());
        assert_eq!(tally.written(), 10);
    }
}
