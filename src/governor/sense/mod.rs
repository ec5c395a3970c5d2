//! What a run does to others, as values: their stall, their share of disks and processors, what is dirty.
//!
//! ```text
//! choose ─▶ witnesses (stall) ─┐
//! tasks · disks · dirty ───────┼─▶ Sensed
//! climate (for the record) ────┘
//! ```
//!
//! Invariants: whatever the run or its agents do is taken out before a value is told; [`Senses::tick`] has no error: a sensor that
//! fails is a line of news, told once; the descriptors of a tick are kept, and memory does not grow with ticks.

pub mod choose;
mod climate;
mod dirty;
mod disks;
mod news;
mod tasks;
mod witnesses;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use globset::GlobSet;

use choose::{Rule, globs, protected, related};
use climate::Climate;
use dirty::Dirty;
use disks::{Disks, Traffic};
use news::News;
use tasks::Queues;
use witnesses::Witnesses;

use super::readings::{Context, Sample, Signal};
use crate::config::governor::Governor;
use crate::kernel::block::{Number, Roots};
use crate::kernel::cgroup;
use crate::kernel::cgroup::place::Hierarchy;
use crate::kernel::kept::Lasting;
use crate::kernel::procfs::{self, Pid};
use crate::kernel::psi::{self, Pressure};
use crate::kernel::systemd::UnitFacts;
use crate::kernel::{cgroup::tree, mounts};

/// Between two searches for units that came or went.
const SEARCH: Duration = Duration::from_secs(10);

/// Between two searches when a unit has just gone: containers may come and go by the dozen.
const SEARCH_SOON: Duration = Duration::from_secs(1);

/// Between two looks at what changes slowly or does not steer.
const SLOW: Duration = Duration::from_secs(1);

/// Why pressure that is counted is of no use.
const NOBODY: &str = "no service has a cgroup of its own whose pressure is counted";

/// What steers where no pressure can.
const INSTEAD: &str = "steering by run queue and blocked tasks";

/// The run that is not to be sensed.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// This process.
    pub worker: Pid,
    /// The directory of the payload's cgroup, if it has one.
    pub payload: Option<PathBuf>,
    /// The directory of the cgroup that holds nothing but this run, worker and payload, if there is one.
    pub unit: Option<PathBuf>,
    /// The lowest disks of source and target.
    pub devices: Vec<Number>,
    /// Groups from the root of the hierarchy in which there is work of the run beside others': no witnesses.
    pub near: Vec<PathBuf>,
}

/// Those who work for the run now, outside of it.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    /// Their cgroups, relative to the mount: no witnesses.
    pub cgroups: BTreeSet<PathBuf>,
    /// Their processes.
    pub pids: Vec<Pid>,
}

/// What the run itself moved and used, each a mean over the last second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OwnRates {
    /// Bytes a second that were read from its disks.
    pub read_bytes: f64,
    /// Bytes a second that were written to them.
    pub write_bytes: f64,
    /// Processors that were used: 1.5 is one and a half.
    pub cpu: f64,
}

/// What one tick showed.
#[derive(Debug, Clone, Default)]
pub struct Sensed {
    /// The signals that are above 0, and dirty debt and the signals that stand in for pressure at any value.
    pub samples: Vec<Sample>,
    /// The run itself.
    pub own: OwnRates,
    /// For the record.
    pub context: Context,
    /// What has changed in what is sensed: lines for the log, each told once.
    pub news: Vec<String>,
}

/// What the samples of a tick come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Basis {
    /// The stall of protected units.
    Pressure,
    /// Queues of the whole machine.
    Queues,
    /// Nothing; why.
    Blind(String),
}

/// The senses of one run.
pub struct Senses {
    rule: Rule,
    /// procfs.
    proc: PathBuf,
    /// Units the policy names as agents.
    named_agents: GlobSet,
    basis: Basis,
    /// Why pressure cannot be the basis, if so.
    uncounted: Option<String>,
    /// Where cgroup2 is mounted.
    mount: Option<PathBuf>,
    witnesses: Witnesses,
    queues: Queues,
    disks: Disks,
    disk: Arc<str>,
    machine: Arc<str>,
    dirty: Dirty,
    cpu: Option<(Lasting, Option<u64>)>,
    climate: Climate,
    news: News,
    gone: BTreeSet<Arc<str>>,
    ticked: Option<Instant>,
    searched: Option<Instant>,
    looked: Option<Instant>,
    own: OwnRates,
    context: Context,
}

