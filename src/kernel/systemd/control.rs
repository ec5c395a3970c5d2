//! What is done to a service that is systemd's: started, stopped, frozen, limited. Its cgroup has one writer, and that is systemd;
//! so all of it is asked for through `systemctl`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::Manager;
use super::service::{PROPERTIES, Service};
use crate::kernel::cgroup::limit::{IoKey, Limit};
use crate::kernel::clock::Stamp;
use crate::kernel::process::{self, Spawn, Stream};
use crate::kernel::procfs::Pid;
use crate::kernel::{Error, Result, fs};

/// The properties that limits are, as `systemctl set-property` names them.
pub const LIMITS: &[&str] = &[
    "CPUWeight",
    "CPUQuota",
    "IOWeight",
    "IOReadBandwidthMax",
    "IOWriteBandwidthMax",
    "IOReadIOPSMax",
    "IOWriteIOPSMax",
    "MemoryHigh",
    "MemoryMax",
    "TasksMax",
];

/// What else is set of a unit while it is governed.
const SET: [&str; 1] = ["IOAccounting"];

/// A limit in the words of systemd.resource-control(5).
pub fn property(limit: &Limit) -> (&'static str, String) {
    let or_infinity = |value: Option<u64>| value.map_or_else(|| "infinity".to_owned(), |value| value.to_string());
    match limit {
        Limit::Io { device, key, cap } => {
            let name = match key {
                IoKey::ReadBytes => "IOReadBandwidthMax",
                IoKey::WriteBytes => "IOWriteBandwidthMax",
                IoKey::ReadOps => "IOReadIOPSMax",
                IoKey::WriteOps => "IOWriteIOPSMax",
            };
            (name, format!("/dev/block/{device} {}", or_infinity(*cap)))
        }
        Limit::IoWeight(weight) => ("IOWeight", weight.to_string()),
        Limit::CpuMax(percent) => ("CPUQuota", percent.map(|p| format!("{p}%")).unwrap_or_default()),
        Limit::CpuWeight(weight) => ("CPUWeight", weight.to_string()),
        Limit::CpuIdle(true) => ("CPUWeight", "idle".to_owned()),
        Limit::CpuIdle(false) => ("CPUWeight", String::new()),
        Limit::MemoryHigh(bytes) => ("MemoryHigh", or_infinity(*bytes)),
        Limit::MemoryMax(bytes) => ("MemoryMax", or_infinity(*bytes)),
        Limit::PidsMax(count) => ("TasksMax", or_infinity(*count)),
    }
}

/// What stands in the files of properties that were set until the next boot, by file name; `None`: there is no such file.
pub type RuntimeFiles = BTreeMap<String, Option<String>>;

impl Manager {
    /// What is known of a service.
    ///
    /// # Errors
    /// What `systemctl` says.
    pub async fn service(&self, unit: &str) -> Result<Service> {
        let text = self.ask(self.showing(unit), vec![], |e| Error::about("look at unit", unit, e));
        Ok(Service::parse(&text.await?))
    }

    /// A call that prints what [`Service::parse`] reads.
    pub fn showing(&self, unit: &str) -> Spawn {
        let properties = format!("--property={}", PROPERTIES.join(","));
        self.spawn_of("systemctl", ["show", &properties, "--", unit].map(OsString::from))
    }

    /// The cgroup of the manager itself from the root of the hierarchy; empty for PID 1.
    ///
    /// # Errors
    /// What `systemctl` says.
    pub async fn own_group(&self) -> Result<String> {
        self.control(&["show", "--property=ControlGroup", "--value"], "look at unit").await
    }

    /// A call that starts a service, also one that remained active since it was started last, and where it is to wait returns at its
    /// end: that may be hours. A oneshot is waited for either way.
    pub fn starting(&self, unit: &str, wait: bool) -> Spawn {
        // `start` leaves alone what is active.
        let arguments =
            ["--no-ask-password", "restart"].into_iter().chain(wait.then_some("--wait")).chain(["--", unit]);
        self.spawn_of("systemctl", arguments.map(OsString::from))
    }

