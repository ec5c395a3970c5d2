//! Where crontabs are, and reading them.

use std::path::{Path, PathBuf};

use super::Source;
use super::crontab::{Dialect, Flavour, is_read};
use crate::kernel::{self, account, fs};

/// The crontab of the system.
const CRONTAB: &str = "etc/crontab";
/// Its directory for packages.
const CRON_D: &str = "etc/cron.d";
/// Where Debian's cron keeps the crontabs of users; cronie keeps them one directory above.
const SPOOLS: [&str; 2] = ["var/spool/cron/crontabs", "var/spool/cron"];

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The crontabs, in the order in which cron reads them.
    pub sources: Vec<Source>,
    /// Files that cron does not read, each with the reason.
    pub left_out: Vec<(PathBuf, &'static str)>,
}

/// Whose cron this machine has, by where it keeps crontabs.
pub fn flavour(root: &Path) -> Flavour {
    let debian = fs::is_dir(&root.join("var/spool/cron/crontabs")) || fs::exists(&root.join("etc/debian_version"));
    if debian { Flavour::Debian } else { Flavour::Cronie }
}

/// `/etc/crontab` and the files of `/etc/cron.d` that cron reads, below a root directory.
pub fn system(root: &Path) -> kernel::Result<Found> {
    let mut found = Found::default();
    let crontab = root.join(CRONTAB);
    if fs::exists(&crontab) {
        found.sources.push(file(&crontab, Dialect::System, None)?);
    }
    let directory = root.join(CRON_D);
    let files = if fs::is_dir(&directory) { fs::list(&directory)? } else { vec![] };
    for path in files {
        match why_not_read(flavour(root), &path)? {
            Some(reason) => found.left_out.push((path, reason)),
            None => found.sources.push(file(&path, Dialect::System, None)?),
        }
    }
    Ok(found)
}

fn why_not_read(flavour: Flavour, path: &Path) -> kernel::Result<Option<&'static str>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !is_read(flavour, &name) {
        return Ok(Some("cron reads no file of such a name"));
    }
    let entry = fs::entry(path)?;
    Ok(match entry {
        Some(entry) if entry.is_dir => Some("it is a directory"),
        Some(entry) if entry.uid != account::ROOT => Some("it is not root's, and cron does not read it"),
        Some(entry) if entry.is_file && entry.mode & 0o022 != 0 => {
            Some("others can write to it, and cron does not read it")
        }
        Some(_) => None,
        None => Some("it is gone"),
    })
}

/// The crontab of a user; `None` where there is none.
pub fn user(root: &Path, name: &str) -> kernel::Result<Option<Source>> {
    // A name is no path.
    let spools = SPOOLS.into_iter().filter(|_| !name.contains('/') && !name.starts_with('.') && !name.is_empty());
    for spool in spools {
        let path = root.join(spool).join(name);
        // Where crontabs are in a directory of their own, a name above it is no crontab.
        if fs::try_exists(&path)? && !fs::is_dir(&path) {
            return file(&path, Dialect::User, Some(name.to_owned())).map(Some);
        }
    }
    Ok(None)
}

/// A file. Without a word about it, a file of `/etc` is one of the system.
pub fn named(path: &Path, with_account: bool) -> kernel::Result<Source> {
    let full = fs::absolute(path)?;
    let of_system = full == Path::new("/etc/crontab") || full.starts_with("/etc/cron.d");
    let dialect = if with_account || of_system { Dialect::System } else { Dialect::User };
    file(path, dialect, None)
}

/// What stands on standard input.
pub fn text(name: &str, bytes: Vec<u8>, with_account: bool) -> Source {
    let dialect = if with_account { Dialect::System } else { Dialect::User };
    source(name.to_owned(), bytes, dialect, None)
}

fn file(path: &Path, dialect: Dialect, account: Option<String>) -> kernel::Result<Source> {
    Ok(source(path.display().to_string(), fs::read_regular(path)?, dialect, account))
}

fn source(name: String, bytes: Vec<u8>, dialect: Dialect, account: Option<String>) -> Source {
    let (text, is_text) = match String::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
    };
    Source { name, text, is_text, dialect, account }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn machine(files: &[(&str, u32)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, mode) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "@daily root x\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).unwrap();
        }
        root
    }

    #[test]
    fn the_system_has_a_crontab_and_a_directory() {
        if !account::is_root() {
            return;
        }
        let files = [
            ("etc/crontab", 0o644),
            ("etc/cron.d/forum", 0o644),
            ("etc/cron.d/backup.sh", 0o644),
            ("etc/cron.d/open", 0o666),
            ("etc/cron.d/dir/x", 0o644),
            ("var/spool/cron/crontabs/www", 0o600),
        ];
        let root = machine(&files);
        let found = system(root.path()).unwrap();
        let names = |path: &str| path.replace(root.path().to_str().unwrap(), "");
        let read: Vec<String> = found.sources.iter().map(|source| names(&source.name)).collect();
        assert_eq!(read, ["/etc/crontab", "/etc/cron.d/forum"]);
        let left: Vec<String> =
            found.left_out.iter().map(|(path, why)| format!("{}: {why}", names(&path.display().to_string()))).collect();
        insta::assert_snapshot!(left.join("\n"), @r"
        /etc/cron.d/backup.sh: cron reads no file of such a name
        /etc/cron.d/dir: it is a directory
        /etc/cron.d/open: others can write to it, and cron does not read it
        ");
        assert_eq!(user(root.path(), "www").unwrap().unwrap().account.as_deref(), Some("www"));
        assert!(user(root.path(), "crontabs").unwrap().is_none());
        assert!(user(root.path(), "nobody").unwrap().is_none());
    }

    #[test]
    fn what_is_no_text_is_read_all_the_same() {
        let source = text("-", b"@daily \xff\n".to_vec(), false);
        assert!(!source.is_text);
        assert_eq!(source.text, "@daily \u{fffd}\n");
    }
}
