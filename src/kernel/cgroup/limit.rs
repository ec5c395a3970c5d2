//! Limits of a cgroup: each is written only where the kernel holds another value, and read back.
//!
//! The single setters of `cgroups-rs` write the files it knows; it has none for `io.weight` and `cpu.idle`. It opens with
//! create, so [`Cgroup::set`] looks first whether the file is there: on cgroupfs that is the question whether the controller is.

use std::fmt;

use cgroups_rs::blkio::BlkIoController;
use cgroups_rs::cpu::CpuController;
use cgroups_rs::memory::{MemController, SetMemory};
use cgroups_rs::pid::PidController;
use cgroups_rs::{Controller as _, MaxValue};

use super::Cgroup;
use super::controller::Controller;
use crate::kernel::block::Number;
use crate::kernel::{Error, Result, fs, process};

/// The period of `cpu.max` in µs, which is the kernel's default (cgroup-v2.rst, "CPU Interface Files").
const CPU_PERIOD: u64 = 100_000;

/// What `io.max` caps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IoKey {
    /// Bytes read a second.
    ReadBytes,
    /// Bytes written a second.
    WriteBytes,
    /// Reads a second.
    ReadOps,
    /// Writes a second.
    WriteOps,
}

impl IoKey {
    /// As the kernel writes it.
    pub fn name(self) -> &'static str {
        match self {
            IoKey::ReadBytes => "rbps",
            IoKey::WriteBytes => "wbps",
            IoKey::ReadOps => "riops",
            IoKey::WriteOps => "wiops",
        }
    }
}

/// One limit. `None` takes it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `io.max` of one block device. The kernel refuses partitions, and the value 1.
    Io {
        /// The device.
        device: Number,
        /// What is capped.
        key: IoKey,
        /// Bytes or operations a second.
        cap: Option<u64>,
    },
    /// `io.weight`, 1 to 10000 (default 100). It acts where the disk's scheduler is BFQ or iocost is enabled.
    IoWeight(u16),
    /// `cpu.max`, in percent of one core.
    CpuMax(Option<u32>),
    /// `cpu.weight`, 1 to 10000 (default 100).
    CpuWeight(u16),
    /// `cpu.idle`: after everybody else. The kernel refuses a weight while this is on.
    CpuIdle(bool),
    /// `memory.high` in bytes: above it the group is slowed and its cache reclaimed.
    MemoryHigh(Option<u64>),
    /// `memory.max` in bytes: above it something in the group is killed.
    MemoryMax(Option<u64>),
    /// `pids.max`: so many processes and threads.
    PidsMax(Option<u64>),
}

impl Limit {
    /// The controller that enforces it.
    pub fn controller(&self) -> Controller {
        match self {
            Limit::Io { .. } | Limit::IoWeight(_) => Controller::Io,
            Limit::CpuMax(_) | Limit::CpuWeight(_) | Limit::CpuIdle(_) => Controller::Cpu,
            Limit::MemoryHigh(_) | Limit::MemoryMax(_) => Controller::Memory,
            Limit::PidsMax(_) => Controller::Pids,
        }
    }

    /// The file it is in.
    pub fn file(&self) -> &'static str {
        match self {
            Limit::Io { .. } => "io.max",
            Limit::IoWeight(_) => "io.weight",
            Limit::CpuMax(_) => "cpu.max",
            Limit::CpuWeight(_) => "cpu.weight",
            Limit::CpuIdle(_) => "cpu.idle",
            Limit::MemoryHigh(_) => "memory.high",
            Limit::MemoryMax(_) => "memory.max",
            Limit::PidsMax(_) => "pids.max",
        }
    }

    /// The value as the kernel shows it once it is in force.
    fn shown(&self) -> String {
        match self {
            Limit::Io { cap, .. } => or_max(*cap),
            Limit::IoWeight(weight) | Limit::CpuWeight(weight) => weight.to_string(),
            Limit::CpuMax(percent) => format!("{} {CPU_PERIOD}", or_max(percent.map(quota))),
            Limit::CpuIdle(on) => u8::from(*on).to_string(),
            Limit::MemoryHigh(bytes) | Limit::MemoryMax(bytes) => or_max(bytes.map(whole_pages)),
            Limit::PidsMax(count) => or_max(*count),
        }
    }

    /// Finds its value in the text of its file.
    fn find(&self, text: &str) -> Option<String> {
        match self {
            Limit::Io { device, key, .. } => {
                let device = device.to_string();
                let line = text.lines().find(|line| line.split(' ').next() == Some(&device));
                // A device without any cap has no line, or an empty one.
                let value =
                    line.and_then(|line| line.split(' ').find_map(|w| w.strip_prefix(key.name())?.strip_prefix('=')));
                Some(value.unwrap_or("max").to_owned())
            }
            Limit::IoWeight(_) => text.lines().find_map(|l| l.strip_prefix("default ")).map(|w| w.trim().to_owned()),
            _ => Some(text.trim().to_owned()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Io { device, key, .. } => {
                write!(f, "io.max {device} {}={}", key.name(), self.shown())
            }
            _ => write!(f, "{} {}", self.file(), self.shown()),
        }
    }
}

