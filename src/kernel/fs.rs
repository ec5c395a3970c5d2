//! Files and directories: small reads, durable writes, removal.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::durable::sync_dir;
use super::{Error, Result};

/// The whole of a text file. What is no file, such as a FIFO, is refused: it could be waited for for ever.
pub fn read_text(path: &Path) -> Result<String> {
    let read = || match fs::metadata(path)? {
        // A directory has an error of its own.
        meta if meta.is_file() || meta.is_dir() => fs::read_to_string(path),
        _ => Err(io::Error::other("it is not a regular file")),
    };
    read().map_err(|e| Error::path("read", path, e))
}

/// The whole of a text file, or `None` where there is none.
pub fn read_text_if_any(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::path("read", path, e)),
    }
}

/// The whole of a file.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| Error::path("read", path, e))
}

/// The whole of a file that somebody named. What is no file, such as a FIFO, is refused: it could be waited for for ever.
pub fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let read = || match fs::metadata(path)? {
        meta if meta.is_file() || meta.is_dir() => fs::read(path),
        _ => Err(io::Error::other("it is not a regular file")),
    };
    read().map_err(|e| Error::path("read", path, e))
}

/// The whole of a file that may hold anything, or `None` where there is none; what is no UTF-8 is replaced.
pub fn read_text_lossy(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::path("read", path, e)),
    }
}

/// What a directory holds, as full paths, sorted by name.
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::path("list", path, e);
    let mut entries = fs::read_dir(path)
        .map_err(failed)?
        .map(|e| e.map(|e| e.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(failed)?;
    entries.sort();
    Ok(entries)
}

/// Creates a directory and what is missing above it; new ones get `mode`.
pub fn create_dir_all(path: &Path, mode: u32) -> Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|e| Error::path("create directory", path, e))
}

/// Creates one directory that must not exist yet.
pub fn create_dir(path: &Path, mode: u32) -> Result<()> {
    DirBuilder::new().mode(mode).create(path).map_err(|e| Error::path("create directory", path, e))
}

/// Writes a file that must not exist yet, 0600, and makes its content durable.
pub fn create_file(path: &Path, content: &[u8]) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|e| Error::path("write", path, e))
}

/// A file that must not exist yet, 0600, to be written by somebody else.
pub fn create_to_write(path: &Path) -> Result<std::os::fd::OwnedFd> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map(Into::into).map_err(|e| Error::path("create", path, e))
}

/// Replaces a small file, 0600, so that a reader sees the old or the new content, never half of one. Not made durable:
/// for what is worth nothing after a power cut.
pub fn replace_volatile(path: &Path, content: &[u8]) -> Result<()> {
    let fresh = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(content)?;
        fs::rename(&fresh, path)
    };
    write().map_err(|e| Error::path("write", path, e))
}

/// A file to append to, created 0600.
pub fn open_append(path: &Path) -> Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(|e| Error::path("open", path, e))
}

/// Appends whole lines to a file, created 0600, and makes them durable; on an error the file is as long as it was before. A
/// last line that somebody left without an end gets one first, so that it spoils nothing but itself.
pub fn append_lines_durable(path: &Path, lines: &[u8]) -> Result<()> {
    let failed = |e| Error::path("write", path, e);
    let mut options = OpenOptions::new();
    let open = options.read(true).append(true).create(true).mode(0o600).open(path);
    let mut file = open.map_err(|e| Error::path("open", path, e))?;
    let length = file.metadata().map_err(failed)?.len();
    let fresh = length == 0 || ends_in_newline(&mut file).map_err(failed)?;
    let mut text = if fresh { vec![] } else { vec![b'\n'] };
    text.extend_from_slice(lines);
    file.write_all(&text).and_then(|()| file.sync_data()).map_err(|e| {
        // Half a line must not stay, as after a disk that is full. Where even this fails the next one begins a line of its own.
        file.set_len(length).ok();
        failed(e)
    })
}

fn ends_in_newline(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Renames and makes the new name durable: the directories of both names are synced.
pub fn rename_durable(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| Error::path("rename", from, e))?;
    let parent = |path: &Path| path.parent().unwrap_or(Path::new("/")).to_path_buf();
    sync_dir(&parent(to))?;
    if parent(from) != parent(to) { sync_dir(&parent(from)) } else { Ok(()) }
}

/// Removes a file or a whole tree; nothing there is no error. Symbolic links are removed, not followed.
pub fn remove_tree(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::path("remove", path, e)),
        _ => Ok(()),
    }
}

/// The absolute path with every symbolic link resolved.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(|e| Error::path("find", path, e))
}

/// A path from the root; where it is relative, from this process's directory. Links stay.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::path("find", path, e))
}

/// Where a path is, or will be once it is made: links resolved as far as it exists.
pub fn resolved(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|ancestor| Some((ancestor, fs::canonicalize(ancestor).ok()?)));
    match found {
        Some((ancestor, real)) => match path.strip_prefix(ancestor) {
            Ok(rest) if rest != Path::new("") => real.join(rest),
            _ => real,
        },
        None => path.to_path_buf(),
    }
}

/// Whether something has this name; a dangling link counts.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether something has this name; unlike [`exists`] it tells "there is none" from "nobody may look".
pub fn try_exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|e| Error::path("look for", path, e))
}

/// Whether it is a directory, links followed.
pub fn is_dir(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_dir())
}

/// Whether it is a directory without entries.
pub fn is_empty_dir(path: &Path) -> Result<bool> {
    Ok(fs::read_dir(path).map_err(|e| Error::path("list", path, e))?.next().is_none())
}

