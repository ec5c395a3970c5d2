//! The database server that a dump works on: which of its processes work for the run, and how its other sessions fare.
//!
//! The cgroup of the server is no witness while it is being dumped: the dump's own backend waits for the disk more than anybody. So
//! the sessions of others testify in its place, and where those cannot be seen, the tasks of the server that are blocked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::database::{Sight, View, Watcher};
use super::mean::Mean;
use super::readings::{Sample, Signal};
use super::sense::{Agents, Senses};
use crate::kernel::procfs::{self, PROC, Pid};

/// Units that are taken for the server where its sessions cannot be seen.
const LIKELY: &[&str] = &["postgresql", "postgres"];

/// The server of one run.
#[derive(Debug)]
pub struct Server {
    /// The same whatever is known of it, for what is usual goes by it.
    name: Arc<str>,
    watcher: Watcher,
    waiting: Mean,
    blocked: Mean,
    /// The cgroup of each backend of the run, found once.
    homes: BTreeMap<Pid, PathBuf>,
    seen_at: Option<Instant>,
}

/// What is known of it at one tick.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// What works for the run.
    pub agents: Agents,
    /// How the others fare.
    pub samples: Vec<Sample>,
    /// The longest wait for a lock that the dump holds.
    pub lock_wait: Option<Duration>,
    /// What the dump's own session waits for.
    pub session_waits: Option<String>,
    /// What cannot be seen, and what stands in.
    pub news: Vec<String>,
}

impl Server {
    /// Watches the server of this name.
    pub fn new(name: &str, watcher: Watcher) -> Server {
        Server {
            name: name.into(),
            watcher,
            waiting: Mean::default(),
            blocked: Mean::default(),
            homes: BTreeMap::new(),
            seen_at: None,
        }
    }

    /// What is known now.
    pub fn ask(&mut self, now: Instant, senses: &Senses) -> Told {
        let sight = self.watcher.sight().clone();
        match sight {
            Sight::Connecting => Told::default(),
            Sight::Seen(view) => {
                self.find_homes(&view.agents);
                let cgroups: BTreeSet<PathBuf> = self.homes.values().cloned().collect();
                // A view counts once: the same one twice is no second witness.
                if self.seen_at != Some(view.at) {
                    self.seen_at = Some(view.at);
                    self.waiting.take(now, f64::from(view.waiting));
                }
                let samples =
                    vec![Sample { signal: Signal::Waiters, of: self.name.clone(), value: self.waiting.value() }];
                let agents = Agents { cgroups, pids: view.agents };
                let (lock_wait, session_waits) = (view.lock_wait, view.agent_wait);
                Told { agents, samples, lock_wait, session_waits, news: vec![] }
            }
            Sight::Blind { why, part } => self.blocked(now, senses, &why, part),
        }
    }

    fn find_homes(&mut self, agents: &[Pid]) {
        if agents.is_empty() {
            // Between two dumps of a run the server is a witness again.
            self.homes.clear();
        }
        for pid in agents {
            if !self.homes.contains_key(pid)
                && let Some(cgroup) = procfs::cgroup_of(Path::new(PROC), *pid)
            {
                // The kernel writes it from the root of the hierarchy, units are told relative to its mount.
                self.homes.insert(*pid, cgroup.strip_prefix("/").map(Path::to_path_buf).unwrap_or(cgroup));
            }
        }
    }

    /// Without its sessions: tasks of what looks like the server.
    fn blocked(&mut self, now: Instant, senses: &Senses, why: &str, part: Option<View>) -> Told {
        let pids = part.as_ref().map(|view| view.agents.clone()).unwrap_or_default();
        let lock_wait = part.and_then(|view| view.lock_wait);
        self.find_homes(&pids);
        let known: BTreeSet<PathBuf> = self.homes.values().cloned().collect();
        let likely = |unit: &str| LIKELY.iter().any(|name| unit.starts_with(name));
        let cgroups = if known.is_empty() { senses.groups_of(likely) } else { known };
        let what = match cgroups.is_empty() {
            true => "nothing of the database server steers".to_owned(),
            false => format!("steering by blocked tasks of {} instead", units(&cgroups)),
        };
        let news = vec![format!("sessions of the database server cannot be seen: {why}; {what}")];
        let counts = cgroups.iter().filter_map(|cgroup| senses.blocked_in(cgroup, &pids));
        let blocked = f64::from(counts.sum::<u32>());
        // Where it is not known which is the dump's own backend, one of them is it.
        let own = if pids.is_empty() { 1.0 } else { 0.0 };
        let value = self.blocked.take(now, (blocked - own).max(0.0));
        let samples = vec![Sample { signal: Signal::Blocked, of: self.name.clone(), value }];
        Told { agents: Agents { cgroups, pids }, samples, lock_wait, session_waits: None, news }
    }
}

/// `postgresql@15-main.service`.
fn units(cgroups: &BTreeSet<PathBuf>) -> String {
    let names = cgroups.iter().filter_map(|path| path.file_name());
    names.map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ")
}