impl Senses {
    /// Opens what there is; what there is not is news of the first tick. `units` may be empty: names have to do then.
    pub fn open(roots: &Roots, governor: &Governor, ours: Ours, units: &[UnitFacts]) -> Senses {
        let mut news = News::default();
        let (mount, uncounted) = ground(roots, &mut news);
        let relative = |group: &PathBuf| Some(group.strip_prefix(mount.as_ref()?).ok()?.to_path_buf());
        let near = ours.near.iter().filter_map(|group| group.strip_prefix("/").ok().map(Path::to_path_buf));
        let own = [&ours.unit, &ours.payload].into_iter().flatten().filter_map(relative).chain(near);
        // The root of all is in nobody's way.
        let own = own.filter(|group| !group.as_os_str().is_empty()).collect();
        let (rule, wrong) = Rule::new(governor.protect.as_deref(), units, own);
        let (named_agents, refused) = globs(&governor.agents);
        wrong.into_iter().for_each(|line| news.tell(line));
        refused.iter().for_each(|pattern| news.tell(format!("`{pattern}` is no pattern of units: it names no agent")));
        let disks = Disks::open(roots, &ours);
        let cpu = [&ours.payload, &ours.unit].into_iter().flatten().next();
        let mut senses = Senses {
            rule,
            proc: roots.proc.clone(),
            named_agents,
            basis: Basis::Pressure,
            uncounted,
            witnesses: Witnesses::of(mount.clone().unwrap_or_default()),
            mount,
            queues: Queues::open(&roots.proc, &ours),
            disk: disks.name().into(),
            disks,
            machine: "the machine".into(),
            dirty: Dirty::open(&roots.proc, &ours, &mut news),
            cpu: cpu.map(|group| (Lasting::at(group.join("cpu.stat")), None)),
            climate: Climate::open(&roots.sys),
            news,
            gone: BTreeSet::new(),
            ticked: None,
            searched: None,
            looked: None,
            own: OwnRates::default(),
            context: Context::default(),
        };
        senses.search();
        senses
    }

    /// The units whose stall counts as harm now, by name.
    pub fn protected(&self) -> Vec<Arc<str>> {
        match self.basis {
            Basis::Pressure => self.witnesses.units().map(|unit| Arc::clone(&unit.name)).collect(),
            Basis::Queues | Basis::Blind(_) => vec![],
        }
    }

    /// The groups of the witnesses with such a name, relative to the mount.
    pub fn groups_of(&self, name: impl Fn(&str) -> bool) -> BTreeSet<PathBuf> {
        self.witnesses.units().filter(|unit| name(&unit.name)).map(|unit| unit.group.clone()).collect()
    }

    /// How many tasks of a group, relative to the mount, wait for a disk, others than these; `None` where that cannot be seen.
    pub fn blocked_in(&self, group: &Path, except: &[Pid]) -> Option<u32> {
        procfs::blocked_in(&self.proc, &self.mount.as_ref()?.join(group), except).ok()
    }

    /// Whom it protects and by what, for people.
    pub fn describe(&self) -> String {
        match &self.basis {
            Basis::Pressure => format!("gives way to {}", self.protected().join(", ")),
            Basis::Queues => format!("gives way to others: {INSTEAD}"),
            Basis::Blind(why) => format!("gives way to nobody: {why}"),
        }
    }

    /// Why nothing can be sensed, if so.
    pub fn blind(&self) -> Option<&str> {
        match &self.basis {
            Basis::Blind(why) => Some(why),
            Basis::Pressure | Basis::Queues => None,
        }
    }

    /// Looks at everything. The first tick has no window yet and tells of no stall.
    pub fn tick(&mut self, now: Instant, agents: &Agents) -> Sensed {
        let since = |before: Option<Instant>| before.map(|before| now.saturating_duration_since(before));
        let (window, slow) = (since(self.ticked), since(self.looked));
        let mut samples = Vec::new();
        self.context.agents.clear();
        self.ask(window.unwrap_or_default(), agents, &mut samples);
        let soon = !self.gone.is_empty() && since(self.searched).is_none_or(|time| time >= SEARCH_SOON);
        if soon || since(self.searched).is_none_or(|time| time >= SEARCH) {
            if self.searched.is_some() {
                self.search();
            }
            self.searched = Some(now);
        }
        if self.basis == Basis::Queues || slow.is_none_or(|time| time >= SLOW) {
            self.queue(agents, &mut samples);
        }
        if slow.is_none_or(|time| time >= SLOW) {
            self.look(slow.unwrap_or_default(), agents);
            self.looked = Some(now);
        }
        self.climate.look();
        (self.context.temperature, self.context.clock) = (self.climate.temperature(), self.climate.clock());
        samples.extend(self.debt());
        self.ticked = Some(now);
        Sensed { samples, own: self.own, context: self.context.clone(), news: self.news.take() }
    }

    /// The stall of the witnesses.
    fn ask(&mut self, window: Duration, agents: &Agents, samples: &mut Vec<Sample>) {
        let (context, named) = (&mut self.context, &self.named_agents);
        let gone = self.witnesses.ask(window, &mut self.news, |unit, signal, value| {
            let works_for_us =
                named.is_match(&*unit.name) || agents.cgroups.iter().any(|group| related(group, &unit.group));
            match (works_for_us, signal) {
                (false, _) => samples.push(Sample { signal, of: Arc::clone(&unit.name), value }),
                (true, Signal::IoStall) => context.agents.push((Arc::clone(&unit.name), value)),
                (true, _) => {}
            }
        });
        self.gone.extend(gone);
    }

