//! The cgroups of the machine: which file systems there are, and what a run gets of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Severity};
use super::machine::Machine;
use super::requirement::Requirement;
use crate::config::limits::SliceLimits;
use crate::failure::Failure;
use crate::kernel::block::Roots;
use crate::kernel::cgroup::controller::{self, Controller};
use crate::kernel::cgroup::place::{self, Hierarchy};
use crate::kernel::systemd::Manager;
use crate::kernel::{self, account, mounts};
use crate::run::probe::{Found, Probe, Proof};

/// The controllers of level `full`.
const WANTED: [Controller; 3] = [Controller::Cpu, Controller::Io, Controller::Memory];

/// What helps where a run gets no cgroup at all.
const SEE_DELEGATION: &str = "see `delegation`";

/// The cgroup file systems.
pub struct Cgroups {
    /// How they are mounted.
    pub hierarchy: Hierarchy,
    /// Version 2 is mounted read-only.
    pub read_only: bool,
    /// Controllers that version 1 has, and where.
    pub of_v1: BTreeMap<Controller, PathBuf>,
}

impl Cgroups {
    /// Reads it off the mounts.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn look(roots: &Roots) -> kernel::Result<Cgroups> {
        let mounts = mounts::read(&roots.proc)?;
        let of_v1 = Controller::ALL.into_iter().filter_map(|c| Some((c, place::held_by_v1(&mounts, c)?.to_path_buf())));
        Ok(Cgroups {
            hierarchy: Hierarchy::of(&mounts),
            read_only: mounts.iter().find(|m| m.kind == "cgroup2").is_some_and(|m| m.read_only),
            of_v1: of_v1.collect(),
        })
    }

    /// Where version 2 is mounted.
    pub fn mount(&self) -> Option<&Path> {
        match &self.hierarchy {
            Hierarchy::Unified(point) | Hierarchy::Hybrid(point) => Some(point),
            Hierarchy::None => None,
        }
    }
}

/// What is met and what is missed.
pub fn findings(machine: &Machine, probe: &Result<Probe, Failure>) -> Vec<Finding> {
    let mut findings = vec![mounted(&machine.cgroups)];
    match probe {
        Ok(probe) => {
            findings.extend([delegation(machine, probe), controllers(machine, probe), freezer(probe), kill(probe)])
        }
        Err(failure) => {
            use Requirement::{Controllers, Delegation, Freezer, Kill};
            let unknown = |requirement| Finding::unknown(requirement, Severity::Wanted, failure.one_line());
            findings.extend([Delegation, Controllers, Freezer, Kill].map(unknown));
        }
    }
    findings
}

fn mounted(cgroups: &Result<Cgroups, String>) -> Finding {
    let cgroups = match cgroups {
        Ok(cgroups) => cgroups,
        Err(why) => return Finding::unknown(Requirement::Cgroup2, Severity::Wanted, why),
    };
    let missed = |seen: String| Finding::missed(Requirement::Cgroup2, Severity::Wanted, seen);
    let Some(point) = cgroups.mount() else {
        let v1 = if cgroups.of_v1.is_empty() { "" } else { ": version 1 alone is there" };
        return missed(format!("no cgroup2 file system is mounted{v1}"));
    };
    let alone = match cgroups.hierarchy {
        Hierarchy::Hybrid(_) => "beside version 1",
        Hierarchy::Unified(_) | Hierarchy::None => "version 2 alone",
    };
    match cgroups.read_only {
        true => missed(format!("`{}` is mounted read-only", point.display()))
            .fix("have it mounted read-write: `mount -o remount,rw`, or from outside where this is a container"),
        false => Finding::met(Requirement::Cgroup2, format!("`{}`, {alone}", point.display())),
    }
}

fn delegation(machine: &Machine, probe: &Probe) -> Finding {
    let missed = |seen: String| Finding::missed(Requirement::Delegation, Severity::Wanted, seen);
    match (&probe.group, &probe.no_unit, &machine.systemd.manager) {
        (_, Some(why), Ok((manager, _))) => {
            let call = match manager {
                Manager::System => "systemd-run true",
                Manager::User { .. } => "systemd-run --user true",
            };
            missed(format!("systemd does not start a unit: {why}")).fix(format!("see what `{call}` says"))
        }
        (Ok(_), None, _) => Finding::met(
            Requirement::Delegation,
            "each run is a unit of its own in `govern.slice`, with `Delegate=yes`",
        ),
        (Ok(group), Some(_), Err(_)) => {
            let parent = group.path.parent().unwrap_or(&group.path);
            Finding::met(Requirement::Delegation, format!("runs get a cgroup in `{}`", parent.display()))
        }
        (Err(why), _, _) => {
            let finding = missed(format!("runs get no cgroup: {why}"));
            let usable = |cgroups: &Cgroups| cgroups.mount().is_some() && !cgroups.read_only;
            if machine.cgroups.as_ref().is_ok_and(usable) { finding } else { finding.fix("see `cgroup2`") }
        }
    }
}

