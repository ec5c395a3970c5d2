//! Where configuration and state live. A pure function of who asks, the environment and the flags.

use std::ffi::OsString;
use std::path::PathBuf;

/// The two directories everything else is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// Holds `govern.toml` and `jobs/`.
    pub config: PathBuf,
    /// Holds the ledger, and a directory for each run.
    pub state: PathBuf,
}

/// No flag, no variable and no home say where a directory is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot tell where the {what} is: neither `{variable}` nor `HOME` is set to an absolute path")]
pub struct NoHome {
    what: &'static str,
    variable: &'static str,
    flag: &'static str,
}

impl NoHome {
    /// What to do about it.
    pub fn hint(&self) -> String {
        format!("name it with `{} DIR`", self.flag)
    }
}

impl Dirs {
    /// Flags first; else root has `/etc/govern` and `/var/lib/govern`, and everybody else `govern` in the directories of
    /// the XDG specification, which ignores variables that are empty or relative.
    pub fn find(
        is_root: bool,
        env: impl Fn(&str) -> Option<OsString>,
        config: Option<PathBuf>,
        state: Option<PathBuf>,
    ) -> Result<Dirs, NoHome> {
        let absolute = |variable: &str| env(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let find = |flag: Option<PathBuf>, system: &str, missing: NoHome, below_home: &str| match flag {
            Some(path) => Ok(path),
            None if is_root => Ok(PathBuf::from(system)),
            None => absolute(missing.variable)
                .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
                .map(|base| base.join("govern"))
                .ok_or(missing),
        };
        let no_config = NoHome { what: "configuration", variable: "XDG_CONFIG_HOME", flag: "--config" };
        let no_state = NoHome { what: "state", variable: "XDG_STATE_HOME", flag: "--state" };
        Ok(Dirs {
            config: find(config, "/etc/govern", no_config, ".config")?,
            state: find(state, "/var/lib/govern", no_state, ".local/state")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(is_root: bool, env: &[(&str, &str)], config: Option<&str>) -> Result<(String, String), String> {
        let get = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Dirs::find(is_root, get, config.map(PathBuf::from), None)
            .map(|dirs| (dirs.config.display().to_string(), dirs.state.display().to_string()))
            .map_err(|error| format!("{error}; {}", error.hint()))
    }

    fn pair(config: &str, state: &str) -> Result<(String, String), String> {
        Ok((config.to_owned(), state.to_owned()))
    }

    #[test]
    fn each_has_a_place() {
        let home = ("HOME", "/home/a");
        assert_eq!(find(true, &[home], None), pair("/etc/govern", "/var/lib/govern"));
        assert_eq!(find(true, &[], Some("x")), pair("x", "/var/lib/govern"));
        assert_eq!(find(false, &[home], None), pair("/home/a/.config/govern", "/home/a/.local/state/govern"));
        let xdg = [home, ("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s")];
        assert_eq!(find(false, &xdg, None), pair("/c/govern", "/s/govern"));
        let useless = [home, ("XDG_CONFIG_HOME", ""), ("XDG_STATE_HOME", "s")];
        assert_eq!(find(false, &useless, None), find(false, &[home], None));
    }

    #[test]
    fn without_a_home_the_flag_is_named() {
        insta::assert_snapshot!(find(false, &[], None).unwrap_err(), @"cannot tell where the configuration is: neither `XDG_CONFIG_HOME` nor `HOME` is set to an absolute path; name it with `--config DIR`");
        insta::assert_snapshot!(find(false, &[], Some("/x")).unwrap_err(), @"cannot tell where the state is: neither `XDG_STATE_HOME` nor `HOME` is set to an absolute path; name it with `--state DIR`");
    }
}
