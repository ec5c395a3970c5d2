//! systemd as a supervisor of runs: transient units through `systemd-run`, properties through `systemctl`.
//!
//! Both are children of this process, so that no D-Bus library is linked in. What is asked of them is built by pure functions.

pub mod control;
pub mod service;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cgroup::Cgroup;
use super::cgroup::place::Hierarchy;
use super::mounts;
use super::process::{self, Spawn};
use super::procfs;
use super::{Error, Result};

/// So long a manager may take to answer: a job is not to wait for ever for one that is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// So long it may take to tell of its services: whoever asks can do without.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);

/// Where systemd keeps its sockets.
pub const RUN: &str = "/run";

/// A manager that starts units for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    /// PID 1, for root.
    System,
    /// The user's own.
    User {
        /// `XDG_RUNTIME_DIR`, where its socket is.
        runtime: PathBuf,
    },
}

impl Manager {
    /// The manager of an account, or why there is none. `runtime` is what `XDG_RUNTIME_DIR` says, if anything: a crontab line has
    /// none, and still may have a manager.
    pub fn find(run: &Path, uid: u32, runtime: Option<&OsStr>) -> std::result::Result<Manager, String> {
        if !super::fs::is_dir(&run.join("systemd/system")) {
            return Err("systemd is not the init system".to_owned());
        }
        if uid == 0 {
            return Ok(Manager::System);
        }
        let runtime = runtime.map_or_else(|| run.join(format!("user/{uid}")), PathBuf::from);
        if super::fs::exists(&runtime.join("systemd/private")) {
            return Ok(Manager::User { runtime });
        }
        let who = super::account::name_of(uid);
        Err(format!("no systemd user manager runs for `{who}` (`loginctl enable-linger {who}` keeps one)"))
    }