fn or_max(value: Option<u64>) -> String {
    value.map_or_else(|| "max".to_owned(), |value| value.to_string())
}

fn quota(percent: u32) -> u64 {
    u64::from(percent) * CPU_PERIOD / 100
}

/// The kernel keeps memory limits in whole pages, rounded down.
fn whole_pages(bytes: u64) -> u64 {
    let page = u64::try_from(process::page_size()).unwrap_or(4096);
    bytes / page * page
}

impl Cgroup {
    /// Puts a limit in force; says whether anything had to be changed.
    ///
    /// # Errors
    /// `ENOENT` where the group has no such controller, what the kernel answers when it refuses the value, and an error of its
    /// own when it accepted the value and holds another one.
    pub fn set(&self, limit: &Limit) -> Result<bool> {
        if self.holds(limit)?.is_none() {
            return Ok(false);
        }
        self.hand_over(limit)?;
        match self.holds(limit)? {
            None => Ok(true),
            Some(other) => {
                let what = format!("{limit}` in `{}", self.path.display());
                Err(Error::about("put in force", what, std::io::Error::other(format!("the kernel holds `{other}`"))))
            }
        }
    }

    /// Looks whether a limit is in force; `Some` is what is there instead.
    ///
    /// # Errors
    /// When its file cannot be read; `ENOENT` where the group has no such controller.
    pub fn holds(&self, limit: &Limit) -> Result<Option<String>> {
        let text = fs::read_text(&self.path.join(limit.file()))?;
        let there = limit.find(&text);
        Ok(if there.as_deref() == Some(&limit.shown()) { None } else { Some(there.unwrap_or(text)) })
    }

    fn hand_over(&self, limit: &Limit) -> Result<()> {
        let root = || self.path.clone();
        let max = |value: Option<u64>| {
            value.map_or(MaxValue::Max, |value| MaxValue::Value(i64::try_from(value).unwrap_or(i64::MAX)))
        };
        let done = match *limit {
            Limit::Io { device, key, cap } => {
                let io = BlkIoController::new(root(), true);
                // The crate has no word for "max"; the kernel takes the largest number for it.
                let (major, minor, cap) = (u64::from(device.major), u64::from(device.minor), cap.unwrap_or(u64::MAX));
                match key {
                    IoKey::ReadBytes => io.throttle_read_bps_for_device(major, minor, cap),
                    IoKey::WriteBytes => io.throttle_write_bps_for_device(major, minor, cap),
                    IoKey::ReadOps => io.throttle_read_iops_for_device(major, minor, cap),
                    IoKey::WriteOps => io.throttle_write_iops_for_device(major, minor, cap),
                }
            }
            Limit::CpuMax(percent) => {
                let quota = percent.map_or(-1, |percent| i64::try_from(quota(percent)).unwrap_or(i64::MAX));
                CpuController::new(root(), true).set_cfs_quota_and_period(Some(quota), Some(CPU_PERIOD))
            }
            Limit::CpuWeight(weight) => CpuController::new(root(), true).set_shares(u64::from(weight)),
            Limit::MemoryHigh(bytes) => {
                let wish = SetMemory { high: Some(max(bytes)), ..SetMemory::default() };
                MemController::new(root(), true).set_mem(wish)
            }
            Limit::MemoryMax(bytes) => {
                let wish = SetMemory { max: Some(max(bytes)), ..SetMemory::default() };
                MemController::new(root(), true).set_mem(wish)
            }
            Limit::PidsMax(count) => PidController::new(root(), true).set_pid_max(max(count)),
            Limit::IoWeight(weight) => return self.write("io.weight", &format!("default {weight}")),
            Limit::CpuIdle(on) => return self.write("cpu.idle", if on { "1" } else { "0" }),
        };
        done.map_err(|error| self.refused(&format!("{limit}"), &error))
    }

    /// Takes every cap on writing away, so that what is still on its way to a disk gets there before the group is removed; says whether
    /// there was any.
    ///
    /// # Errors
    /// What the kernel answers; none where the group has no such caps.
    pub fn lift_write_caps(&self) -> Result<bool> {
        let Some(text) = fs::read_text_if_any(&self.path.join("io.max"))? else { return Ok(false) };
        let mut lifted = false;
        let devices = text.lines().filter_map(|line| line.split(' ').next()?.parse::<Number>().ok());
        for device in devices {
            for key in [IoKey::WriteBytes, IoKey::WriteOps] {
                lifted |= self.set(&Limit::Io { device, key, cap: None })?;
            }
        }
        Ok(lifted)
    }

    /// Moves a process into the group, with all its threads.
    ///
    /// # Errors
    /// `EBUSY` when the group hands controllers on, `ESRCH` when the process is gone, `EACCES` across a border of delegation.
    pub fn take_in(&self, pid: crate::kernel::procfs::Pid) -> Result<()> {
        let pid = u64::try_from(pid).unwrap_or_default();
        PidController::new(self.path.clone(), true)
            .add_task_by_tgid(&pid.into())
            .map_err(|error| self.refused(&format!("cgroup.procs {pid}"), &error))
    }

