//! The groups of the machine that hold processes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{gone, value};
use crate::kernel::{Error, Result};

/// Deepest group that is looked at. The kernel itself has no limit; a container in a pod of a user is nine deep.
const DEEPEST: usize = 32;

/// The lowest groups that hold processes, relative to the mount, sorted: such a group has none below it that holds any. The root of
/// the hierarchy is none of them.
///
/// # Errors
/// When the mount cannot be listed. A group that vanishes while it is looked at is left out, and so is one that may not be seen.
pub fn populated(mount: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let below = directories(mount).map_err(|e| Error::path("list", mount, e))?;
    for directory in below {
        walk(mount, &directory, DEEPEST, &mut found);
    }
    found.sort();
    Ok(found)
}

/// Whether the directory holds processes, itself or below; the lowest that do are found.
fn walk(mount: &Path, directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> bool {
    if !is_populated(directory) {
        return false;
    }
    let mut below = false;
    if depth > 0 {
        for child in directories(directory).unwrap_or_default() {
            below |= walk(mount, &child, depth - 1, found);
        }
    }
    if !below && let Ok(relative) = directory.strip_prefix(mount) {
        found.push(relative.to_path_buf());
    }
    true
}

fn is_populated(directory: &Path) -> bool {
    fs::read_to_string(directory.join("cgroup.events")).is_ok_and(|text| value(&text, "populated") == Some(1))
}

/// The directories in a directory.
fn directories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = || -> io::Result<Vec<PathBuf>> {
        // A directory has a link from its parent, one from itself, and one from each directory in it: with two there is nothing to
        // list, which spares reading the names of sixty files. A file system that does not count says 1.
        if fs::metadata(path)?.nlink() == 2 {
            return Ok(vec![]);
        }
        let entries = fs::read_dir(path)?.flatten();
        Ok(entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect())
    };
    match listed() {
        Err(e) if gone(&e) => Ok(vec![]),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(mount: &Path, path: &str, populated: bool) {
        let directory = mount.join(path);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("cgroup.events"), format!("populated {}\nfrozen 0\n", u8::from(populated))).unwrap();
    }

    #[test]
    fn the_lowest_that_hold_processes() {
        let dir = tempfile::tempdir().unwrap();
        let mount = dir.path();
        for path in ["b.slice", "b.slice/x.service", "b.slice/x.service/sub", "a.slice", "a.slice/y.service"] {
            group(mount, path, true);
        }
        group(mount, "b.slice/empty.service", false);
        // Its processes are in itself, not in what is below.
        group(mount, "a.slice/z.service", true);
        group(mount, "a.slice/z.service/sub", false);
        fs::create_dir(mount.join("no-group")).unwrap();
        let found = populated(mount).unwrap();
        assert_eq!(found, ["a.slice/y.service", "a.slice/z.service", "b.slice/x.service/sub"].map(PathBuf::from));
    }

    #[test]
    fn nothing_at_the_mount_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(populated(dir.path()).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(populated(&dir.path().join("none")).unwrap(), Vec::<PathBuf>::new());
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(populated(&dir.path().join("file")).is_err());
    }
}