    /// The manager of this process's account. A unit lives in the manager's namespaces: who was started with other mounts or
    /// another network, by `unshare` or `ip netns exec`, would lose them.
    pub fn of_this_process() -> std::result::Result<Manager, String> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
        let manager = Manager::find(Path::new(RUN), super::account::own_uid(), runtime.as_deref())?;
        let own = procfs::namespaces(Path::new(procfs::PROC), "self");
        let init = procfs::namespaces(Path::new(procfs::PROC), "1");
        match own.iter().zip(&init).find(|(own, init)| own.1.is_some() && init.1.is_some() && own.1 != init.1) {
            Some(((name, _), _)) => Err(format!("this process has a `{name}` namespace of its own")),
            None => Ok(manager),
        }
    }

    /// Whether it goes on when its user has logged out. What logind was told to keep has a file there (loginctl(1),
    /// `enable-linger`).
    pub fn lingers(&self) -> bool {
        let who = super::account::name_of(super::account::own_uid());
        match self {
            Manager::System => true,
            Manager::User { .. } => super::fs::exists(&Path::new("/var/lib/systemd/linger").join(who)),
        }
    }

    /// Whether somebody has set this property of a unit until the next boot.
    pub fn has_set(&self, unit: &str, property: &str) -> bool {
        super::fs::exists(&self.control_directory().join(format!("{unit}.d/50-{property}.conf")))
    }

    /// Where it keeps what was set until the next boot.
    fn control_directory(&self) -> PathBuf {
        match self {
            Manager::System => Path::new(RUN).join("systemd/system.control"),
            Manager::User { runtime } => runtime.join("systemd/user.control"),
        }
    }

    /// A call of one of its programs.
    fn call(&self, program: &str) -> Spawn {
        let mut spawn = Spawn { argv: vec![program.into()], ..Spawn::default() };
        // What is read of them must not be translated.
        spawn.env.push(("LC_ALL".into(), Some("C".into())));
        if let Manager::User { runtime } = self {
            spawn.argv.push("--user".into());
            spawn.env.push(("XDG_RUNTIME_DIR".into(), Some(runtime.into())));
        }
        spawn
    }

    async fn ask(
        &self,
        mut spawn: Spawn,
        arguments: Vec<OsString>,
        failed: impl Fn(io::Error) -> Error,
    ) -> Result<String> {
        spawn.argv.extend(arguments);
        let said = tokio::time::timeout(PATIENCE, process::capture(spawn)).await;
        let said = said.unwrap_or_else(|_| Err(failed(io::ErrorKind::TimedOut.into())))?;
        if said.exit.success() {
            return Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned());
        }
        let why = String::from_utf8_lossy(&said.stderr).trim().replace('\n', "; ");
        Err(failed(io::Error::other(if why.is_empty() { said.exit.describe() } else { why })))
    }

    /// Starts a transient unit; returns when its program is executing.
    ///
    /// # Errors
    /// What `systemd-run` says.
    pub async fn start(&self, unit: &Unit) -> Result<()> {
        let failed = |e| Error::about("start unit", &unit.name, e);
        self.ask(self.call("systemd-run"), unit.arguments(), failed).await.map(drop)
    }

    /// Runs a transient unit to its end and returns what its program printed. The unit's own streams are pipes to `systemd-run`.
    ///
    /// # Errors
    /// What `systemd-run` says, and the program's own words when it fails.
    pub async fn output_of(&self, unit: &Unit) -> Result<String> {
        let failed = |e| Error::about("run unit", &unit.name, e);
        let waiting = ["--pipe", "--wait"].map(OsString::from).into_iter();
        self.ask(self.call("systemd-run"), waiting.chain(unit.arguments()).collect(), failed).await
    }

    /// The first line of `systemctl --version`: `systemd 252 (252.39-1~deb12u1)`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn version(&self) -> Result<String> {
        let failed = |e| Error::about("ask for the version of", "systemctl", e);
        let text = self.ask(self.call("systemctl"), vec!["--version".into()], failed).await?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// Whether a unit is there and has not ended.
    ///
    /// # Errors
    /// What `systemctl` says.
    pub async fn is_alive(&self, unit: &str) -> Result<bool> {
        let arguments = ["show", "--property=ActiveState", "--value", unit].map(OsString::from).to_vec();
        let state = self.ask(self.call("systemctl"), arguments, |e| Error::about("look at unit", unit, e)).await?;
        Ok(!matches!(state.as_str(), "inactive" | "failed"))
    }

    /// The cgroup of a unit; `None` while it has none.
    ///
    /// # Errors
    /// What `systemctl` says.
    pub async fn cgroup_of(&self, unit: &str) -> Result<Option<Cgroup>> {
        let arguments = ["show", "--property=ControlGroup", "--value", unit].map(OsString::from).to_vec();
        let path = self.ask(self.call("systemctl"), arguments, |e| Error::about("look at unit", unit, e)).await?;
        let mounts = mounts::read(Path::new(procfs::PROC))?;
        Ok(match Hierarchy::of(&mounts) {
            Hierarchy::Unified(root) | Hierarchy::Hybrid(root) if !path.is_empty() => {
                Some(Cgroup::at(root.join(path.trim_start_matches('/'))))
            }
            _ => None,
        })
    }

    /// What it knows of all services that are loaded.
    ///
    /// # Errors
    /// What `systemctl` says, and where it does not answer within three seconds.
    pub async fn services(&self) -> Result<Vec<UnitFacts>> {
        let failed = |e| Error::about("ask for the services of", "systemd", e);
        let arguments = ["show", "--property=Id,Type,TriggeredBy", "*.service"].map(OsString::from).to_vec();
        let said = tokio::time::timeout(SHORT_PATIENCE, self.ask(self.call("systemctl"), arguments, failed)).await;
        said.unwrap_or_else(|_| Err(failed(io::ErrorKind::TimedOut.into()))).map(|text| parse_facts(&text))
    }

    /// Ends a unit; one that is not there is no error.
    pub async fn stop(&self, unit: &str) {
        let arguments = ["stop", unit].map(OsString::from).to_vec();
        // It was not started, or not yet: there is nothing else that could be done about it.
        self.ask(self.call("systemctl"), arguments, |e| Error::about("stop unit", unit, e)).await.ok();
    }

    /// Sets properties of a unit until the next boot. An empty value takes one back to its default.
    ///
    /// # Errors
    /// What `systemctl` says: an unknown property, a value it refuses.
    pub async fn set_properties(&self, unit: &str, properties: &[(&str, String)]) -> Result<()> {
        let mut arguments: Vec<OsString> = ["set-property", "--runtime", unit].map(OsString::from).to_vec();
        arguments.extend(properties.iter().map(|(key, value)| format!("{key}={value}").into()));
        let failed = |e| Error::about("set properties of unit", unit, e);
        self.ask(self.call("systemctl"), arguments, failed).await.map(drop)
    }
}

/// What tells a service that serves from one that does a task and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFacts {
    /// Its name, with `.service`.
    pub id: String,
    /// `Type=oneshot`: it does a task and ends.
    pub oneshot: bool,
    /// A timer starts it.
    pub timed: bool,
}

/// Parses what `systemctl show` prints of several units: `Key=value` lines, an empty one between two units. A unit without a name is
/// left out.
pub fn parse_facts(text: &str) -> Vec<UnitFacts> {
    let facts = |block: &str| {
        let value = |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let timed = value("TriggeredBy").is_some_and(|by| by.split(' ').any(|unit| unit.ends_with(".timer")));
        let id = value("Id").filter(|id| !id.is_empty())?.to_owned();
        Some(UnitFacts { id, oneshot: value("Type") == Some("oneshot"), timed })
    };
    text.split("\n\n").filter_map(facts).collect()
}

/// A transient service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name, with `.service`.
    pub name: String,
    /// A line for `systemctl status`.
    pub description: String,
    /// The slice it is in.
    pub slice: String,
    /// Program and arguments; the program by its absolute path.
    pub argv: Vec<OsString>,
    /// What is executed after any end of it, kill -9 included. Empty: nothing.
    pub afterwards: Vec<OsString>,
    /// Variables of its environment, as `NAME=value`. Everybody on the machine can read them.
    pub environment: Vec<OsString>,
    /// Properties, as in systemd.resource-control(5) and systemd.service(5).
    pub properties: Vec<(&'static str, String)>,
}

