//! What the limits of a run are laid on: the machine's memory, the payload's controllers, the devices under its paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::limits::Limits;
use crate::config::policy::{Kind, Policy};
use crate::kernel::block::resolve::{self, Resolved, Scope, Wanted};
use crate::kernel::block::target::Target;
use crate::kernel::block::{Number, Roots};
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
    /// The path of the job on it, as it was asked for.
    pub path: PathBuf,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its kind.
    pub filesystem: String,
    /// Something on it that is not the job's, or where else it is mounted.
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
    pub fn with_devices(mut self, policy: &Policy, limits: &Limits, work: Work) -> Ground {
        let io = &limits.io;
        if io.read.is_some() || io.read_iops.is_some() {
            self.reads = devices(&reads(policy, limits, work));
        }
        if io.write.is_some() || io.write_iops.is_some() {
            let paths = writes(policy, limits);
            self.writes = devices(&paths);
            match shared(&paths) {
                Ok(shared) => self.shared = shared,
                Err(error) => self.writes = Err(error.chain()),
            }
        }
        self
    }
}

/// What a run does with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It reads the sources.
    Backup,
    /// It reads artifacts alone: the sources may be lost.
    Check,
}

/// Looks at the machine. Devices are looked for only where there is a cap to set on them.
///
/// # Errors
/// When /proc cannot be read.
pub fn survey(policy: &Policy, limits: &Limits, work: Work, group: &Group) -> Result<Ground> {
    let (controllers, shortfall, unit) = match group {
        Group::Cgroup(enclosure) => {
            (Some(enclosure.controllers.clone()), enclosure.shortfall.clone(), enclosure.in_unit)
        }
        Group::Descendants { reason } => (None, Some(reason.clone()), false),
    };
    let memory = procfs::memory_total(Path::new(procfs::PROC))?;
    Ok(Ground { controllers, shortfall, unit, memory, ..Ground::bare() }.with_devices(policy, limits, work))
}

/// The same for a unit of systemd's, whose controllers are there when they are asked for. `limitable`: there are any.
///
/// # Errors
/// When /proc cannot be read.
pub fn survey_unit(policy: &Policy, limits: &Limits, work: Work, limitable: bool) -> Result<Ground> {
    let memory = procfs::memory_total(Path::new(procfs::PROC))?;
    let (controllers, shortfall) = match limitable {
        true => (BTreeSet::from(Controller::ALL), None),
        false => (BTreeSet::new(), Some("version 1 of cgroups has the controllers".to_owned())),
    };
    let ground = Ground { controllers: Some(controllers), shortfall, memory, ..Ground::bare() };
    Ok(ground.with_devices(policy, limits, work))
}

fn devices(wanted: &[Wanted]) -> Devices {
    resolve::devices(&Roots::default(), wanted).map_err(|error| error.chain())
}

/// The top devices under everything that a job reads or writes, as far as they can be told.
pub fn all_devices(policy: &Policy, work: Work) -> Vec<Target> {
    let mut wanted = reads(policy, &policy.limits, work);
    wanted.extend(writes(policy, &policy.limits));
    // Each path by itself: one that cannot be resolved does not hide the others.
    wanted.iter().filter_map(|path| devices(std::slice::from_ref(path)).ok()).flat_map(|found| found.caps).collect()
}

/// A disk with nothing below it: its number, and its name below `/dev`.
pub type Lowest = (Number, String);

/// The lowest disks under sources and target. What cannot be told is not looked at; the log of the limits says more.
pub fn lowest_disks(policy: &Policy, work: Work) -> BTreeSet<Lowest> {
    lowest(&all_devices(policy, work))
}

/// The lowest disks under a path; none where there is no such path, or no disk.
pub fn lowest_disks_under(path: &Path) -> BTreeSet<Lowest> {
    devices(&[Wanted { path: path.to_path_buf(), scope: Scope::Mount }])
        .map(|found| lowest(&found.caps))
        .unwrap_or_default()
}

