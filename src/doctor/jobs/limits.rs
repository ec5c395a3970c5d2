//! What holds a job: the level of enforcement, its limits, its actuators.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::config::policy::{Kind, Policy};
use crate::config::units::Rate;
use crate::doctor::disks::with_bfq;
use crate::doctor::finding::{Finding, Severity};
use crate::doctor::requirement::Requirement;
use crate::human::bytes;
use crate::kernel::block::disk::{Disk, Weight};
use crate::kernel::cgroup::controller::Controller;
use crate::kernel::group::Level;
use crate::kernel::procfs;
use crate::run::limits::Unmet;
use crate::run::probe::{Probe, Proof, Tried};

/// What can be done to a job while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "name", content = "value")]
pub enum Actuator {
    /// A pace between its program and the file, in uncompressed bytes a second; `None`: as fast as it goes, until somebody sets one.
    Pump(Option<Rate>),
    /// Caps on reading from these devices.
    ReadCap(Vec<String>),
    /// Caps on writing to these devices, where they make nobody else wait.
    WriteCap(Vec<String>),
    /// `cpu.max` and `cpu.weight`.
    Cpu,
    /// `memory.high`; `None`: no limit, until somebody sets one.
    MemoryHigh(Option<u64>),
    /// It stands still as a whole.
    Freezer,
    /// SIGSTOP to each of its processes.
    Signals,
}

impl fmt::Display for Actuator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actuator::Pump(None) => f.write_str("pump"),
            Actuator::Pump(Some(rate)) => write!(f, "pump {rate}"),
            Actuator::ReadCap(devices) => write!(f, "read cap {}", devices.join(" ")),
            Actuator::WriteCap(devices) => write!(f, "write cap {}", devices.join(" ")),
            Actuator::Cpu => f.write_str("cpu"),
            Actuator::MemoryHigh(None) => f.write_str("memory.high"),
            Actuator::MemoryHigh(Some(high)) => write!(f, "memory.high {}", bytes(*high)),
            Actuator::Freezer => f.write_str("freezer"),
            Actuator::Signals => f.write_str("signals"),
        }
    }
}

/// The actuators of a job, from those that touch it least to those that stop it.
pub fn actuators(policy: &Policy, probe: &Probe, tried: &Tried) -> Vec<Actuator> {
    let has = |controller| probe.group.as_ref().is_ok_and(|group| group.controllers.contains(&controller));
    let mut all = vec![];
    // A command whose output is not kept writes where it likes, past any pump.
    if policy.artifact.is_some() {
        all.push(Actuator::Pump(policy.supervision.rate));
    }
    if reads_itself(policy) && !tried.read_caps.is_empty() {
        all.push(Actuator::ReadCap(tried.read_caps.clone()));
    }
    if !tried.write_caps.is_empty() {
        all.push(Actuator::WriteCap(tried.write_caps.clone()));
    }
    if has(Controller::Cpu) {
        all.push(Actuator::Cpu);
    }
    if has(Controller::Memory) {
        let total = procfs::memory_total(Path::new(procfs::PROC)).unwrap_or(0);
        all.push(Actuator::MemoryHigh(policy.limits.memory.bytes(total).0));
    }
    match (&probe.paused, &probe.group) {
        (Proof::Seen(_), Ok(_)) => all.push(Actuator::Freezer),
        (Proof::Seen(_), Err(_)) => all.push(Actuator::Signals),
        (Proof::Failed(_), _) => {}
    }
    all
}

/// The level a job has.
pub fn level(probe: &Probe) -> Finding {
    let missed = |seen: String| Finding::missed(Requirement::Level, Severity::Wanted, seen);
    match (probe.level, &probe.group) {
        (Level::Full, _) => Finding::met(Requirement::Level, "full: a cgroup with cpu, io and memory"),
        (level @ (Level::Partial | Level::Freeze), Ok(group)) => {
            let there: Vec<&str> = group.controllers.iter().map(|c| c.name()).collect();
            let there =
                if there.is_empty() { "no controllers".to_owned() } else { format!("{} alone", there.join(", ")) };
            missed(format!("{}: a cgroup with {there}", level.word()))
        }
        (level, Err(why)) => missed(format!("{}: no cgroup: {why}", level.word())),
        (Level::Signals, Ok(_)) => missed(Level::Signals.word().to_owned()),
    }
}

