//! The machine as a whole: kernel, pressure, systemd, dirty pages. What concerns its cgroups is in [`super::cgroups`].
//!
//! [`Machine::look`] asks the kernel, the probe has found out by doing; what follows from both is decided here.

use std::path::Path;

use super::cgroups::{self, Cgroups};
use super::finding::{Finding, Severity};
use super::requirement::Requirement;
use crate::config::limits::SliceLimits;
use crate::config::units::Span;
use crate::failure::Failure;
use crate::human::bytes;
use crate::kernel::block::{Roots, disk};
use crate::kernel::psi::{self, Pressure};
use crate::kernel::sysctl::{self, Dirty, Setting, Threshold};
use crate::kernel::systemd::Manager;
use crate::kernel::{self, account, fs, procfs};
use crate::run::probe::Probe;

/// The first Linux with pidfd_open(2), by which every program of a run is watched.
const OLDEST: (u32, u32) = (5, 3);

/// More than this should not wait in memory for a disk: one that writes [`USUAL_DISK`] is busy with it for 10 s.
const MOST_DIRTY: u64 = 10 * USUAL_DISK;

/// Bytes a second that a disk of a server writes, give or take.
const USUAL_DISK: u64 = 100_000_000;

/// What the kernel and systemd say.
pub struct Machine {
    /// The kernel's release.
    pub release: Result<String, String>,
    /// The cgroup file systems.
    pub cgroups: Result<Cgroups, String>,
    /// Pressure of the machine as a whole.
    pub pressure: Result<Pressure, String>,
    /// Bytes of memory.
    pub memory: Result<u64, String>,
    /// `vm.dirty_*`.
    pub dirty: Result<Dirty, String>,
    /// What starts runs.
    pub systemd: Systemd,
}

/// What starts runs.
pub struct Systemd {
    /// Whether it is the init system.
    pub is_init: bool,
    /// Whether a manager runs for this account, be it out of reach.
    pub runs: bool,
    /// The manager that starts its runs, and its version; or why none does.
    pub manager: Result<(Manager, String), String>,
}

impl Systemd {
    /// Asks it. `run` is where it keeps its sockets.
    pub async fn look(run: &Path) -> Systemd {
        let manager = match Manager::of_this_process() {
            Ok(manager) => {
                let version = manager.version().await.unwrap_or_else(|error| error.chain());
                Ok((manager, version))
            }
            Err(why) => Err(why),
        };
        Systemd {
            is_init: Manager::find(run, 0, None).is_ok(),
            runs: Manager::find(run, account::own_uid(), None).is_ok(),
            manager,
        }
    }
}

impl Machine {
    /// Asks the kernel.
    pub fn look(roots: &Roots, systemd: Systemd) -> Machine {
        let told = |error: kernel::Error| error.chain();
        let proc = &roots.proc;
        Machine {
            release: fs::read_text(&proc.join("sys/kernel/osrelease")).map(|t| t.trim().to_owned()).map_err(told),
            cgroups: Cgroups::look(roots).map_err(told),
            pressure: psi::of_machine(proc).map_err(told),
            memory: procfs::memory_total(proc).map_err(told),
            dirty: sysctl::dirty(proc).map_err(told),
            systemd,
        }
    }

    /// What is met and what is missed. `slice` is what `govern.toml` says, where it can be read.
    pub fn findings(&self, probe: &Result<Probe, Failure>, slice: Option<&SliceLimits>) -> Vec<Finding> {
        let mut findings = vec![self.kernel()];
        findings.extend(cgroups::findings(self, probe));
        findings.extend([self.pressure(probe.as_ref().ok()), self.systemd()]);
        findings.extend(probe.as_ref().ok().zip(slice).map(|(probe, slice)| cgroups::slice(probe, slice)));
        findings.push(self.dirty());
        findings
    }

