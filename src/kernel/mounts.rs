//! /proc/self/mountinfo.

use std::path::{Path, PathBuf};

use super::{Result, fs};

/// One line of mountinfo, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Major and minor number of the file system's device.
    pub device: (u32, u32),
    /// The directory of the file system that is mounted.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// `ext4`, `cgroup2`, …
    pub kind: String,
    /// Mounted read-only, by the mount or by the file system.
    pub read_only: bool,
}

/// The mounts this process sees.
pub fn read(proc: &Path) -> Result<Vec<Mount>> {
    Ok(parse(&fs::read_text(&proc.join("self/mountinfo"))?))
}

/// Parses mountinfo; a line that does not have its shape is left out.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    // `36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/root rw,errors=continue`: the optional fields end at the `-`.
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(2);
    let (major, minor) = fields.next()?.split_once(':')?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let mount_options = fields.next()?;
    let mut rest = after.split(' ');
    let kind = rest.next()?.to_owned();
    let super_options = rest.nth(1).unwrap_or("");
    let read_only = [mount_options, super_options].iter().any(|o| o.split(',').any(|o| o == "ro"));
    Some(Mount { device: (major.parse().ok()?, minor.parse().ok()?), root, point, kind, read_only })
}

/// The kernel writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(field: &str) -> PathBuf {
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
        assert_eq!(mounts[1].device, (254, 1));
        assert!(mounts[1].read_only);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            parse(&text);
            parse(&format!("36 35 98:0 {text} {text} - {text}"));
        }
    }
}
