//! The machine the tests run on, whatever it is.

use std::path::Path;

use crate::kernel::block::resolve::{Scope, Wanted, devices};
use crate::kernel::block::{Roots, disk};
use crate::kernel::mounts;

fn wanted(path: &Path, scope: Scope) -> [Wanted; 1] {
    [Wanted { path: path.to_owned(), scope }]
}

#[test]
fn the_root_of_this_machine_is_somewhere() {
    let roots = Roots::default();
    let resolved = devices(&roots, &wanted(Path::new("/"), Scope::Mount)).unwrap();
    assert!(!resolved.caps.is_empty() || !resolved.without.is_empty());
    for target in &resolved.caps {
        // `io.max` takes whole devices alone.
        let directory = roots.sys.join("dev/block").join(target.device.to_string());
        assert!(!directory.join("partition").exists(), "{target:?}");
        let disks = disk::under(&roots, target.device, None).unwrap();
        assert!(!disks.is_empty() && disks.iter().all(|disk| disk.bytes > 0), "{disks:?}");
        assert!(disks.iter().all(|disk| !disk.scheduler.active.is_empty()), "{disks:?}");
    }
}

/// The kernel's other answer: a file on a file system with a device of its own carries that device's number.
#[test]
fn a_disk_is_the_one_stat_tells() {
    use std::os::unix::fs::MetadataExt;
    let roots = Roots::default();
    let mounted = mounts::read(&roots.proc).unwrap();
    let here = std::env::current_dir().unwrap();
    let mount = mounts::holding(&mounted, &here).unwrap();
    if mount.device.major == 0 {
        return;
    }
    let device = here.metadata().unwrap().dev();
    let told = (libc::major(device), libc::minor(device));
    assert_eq!((mount.device.major, mount.device.minor), told);
}

#[test]
fn every_mount_of_this_machine_has_an_answer() {
    let roots = Roots::default();
    for mount in mounts::read(&roots.proc).unwrap() {
        if mount.point.exists() {
            let resolved = devices(&roots, &wanted(&mount.point, Scope::Tree)).unwrap();
            assert!(resolved.caps.iter().all(|target| !target.holds.is_empty()));
            assert!(!resolved.caps.is_empty() || !resolved.without.is_empty(), "{mount:?}");
        }
    }
}

#[test]
fn what_does_not_exist_here() {
    let roots = Roots::default();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/newer");
    let error = devices(&roots, &wanted(&path, Scope::Mount)).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot find `{}`", path.display()));
    let created = devices(&roots, &wanted(&path, Scope::Created)).unwrap();
    let existing = devices(&roots, &wanted(dir.path(), Scope::Mount)).unwrap();
    let numbers = |r: &crate::kernel::block::resolve::Resolved| r.caps.iter().map(|t| t.device).collect::<Vec<_>>();
    assert_eq!(numbers(&created), numbers(&existing));
}
