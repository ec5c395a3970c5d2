//! A service as systemd sees it: what kind it is, in which state, how it ended. Parsed from `systemctl show`.

use std::path::{Path, PathBuf};

/// The properties that are asked for.
pub const PROPERTIES: &[&str] = &[
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Type",
    "Restart",
    "RemainAfterExit",
    "Slice",
    "ControlGroup",
    "InvocationID",
    "Result",
    "ExecMainCode",
    "ExecMainStatus",
];

/// What is known of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its own name; that of an alias leads here.
    pub id: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// `inactive`, `activating`, `active`, `deactivating`, `reloading`, `failed`.
    pub active: String,
    /// `start`, `running`, `exited`, `dead`, `auto-restart` and others.
    pub sub: String,
    /// `Type=`.
    pub kind: String,
    /// `Restart=`.
    pub restart: String,
    /// `RemainAfterExit=`: it counts as active when its program has ended.
    pub remains: bool,
    /// The slice it is or will be in.
    pub slice: String,
    /// Its cgroup from the root of the hierarchy; `None` while it has none.
    pub control_group: Option<String>,
    /// Of the current start, or of the last one; `None` before the first since boot.
    pub invocation: Option<String>,
    /// `success`, or why not: `exit-code`, `signal`, `timeout`, `oom-kill` and others.
    pub result: String,
    /// How its program ended, if it has.
    pub ended: Option<Ended>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With an exit code.
    Exited(u8),
    /// By a signal.
    Killed(u8),
}

impl Service {
    /// Reads `Key=value` lines. What is missing is empty: an older systemd knows fewer properties.
    pub fn parse(text: &str) -> Service {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or("");
        let own = |key| value(key).to_owned();
        let some = |key| Some(own(key)).filter(|text| !text.is_empty());
        let status = value("ExecMainStatus").parse().ok();
        // The codes of waitid(2), CLD_EXITED, CLD_KILLED and CLD_DUMPED.
        let ended = match (value("ExecMainCode"), status) {
            ("1", Some(status)) => Some(Ended::Exited(status)),
            ("2" | "3", Some(status)) => Some(Ended::Killed(status)),
            _ => None,
        };
        Service {
            id: own("Id"),
            load: own("LoadState"),
            active: own("ActiveState"),
            sub: own("SubState"),
            kind: own("Type"),
            restart: own("Restart"),
            remains: value("RemainAfterExit") == "yes",
            slice: own("Slice"),
            control_group: some("ControlGroup"),
            invocation: some("InvocationID"),
            result: own("Result"),
            ended,
        }
    }

    /// Whether systemd has a file for it that it understands.
    pub fn is_loaded(&self) -> bool {
        self.load == "loaded"
    }

    /// Whether it does its task now, or is about to: from its start to the end of its programs, restarts and `ExecStopPost=`
    /// included. One that remains active after its program has ended does not.
    pub fn is_at_work(&self) -> bool {
        match self.active.as_str() {
            "" | "inactive" | "failed" => false,
            "active" => self.sub != "exited",
            _ => true,
        }
    }

    /// Whether systemd may start it again by itself.
    pub fn restarts(&self) -> bool {
        !matches!(self.restart.as_str(), "" | "no")
    }

    /// The code a shell would report of its end.
    pub fn exit_code(&self) -> u8 {
        match (self.result.as_str(), self.ended) {
            ("success", _) => 0,
            (_, Some(Ended::Exited(code))) if code != 0 => code,
            (_, Some(Ended::Killed(signal))) => 128_u8.saturating_add(signal),
            // It failed for another reason than its main program: a time limit, `ExecStartPre=`, memory.
            _ => 1,
        }
    }

    /// Its end in the words of systemd: `result success`, `result exit-code, status 3`, `result signal, signal 9`.
    pub fn describe_end(&self) -> String {
        match (self.result.as_str(), self.ended) {
            ("success", Some(Ended::Exited(code))) if code != 0 => {
                format!("result success (its SuccessExitStatus= has exit status {code})")
            }
            ("success", _) => "result success".to_owned(),
            (result, Some(Ended::Exited(code))) => format!("result {result}, exit status {code}"),
            (result, Some(Ended::Killed(signal))) => {
                format!("result {result}, {}", crate::kernel::process::signal_name(i32::from(signal)))
            }
            (result, None) => format!("result {result}"),
        }
    }