/// The limits of a job: one line for those in force, one for each that was typed and is not, one for the hygiene that is not.
pub fn limits(policy: &Policy, tried: &Tried) -> Vec<Finding> {
    let mut findings = vec![];
    if !tried.in_force.is_empty() {
        let seen = format!("set and read back: `{}`", tried.in_force.join("`, `"));
        findings.push(Finding::met(Requirement::Limits, seen));
    }
    let required = |unmet: &Unmet| unmet.resource.is_some_and(|resource| policy.limits.require.contains(&resource));
    let (told, hygiene): (Vec<&Unmet>, Vec<&Unmet>) = tried.unmet.iter().partition(|u| u.typed || required(u));
    for unmet in told {
        let severity = if required(unmet) { Severity::Needed } else { Severity::Wanted };
        let finding = Finding::missed(Requirement::Limits, severity, unmet.to_string());
        findings.push(match &unmet.hint {
            Some(hint) => finding.fix(hint.clone()),
            None => finding,
        });
    }
    if !hygiene.is_empty() {
        let seen = format!("not in force: {}", together(&hygiene));
        findings.push(Finding::missed(Requirement::Limits, Severity::Note, seen));
    }
    findings
}

/// A weight that somebody typed, on disks that do not hear it.
pub fn weight(policy: &Policy, disks: &[Disk]) -> Vec<Finding> {
    let Some(weight) = policy.limits.io.weight else { return vec![] };
    let deaf = disks.iter().filter(|disk| disk.weight() == Weight::Nothing);
    let told = |disk: &Disk| {
        let seen = format!("`io_weight = {weight}` on {}: {}", disk.name, disk.weight_because());
        Finding::missed(Requirement::Limits, Severity::Wanted, seen).fix(with_bfq(disk))
    };
    deaf.map(told).collect()
}

/// Which devices take a cap, whether the policy has one or not, and why others do not.
pub fn caps(policy: &Policy, tried: &Tried) -> Vec<Finding> {
    let missed = |seen: String| Finding::missed(Requirement::Caps, Severity::Note, seen);
    let mut findings = vec![];
    let mut can = vec![];
    if reads_itself(policy) && !tried.read_caps.is_empty() {
        can.push(format!("reading from {}", tried.read_caps.join(", ")));
    }
    if !tried.write_caps.is_empty() {
        can.push(format!("writing to {}", tried.write_caps.join(", ")));
    }
    if !can.is_empty() {
        findings.push(Finding::met(Requirement::Caps, format!("{} can be capped", can.join(" and "))));
    }
    if !reads_itself(policy) {
        let seen = "what a dump reads is read by the server: no cap on the job holds that";
        findings.push(missed(seen.to_owned()).fix("`rate` holds the dump, and with it what the server reads for it"));
    }
    if matches!(policy.kind, Kind::Command(_) | Kind::Unit(_)) && policy.limits.io.paths.is_empty() {
        let seen = format!("which disks the {} reads and writes is not known", policy.kind.name());
        findings.push(missed(seen).fix("name its directories in `io_paths` of `[limits]`"));
    }
    findings.extend(tried.warnings.iter().map(|warning| missed(warning.clone())));
    let mut hints: Vec<&Option<String>> = tried.uncapped.iter().map(|unmet| &unmet.hint).collect();
    hints.dedup();
    for hint in hints {
        // What was typed is told with the limits.
        let told = |unmet: &&Unmet| unmet.hint == *hint && !tried.unmet.iter().any(|t| t.what == unmet.what);
        let alike: Vec<&Unmet> = tried.uncapped.iter().filter(told).collect();
        if !alike.is_empty() {
            let finding = missed(together(&alike));
            findings.push(hint.iter().fold(finding, |finding, hint| finding.fix(hint.clone())));
        }
    }
    findings
}

/// Whether what it reads is read by its own processes, or is known to be on certain disks.
fn reads_itself(policy: &Policy) -> bool {
    !matches!(policy.kind, Kind::PgDump(_)) || !policy.limits.io.paths.is_empty()
}

/// Several limits on one line, and each reason once.
fn together(unmet: &[&Unmet]) -> String {
    let what: Vec<&str> = unmet.iter().map(|unmet| unmet.what.as_str()).collect();
    let mut why: Vec<&str> = unmet.iter().map(|unmet| unmet.why.as_str()).collect();
    why.dedup();
    format!("{}: {}", what.join(", "), why.join("; "))
}
