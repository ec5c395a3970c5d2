//! Unlinking a tree as far as that goes.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::{Error, Result};

/// Removes a file or a tree; nothing there is no error. Symbolic links are removed, not followed. What cannot be removed stays, with the
/// directories above it, and everything else goes.
///
/// # Errors
/// The first thing that stays, and why: it is immutable, busy, or on a file system that is read-only.
pub fn remove(path: &Path) -> Result<()> {
    // This goes safely through directories that somebody exchanges meanwhile, and stops at the first thing that stays.
    if super::fs::remove_tree(path).is_ok() {
        return Ok(());
    }
    let mut first = None;
    unlink(path, &mut first);
    first.map_or(Ok(()), Err)
}

fn unlink(path: &Path, first: &mut Option<Error>) {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).and_then(|entries| {
            entries.flatten().for_each(|entry| unlink(&entry.path(), first));
            fs::remove_dir(path)
        }),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    if let Err(error) = removed
        && error.kind() != ErrorKind::NotFound
        && first.is_none()
    {
        *first = Some(Error::path("remove", path, error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_goes_and_what_it_links_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(dir.path().join("kept"), "").unwrap();
        fs::write(tree.join("a/b/file"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("kept"), tree.join("a/link")).unwrap();
        remove(&tree).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists() && dir.path().join("kept").exists());
    }

    #[test]
    fn what_stays_is_named() {
        // Nobody can remove a file of /proc.
        let error = remove(Path::new("/proc/self/fdinfo")).unwrap_err();
        assert!(error.to_string().contains("/proc/self/fdinfo/"), "{error}");
    }
}
