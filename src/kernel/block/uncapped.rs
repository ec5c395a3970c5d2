//! Why no cap on a device can hold what is done to a path, and what works instead.

use std::fmt;
use std::path::PathBuf;

use super::Number;

/// What still holds where no cap does: both act on the job itself, whatever it reads and writes.
pub const INSTEAD: &str = "the pump's rate and the freezer";

/// A path without a device to cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncapped {
    /// The path; where mounts below one are looked at, too, the point of such a mount.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why there is no device to cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Its files are in memory; the kind of the file system.
    Memory(String),
    /// The kernel answers by itself; the kind of the file system.
    Pseudo(String),
    /// Bytes come through the network; the kind of the file system.
    Network(String),
    /// A process of its own does the I/O; the kind of the file system.
    Process(String),
    /// Threads of the file system do the I/O, in no cgroup of ours; the kind of the file system.
    OwnThreads(String),
    /// The machine that runs this virtual one does the I/O; the kind of the file system.
    Host(String),
    /// An automount point that nothing is mounted on.
    NotMounted,
    /// A file system that names no block device, and of which nothing more is known; its kind.
    NoDevice(String),
    /// sysfs does not describe this device.
    Undescribed(Number),
    /// sysfs does not describe the members of this btrfs; what was mounted.
    Members(PathBuf),
    /// An overlay whose options name no directory.
    NoLayers,
    /// Directories of an overlay that this process cannot find, as in a container.
    LayersUnseen {
        /// The first of them.
        first: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// A directory of an overlay that itself cannot be capped.
    Layer(PathBuf, Box<Why>),
    /// Overlays on overlays, deeper than the kernel allows.
    TooDeep,
    /// mountinfo lists no mount that holds it, as in a chroot.
    NoMount,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Memory(kind) => write!(f, "`{kind}` keeps its files in memory"),
            Why::Pseudo(kind) => write!(f, "the files of `{kind}` are made by the kernel when they are read"),
            Why::Network(kind) => write!(f, "`{kind}` reads and writes through the network"),
            Why::Process(kind) => write!(f, "a process outside of the run reads and writes for `{kind}`"),
            Why::OwnThreads(kind) => write!(f, "`{kind}` reads and writes in threads of its own, outside of the run"),
            Why::Host(kind) => write!(f, "the host of this machine reads and writes for `{kind}`"),
            Why::NotMounted => f.write_str("nothing is mounted on this automount point"),
            Why::NoDevice(kind) => write!(f, "`{kind}` names no block device"),
            Why::Undescribed(number) => write!(f, "sysfs does not describe its device `{number}`"),
            Why::Members(source) => write!(f, "sysfs does not describe the btrfs on `{}`", source.display()),
            Why::NoLayers => f.write_str("the options of this overlay name none of its directories"),
            Why::LayersUnseen { first, count: 1 } => {
                write!(f, "the directory `{}` of this overlay cannot be seen from here", first.display())
            }
            Why::LayersUnseen { first, count } => {
                let first = first.display();
                write!(f, "{count} directories of this overlay, such as `{first}`, cannot be seen from here")
            }
            Why::Layer(layer, why) => write!(f, "the directory `{}` of this overlay: {why}", layer.display()),
            Why::TooDeep => f.write_str("too many file systems lie on one another"),
            Why::NoMount => f.write_str("mountinfo lists no mount that holds it"),
        }
    }
}

impl fmt::Display for Uncapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Uncapped { path, why } = self;
        // Of an overlay, other directories may well be capped.
        let part = if matches!(why, Why::Layer(..) | Why::LayersUnseen { .. }) { "a part of " } else { "" };
        write!(f, "no cap can work on {part}`{}`: {why}; what works: {INSTEAD}", path.display())
    }
}
