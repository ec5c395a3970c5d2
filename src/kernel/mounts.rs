//! /proc/self/mountinfo: what is mounted where, and which mount a path lies on.

use std::path::{Path, PathBuf};

use super::block::Number;
use super::{Error, Result, fs};

/// One line of mountinfo, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number, unique as long as it is mounted.
    pub id: u32,
    /// The number of the mount it is mounted on. The root of everything has one that is not listed.
    pub parent: u32,
    /// The file system's device; major 0 where the kernel made up a number.
    pub device: Number,
    /// The directory of the file system that is mounted.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// `ext4`, `cgroup2`, …
    pub kind: String,
    /// What was mounted: `/dev/sda1`, `server:/export`, a word without meaning.
    pub source: PathBuf,
    /// The options of the file system, separated by commas and still escaped: a value may hold an escaped comma.
    pub options: String,
    /// Mounted read-only, by the mount or by the file system.
    pub read_only: bool,
}

/// The mounts this process sees.
pub fn read(proc: &Path) -> Result<Vec<Mount>> {
    // Names need not be UTF-8; a mount point that is not costs nobody the others.
    let path = proc.join("self/mountinfo");
    let text = fs::read_text_lossy(&path)?;
    text.map(|text| parse(&text)).ok_or_else(|| Error::path("read", &path, std::io::ErrorKind::NotFound))
}

/// Parses mountinfo; a line that does not have its shape is left out.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    // `36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/root rw,errors=continue`: the optional fields end at the `-`.
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ');
    let id = fields.next()?.parse().ok()?;
    let parent = fields.next()?.parse().ok()?;
    let device = fields.next()?.parse().ok()?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let mount_options = fields.next()?;
    let mut rest = after.split(' ');
    let kind = rest.next()?.to_owned();
    let source = unescape(rest.next().unwrap_or(""));
    let options = rest.next().unwrap_or("").to_owned();
    let read_only = [mount_options, &options].iter().any(|o| o.split(',').any(|o| o == "ro"));
    Some(Mount { id, parent, device, root, point, kind, source, options, read_only })
}

/// The mount a path lies on, by the walk the kernel does: from the root down, at each directory onto what is mounted there on the
/// mount reached so far, as often as something is. So of two mounts on one directory the later one wins, and a mount below a
/// directory that was mounted over since is not found.
///
/// The path is absolute and holds neither links nor dots ([`fs::canonical`]). `None` where mountinfo does not list the root, as
/// in a chroot.
pub fn holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let listed = |mount: &Mount| mounts.iter().any(|other| other.id == mount.parent && other.id != mount.id);
    let mut at = mounts.iter().rfind(|m| m.point == Path::new("/") && !listed(m))?;
    let mut directories: Vec<&Path> = path.ancestors().collect();
    directories.reverse();
    for directory in directories {
        // Not more often than there are mounts: what is read here must not make a circle.
        for _ in mounts {
            let on_top = |m: &&Mount| m.parent == at.id && m.id != at.id && m.point == directory;
            match mounts.iter().rfind(on_top) {
                Some(mount) => at = mount,
                None => break,
            }
        }
    }
    Some(at)
}

/// The mounts that whoever walks the tree below `path` comes upon, without the one that holds `path` itself.
pub fn below<'a>(mounts: &'a [Mount], path: &Path) -> Vec<&'a Mount> {
    let inside = mounts.iter().filter(|m| m.point.starts_with(path) && m.point != path);
    inside.filter(|m| holding(mounts, &m.point).is_some_and(|seen| seen.id == m.id)).collect()
}

