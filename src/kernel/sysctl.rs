//! Settings of the kernel below /proc/sys: how much of what was written may wait in memory for its disk.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::{Error, Result, fs, process};

/// `vm.dirty_*`, and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirty {
    /// From here on the kernel writes in the background.
    pub background: Threshold,
    /// From here on whoever writes has to wait for the disk.
    pub limit: Threshold,
    /// What has waited for so long is written in any case (`vm.dirty_expire_centisecs`).
    pub expire: Duration,
    /// So often the kernel looks (`vm.dirty_writeback_centisecs`); zero: never.
    pub look: Duration,
}

/// One threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// What was set.
    pub set: Setting,
    /// What the kernel makes of it at present, in bytes: its shares are shares of the memory that files could fill now.
    pub bytes: u64,
}

/// A threshold as it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// `*_ratio`: percent.
    Percent(u64),
    /// `*_bytes`.
    Bytes(u64),
}

/// Reads them, with the thresholds the kernel works with (`nr_dirty_threshold` and its kin in vmstat).
///
/// # Errors
/// When one of the files is not there, or is not understood.
pub fn dirty(proc: &Path) -> Result<Dirty> {
    let vm = |name: &str| number(&proc.join("sys/vm").join(name));
    let vmstat = proc.join("vmstat");
    let text = fs::read_text(&vmstat)?;
    let page = u64::try_from(process::page_size()).unwrap_or(4096);
    let pages = |key| {
        let missing = || Error::path(key, &vmstat, std::io::ErrorKind::InvalidData);
        Ok(counter(&text, key).ok_or_else(missing)?.saturating_mul(page))
    };
    let threshold = |name: &str, bytes| {
        let set = match vm(&format!("{name}_bytes"))? {
            0 => Setting::Percent(vm(&format!("{name}_ratio"))?),
            bytes => Setting::Bytes(bytes),
        };
        Ok(Threshold { set, bytes })
    };
    let centiseconds = |name| Ok(Duration::from_millis(vm(name)?.saturating_mul(10)));
    Ok(Dirty {
        background: threshold("dirty_background", pages("nr_dirty_background_threshold")?)?,
        limit: threshold("dirty", pages("nr_dirty_threshold")?)?,
        expire: centiseconds("dirty_expire_centisecs")?,
        look: centiseconds("dirty_writeback_centisecs")?,
    })
}

fn number(path: &Path) -> Result<u64> {
    let text = fs::read_text(path)?;
    text.trim().parse().map_err(|_| Error::path("understand", path, std::io::ErrorKind::InvalidData))
}

/// A line of vmstat: `nr_dirty 17`.
fn counter(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A /proc with these files.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("sys/vm")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    const DEFAULTS: &[(&str, &str)] = &[
        ("vmstat", "nr_dirty 17\nnr_dirty_threshold 800000\nnr_dirty_background_threshold 400000\n"),
        ("sys/vm/dirty_background_bytes", "0\n"),
        ("sys/vm/dirty_background_ratio", "10\n"),
        ("sys/vm/dirty_bytes", "0\n"),
        ("sys/vm/dirty_ratio", "20\n"),
        ("sys/vm/dirty_expire_centisecs", "3000\n"),
        ("sys/vm/dirty_writeback_centisecs", "500\n"),
    ];

    #[test]
    fn shares_come_to_what_the_kernel_says() {
        let dir = tree(DEFAULTS);
        let found = dirty(dir.path()).unwrap();
        let page = process::page_size() as u64;
        assert_eq!(found.limit, Threshold { set: Setting::Percent(20), bytes: 800_000 * page });
        assert_eq!(found.background, Threshold { set: Setting::Percent(10), bytes: 400_000 * page });
        assert_eq!((found.expire, found.look), (Duration::from_secs(30), Duration::from_secs(5)));
    }

    #[test]
    fn bytes_take_the_place_of_shares() {
        let dir = tree(DEFAULTS);
        std::fs::write(dir.path().join("sys/vm/dirty_bytes"), "268435456\n").unwrap();
        std::fs::write(dir.path().join("sys/vm/dirty_ratio"), "0\n").unwrap();
        assert_eq!(dirty(dir.path()).unwrap().limit.set, Setting::Bytes(256 << 20));
    }

    #[test]
    fn what_is_missing_or_not_understood_is_named() {
        let dir = tree(&DEFAULTS[1..]);
        assert!(dirty(dir.path()).unwrap_err().subject.ends_with("vmstat"));
        let dir = tree(DEFAULTS);
        std::fs::write(dir.path().join("sys/vm/dirty_bytes"), "-1\n").unwrap();
        assert!(dirty(dir.path()).unwrap_err().subject.ends_with("sys/vm/dirty_bytes"));
    }

    #[test]
    fn this_machine_is_understood() {
        let found = dirty(Path::new(super::super::procfs::PROC)).unwrap();
        assert!(found.limit.bytes > found.background.bytes, "{found:?}");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            counter(&text, "nr_dirty");
        }
    }
}