/// Whether a program of this name can be executed: `PATH` is searched unless it holds a `/`.
pub fn find_program(name: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    let executable = |p: &Path| fs::metadata(p).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let named = Path::new(name);
    if named.components().count() > 1 || named.is_absolute() {
        return executable(named).then(|| named.to_path_buf());
    }
    std::env::split_paths(path?).map(|dir| dir.join(name)).find(|p| executable(p))
}

/// What lies under a name; a symbolic link is itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// A directory.
    pub is_dir: bool,
    /// A regular file.
    pub is_file: bool,
    /// Permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Size in bytes.
    pub size: u64,
}

/// What lies under a name, or `None` where nothing does; links are not followed.
pub fn entry(path: &Path) -> Result<Option<Entry>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(Entry {
            is_dir: meta.is_dir(),
            is_file: meta.is_file(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            size: meta.len(),
        })),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::path("look at", path, e)),
    }
}

/// Size in bytes of a file.
pub fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).map_err(|e| Error::path("stat", path, e))?.len())
}

/// Permission bits of a file, and whether this process owns it.
pub fn mode_and_owner(path: &Path) -> Result<(u32, u32)> {
    let meta = fs::metadata(path).map_err(|e| Error::path("stat", path, e))?;
    Ok((meta.mode() & 0o7777, meta.uid()))
}

/// Opens for reading and closes again: whether this process may read it, with the kernel's reason if not.
pub fn probe_read(path: &Path) -> Result<()> {
    if is_dir(path) {
        is_empty_dir(path).map(|_| ())
    } else {
        File::open(path).map(|_| ()).map_err(|e| Error::path("open", path, e))
    }
}

/// Whether this process may create something in a directory, with the kernel's reason if not: rights, or a file system that is
/// read-only. Nothing is created.
pub fn probe_write(directory: &Path) -> Result<()> {
    use nix::unistd::AccessFlags;
    let wanted = AccessFlags::W_OK | AccessFlags::X_OK;
    nix::unistd::faccessat(nix::fcntl::AT_FDCWD, directory, wanted, nix::fcntl::AtFlags::AT_EACCESS)
        .map_err(|e| Error::path("write into", directory, e))
}

/// Room on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What this process may still write.
    pub free: u64,
    /// Its size.
    pub total: u64,
}

/// Room on the file system that holds `path`.
pub fn space(path: &Path) -> Result<Space> {
    let stat = statvfs(path).map_err(|e| Error::path("read the free space of", path, e))?;
    let unit = stat.fragment_size();
    Ok(Space { free: stat.blocks_available() * unit, total: stat.blocks() * unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_file_is_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        create_file(&path, b"one").unwrap();
        assert_eq!(mode_and_owner(&path).unwrap().0, 0o600);
        let error = create_file(&path, b"two").unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write `{}`", path.display()));
        assert_eq!(read_text(&path).unwrap(), "one");
    }

    #[test]
    fn removal_does_not_follow_links_and_forgives_what_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, tree) = (dir.path().join("kept"), dir.path().join("tree"));
        create_dir(&kept, 0o700).unwrap();
        create_file(&kept.join("file"), b"").unwrap();
        create_dir(&tree, 0o700).unwrap();
        std::os::unix::fs::symlink(&kept, tree.join("link")).unwrap();
        remove_tree(&tree).unwrap();
        remove_tree(&tree).unwrap();
        assert!(exists(&kept.join("file")));
    }

    #[test]
    fn programs_are_found_like_a_shell_does() {
        let path = OsStr::new("/nonexistent:/bin");
        assert_eq!(find_program(OsStr::new("sh"), Some(path)), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find_program(OsStr::new("/bin/sh"), None), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find_program(OsStr::new("no-such-program"), Some(path)), None);
    }

    #[test]
    fn where_nothing_can_be_written_the_reason_is_told() {
        let dir = tempfile::tempdir().unwrap();
        probe_write(dir.path()).unwrap();
        assert_eq!(probe_write(&dir.path().join("none")).unwrap_err().errno(), Some(libc::ENOENT));
        assert_eq!(list(dir.path()).unwrap(), Vec::<PathBuf>::new(), "nothing was created");
        // No right of root makes a directory out of a file.
        create_file(&dir.path().join("file"), b"").unwrap();
        assert_eq!(probe_write(&dir.path().join("file")).unwrap_err().errno(), Some(libc::EACCES));
    }

    #[test]
    fn appended_lines_stand_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        append_lines_durable(&path, b"one\n").unwrap();
        append_lines_durable(&path, b"two\n").unwrap();
        open_append(&path).unwrap().write_all(b"tor").unwrap();
        append_lines_durable(&path, b"three\n").unwrap();
        assert_eq!(read_text(&path).unwrap(), "one\ntwo\ntor\nthree\n");
        assert_eq!(mode_and_owner(&path).unwrap().0, 0o600);
    }

    #[test]
    fn an_append_that_fails_half_way_leaves_nothing() {
        const FILE: &str = "GOVERN_TEST_APPEND";
        let own_name = "kernel::fs::tests::an_append_that_fails_half_way_leaves_nothing";
        let lines = b"another\n".repeat(1000);
        if let Some(path) = std::env::var_os(FILE) {
            append_lines_durable(Path::new(&path), &lines).unwrap_err();
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        append_lines_durable(&path, b"one\n").unwrap();
        // A limit to the size of files is a full disk for one process, so the test starts itself again.
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg(own_name)
            .env(FILE, &path)
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
        assert_eq!(read_text(&path).unwrap(), "one\n");
    }
}