fn controllers(machine: &Machine, probe: &Probe) -> Finding {
    let missed = |seen: String| Finding::missed(Requirement::Controllers, Severity::Wanted, seen);
    let Ok(group) = &probe.group else {
        return missed("none: runs get no cgroup".to_owned()).fix(SEE_DELEGATION);
    };
    let lacking = lacking(group);
    if lacking.is_empty() {
        return Finding::met(Requirement::Controllers, names(&group.controllers));
    }
    let there = if group.controllers.is_empty() { "none".to_owned() } else { names(&group.controllers) };
    let (why, fix) = why_lacking(machine, &lacking, group);
    let finding = missed(format!("{there}; not {}: {why}", names(&lacking)));
    match fix {
        Some(fix) => finding.fix(fix),
        None => finding,
    }
}

fn lacking(group: &Found) -> Vec<Controller> {
    WANTED.into_iter().filter(|controller| !group.controllers.contains(controller)).collect()
}

/// Why controllers do not reach the group of a run, and what to do about it here.
fn why_lacking(machine: &Machine, lacking: &[Controller], group: &Found) -> (String, Option<String>) {
    let cgroups = machine.cgroups.as_ref().ok();
    let of_v1: Vec<&Controller> = lacking.iter().filter(|c| cgroups.is_some_and(|g| g.of_v1.contains_key(c))).collect();
    if !of_v1.is_empty() {
        // systemd mounts version 1 again unless it is told not to.
        let fix = (!machine.systemd.is_init).then(|| "boot with `cgroup_no_v1=all`".to_owned());
        return (format!("version 1 has {}", names(of_v1)), fix);
    }
    let root = cgroups.and_then(Cgroups::mount).and_then(|mount| Some((mount, controller::available(mount).ok()?)));
    if let Some((mount, there)) = root
        && lacking.iter().any(|c| !there.contains(c))
    {
        let missing = names(lacking.iter().filter(|c| !there.contains(c)));
        let why = format!("`{}` lacks {missing}", mount.join("cgroup.controllers").display());
        let fix = "boot without `cgroup_disable=`; in a container, have them delegated from outside";
        return (why, Some(fix.to_owned()));
    }
    if let Ok((Manager::User { .. }, _)) = &machine.systemd.manager {
        let uid = account::own_uid();
        let fix = format!(
            "as root, a file `/etc/systemd/system/user@.service.d/delegate.conf` with the lines `[Service]` and \
             `Delegate=cpu io memory pids`; then `systemctl daemon-reload` and `systemctl restart user@{uid}.service`, which \
             ends what runs in it for `{}`",
            account::name_of(uid)
        );
        return (format!("`user@{uid}.service` is not given them"), Some(fix));
    }
    let why = group.shortfall.clone().unwrap_or_else(|| "they are not handed on".to_owned());
    (why, Some(Requirement::Delegation.how().to_owned()))
}

fn names<'a>(controllers: impl IntoIterator<Item = &'a Controller>) -> String {
    controllers.into_iter().map(|controller| controller.name()).collect::<Vec<_>>().join(", ")
}

fn freezer(probe: &Probe) -> Finding {
    let missed = |seen: String| Finding::missed(Requirement::Freezer, Severity::Wanted, seen);
    match (&probe.paused, &probe.group) {
        (Proof::Seen(us), Ok(_)) => {
            Finding::met(Requirement::Freezer, format!("a program was frozen within {} ms", us.div_ceil(1000)))
        }
        (Proof::Seen(_), Err(_)) => {
            missed("no cgroup: SIGSTOP to each process takes its place".to_owned()).fix(SEE_DELEGATION)
        }
        (Proof::Failed(why), _) => missed(format!("a program could not be frozen: {why}")),
    }
}

fn kill(probe: &Probe) -> Finding {
    let missed = |seen: String| Finding::missed(Requirement::Kill, Severity::Wanted, seen);
    match (&probe.killed, &probe.group) {
        (Proof::Seen(us), Ok(group)) if group.has_kill => {
            Finding::met(Requirement::Kill, format!("a frozen program was killed within {} ms", us.div_ceil(1000)))
        }
        (Proof::Seen(_), Ok(_)) => missed("there is no `cgroup.kill`: processes are killed one by one".to_owned()),
        (Proof::Seen(_), Err(_)) => {
            missed("no cgroup: descendants are killed one by one".to_owned()).fix(SEE_DELEGATION)
        }
        (Proof::Failed(why), _) => missed(format!("a program could not be killed: {why}")),
    }
}

/// Whether the limits of all runs together can act. Where they were typed, somebody counts on them.
pub fn slice(probe: &Probe, slice: &SliceLimits) -> Finding {
    let severity = if *slice == SliceLimits::hygiene() { Severity::Note } else { Severity::Wanted };
    let missed = |seen: String| Finding::missed(Requirement::Slice, severity, seen);
    match (&probe.no_unit, &probe.group) {
        (Some(why), _) => missed(format!("no limit holds for all runs together: {why}")),
        (None, Ok(group)) if !lacking(group).is_empty() => missed(format!(
            "systemd sets the limits of `govern.slice` when a run starts; without {} there they do nothing",
            names(&lacking(group))
        ))
        .fix(Requirement::Level.how()),
        (None, _) => Finding::met(Requirement::Slice, "systemd sets the limits of `govern.slice` when a run starts"),
    }
}