    fn kernel(&self) -> Finding {
        let release = match &self.release {
            Ok(release) => release,
            Err(why) => return Finding::unknown(Requirement::Kernel, Severity::Needed, why),
        };
        match disk::parse_release(release) {
            Some(version) if version >= OLDEST => Finding::met(Requirement::Kernel, format!("Linux {release}")),
            Some(_) => Finding::missed(Requirement::Kernel, Severity::Needed, format!("Linux {release}")),
            None => Finding::unknown(Requirement::Kernel, Severity::Needed, format!("Linux `{release}`")),
        }
    }

    fn pressure(&self, probe: Option<&Probe>) -> Finding {
        let missed = |seen: &str| Finding::missed(Requirement::Pressure, Severity::Wanted, seen);
        let of_group = probe.and_then(|probe| probe.group.as_ref().ok()).map(|group| &group.pressure);
        match (&self.pressure, of_group) {
            (Err(why), _) | (Ok(_), Some(Err(why))) => {
                Finding::unknown(Requirement::Pressure, Severity::Wanted, why.as_str())
            }
            (Ok(Pressure::Absent), _) => missed("there is no `/proc/pressure`"),
            (Ok(Pressure::SwitchedOff), _) => missed("`/proc/pressure/io` says that it is switched off"),
            (Ok(Pressure::Counted), Some(Ok(Pressure::Counted))) => {
                Finding::met(Requirement::Pressure, "counted for the machine and for each cgroup")
            }
            (Ok(Pressure::Counted), Some(Ok(Pressure::Absent | Pressure::SwitchedOff))) => {
                missed("counted for the machine, and not for cgroups")
                    .fix("boot without `cgroup_disable=pressure`; `cgroup.pressure` must hold 1")
            }
            (Ok(Pressure::Counted), None) => Finding::met(Requirement::Pressure, "counted for the machine"),
        }
    }

    fn systemd(&self) -> Finding {
        let who = account::name_of(account::own_uid());
        match &self.systemd.manager {
            Ok((Manager::System, version)) => {
                Finding::met(Requirement::Systemd, format!("{version}, its system manager"))
            }
            Ok((Manager::User { .. }, version)) => {
                Finding::met(Requirement::Systemd, format!("{version}, the manager of `{who}`"))
            }
            Err(why) if self.systemd.runs => {
                Finding::missed(Requirement::Systemd, Severity::Wanted, why).fix("start runs from outside of it")
            }
            Err(why) if self.systemd.is_init => Finding::missed(Requirement::Systemd, Severity::Wanted, why)
                .fix(format!("`loginctl enable-linger {who}`, also for runs while nobody is logged in")),
            Err(why) => Finding::missed(Requirement::Systemd, Severity::Note, why),
        }
    }

    fn dirty(&self) -> Finding {
        let dirty = match &self.dirty {
            Ok(dirty) => dirty,
            Err(why) => return Finding::unknown(Requirement::DirtyLimits, Severity::Note, why),
        };
        let of = |name: &str, Threshold { set, bytes: now }: Threshold| match set {
            Setting::Percent(percent) => format!("{} (`vm.{name}_ratio = {percent}`)", bytes(now)),
            Setting::Bytes(set) => format!("{} (`vm.{name}_bytes = {set}`)", bytes(now)),
        };
        let (limit, background) = (of("dirty", dirty.limit), of("dirty_background", dirty.background));
        let memory = self.memory.as_ref().map(|total| format!("of {} of memory, ", bytes(*total))).unwrap_or_default();
        let seconds = dirty.limit.bytes / USUAL_DISK;
        let seen = format!(
            "{memory}{limit} may wait for the disk, {seconds} s of one that writes 100 MB/s; the kernel begins to write at \
             {background}, or after {} (`vm.dirty_expire_centisecs`), and looks every {} (`vm.dirty_writeback_centisecs`)",
            Span(dirty.expire),
            Span(dirty.look),
        );
        match dirty.limit.bytes {
            ..=MOST_DIRTY => Finding::met(Requirement::DirtyLimits, seen),
            _ => Finding::missed(Requirement::DirtyLimits, Severity::Note, seen),
        }
    }
}

#[cfg(test)]
mod tests;
