//! The disks of the machine: whether priorities mean anything on them.

use std::path::Path;

use super::finding::{Finding, Severity};
use super::requirement::Requirement;
use crate::config::policy::{Kind, Policy};
use crate::kernel::block::disk::{self, Disk, Ionice, Weight};
use crate::kernel::block::filesystem::{Holder, holder};
use crate::kernel::block::kind::Kind as Device;
use crate::kernel::block::resolve::{self, Scope, Wanted};
use crate::kernel::block::{Number, Roots};
use crate::kernel::{Result, fs, mounts};

/// Every disk that holds a mounted file system, by number. `cgroups` is where cgroup2 is mounted.
///
/// # Errors
/// When the mounts cannot be read, or a device is described in a way that is not understood.
pub fn look(roots: &Roots, cgroups: Option<&Path>) -> Result<Vec<Disk>> {
    let mounts = mounts::read(&roots.proc)?;
    // A dead server or process behind a mount would hold up whoever only looks at it: nothing but disks is touched.
    let on_disk = |m: &mounts::Mount| !matches!(holder(&m.kind, m.device), Holder::Nowhere(_));
    let stored = mounts.into_iter().filter(|m| on_disk(m) && fs::exists(&m.point));
    let paths: Vec<Wanted> = stored.map(|m| Wanted { path: m.point, scope: Scope::Mount }).collect();
    under(roots, cgroups, &paths)
}

/// The disks that a job reads and writes, as far as its policy tells.
///
/// # Errors
/// When a source is not there, or a device is described in a way that is not understood.
pub fn of_job(roots: &Roots, cgroups: Option<&Path>, policy: &Policy) -> Result<Vec<Disk>> {
    let sources = match &policy.kind {
        Kind::Filesystem(kind) => kind.sources.as_slice(),
        Kind::PgDump(_) | Kind::Command(_) | Kind::Unit(_) => &[],
    };
    let target = policy.artifact.iter().map(|artifact| &artifact.target);
    let paths = sources.iter().chain(target).chain(&policy.limits.io.paths);
    let wanted: Vec<Wanted> = paths.map(|path| Wanted { path: path.clone(), scope: Scope::Created }).collect();
    under(roots, cgroups, &wanted)
}

fn under(roots: &Roots, cgroups: Option<&Path>, paths: &[Wanted]) -> Result<Vec<Disk>> {
    let mut disks = std::collections::BTreeMap::<Number, Disk>::new();
    // A file as a disk has no priorities of its own: the disk under it is listed for itself.
    let real =
        resolve::devices(roots, paths)?.caps.into_iter().filter(|target| !matches!(target.kind, Device::Loop(_)));
    for target in real {
        disks.extend(disk::under(roots, target.device, cgroups)?.into_iter().map(|disk| (disk.device, disk)));
    }
    Ok(disks.into_values().collect())
}

/// What is met and what is missed on the disks.
pub fn findings(disks: &Result<Vec<Disk>>) -> Vec<Finding> {
    match disks {
        Ok(disks) => disks.iter().flat_map(|disk| [weights(disk), ionice(disk)]).collect(),
        Err(error) => vec![Finding::unknown(Requirement::IoWeight, Severity::Note, error.chain())],
    }
}

fn weights(disk: &Disk) -> Finding {
    let seen = disk.weight_because();
    match disk.weight() {
        Weight::Iocost | Weight::Bfq => Finding::met(Requirement::IoWeight, seen),
        Weight::Nothing => Finding::missed(Requirement::IoWeight, Severity::Note, seen).fix(with_bfq(disk)),
    }
    .about(&disk.name)
}

fn ionice(disk: &Disk) -> Finding {
    let seen = disk.ionice_because();
    match disk.ionice() {
        Ionice::Full | Ionice::Classes => Finding::met(Requirement::Ionice, seen),
        Ionice::Nothing => Finding::missed(Requirement::Ionice, Severity::Note, seen).fix(with_bfq(disk)),
    }
    .about(&disk.name)
}

/// How to get BFQ, which hears weights and ionice.
pub fn with_bfq(disk: &Disk) -> String {
    let load = if disk.scheduler.available.iter().any(|name| name == "bfq") { "" } else { "modprobe bfq; " };
    format!("`{load}echo bfq > /sys/block/{}/queue/scheduler` (a udev rule makes it last)", disk.name.replace('/', "!"))
}