    /// A call that prints what a start of a unit has written to the journal, the newest lines of it.
    pub fn reading_journal(&self, invocation: &str, lines: u32) -> Spawn {
        let count = format!("--lines={lines}");
        // What its processes wrote, and what systemd says of them.
        let (own, of) = (format!("_SYSTEMD_INVOCATION_ID={invocation}"), format!("INVOCATION_ID={invocation}"));
        let arguments = ["--quiet", "--no-pager", "--output=short-iso-precise", &count, &own, "+", &of];
        let mut spawn = self.spawn_of("journalctl", arguments.map(OsString::from));
        (spawn.stdout, spawn.stderr) = (Stream::Inherit, Stream::Inherit);
        spawn
    }

    /// Ends a service as its unit file says; returns when it has ended.
    ///
    /// # Errors
    /// What `systemctl` says.
    pub async fn end(&self, unit: &str) -> Result<()> {
        self.control(&["--no-ask-password", "stop", "--", unit], "stop unit").await.map(drop)
    }

    /// Sends a signal to every process of a unit.
    ///
    /// # Errors
    /// What `systemctl` says: also that it has no process.
    pub async fn signal(&self, unit: &str, signal: &str) -> Result<()> {
        self.ask(self.signalling(unit, signal), vec![], |e| Error::about("signal unit", unit, e)).await.map(drop)
    }

    /// A call for [`Manager::signal`].
    pub fn signalling(&self, unit: &str, signal: &str) -> Spawn {
        let signal = format!("--signal={signal}");
        self.spawn_of("systemctl", ["--no-ask-password", "kill", &signal, "--", unit].map(OsString::from))
    }

    /// A call that sets limits until the next boot.
    pub fn limiting<'a>(&self, unit: &str, limits: impl IntoIterator<Item = &'a Limit>) -> Spawn {
        let words = ["set-property", "--runtime", unit].map(OsString::from);
        let assignment = |limit| {
            let (key, value) = property(limit);
            OsString::from(format!("{key}={value}"))
        };
        self.spawn_of("systemctl", words.into_iter().chain(limits.into_iter().map(assignment)))
    }

    /// Freezes a unit, or thaws it. systemd does so to units that are active, and to no others: a oneshot is `activating` to its end.
    ///
    /// # Errors
    /// What `systemctl` says.
    pub async fn freeze(&self, unit: &str, frozen: bool) -> Result<()> {
        self.ask(self.freezing(unit, frozen), vec![], |e| Error::about("freeze or thaw unit", unit, e)).await.map(drop)
    }

    /// A call for [`Manager::freeze`].
    pub fn freezing(&self, unit: &str, frozen: bool) -> Spawn {
        let verb = if frozen { "freeze" } else { "thaw" };
        self.spawn_of("systemctl", ["--no-ask-password", verb, "--", unit].map(OsString::from))
    }

    /// A call that prints the entries of the journal since a moment in which systemd tells of a unit, as JSON lines.
    pub fn reading_starts(&self, unit: &str, since: Stamp) -> Spawn {
        let since = format!("--since=@{}", since.us.div_euclid(1_000_000));
        let of = format!("UNIT={unit}");
        let arguments = ["--quiet", "--no-pager", "--output=json", "--lines=20", &since, &of];
        self.spawn_of("journalctl", arguments.map(OsString::from))
    }

    /// Lets a unit go on, however it was stopped. What does not apply is refused, and no error.
    pub async fn let_go_on(&self, unit: &str) {
        self.freeze(unit, false).await.ok();
        self.signal(unit, "SIGCONT").await.ok();
    }

    /// What was set of a unit until the next boot, file by file.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn runtime_files(&self, unit: &str) -> Result<RuntimeFiles> {
        let directory = self.runtime_directory(unit);
        let read = |property: &&str| {
            let name = format!("50-{property}.conf");
            fs::read_text_if_any(&directory.join(&name)).map(|text| (name, text))
        };
        LIMITS.iter().chain(&SET).map(read).collect()
    }

    /// Brings those files back to what they were, and has systemd read them again where anything changed. Says whether it had to.
    ///
    /// # Errors
    /// When a file cannot be written or removed, or what `systemctl` says.
    pub async fn restore_runtime_files(&self, unit: &str, before: &RuntimeFiles) -> Result<bool> {
        let now = self.runtime_files(unit)?;
        let directory = self.runtime_directory(unit);
        let mut changed = false;
        for (name, text) in before.iter().filter(|(name, text)| now.get(*name) != Some(text)) {
            let path = directory.join(name);
            match text {
                Some(text) => fs::replace_volatile(&path, text.as_bytes())?,
                None => fs::remove_tree(&path)?,
            }
            changed = true;
        }
        if changed {
            if fs::is_empty_dir(&directory)? {
                fs::remove_tree(&directory)?;
            }
            self.control(&["--no-ask-password", "daemon-reload"], "reload the units of").await?;
        }
        Ok(changed)
    }

    fn runtime_directory(&self, unit: &str) -> PathBuf {
        self.control_directory().join(format!("{unit}.d"))
    }

    fn spawn_of(&self, program: &str, arguments: impl IntoIterator<Item = OsString>) -> Spawn {
        let mut spawn = self.call(program);
        spawn.argv.extend(arguments);
        spawn
    }

    async fn control(&self, arguments: &[&str], action: &'static str) -> Result<String> {
        let unit = arguments.last().copied().unwrap_or_default();
        let arguments = arguments.iter().map(OsString::from).collect();
        self.ask(self.call("systemctl"), arguments, |e| Error::about(action, unit, e)).await
    }
}