    /// The kernel's answer out of an error of the crate, which wraps it.
    fn refused(&self, what: &str, error: &cgroups_rs::error::Error) -> Error {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
        let mut errno = None;
        while let Some(inner) = cause {
            errno = errno.or(inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error));
            cause = inner.source();
        }
        let source = errno.map_or_else(|| std::io::Error::other(error.to_string()), std::io::Error::from_raw_os_error);
        Error::about("write", format!("{what}` into `{}", self.path.display()), source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A group of plain files, as a kernel would show them; each file that is missing stands for a missing controller.
    fn group(files: &[(&str, &str)]) -> (tempfile::TempDir, Cgroup) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let group = Cgroup::at(dir.path().to_path_buf());
        (dir, group)
    }

    fn cap(value: Option<u64>) -> Limit {
        Limit::Io { device: Number { major: 254, minor: 16 }, key: IoKey::ReadBytes, cap: value }
    }

    #[test]
    fn each_limit_reaches_its_file_and_is_found_there() {
        let (dir, group) = group(&[
            ("io.max", ""),
            ("io.weight", "default 100\n"),
            ("cpu.max", "max 100000\n"),
            ("cpu.weight", "100\n"),
            ("cpu.idle", "0\n"),
            ("memory.high", "max\n"),
            ("memory.max", "max\n"),
            ("pids.max", "max\n"),
        ]);
        for (limit, text) in [
            (cap(Some(5_000_000)), "254:16 rbps=5000000"),
            (Limit::CpuMax(Some(150)), "150000 100000"),
            (Limit::CpuWeight(10), "10"),
            (Limit::MemoryHigh(Some(128 << 20)), "134217728"),
            (Limit::MemoryMax(Some(1 << 30)), "1073741824"),
            (Limit::PidsMax(Some(64)), "64"),
        ] {
            assert!(group.set(&limit).unwrap(), "{limit}");
            assert_eq!(std::fs::read_to_string(dir.path().join(limit.file())).unwrap(), text);
            assert!(!group.set(&limit).unwrap(), "{limit} is there already");
        }
    }

    #[test]
    fn a_device_is_found_by_its_whole_number_and_key() {
        let text =
            "254:1 rbps=1000 wbps=max riops=max wiops=max\n254:16 rbps=5000000 wbps=max riops=70 wiops=max\n259:0 \n";
        let find =
            |(major, minor), key| Limit::Io { device: Number { major, minor }, key, cap: None }.find(text).unwrap();
        assert_eq!(find((254, 16), IoKey::ReadBytes), "5000000");
        assert_eq!(find((254, 16), IoKey::ReadOps), "70");
        assert_eq!(find((254, 16), IoKey::WriteBytes), "max");
        assert_eq!(find((259, 0), IoKey::ReadBytes), "max");
        assert_eq!(find((54, 16), IoKey::ReadBytes), "max");
    }

    #[test]
    fn where_there_is_no_cap_none_is_lifted() {
        let (_dir, group) = group(&[("io.max", "254:16 rbps=5 wbps=max riops=max wiops=max\n")]);
        assert!(!group.lift_write_caps().unwrap());
        assert!(!group.set(&cap(Some(5))).unwrap(), "caps on reads stay");
        let (_dir, none) = super::tests::group(&[]);
        assert!(!none.lift_write_caps().unwrap());
    }

    #[test]
    fn memory_is_compared_in_whole_pages() {
        let (_dir, group) = group(&[("memory.high", "4096\n")]);
        assert!(!group.set(&Limit::MemoryHigh(Some(5000))).unwrap());
    }

    #[test]
    fn a_missing_controller_is_an_error_with_the_file_in_it() {
        let (dir, group) = group(&[]);
        let error = group.set(&cap(Some(5_000_000))).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOENT));
        assert_eq!(error.to_string(), format!("cannot read `{}/io.max`", dir.path().display()));
        assert!(!dir.path().join("io.max").exists(), "nothing was created");
    }

    #[test]
    fn a_kernel_that_keeps_another_value_is_found_out() {
        // A plain file keeps the first bytes of a shorter value, as no kernel would; it does for one that does not listen.
        let (_dir, group) = group(&[("cpu.idle", "10\n")]);
        let error = group.set(&Limit::CpuIdle(true)).unwrap_err();
        assert!(error.to_string().starts_with("cannot put in force `cpu.idle 1` in `"), "{error}");
        assert_eq!(error.source.to_string(), "the kernel holds `10`");
    }

    #[test]
    fn what_the_kernel_answers_comes_through_the_crate() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pids.max"), "max\n").unwrap();
        let link = dir.path().join("io.max");
        std::os::unix::fs::symlink("/dev/full", &link).unwrap();
        let group = Cgroup::at(dir.path().to_path_buf());
        let error = group.hand_over(&cap(Some(5))).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOSPC));
        assert!(error.to_string().starts_with("cannot write `io.max 254:16 rbps=5` into `"), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,120}") {
            cap(None).find(&text);
            Limit::IoWeight(1).find(&text);
            Limit::CpuMax(None).find(&text);
        }
    }
}
