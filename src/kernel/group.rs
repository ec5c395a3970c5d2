//! All processes of a payload as one thing: pause, resume, end.
//!
//! With a cgroup the kernel keeps the books. Without one the payload is whatever descends from the worker, which adopts orphans
//! for that purpose; a process cannot leave its ancestors.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

pub use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::cgroup::Cgroup;
use super::cgroup::controller::Controller;
use super::cgroup::place::{self, Place};
use super::process::{self, KILL_PATIENCE};
use super::procfs::{self, PROC, Pid};
use super::{Error, Result};

/// Between two looks at processes that are on their way out.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The processes of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// In a cgroup of their own.
    Cgroup(Enclosure),
    /// Descendants of this process; why there is no cgroup.
    Descendants {
        /// For people.
        reason: String,
    },
}

/// A payload's cgroup and what can be limited in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// The group.
    pub cgroup: Cgroup,
    /// The controllers whose limits the kernel enforces on it.
    pub controllers: BTreeSet<Controller>,
    /// Why there are no more, where that is known.
    pub shortfall: Option<String>,
    /// Its parent is this run's alone, such as a unit of systemd: weights among siblings are that one's.
    pub in_unit: bool,
}

/// How much of a payload the kernel holds for us, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A cgroup with cpu, io and memory.
    Full,
    /// A cgroup with some of them.
    Partial,
    /// A cgroup that can be frozen and killed, without limits.
    Freeze,
    /// Nothing but signals and priorities.
    Signals,
}

impl Level {
    /// The word in status, ledger and log.
    pub fn word(self) -> &'static str {
        match self {
            Level::Full => "full",
            Level::Partial => "partial",
            Level::Freeze => "freeze",
            Level::Signals => "signals",
        }
    }
}

impl Enclosure {
    /// A group in `parent`. Where this process is alone there, as in a unit of its own, it moves into a leaf `worker` and the
    /// payload gets a leaf `payload` beside it: only so may controllers be handed on. Else a group of the given name, with the
    /// controllers that happen to be there.
    fn create(parent: &Path, name: &str) -> Result<Enclosure> {
        let own = Cgroup::at(parent.to_path_buf());
        let in_unit = own.holds_only(process::own_pid())?;
        let (cgroup, shortfall) = if in_unit {
            Cgroup::create(parent, "worker")?.take_in(process::own_pid())?;
            let handed_on = own.hand_on_controllers();
            (Cgroup::create(parent, "payload")?, handed_on.err().map(|e| e.chain()))
        } else {
            let why = match own.controllers() {
                Ok(there) if there.is_empty() => format!("no controller reaches `{}`", parent.display()),
                _ => "other processes share its cgroup, so that controllers cannot be handed on".to_owned(),
            };
            (Cgroup::create(parent, name)?, Some(why))
        };
        let controllers = cgroup.controllers().unwrap_or_default();
        Ok(Enclosure { cgroup, controllers, shortfall, in_unit })
    }

    /// What can be enforced on it.
    pub fn level(&self) -> Level {
        let needed = [Controller::Cpu, Controller::Io, Controller::Memory];
        match needed.iter().filter(|c| self.controllers.contains(c)).count() {
            0 => Level::Freeze,
            3 => Level::Full,
            _ => Level::Partial,
        }
    }

    fn explain(&self) -> String {
        let path = self.cgroup.path().display();
        let names: Vec<&str> = self.controllers.iter().map(|c| c.name()).collect();
        match (self.level(), &self.shortfall) {
            (Level::Full, _) => format!("cgroup `{path}` with {}", names.join(", ")),
            (Level::Partial, why) => {
                let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                format!("cgroup `{path}` with {} alone{why}", names.join(", "))
            }
            _ => format!("freezer cgroup `{path}`, nice, ioprio"),
        }
    }
}

impl Group {
    /// The best this machine allows, for a payload with this (unique) name, in a process that may be this unit.
    pub fn create(name: &str, unit: &str) -> Group {
        let reason = match place::find_place(unit) {
            Place::Below(parent) => match Enclosure::create(&parent, name) {
                Ok(enclosure) => return Group::Cgroup(enclosure),
                Err(error) => error.chain(),
            },
            Place::Nowhere(reason) => reason,
        };
        Group::Descendants { reason }
    }

    /// The level of enforcement it gives.
    pub fn level(&self) -> Level {
        match self {
            Group::Cgroup(enclosure) => enclosure.level(),
            Group::Descendants { .. } => Level::Signals,
        }
    }

    /// What the level means and why it is no better.
    pub fn explain(&self) -> String {
        match self {
            Group::Cgroup(enclosure) => enclosure.explain(),
            Group::Descendants { reason } => format!("process signals, nice, ioprio: {reason}"),
        }
    }

