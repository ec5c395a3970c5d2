//! Tasks that want a processor or wait for a disk, less the run's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::news::News;
use super::{Agents, Ours};
use crate::kernel::kept::{Kept, Lasting};
use crate::kernel::machine::{self, Tasks};
use crate::kernel::procfs::{self, Pid};

/// Most own tasks that are looked at in one tick, and whose descriptors are kept; of more, so many in turn stand for all. One costs
/// some microseconds.
const MOST: usize = 32;

/// Ticks a mean is taken over: a second.
const WINDOW: usize = 4;

/// Tasks of others, each a mean over the last ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Foreign {
    /// Run or wait for a processor.
    pub running: f64,
    /// Wait for a disk.
    pub blocked: f64,
    /// Processors there are.
    pub processors: f64,
}

/// The queues of the machine.
#[derive(Debug)]
pub struct Queues {
    proc: PathBuf,
    machine: Lasting,
    load: Lasting,
    /// The tasks of the payload; without a group of its own, those that descend from this process.
    payload: Option<Lasting>,
    worker: Pid,
    own: Vec<Pid>,
    states: BTreeMap<Pid, Kept>,
    turn: usize,
    last: [Foreign; WINDOW],
    seen: usize,
}

impl Queues {
    /// Opens nothing that is not there.
    pub fn open(proc: &Path, ours: &Ours) -> Queues {
        Queues {
            proc: proc.to_path_buf(),
            machine: Lasting::at(proc.join("stat")),
            load: Lasting::at(proc.join("loadavg")),
            payload: ours.payload.as_ref().map(|group| Lasting::at(group.join("cgroup.threads"))),
            worker: ours.worker,
            own: vec![],
            states: BTreeMap::new(),
            turn: 0,
            last: [Foreign::default(); WINDOW],
            seen: 0,
        }
    }

    /// The load average over a minute.
    pub fn load(&mut self) -> Option<f64> {
        self.load.parsed(machine::parse_loadavg).ok().flatten()
    }

    /// Whether they can be seen at all.
    pub fn are_there(&mut self) -> bool {
        matches!(self.machine.parsed(machine::parse_stat), Ok(Some(_)))
    }

    /// Those of others; `None` where the machine's cannot be read.
    pub fn look(&mut self, agents: &Agents, news: &mut News) -> Option<Foreign> {
        let all = match self.machine.parsed(machine::parse_stat) {
            Ok(all) => all?,
            Err(e) => {
                news.tell(e.chain());
                return None;
            }
        };
        self.find_own(agents, news);
        let (running, blocked) = self.count_own();
        let foreign = foreign(all, running, blocked);
        if let Some(place) = self.last.get_mut(self.seen % WINDOW) {
            *place = foreign;
        }
        self.seen += 1;
        Some(mean(self.last.get(..self.seen.min(WINDOW)).unwrap_or_default()))
    }

    fn find_own(&mut self, agents: &Agents, news: &mut News) {
        self.own.clear();
        match &mut self.payload {
            Some(tasks) => {
                let own = &mut self.own;
                let listed = tasks.parsed(|text| {
                    own.extend(text.lines().filter_map(|line| line.parse::<Pid>().ok()));
                    Some(())
                });
                if let Err(e) = listed {
                    news.tell(e.chain());
                }
            }
            None => self.own.extend(procfs::family(&self.proc, self.worker)),
        }
        self.own.extend(&agents.pids);
        self.own.retain(|pid| *pid != self.worker);
        self.own.sort_unstable();
        self.own.dedup();
        let own = &self.own;
        // Where they take turns, none is looked at again soon.
        self.states.retain(|pid, _| own.len() <= MOST && own.binary_search(pid).is_ok());
    }

    /// How many of its own run, and how many sleep uninterruptibly: this process, which is running now, among them.
    fn count_own(&mut self) -> (f64, f64) {
        let (count, some) = (self.own.len(), self.own.len().min(MOST));
        let (mut running, mut blocked) = (0.0, 0.0);
        for pid in self.own.iter().cycle().skip(self.turn).take(some) {
            match state(&mut self.states, &self.proc, *pid) {
                Some('R') => running += 1.0,
                Some('D') => blocked += 1.0,
                _ => {}
            }
        }
        self.turn = if count > MOST { (self.turn + some) % count } else { 0 };
        let each = if some == 0 { 0.0 } else { count as f64 / some as f64 };
        (1.0 + running * each, blocked * each)
    }
}

fn state(states: &mut BTreeMap<Pid, Kept>, proc: &Path, pid: Pid) -> Option<char> {
    let kept = match states.entry(pid) {
        std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
        // One that ended meanwhile wants nothing any more.
        std::collections::btree_map::Entry::Vacant(entry) => {
            entry.insert(Kept::open(&proc.join(format!("{pid}/stat"))).ok()?)
        }
    };
    let state = kept.bytes().ok().and_then(procfs::parse_state);
    if state.is_none() {
        states.remove(&pid);
    }
    state
}

fn foreign(all: Tasks, running: f64, blocked: f64) -> Foreign {
    Foreign {
        running: (all.running as f64 - running).max(0.0),
        blocked: (all.blocked as f64 - blocked).max(0.0),
        processors: (all.processors as f64).max(1.0),
    }
}

fn mean(seen: &[Foreign]) -> Foreign {
    let of = |value: fn(&Foreign) -> f64| seen.iter().map(value).sum::<f64>() / (seen.len() as f64).max(1.0);
    Foreign { running: of(|f| f.running), blocked: of(|f| f.blocked), processors: of(|f| f.processors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_never_make_less_than_nobody() {
        let all = Tasks { running: 4, blocked: 2, processors: 2 };
        assert_eq!(foreign(all, 3.0, 0.0), Foreign { running: 1.0, blocked: 2.0, processors: 2.0 });
        assert_eq!(foreign(all, 9.0, 9.0), Foreign { running: 0.0, blocked: 0.0, processors: 2.0 });
        assert_eq!(mean(&[]), Foreign::default());
    }
}