fn lowest(found: &[Target]) -> BTreeSet<Lowest> {
    let below = |target: &Target| match target.below.is_empty() {
        true => vec![(target.device, target.name.clone())],
        false => target.below.iter().map(|lower| (lower.device, lower.name.clone())).collect(),
    };
    found.iter().flat_map(below).collect()
}

/// Where a job reads: its sources, its artifacts when they are verified, and what the policy adds.
fn reads(policy: &Policy, limits: &Limits, work: Work) -> Vec<Wanted> {
    let wanted = |scope| move |path: &PathBuf| Wanted { path: path.clone(), scope };
    let mut paths: Vec<Wanted> = limits.io.paths.iter().map(wanted(Scope::Tree)).collect();
    if let (Kind::Filesystem(job), Work::Backup) = (&policy.kind, work) {
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

/// The paths of those on whose file systems others write, too, as far as what lies there shows it.
fn shared(paths: &[Wanted]) -> Result<Vec<Shared>> {
    let mounts = mounts::read(Path::new(procfs::PROC))?;
    let real = |wanted: &Wanted| (wanted.path.clone(), fs::resolved(&wanted.path));
    let own: Vec<(PathBuf, PathBuf)> = paths.iter().map(real).collect();
    let all: Vec<&PathBuf> = own.iter().map(|(_, real)| real).collect();
    let mut found = vec![];
    for (path, real) in &own {
        let Some(mount) = mounts::holding(&mounts, real) else { continue };
        let other = match mounts.iter().find(|m| m.device == mount.device && m.id != mount.id) {
            Some(twin) => Some(twin.point.clone()),
            // A part of a file system that is mounted elsewhere, or was.
            None if mount.root != Path::new("/") => Some(mount.root.clone()),
            None => stranger(&mount.point, real, &all)?,
        };
        if let Some(other) = other {
            let filesystem = mount.kind.clone();
            found.push(Shared { path: path.clone(), mount: mount.point.clone(), filesystem, other });
        }
    }
    Ok(found)
}

/// Something on the way from a mount to a path, or beside it, that leads to none of the job's own paths. A directory that may not be
/// listed counts as such.
fn stranger(mount: &Path, path: &Path, own: &[&PathBuf]) -> Result<Option<PathBuf>> {
    let above = path.ancestors().skip(1).take_while(|directory| directory.starts_with(mount));
    // What is yet to be made holds nobody.
    for directory in above.filter(|directory| fs::exists(directory)) {
        let Ok(entries) = fs::list(directory) else { return Ok(Some(directory.to_path_buf())) };
        if let Some(other) = entries.into_iter().find(|entry| !is_own(entry, own)) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// Whether an entry is the job's: on the way to a path of its own, below one, or made with the file system.
fn is_own(entry: &Path, own: &[&PathBuf]) -> bool {
    own.iter().any(|path| path.starts_with(entry) || entry.starts_with(path))
        || entry.file_name().is_some_and(|name| name == "lost+found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_the_jobs_own_when_all_of_it_leads_to_its_paths() {
        let paths = [PathBuf::from("/backup/govern"), PathBuf::from("/backup/other")];
        let own = |entry: &str| is_own(Path::new(entry), &paths.iter().collect::<Vec<_>>());
        assert!(own("/backup") && own("/backup/govern") && own("/backup/govern/etc") && own("/backup/lost+found"));
        assert!(own("/backup/other"));
        assert!(!own("/backup/mysql"));
    }

    #[test]
    fn a_stranger_is_found_on_each_level() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backups/govern");
        std::fs::create_dir_all(&path).unwrap();
        assert_eq!(stranger(dir.path(), &path, &[&path]).unwrap(), None);
        let other = dir.path().join("backups/mysql");
        std::fs::create_dir(&other).unwrap();
        assert_eq!(stranger(dir.path(), &path, &[&path]).unwrap(), Some(other.clone()));
        assert_eq!(stranger(dir.path(), &path, &[&path, &other]).unwrap(), None);
    }

    #[test]
    fn the_root_file_system_is_shared() {
        let wanted = [Wanted { path: "/no/such/place".into(), scope: Scope::Created }];
        let found = shared(&wanted).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, PathBuf::from("/no/such/place"));
    }
}
