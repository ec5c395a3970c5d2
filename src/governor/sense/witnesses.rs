//! The stall of protected units, over the window since the tick before.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::choose::Unit;
use super::news::News;
use crate::governor::readings::Signal;
use crate::kernel::kept::Kept;
use crate::kernel::psi::{self, Resource};

/// Most units that are watched: each keeps three descriptors, and a process has 1,024 by default.
pub const MOST: usize = 250;

/// The protected units and their counters.
#[derive(Debug)]
pub struct Witnesses {
    /// Where cgroup2 is mounted.
    mount: PathBuf,
    watched: Vec<Witness>,
}

#[derive(Debug)]
struct Witness {
    unit: Unit,
    counters: Vec<Counter>,
}

/// One pressure file and its total at the tick before, in µs.
#[derive(Debug)]
struct Counter {
    signal: Signal,
    file: Kept,
    before: Option<u64>,
}

impl Witnesses {
    /// Nobody yet.
    pub fn of(mount: PathBuf) -> Witnesses {
        Witnesses { mount, watched: vec![] }
    }

    /// Those that are watched.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.watched.iter().map(|witness| &witness.unit)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// Watches these from now on; who is watched already keeps its counters.
    pub fn watch(&mut self, units: Vec<Unit>, news: &mut News) {
        if units.len() > MOST {
            news.tell(format!("only the first {MOST} of {} services are watched", units.len()));
        }
        let mut before = std::mem::take(&mut self.watched);
        let mut uncounted = vec![];
        for unit in units.into_iter().take(MOST) {
            match before.iter().position(|witness| witness.unit == unit) {
                Some(place) => self.watched.push(before.swap_remove(place)),
                None => match open(&self.mount, unit, news) {
                    Ok(witness) => self.watched.push(witness),
                    Err(unit) => uncounted.push(unit),
                },
            }
        }
        // Where it is counted for none, what steers instead is told elsewhere.
        if !self.watched.is_empty() {
            let there = uncounted.iter().filter(|unit| crate::kernel::fs::exists(&self.mount.join(&unit.group)));
            there.for_each(|unit| news.tell(format!("pressure is not counted for `{}`: it is not watched", unit.name)));
        }
    }

    /// Asks each of them and hands what is above 0 to `found`: unit, signal, share of the window. The names of those that are gone
    /// come back; they are watched no more.
    pub fn ask(
        &mut self,
        window: Duration,
        news: &mut News,
        mut found: impl FnMut(&Unit, Signal, f64),
    ) -> Vec<Arc<str>> {
        let mut gone = Vec::new();
        self.watched.retain_mut(|Witness { unit, counters }| {
            for counter in counters {
                match counter.file.parsed(psi::parse) {
                    Ok(now) => {
                        let share = counter.before.replace(now.some).map(|before| share(before, now.some, window));
                        if let Some(share) = share.filter(|share| *share > 0.0) {
                            found(unit, counter.signal, share);
                        }
                    }
                    Err(e) if e.is_gone() => {
                        gone.push(Arc::clone(&unit.name));
                        return false;
                    }
                    Err(e) => {
                        counter.before = None;
                        news.tell(e.chain());
                    }
                }
            }
            true
        });
        gone
    }
}

/// Opens the counters of a unit; an error where it has none, or is gone already.
fn open(mount: &Path, unit: Unit, news: &mut News) -> Result<Witness, Unit> {
    let group = mount.join(&unit.group);
    let mut counters = Vec::with_capacity(Resource::ALL.len());
    for resource in Resource::ALL {
        match Kept::open(&group.join(resource.file())) {
            Ok(file) => counters.push(Counter { signal: signal(resource), file, before: None }),
            Err(e) if e.is_gone() => {}
            Err(e) => news.tell(e.chain()),
        }
    }
    if counters.is_empty() { Err(unit) } else { Ok(Witness { unit, counters }) }
}

fn signal(resource: Resource) -> Signal {
    match resource {
        Resource::Io => Signal::IoStall,
        Resource::Memory => Signal::MemoryStall,
        Resource::Cpu => Signal::CpuStall,
    }
}

/// The share of a window that a total in µs grew by. The kernel books a stall at its end: it may come to more than the window.
fn share(before: u64, now: u64, window: Duration) -> f64 {
    let window = window.as_micros() as f64;
    if window <= 0.0 { 0.0 } else { (now.saturating_sub(before) as f64 / window).min(1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_share_is_one(before: u64, now: u64, window: u64) {
            let share = share(before, now, Duration::from_micros(window));
            prop_assert!((0.0..=1.0).contains(&share));
        }
    }

    #[test]
    fn a_quarter_of_a_window() {
        assert_eq!(share(1_000_000, 1_062_500, Duration::from_millis(250)), 0.25);
        assert_eq!(share(5, 4, Duration::from_millis(250)), 0.0);
    }
}