/// Runs a call of a manager to its end, however long that takes; `started` hears its process id.
///
/// # Errors
/// What it says where it fails.
pub async fn run(call: Spawn, action: &'static str, unit: &str, started: impl FnOnce(Pid)) -> Result<()> {
    let said = process::capture_noting(call, started).await?;
    if said.exit.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&said.stderr).trim().replace('\n', "; ");
    let why = if why.is_empty() { said.exit.describe() } else { why };
    Err(Error::about(action, unit, std::io::Error::other(why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::block::Number;

    #[test]
    fn every_limit_has_a_property() {
        let io = |key, cap| Limit::Io { device: Number { major: 8, minor: 16 }, key, cap };
        for (limit, name, value) in [
            (io(IoKey::ReadBytes, Some(5_000_000)), "IOReadBandwidthMax", "/dev/block/8:16 5000000"),
            (io(IoKey::WriteOps, None), "IOWriteIOPSMax", "/dev/block/8:16 infinity"),
            (Limit::CpuMax(Some(150)), "CPUQuota", "150%"),
            (Limit::CpuMax(None), "CPUQuota", ""),
            (Limit::CpuIdle(true), "CPUWeight", "idle"),
            (Limit::PidsMax(Some(64)), "TasksMax", "64"),
        ] {
            assert_eq!(property(&limit), (name, value.to_owned()));
            assert!(LIMITS.contains(&name));
        }
    }

    #[test]
    fn a_oneshot_is_waited_for_without_a_word() {
        let argv = |wait| {
            let argv = Manager::System.starting("b.service", wait).argv;
            argv.iter().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(argv(false), "systemctl --no-ask-password restart -- b.service");
        assert_eq!(argv(true), "systemctl --no-ask-password restart --wait -- b.service");
    }

    #[test]
    fn what_was_set_is_seen_file_by_file() {
        let dir = tempfile::tempdir().unwrap();
        let manager = Manager::User { runtime: dir.path().to_path_buf() };
        let of_unit = dir.path().join("systemd/user.control/b.service.d");
        std::fs::create_dir_all(&of_unit).unwrap();
        std::fs::write(of_unit.join("50-MemoryHigh.conf"), "[Service]\nMemoryHigh=1\n").unwrap();
        let files = manager.runtime_files("b.service").unwrap();
        assert_eq!(files.len(), LIMITS.len() + SET.len());
        assert_eq!(files["50-MemoryHigh.conf"].as_deref(), Some("[Service]\nMemoryHigh=1\n"));
        assert_eq!(files["50-CPUQuota.conf"], None);
    }
}
