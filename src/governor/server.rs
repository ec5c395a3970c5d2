//! The database server that a dump works on: which of its processes work for the run, and how its other sessions fare.
//!
//! The cgroup of the server is no witness while it is being dumped: the dump's own backend waits for the disk more than anybody. So
//! the sessions of others testify in its place, and where those cannot be seen, the tasks of the server that are blocked.

use std::collections::BTreeSet;
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

/// What a process of the server is called.
const PROGRAM: &str = "postgres";

/// What was seen so long ago tells nothing of now.
const STALE: Duration = Duration::from_millis(1500);

/// The server of one run.
#[derive(Debug)]
pub struct Server {
    /// The same whatever is known of it, for what is usual goes by it.
    name: Arc<str>,
    watcher: Watcher,
    waiting: Mean,
    blocked: Mean,
    /// Whether it can be on this machine.
    is_local: bool,
    /// The cgroups of the run's backends, relative to the mount.
    homes: BTreeSet<PathBuf>,
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
    /// Watches the server of this name; `is_local` where it can be on this machine.
    pub fn new(name: &str, is_local: bool, watcher: Watcher) -> Server {
        Server {
            name: name.into(),
            watcher,
            waiting: Mean::default(),
            blocked: Mean::default(),
            is_local,
            homes: BTreeSet::new(),
            seen_at: None,
        }
    }

    /// What is known now.
    pub fn ask(&mut self, now: Instant, senses: &Senses) -> Told {
        let sight = self.watcher.sight().clone();
        match sight {
            // Its backend may be at work already: until it is known which that is, the whole server is no witness.
            Sight::Connecting => Told { agents: self.agents(&[], senses), ..Told::default() },
            Sight::Seen(view) if now.saturating_duration_since(view.at) > STALE => {
                Told { agents: self.agents(&view.agents, senses), lock_wait: view.lock_wait, ..Told::default() }
            }
            Sight::Seen(view) => {
                self.find_homes(&view.agents);
                // A view counts once: the same one twice is no second witness.
                if self.seen_at != Some(view.at) {
                    self.seen_at = Some(view.at);
                    self.waiting.take(now, f64::from(view.waiting));
                }
                let samples =
                    vec![Sample { signal: Signal::Waiters, of: self.name.clone(), value: self.waiting.value() }];
                let agents = Agents { cgroups: self.homes.clone(), pids: self.local(&view.agents) };
                let (lock_wait, session_waits) = (view.lock_wait, view.agent_wait);
                Told { agents, samples, lock_wait, session_waits, news: vec![] }
            }
            Sight::Blind { why, part } => self.blocked(now, senses, &why, part),
        }
    }

    /// Takes note of where the backends of the run are. Between two of its dumps there are none, and the server is a witness again.
    fn find_homes(&mut self, agents: &[Pid]) {
        if agents.is_empty() {
            self.homes.clear();
        }
        for pid in self.local(agents) {
            // The kernel writes it from the root of the hierarchy, units are told relative to its mount. What is in the root itself is in
            // nobody's group.
            let home = procfs::cgroup_of(Path::new(PROC), pid);
            let home = home.and_then(|home| home.strip_prefix("/").map(Path::to_path_buf).ok());
            self.homes.extend(home.filter(|home| !home.as_os_str().is_empty()));
        }
    }

    /// Those of its processes that are on this machine. A server elsewhere tells numbers that somebody else may have here.
    fn local(&self, agents: &[Pid]) -> Vec<Pid> {
        let is_server = |pid: &Pid| procfs::name(Path::new(PROC), *pid).is_some_and(|name| name == PROGRAM);
        if self.is_local { agents.iter().copied().filter(is_server).collect() } else { vec![] }
    }

    /// Its groups as far as they are known, else what looks like it.
    fn agents(&mut self, pids: &[Pid], senses: &Senses) -> Agents {
        if !pids.is_empty() {
            self.find_homes(pids);
        }
        let likely = |unit: &str| LIKELY.iter().any(|name| unit.starts_with(name));
        let cgroups = match (self.homes.is_empty(), self.is_local) {
            (false, _) => self.homes.clone(),
            (true, true) => senses.groups_of(likely),
            (true, false) => BTreeSet::new(),
        };
        Agents { cgroups, pids: self.local(pids) }
    }

    /// Without its sessions: tasks of the server.
    fn blocked(&mut self, now: Instant, senses: &Senses, why: &str, part: Option<View>) -> Told {
        let pids = part.as_ref().map(|view| view.agents.clone()).unwrap_or_default();
        let lock_wait = part.and_then(|view| view.lock_wait);
        let agents = self.agents(&pids, senses);
        let what = match agents.cgroups.is_empty() {
            true => "nothing of the database server steers".to_owned(),
            false => format!("steering by blocked tasks of {} instead", units(&agents.cgroups)),
        };
        let news = vec![format!("sessions of the database server cannot be seen: {why}; {what}")];
        let counts = agents.cgroups.iter().filter_map(|cgroup| senses.blocked_in(cgroup, &agents.pids));
        let blocked = f64::from(counts.sum::<u32>());
        // Where it is not known which is the dump's own backend, one of them is it.
        let own = if agents.pids.is_empty() { 1.0 } else { 0.0 };
        let value = self.blocked.take(now, (blocked - own).max(0.0));
        let samples = vec![Sample { signal: Signal::Blocked, of: self.name.clone(), value }];
        Told { agents, samples, lock_wait, session_waits: None, news }
    }
}

/// `postgresql@15-main.service`.
fn units(cgroups: &BTreeSet<PathBuf>) -> String {
    let names = cgroups.iter().filter_map(|path| path.file_name());
    names.map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ")
}
