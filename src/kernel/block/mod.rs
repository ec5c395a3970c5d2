//! Block devices: from a path to the devices whose `io.max` caps it, what was moved through each, and what is known of the disks.
//!
//! ```text
//! path ─▶ mounts::holding ─▶ filesystem ─┬─▶ a device number ─▶ device (partition ─▶ its disk) ─┐
//!                                        ├─▶ btrfs: its members ────────────────────────────────┼─▶ resolve: each device once
//!                                        ├─▶ overlay: its layers, resolved again ───────────────┘
//!                                        └─▶ uncapped: why no cap can work
//! ```
//!
//! Invariants: what is capped is the *top* block device that holds the file system, one number, so that no byte is counted twice;
//! the disks below are what remains where the kernel refuses that. Everything is read below [`Roots`], and what is decided is
//! decided by functions of values.

pub mod btrfs;
pub mod device;
pub mod disk;
pub mod diskstats;
pub mod filesystem;
pub mod kind;
mod number;
pub mod overlay;
pub mod resolve;
pub mod stat;
pub mod target;
pub mod uncapped;
pub mod writeback;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use number::Number;

/// Where the kernel's file systems are mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// procfs.
    pub proc: PathBuf,
    /// sysfs.
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Roots { proc: super::procfs::PROC.into(), sys: "/sys".into() }
    }
}