impl Unit {
    /// The arguments of `systemd-run`.
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![
            // A failed unit is in our ledger; systemd need not remember it.
            "--collect".into(),
            format!("--unit={}", self.name).into(),
            format!("--slice={}", self.slice).into(),
            format!("--description={}", self.description).into(),
        ];
        for variable in &self.environment {
            arguments.extend(["-E".into(), variable.clone()]);
        }
        let mut property = |text: OsString| arguments.extend(["-p".into(), text]);
        if !self.afterwards.is_empty() {
            let mut stop_post: OsString = "ExecStopPost=".into();
            stop_post.push(command_line(&self.afterwards));
            property(stop_post);
        }
        for (key, value) in &self.properties {
            property(format!("{key}={value}").into());
        }
        arguments.push("--".into());
        arguments.extend(self.argv.iter().map(|argument| without_variables(argument)));
        arguments
    }
}

/// systemd puts variables into the arguments of a unit: `$$` is a dollar.
fn without_variables(argument: &OsStr) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = argument.as_bytes().iter().flat_map(|&b| std::iter::repeat_n(b, 1 + usize::from(b == b'$')));
    OsString::from_vec(bytes.collect())
}

/// A command line as unit files have it: each word in quotes, with backslashes before what would end or change it.
fn command_line(argv: &[OsString]) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut line = Vec::new();
    for argument in argv {
        if !line.is_empty() {
            line.push(b' ');
        }
        line.push(b'"');
        for &byte in without_variables(argument).as_bytes() {
            if matches!(byte, b'"' | b'\\') {
                line.push(b'\\');
            }
            line.push(byte);
        }
        line.push(b'"');
    }
    OsString::from_vec(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_found_by_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let find = |uid| Manager::find(dir.path(), uid, None);
        assert_eq!(find(0).unwrap_err(), "systemd is not the init system");
        std::fs::create_dir_all(dir.path().join("systemd/system")).unwrap();
        assert_eq!(find(0), Ok(Manager::System));
        assert_eq!(
            find(3_999_999_999).unwrap_err(),
            "no systemd user manager runs for `3999999999` (`loginctl enable-linger 3999999999` keeps one)"
        );
        std::fs::create_dir_all(dir.path().join("user/1000/systemd/private")).unwrap();
        assert_eq!(find(1000), Ok(Manager::User { runtime: dir.path().join("user/1000") }));
        let elsewhere = Manager::find(dir.path(), 5, Some(dir.path().join("user/1000").as_os_str()));
        assert!(elsewhere.is_ok());
    }

    /// As systemd 252 prints it.
    const SERVICES: &str = "Type=forking\nId=nginx.service\nTriggeredBy=\n\n\
                            Type=oneshot\nId=man-db.service\nTriggeredBy=man-db.timer\n\n\
                            Type=notify\nId=docker.service\nTriggeredBy=docker.socket";

    #[test]
    fn services_by_what_they_do() {
        let facts = parse_facts(SERVICES);
        let said: Vec<_> = facts.iter().map(|f| (f.id.as_str(), f.oneshot, f.timed)).collect();
        assert_eq!(
            said,
            [("nginx.service", false, false), ("man-db.service", true, true), ("docker.service", false, false)]
        );
        for odd in ["", "Type=oneshot", "Id=\nType=simple", "nonsense"] {
            assert_eq!(parse_facts(odd), [], "{odd}");
        }
    }

    proptest::proptest! {
        #[test]
        fn facts_never_panic(text in "[a-zA-Z=\n. ]{0,80}") {
            parse_facts(&text);
        }
    }

    #[test]
    fn what_is_asked_of_systemd_run() {
        let unit = Unit {
            name: "govern-etc-1.service".into(),
            description: "backup etc".into(),
            slice: "govern.slice".into(),
            argv: ["/usr/bin/govern", "--state", "/a $b", "worker", "1"].map(Into::into).to_vec(),
            afterwards: ["/usr/bin/govern", "--state", "/a \"$b\\", "closed", "1"].map(Into::into).to_vec(),
            environment: vec!["GOVERN_LOG=debug".into()],
            properties: vec![("Delegate", "yes".into())],
        };
        let said: Vec<String> = unit.arguments().iter().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(
            said.join("\n"),
            "--collect\n--unit=govern-etc-1.service\n--slice=govern.slice\n--description=backup etc\n\
             -E\nGOVERN_LOG=debug\n-p\nExecStopPost=\"/usr/bin/govern\" \"--state\" \"/a \\\"$$b\\\\\" \"closed\" \"1\"\n\
             -p\nDelegate=yes\n--\n/usr/bin/govern\n--state\n/a $$b\nworker\n1"
        );
    }
}
