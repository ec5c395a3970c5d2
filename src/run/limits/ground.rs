//! What the limits of a run are laid on: the machine's memory, the payload's controllers, the devices under its paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::limits::Limits;
use crate::config::policy::{Kind, Policy};
use crate::kernel::block::Roots;
use crate::kernel::block::resolve::{self, Resolved, Scope, Wanted};
use crate::kernel::cgroup::controller::Controller;
use crate::kernel::group::Group;
use crate::kernel::{Result, fs, mounts, procfs};

/// What is known before a limit is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The controllers of the payload's cgroup; `None`: it has no cgroup.
    pub controllers: Option<BTreeSet<Controller>>,
    /// Why there are no more, for people.
    pub shortfall: Option<String>,
    /// The run is a unit of its own: its weights are systemd's to set.
    pub unit: bool,
    /// Bytes of memory of the machine.
    pub memory: u64,
    /// The devices it reads from, or why they cannot be told.
    pub reads: Devices,
    /// The devices it writes to, or why they cannot be told.
    pub writes: Devices,
    /// Where it writes and others do, too: the mount, and what shows it.
    pub shared: Vec<Shared>,
}

/// The devices under some paths, or why they cannot be told.
pub type Devices = std::result::Result<Resolved, String>;

/// A file system that is not the job's alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its kind.
    pub filesystem: String,
    /// Something at its top that is not the job's.
    pub other: PathBuf,
}

impl Ground {
    /// Nothing: no cgroup, no device.
    pub fn bare() -> Ground {
        Ground {
            controllers: None,
            shortfall: None,
            unit: false,
            memory: 0,
            reads: Ok(Resolved::default()),
            writes: Ok(Resolved::default()),
            shared: vec![],
        }
    }

    /// The same with the devices that caps of these limits are set on.
    pub fn with_devices(mut self, policy: &Policy, limits: &Limits) -> Result<Ground> {
        let io = &limits.io;
        if io.read.is_some() || io.read_iops.is_some() {
            self.reads = devices(&reads(policy, limits));
        }
        if io.write.is_some() || io.write_iops.is_some() {
            let paths = writes(policy, limits);
            self.writes = devices(&paths);
            self.shared = shared(&paths)?;
        }
        Ok(self)
    }
}

/// Looks at the machine. Devices are looked for only where there is a cap to set on them.
pub fn survey(policy: &Policy, limits: &Limits, group: &Group) -> Result<Ground> {
    let (controllers, shortfall, unit) = match group {
        Group::Cgroup(enclosure) => {
            (Some(enclosure.controllers.clone()), enclosure.shortfall.clone(), enclosure.in_unit)
        }
        Group::Descendants { reason } => (None, Some(reason.clone()), false),
    };
    let memory = procfs::memory_total(Path::new(procfs::PROC))?;
    Ground { controllers, shortfall, unit, memory, ..Ground::bare() }.with_devices(policy, limits)
}

fn devices(wanted: &[Wanted]) -> Devices {
    resolve::devices(&Roots::default(), wanted).map_err(|error| error.chain())
}

/// Where a job reads: its sources, its artifacts when they are verified, and what the policy adds.
fn reads(policy: &Policy, limits: &Limits) -> Vec<Wanted> {
    let wanted = |scope| move |path: &PathBuf| Wanted { path: path.clone(), scope };
    let mut paths: Vec<Wanted> = limits.io.paths.iter().map(wanted(Scope::Tree)).collect();
    if let Kind::Filesystem(job) = &policy.kind {
        let scope = if job.one_file_system { Scope::Mount } else { Scope::Tree };
        paths.extend(job.sources.iter().map(wanted(scope)));
    }
    paths.extend(policy.artifact.iter().map(|artifact| wanted(Scope::Created)(&artifact.target)));
    paths
}

/// Where a job writes: its target, and what the policy adds.
fn writes(policy: &Policy, limits: &Limits) -> Vec<Wanted> {
    let wanted = |path: &PathBuf| Wanted { path: path.clone(), scope: Scope::Created };
    let target = policy.artifact.iter().map(|artifact| wanted(&artifact.target));
    target.chain(limits.io.paths.iter().map(wanted)).collect()
}

/// The file systems of `paths` that hold something at their top which does not lead to one of them.
fn shared(paths: &[Wanted]) -> Result<Vec<Shared>> {
    let mounts = mounts::read(Path::new(procfs::PROC))?;
    let mut found: Vec<Shared> = vec![];
    for wanted in paths {
        let path = fs::canonical(&wanted.path).unwrap_or_else(|_| wanted.path.clone());
        let Some(mount) = mounts::holding(&mounts, &path) else { continue };
        if found.iter().any(|shared| shared.mount == mount.point) || !fs::is_dir(&mount.point) {
            continue;
        }
        let top = fs::list(&mount.point)?;
        if let Some(other) = top.into_iter().find(|entry| !is_own(entry, &path)) {
            found.push(Shared { mount: mount.point.clone(), filesystem: mount.kind.clone(), other });
        }
    }
    Ok(found)
}

/// Whether an entry at the top of a file system is the job's: on the way to its path, below it, or made with the file system.
fn is_own(entry: &Path, path: &Path) -> bool {
    path.starts_with(entry) || entry.starts_with(path) || entry.file_name().is_some_and(|name| name == "lost+found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_the_jobs_own_when_all_of_it_leads_to_its_path() {
        let own = |entry: &str| is_own(Path::new(entry), Path::new("/backup/govern"));
        assert!(own("/backup/govern"));
        assert!(own("/backup/govern/etc"));
        assert!(own("/backup/lost+found"));
        assert!(!own("/backup/other"));
        assert!(is_own(Path::new("/backup/etc"), Path::new("/backup")));
    }

    #[test]
    fn the_root_file_system_is_shared() {
        let wanted = [Wanted { path: "/no/such/place".into(), scope: Scope::Created }];
        let found = shared(&wanted).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].mount, PathBuf::from("/"));
    }
}
