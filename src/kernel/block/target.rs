//! A device to cap, and what is to be known about capping it.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::Number;
use super::device::Lower;
use super::kind::Kind;

/// A device that takes a cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its number: what a line of `io.max` begins with.
    pub device: Number,
    /// Its name below `/dev`: `vda`, `dm-1`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What a cap is divided by: how many devices serve one stream at once. More than 1 for members of a striped btrfs alone.
    pub share: NonZeroU32,
    /// The disks below, for the case that the kernel refuses a cap on the device itself. A cap is divided by this share and by
    /// theirs.
    pub below: Vec<Lower>,
    /// What is read from it or written to it.
    pub holds: Vec<Held>,
    /// What a cap on it does not do.
    pub warnings: Vec<Warning>,
}

/// Something that lies on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The path as it was asked for; where mounts below one are looked at, too, the point of such a mount.
    pub path: PathBuf,
    /// The kind of the file system it lies on, `ext4`; `None` for the device itself.
    pub filesystem: Option<String>,
}

/// What a cap on a device does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A loop device: the kernel itself reads and writes the file, outside of the run.
    Loop {
        /// The file.
        file: PathBuf,
        /// The names of the disks that hold it; empty where that cannot be told.
        disks: Vec<String>,
    },
}

impl Target {
    /// `LVM volume `vg-data` (dm-1)`.
    pub fn describe(&self) -> String {
        format!("{} ({})", self.kind, self.name)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Loop { file, disks } => {
                let disks: Vec<String> = disks.iter().map(|disk| format!("`{disk}`")).collect();
                let disks = if disks.is_empty() { "the disk".to_owned() } else { disks.join(", ") };
                write!(f, "the cap holds on the loop device, not on {disks} under its file `{}`", file.display())
            }
        }
    }
}