    /// Its cgroup, if it has one.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        match self {
            Group::Cgroup(enclosure) => Some(&enclosure.cgroup),
            Group::Descendants { .. } => None,
        }
    }

    /// The processes in it now; zombies do not count.
    pub fn members(&self) -> Result<Vec<Pid>> {
        match self {
            Group::Cgroup(Enclosure { cgroup, .. }) => unless_gone(cgroup.members(), vec![]),
            Group::Descendants { .. } => {
                let all = procfs::processes(Path::new(PROC))?;
                let family = procfs::descendants(&all, process::own_pid());
                Ok(family.into_iter().filter(|s| s.state != 'Z').map(|s| s.pid).collect())
            }
        }
    }

    /// Stops all of it. On a cgroup the kernel does so as soon as it can, which [`Group::is_paused`] tells.
    pub fn pause(&self) -> Result<()> {
        match self {
            Group::Cgroup(Enclosure { cgroup, .. }) => unless_gone(cgroup.freeze(true), ()),
            Group::Descendants { .. } => self.signal(Signal::SIGSTOP),
        }
    }

    /// Lets all of it go on.
    pub fn resume(&self) -> Result<()> {
        match self {
            Group::Cgroup(Enclosure { cgroup, .. }) => unless_gone(cgroup.freeze(false), ()),
            Group::Descendants { .. } => self.signal(Signal::SIGCONT),
        }
    }

    /// Whether all of it has stopped.
    pub fn is_paused(&self) -> Result<bool> {
        match self {
            Group::Cgroup(Enclosure { cgroup, .. }) => unless_gone(cgroup.is_frozen(), true),
            Group::Descendants { .. } => {
                let all = procfs::processes(Path::new(PROC))?;
                let family = procfs::descendants(&all, process::own_pid());
                Ok(family.iter().all(|s| matches!(s.state, 'T' | 't' | 'Z')))
            }
        }
    }

    /// Asks all of it to end. A frozen process with a handler does not hear this: resume first.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Kills until nothing is left, and reaps what was adopted; `known` are the children somebody waits for.
    pub async fn kill(&self, known: &[Pid]) -> Result<()> {
        let deadline = Instant::now() + KILL_PATIENCE;
        loop {
            match self {
                Group::Cgroup(Enclosure { cgroup, .. }) => unless_gone(cgroup.kill(), ())?,
                Group::Descendants { .. } => self.signal(Signal::SIGKILL)?,
            }
            process::reap_orphans(known);
            let left = self.members()?;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let pids: Vec<String> = left.iter().map(Pid::to_string).collect();
                return Err(Error::about("kill process", pids.join("`, `"), std::io::ErrorKind::TimedOut));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Removes what [`Group::create`] made; where its writes were capped, once they are on their disk. Everything in it must have ended.
    pub async fn delete(&self) -> Result<()> {
        match self {
            Group::Cgroup(Enclosure { cgroup, .. }) => {
                // Without such caps, what is still on its way to the disk gets there no faster when somebody waits for it.
                if cgroup.lift_write_caps()? {
                    cgroup.drain().await?;
                }
                cgroup.delete().await
            }
            Group::Descendants { .. } => Ok(()),
        }
    }

    /// Sends a signal to everything in it but `spared`; says how many there were.
    pub fn signal_others(&self, signal: Signal, spared: &[Pid]) -> Result<usize> {
        let others: Vec<Pid> = self.members()?.into_iter().filter(|pid| !spared.contains(pid)).collect();
        for pid in &others {
            process::signal(*pid, signal)?;
        }
        Ok(others.len())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.signal_others(signal, &[]).map(|_| ())
    }
}

/// A group that somebody removed, which the kernel allows only when it is empty, stands still and has no members.
fn unless_gone<T>(answer: Result<T>, empty: T) -> Result<T> {
    match answer {
        Err(e) if matches!(e.errno(), Some(libc::ENOENT | libc::ENODEV)) => Ok(empty),
        other => other,
    }
}

/// Children of this process that are not to be ended with what it adopts.
pub fn children() -> Result<Vec<Pid>> {
    let own = process::own_pid();
    Ok(procfs::processes(Path::new(PROC))?.into_iter().filter(|s| s.parent == own).map(|s| s.pid).collect())
}

/// Ends every descendant of this process but `elders` and theirs: what a dead worker left has become ours.
pub async fn end_adopted(elders: &[Pid]) -> Result<()> {
    let deadline = Instant::now() + KILL_PATIENCE;
    loop {
        let all = procfs::processes(Path::new(PROC))?;
        let spared: Vec<Pid> = elders
            .iter()
            .flat_map(|elder| procfs::descendants(&all, *elder))
            .map(|s| s.pid)
            .chain(elders.iter().copied())
            .collect();
        let family = procfs::descendants(&all, process::own_pid());
        let adopted: Vec<Pid> =
            family.iter().filter(|s| s.state != 'Z' && !spared.contains(&s.pid)).map(|s| s.pid).collect();
        if adopted.is_empty() || Instant::now() > deadline {
            return Ok(());
        }
        for pid in adopted {
            process::signal(pid, Signal::SIGKILL)?;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        process::reap_orphans(elders);
    }
}

/// Ends what a dead worker left behind: its cgroup if it had one, and every process that carries the run's mark in its
/// environment. The caller's own process is spared.
pub async fn end_leftovers(cgroup: Option<&Path>, mark: &str) -> Result<usize> {
    let mut ended = 0;
    if let Some(path) = cgroup.filter(|p| p.is_dir()) {
        let cgroup = Cgroup::at(path.to_path_buf());
        let group = Group::Cgroup(Enclosure { cgroup, controllers: BTreeSet::new(), shortfall: None, in_unit: false });
        ended += group.members()?.len();
        group.kill(&[]).await?;
        group.delete().await?;
    }
    let deadline = Instant::now() + KILL_PATIENCE;
    loop {
        let marked = procfs::with_variable(Path::new(PROC), mark)?;
        let others: Vec<Pid> = marked.into_iter().filter(|pid| *pid != process::own_pid()).collect();
        if others.is_empty() || Instant::now() > deadline {
            return Ok(ended);
        }
        for pid in &others {
            process::signal(*pid, Signal::SIGKILL)?;
        }
        ended += others.len();
        tokio::time::sleep(LOOK_AGAIN).await;
        process::reap_orphans(&[]);
    }
}