    /// Where its cgroup is or will be, from the root of the hierarchy. `manager` is the group that the manager of the unit has for
    /// itself: empty for PID 1.
    pub fn group(&self, manager: &str) -> PathBuf {
        match &self.control_group {
            Some(group) => PathBuf::from(group),
            None => Path::new("/").join(manager.trim_matches('/')).join(slice_path(&self.slice)).join(&self.id),
        }
    }
}

/// The directory of a slice: each dash is one level, `a-b.slice` lies in `a.slice` (systemd.slice(5)).
fn slice_path(slice: &str) -> PathBuf {
    let stem = slice.strip_suffix(".slice").unwrap_or(slice);
    if stem.is_empty() || stem == "-" {
        return PathBuf::new();
    }
    let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
    ends.filter_map(|end| stem.get(..end)).map(|part| format!("{part}.slice")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As systemd 252 prints it while a oneshot runs.
    const RUNNING: &str = "Type=oneshot\nRestart=no\nRemainAfterExit=no\nResult=success\nSlice=system.slice\n\
        ControlGroup=/system.slice/borgmatic.service\nExecMainCode=0\nExecMainStatus=0\nId=borgmatic.service\nLoadState=loaded\n\
        ActiveState=activating\nSubState=start\nInvocationID=6f2c0d3a9b3e4a5f8f0b1c2d3e4f5a6b";

    fn ended(result: &str, code: u8, status: u8) -> Service {
        Service::parse(&format!(
            "Id=a.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nResult={result}\nExecMainCode={code}\nExecMainStatus={status}\n"
        ))
    }

    #[test]
    fn a_service_at_work() {
        let service = Service::parse(RUNNING);
        assert!(service.is_loaded() && service.is_at_work() && !service.remains);
        assert_eq!(service.invocation.as_deref(), Some("6f2c0d3a9b3e4a5f8f0b1c2d3e4f5a6b"));
        assert_eq!(service.group(""), Path::new("/system.slice/borgmatic.service"));
        let waiting = RUNNING.replace("SubState=start", "SubState=auto-restart");
        assert!(Service::parse(&waiting).is_at_work());
        let done = RUNNING.replace("activating", "active").replace("SubState=start", "SubState=exited");
        assert!(!Service::parse(&done).is_at_work());
    }

    #[test]
    fn a_missing_unit_is_not_loaded() {
        let service = Service::parse("Id=nosuch.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n");
        assert!(!service.is_loaded() && !service.is_at_work());
        for odd in ["", "nonsense", "=\n=", "ExecMainCode=1\nExecMainStatus=900"] {
            let service = Service::parse(odd);
            assert!(!service.is_loaded() && !service.is_at_work() && service.ended.is_none(), "{odd}");
        }
    }

    #[test]
    fn the_code_of_an_end() {
        for (result, code, status, expected, said) in [
            ("success", 1, 0, 0, "result success"),
            ("success", 1, 1, 0, "result success (its SuccessExitStatus= has exit status 1)"),
            ("exit-code", 1, 3, 3, "result exit-code, exit status 3"),
            ("signal", 2, 9, 137, "result signal, SIGKILL"),
            ("timeout", 0, 0, 1, "result timeout"),
            ("oom-kill", 1, 0, 1, "result oom-kill, exit status 0"),
        ] {
            let service = ended(result, code, status);
            assert_eq!((service.exit_code(), service.describe_end().as_str()), (expected, said));
        }
    }

    #[test]
    fn where_a_group_will_be() {
        let at = |slice: &str, manager: &str| {
            let service = Service { id: "b@x.service".into(), slice: slice.into(), ..Service::default() };
            service.group(manager).display().to_string()
        };
        assert_eq!(at("system.slice", ""), "/system.slice/b@x.service");
        assert_eq!(at("system-b.slice", ""), "/system.slice/system-b.slice/b@x.service");
        assert_eq!(at("-.slice", ""), "/b@x.service");
        let user = "/user.slice/user-7.slice/user@7.service";
        assert_eq!(at("app.slice", user), format!("{user}/app.slice/b@x.service"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_shown_panics(text in "[A-Za-z=0-9\n.é-]{0,120}", slice in "[a-é.-]{0,12}") {
            let service = Service { slice, ..Service::parse(&text) };
            let _said = (service.exit_code(), service.describe_end(), service.group(""));
        }
    }
}