/// The kernel writes space, tab, newline and backslash as `\` and three octal digits; some file systems write more so.
pub(super) fn unescape(field: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = (first == b'\\').then(|| tail.get(..3)).flatten();
        let code = octal.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 8).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn optional_fields_and_escapes() {
        let text = "38 31 0:41 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
                    40 23 254:1 /a\\040b /mnt/c\\134d rw,noatime shared:7 master:3 - ext4 /dev/vda1 ro,errors=continue\n\
                    not a mount\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].kind, "cgroup2");
        assert!(!mounts[0].read_only);
        assert_eq!(mounts[1].root, PathBuf::from("/a b"));
        assert_eq!(mounts[1].point, PathBuf::from("/mnt/c\\d"));
        assert_eq!(mounts[1].device, Number { major: 254, minor: 1 });
        assert_eq!((mounts[1].id, mounts[1].parent), (40, 23));
        assert_eq!(mounts[1].source, PathBuf::from("/dev/vda1"));
        assert_eq!(mounts[1].options, "ro,errors=continue");
        assert!(mounts[1].read_only);
    }

    /// Two file systems on one directory, one below a directory that was mounted over, and a bind mount.
    const SHADOWS: &str = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                           21 20 8:2 / /srv rw - ext4 /dev/sda2 rw\n\
                           22 21 8:3 / /srv/www/data rw - ext4 /dev/sda3 rw\n\
                           23 21 8:4 / /srv/www rw - xfs /dev/sda4 rw\n\
                           24 20 8:5 / /mnt rw - ext4 /dev/sda5 rw\n\
                           25 24 8:6 / /mnt rw - ext4 /dev/sda6 rw\n\
                           26 20 8:2 /db /var/lib/db rw - ext4 /dev/sda2 rw\n\
                           27 20 8:7 / /srv2 rw - ext4 /dev/sda7 rw\n";

    #[test]
    fn a_path_lies_on_the_mount_that_is_on_top_there() {
        let mounts = parse(SHADOWS);
        let minor = |path: &str| holding(&mounts, Path::new(path)).unwrap().device.minor;
        assert_eq!(minor("/"), 1);
        assert_eq!(minor("/etc/passwd"), 1);
        assert_eq!(minor("/srv"), 2);
        assert_eq!(minor("/srv/www/data/x"), 4, "the later mount of /srv/www hides the one below it");
        assert_eq!(minor("/mnt/x"), 6, "the later of two on one directory");
        assert_eq!(minor("/var/lib/db/x"), 2, "a bind mount");
        assert_eq!(minor("/srv2/x"), 7, "a name is compared whole");
        assert_eq!(holding(&parse("23 22 8:1 / /mnt rw - ext4 a rw"), Path::new("/mnt")), None);
    }

    #[test]
    fn a_walk_comes_upon_what_is_not_hidden() {
        let mounts = parse(SHADOWS);
        let minors = |path: &str| below(&mounts, Path::new(path)).iter().map(|m| m.device.minor).collect::<Vec<_>>();
        assert_eq!(minors("/"), [2, 4, 6, 2, 7]);
        assert_eq!(minors("/srv"), [4]);
        assert_eq!(minors("/srv/www"), [0_u32; 0]);
    }

    /// The kernel's own answer, by statx(2), for every directory something is mounted on here.
    #[test]
    fn the_kernel_finds_the_same_mount() {
        use std::os::unix::ffi::OsStrExt;
        let mounts = read(Path::new(super::super::procfs::PROC)).unwrap();
        let mut compared = 0;
        for mount in &mounts {
            let path = std::ffi::CString::new(mount.point.as_os_str().as_bytes()).unwrap();
            // SAFETY: a statx of zeros is a valid value, the path ends with a NUL and the buffer is a statx.
            let (result, answer) = unsafe {
                let mut answer: libc::statx = std::mem::zeroed();
                let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
                (libc::statx(libc::AT_FDCWD, path.as_ptr(), flags, libc::STATX_MNT_ID, &mut answer), answer)
            };
            if result == 0 && answer.stx_mask & libc::STATX_MNT_ID != 0 {
                let found = holding(&mounts, &mount.point).unwrap();
                assert_eq!(u64::from(found.id), answer.stx_mnt_id, "{}", mount.point.display());
                compared += 1;
            }
        }
        assert!(compared > 0 || mounts.is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            parse(&text);
            parse(&format!("36 35 98:0 {text} {text} - {text}"));
        }

        #[test]
        fn a_circle_of_mounts_comes_to_an_end(ids in prop::collection::vec((0_u32..6, 0_u32..6, 0_usize..3), 0..8)) {
            let points = ["/", "/a", "/a/b"];
            let line = |(id, parent, at): &(u32, u32, usize)| format!("{id} {parent} 8:1 / {} rw - ext4 x rw", points[*at]);
            let mounts = parse(&ids.iter().map(line).collect::<Vec<_>>().join("\n"));
            prop_assert!(below(&mounts, Path::new("/")).len() <= mounts.len());
        }
    }
}
