//! One block device in sysfs: its name, what it is, and what lies below it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::Number;
use super::kind::{Kind, Traits};
use crate::kernel::{Error, Result, fs};

/// Deepest stack that is followed: the kernel itself has no limit, people stay far below.
const DEEPEST: usize = 32;

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its number.
    pub number: Number,
    /// Its name below `/dev`: `vda`, `dm-1`, `cciss/c0d0`.
    pub name: String,
    /// Its directory in sysfs.
    directory: PathBuf,
}

/// A device below another one, for a cap where the upper one does not take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lower {
    /// Its number.
    pub device: Number,
    /// Its name below `/dev`.
    pub name: String,
    /// How many of its kind can serve one stream at once: a cap is divided by it.
    pub share: NonZeroU32,
}

impl Device {
    /// The device of this number.
    pub fn by_number(sys: &Path, number: Number) -> Result<Device> {
        Device::at(&sys.join("dev/block").join(number.to_string()))
    }

    /// The device of this path below `/dev`, by its name in sysfs or by its name in `/dev/mapper`; `None` where it is no block
    /// device. The path holds no links.
    pub fn by_path(sys: &Path, path: &Path) -> Result<Option<Device>> {
        let Some(name) = path.strip_prefix("/dev").ok().and_then(Path::to_str).filter(|n| !n.is_empty()) else {
            return Ok(None);
        };
        let class = sys.join("class/block");
        // sysfs writes the `/` of a name as `!`.
        let entry = class.join(name.replace('/', "!"));
        if fs::exists(&entry) {
            return Device::at(&entry).map(Some);
        }
        let Some(mapped) = name.strip_prefix("mapper/") else { return Ok(None) };
        // Without udev, `/dev/mapper/NAME` is a node instead of a link to `/dev/dm-N`.
        let entries = if fs::exists(&class) { fs::list(&class)? } else { vec![] };
        let named = |entry: &PathBuf| matches!(trait_of(entry, "dm/name"), Ok(Some(name)) if name == mapped);
        entries.iter().find(|entry| named(entry)).map(|entry| Device::at(entry)).transpose()
    }

    /// The device of a directory of sysfs, or of a link to one.
    pub(super) fn at(directory: &Path) -> Result<Device> {
        let directory = fs::canonical(directory)?;
        let number = fs::read_text(&directory.join("dev"))?.trim_end().parse()?;
        let name = directory.file_name().unwrap_or_default().to_string_lossy().replace('!', "/");
        Ok(Device { number, name, directory })
    }

    /// The device itself, or the disk it is a partition of: `io.max` refuses partitions.
    pub fn whole(self) -> Result<Device> {
        match (fs::exists(&self.directory.join("partition")), self.directory.parent()) {
            (true, Some(disk)) => Device::at(disk),
            _ => Ok(self),
        }
    }

    /// What it is.
    pub fn kind(&self) -> Result<Kind> {
        let text = |name| trait_of(&self.directory, name);
        Ok(Kind::of(Traits {
            dm_name: text("dm/name")?,
            dm_uuid: text("dm/uuid")?,
            md_level: text("md/level")?,
            loop_file: text("loop/backing_file")?,
            bcache: fs::exists(&self.directory.join("bcache")),
        }))
    }

    /// A file of its directory, without the newline; `None` where there is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        trait_of(&self.directory, name)
    }

    /// Whether requests go from here to a driver: it has nothing below, or several paths to one disk.
    ///
    /// A multipath disk ends the stack since its requests reach the paths as they are, past the throttle (dm-rq.c hands them to
    /// `blk_insert_cloned_request`).
    pub fn is_lowest(&self) -> Result<bool> {
        Ok(self.below()?.is_empty() || matches!(self.kind()?, Kind::Multipath(_)))
    }

    /// The disks at the bottom of the stack, each once, by number; none for a disk.
    pub fn lowest(&self) -> Result<Vec<Lower>> {
        let mut found = BTreeMap::new();
        if !self.is_lowest()? {
            self.descend(1, DEEPEST, &mut found)?;
        }
        let lower = |(Device { number, name, .. }, shares): (Device, Vec<usize>)| Lower {
            device: number,
            name,
            share: joint_share(&shares),
        };
        Ok(found.into_values().map(lower).collect())
    }

    fn descend(&self, share: usize, depth: usize, found: &mut BTreeMap<Number, (Device, Vec<usize>)>) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::about("follow what lies below device", &self.name, ErrorKind::InvalidData));
        };
        let below = self.below()?;
        let share = share.saturating_mul(self.kind()?.serving(below.len()));
        for device in below {
            if device.is_lowest()? {
                found.entry(device.number).or_insert((device, vec![])).1.push(share);
            } else {
                device.descend(share, depth, found)?;
            }
        }
        Ok(())
    }

    /// The whole devices directly below it.
    fn below(&self) -> Result<Vec<Device>> {
        let slaves = self.directory.join("slaves");
        if !fs::exists(&slaves) {
            return Ok(vec![]);
        }
        fs::list(&slaves)?.iter().map(|slave| Device::at(slave)?.whole()).collect()
    }
}

/// What a cap is divided by on a disk that serves several parts of a stream, of which each alone had one of these shares: the largest ÷
/// their number, rounded up. So the cap on the stream is never exceeded: each part is at least 1 ÷ the largest of it.
pub(super) fn joint_share(shares: &[usize]) -> NonZeroU32 {
    let joint = shares.iter().max().map_or(1, |largest| largest.div_ceil(shares.len()));
    NonZeroU32::new(u32::try_from(joint).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
}

fn trait_of(directory: &Path, name: &str) -> Result<Option<String>> {
    Ok(fs::read_text_lossy(&directory.join(name))?.map(|text| text.trim_end_matches('\n').to_owned()))
}