    /// Looks for units that came or went, and for what to steer by.
    fn search(&mut self) {
        if let (Some(mount), None) = (&self.mount, &self.uncounted) {
            match tree::populated(mount) {
                Ok(groups) => {
                    let before: Vec<Arc<str>> = self.witnesses.units().map(|unit| Arc::clone(&unit.name)).collect();
                    self.witnesses.watch(protected(&groups, &self.rule), &mut self.news);
                    self.gone.extend(before);
                }
                Err(e) => self.news.tell(e.chain()),
            }
        }
        for unit in self.witnesses.units() {
            self.gone.remove(&unit.name);
        }
        for name in std::mem::take(&mut self.gone) {
            self.news.tell(format!("`{name}` has gone: it is watched no more, unless it comes back"));
        }
        let basis = self.choose_basis();
        if basis != self.basis {
            let line = match (&basis, &self.uncounted) {
                (Basis::Pressure, _) => "services have come: steering by their pressure".to_owned(),
                (Basis::Queues, Some(why)) => format!("{why}: {INSTEAD}"),
                (Basis::Queues, None) => format!("{NOBODY}: {INSTEAD}"),
                (Basis::Blind(why), _) => format!("nothing can be sensed: {why}"),
            };
            self.news.tell(line);
            self.basis = basis;
        }
        if self.rule.is_named() && self.uncounted.is_none() && self.witnesses.is_empty() {
            self.news.tell("nothing that `protect` names runs now".to_owned());
        }
    }

    fn choose_basis(&mut self) -> Basis {
        // Who is named and does not run is not harmed, and nobody else is asked.
        let counted = self.uncounted.is_none() && (self.rule.is_named() || !self.witnesses.is_empty());
        if counted {
            return Basis::Pressure;
        }
        if self.queues.are_there() {
            return Basis::Queues;
        }
        let pressure = self.uncounted.as_deref().unwrap_or(NOBODY);
        Basis::Blind(format!("{pressure}, and `/proc/stat` cannot be read"))
    }

    /// Tasks of others.
    fn queue(&mut self, agents: &Agents, samples: &mut Vec<Sample>) {
        let foreign = self.queues.look(agents, &mut self.news);
        self.context.foreign_run_queue = foreign.map(|foreign| foreign.running);
        if let (Basis::Queues, Some(foreign)) = (&self.basis, foreign) {
            let sample = |signal, value| Sample { signal, of: Arc::clone(&self.machine), value };
            samples.push(sample(Signal::RunQueue, foreign.running / foreign.processors));
            samples.push(sample(Signal::Blocked, foreign.blocked));
        }
    }

    /// What changes slowly or does not steer.
    fn look(&mut self, window: Duration, agents: &Agents) {
        let Traffic { foreign, own } = self.disks.look(window, agents, &mut self.news);
        self.context.foreign_disk = foreign;
        self.context.load = self.queues.load();
        self.own = OwnRates { cpu: self.used(window), ..own };
    }

    /// Processors the payload used in a window.
    fn used(&mut self, window: Duration) -> f64 {
        let Some((file, before)) = &mut self.cpu else { return 0.0 };
        let now = file.parsed(cgroup::parse_usage).unwrap_or_else(|e| {
            self.news.tell(e.chain());
            None
        });
        let used = before.zip(now).map_or(0, |(before, now)| now.saturating_sub(before));
        *before = now;
        used as f64 / (window.as_micros() as f64).max(1.0)
    }

    /// How long an fsync of others may have to wait.
    fn debt(&mut self) -> Option<Sample> {
        let rate = self.disks.write_rate()?;
        let bytes = self.dirty.foreign(&mut self.news)?;
        Some(Sample { signal: Signal::DirtyDebt, of: Arc::clone(&self.disk), value: bytes as f64 / rate })
    }
}

/// Where cgroup2 is mounted, and why pressure is not counted, if so.
fn ground(roots: &Roots, news: &mut News) -> (Option<PathBuf>, Option<String>) {
    let mounts = mounts::read(&roots.proc).unwrap_or_else(|e| {
        news.tell(e.chain());
        vec![]
    });
    let mount = match Hierarchy::of(&mounts) {
        Hierarchy::Unified(mount) | Hierarchy::Hybrid(mount) => mount,
        Hierarchy::None => return (None, Some("no cgroup2 file system is mounted".to_owned())),
    };
    let uncounted = uncounted(&roots.proc);
    (Some(mount), uncounted)
}

fn uncounted(proc: &Path) -> Option<String> {
    match psi::of_machine(proc) {
        Ok(Pressure::Counted) => None,
        Ok(Pressure::SwitchedOff) => Some("pressure is switched off in this kernel".to_owned()),
        Ok(Pressure::Absent) => Some("pressure is not counted by this kernel".to_owned()),
        Err(e) => Some(e.chain()),
    }
}
