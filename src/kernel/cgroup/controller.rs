//! Controllers: which a group has, and handing them on to the groups below it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Cgroup;
use crate::kernel::{Error, Result, fs};

/// A controller whose limits are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controller {
    /// CPU time.
    Cpu,
    /// Block devices.
    Io,
    /// Memory and page cache.
    Memory,
    /// Number of processes.
    Pids,
}

impl Controller {
    /// All of them.
    pub const ALL: [Controller; 4] = [Controller::Cpu, Controller::Io, Controller::Memory, Controller::Pids];

    /// As the kernel writes it in version 1.
    pub fn legacy_name(self) -> &'static str {
        match self {
            Controller::Io => "blkio",
            Controller::Cpu | Controller::Memory | Controller::Pids => self.name(),
        }
    }

    /// As the kernel writes it.
    pub fn name(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::Io => "io",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Those named in a list such as `cpuset cpu io`; others are none of our business.
fn parse(text: &str) -> BTreeSet<Controller> {
    let named = |c: &Controller| text.split_whitespace().any(|word| word == c.name());
    Controller::ALL.into_iter().filter(named).collect()
}

/// The controllers whose files a group has (`cgroup.controllers`).
pub fn available(group: &Path) -> Result<BTreeSet<Controller>> {
    Ok(parse(&fs::read_text(&group.join("cgroup.controllers"))?))
}

/// The controllers it hands on to the groups below it (`cgroup.subtree_control`).
pub fn enabled(group: &Path) -> Result<BTreeSet<Controller>> {
    Ok(parse(&fs::read_text(&group.join("cgroup.subtree_control"))?))
}

impl Cgroup {
    /// The controllers whose limits can be set on it.
    ///
    /// # Errors
    /// When `cgroup.controllers` cannot be read.
    pub fn controllers(&self) -> Result<BTreeSet<Controller>> {
        available(&self.path)
    }

    /// Hands on every controller it has to the groups below it, all in one write. To be called on a group of our own that holds
    /// no process: with one inside, the kernel refuses `io` and `memory` (EBUSY) and turns the group into a threaded one for
    /// `cpu`.
    ///
    /// # Errors
    /// When the kernel refuses, or has accepted it and still does not list a controller as enabled.
    pub fn hand_on_controllers(&self) -> Result<BTreeSet<Controller>> {
        let wanted: BTreeSet<Controller> = self.controllers()?.difference(&enabled(&self.path)?).copied().collect();
        if !wanted.is_empty() {
            let words: Vec<String> = wanted.iter().map(|c| format!("+{c}")).collect();
            // The kernel takes all or none: where it refuses one, the others are asked for singly.
            if let Err(refused) = self.write("cgroup.subtree_control", &words.join(" ")) {
                let taken = words.iter().filter(|word| self.write("cgroup.subtree_control", word).is_ok()).count();
                if taken == 0 {
                    return Err(refused);
                }
            }
        }
        let now = enabled(&self.path)?;
        match wanted.iter().find(|c| !now.contains(c)) {
            Some(missing) => {
                let what = format!("{missing}` in `{}", self.path.join("cgroup.subtree_control").display());
                Err(Error::about("enable", what, std::io::Error::other("the kernel accepted it and does not list it")))
            }
            None => Ok(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_read_by_whole_words() {
        assert_eq!(parse("cpuset cpu iot memory\n"), [Controller::Cpu, Controller::Memory].into());
        assert_eq!(parse(""), BTreeSet::new());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Cgroup::at(dir.path().to_path_buf()).controllers().unwrap_err();
        assert!(error.subject.ends_with("cgroup.controllers"), "{error}");
    }

    #[test]
    fn what_the_kernel_did_not_do_is_an_error() {
        // On a plain directory a write changes the file, but as the kernel would never list it: `+cpu` is no `cpu`.
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cgroup.controllers"), "cpu io\n").unwrap();
        std::fs::write(dir.path().join("cgroup.subtree_control"), "").unwrap();
        let error = Cgroup::at(dir.path().to_path_buf()).hand_on_controllers().unwrap_err();
        assert!(error.to_string().starts_with("cannot enable `cpu` in `"), "{error}");
        assert_eq!(std::fs::read_to_string(dir.path().join("cgroup.subtree_control")).unwrap(), "+cpu +io");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            parse(&text);
        }
    }
}
