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
#[derive(Debug, Default)]
struct Tally(BTreeMap<Pid, Io>);

impl Tally {
    /// Looks at every process; one that is gone keeps what it was last seen with. A parent counts its children's bytes once more
    /// when it has waited for them, so the sum is never too small by more than what came between two looks.
    fn look(&mut self, members: &[Pid]) {
        for pid in members {
            // One that ended meanwhile is no loss: what it moved is in the counters of the device.
            if let Ok(io) = procfs::io(Path::new(PROC), *pid) {
                self.0.insert(*pid, io);
            }
        }
    }

    fn sum(&self, of: impl Fn(&Io) -> u64) -> u64 {
        self.0.values().map(of).sum()
    }
}

impl Guard {
    /// Guards the caps that were just set.
    pub fn new(in_force: &InForce, now: Instant) -> Guard {
        let watched = in_force.caps.iter().flat_map(|(_, limits)| limits).filter_map(Watched::of).collect();
        Guard { watched, tally: Tally::default(), lowest: BTreeMap::new(), begun: now, last: None }
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
                    payload: self.tally.sum(|io| io.read_bytes),
                    pending: 0,
                    elsewhere: elsewhere.rbytes,
                    bytes: own.rbytes,
                    requests: own.rios,
                },
                IoKey::WriteBytes | IoKey::WriteOps => Sample {
                    at,
                    payload: self.tally.sum(|io| io.write_bytes),
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
