//! A policy in the making: what a line of a crontab means, as far as it can be said in the words of a policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::recognise::Place;
use crate::config::policy::{Command, Compression, Filesystem, PgDump};

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The name it should have.
    pub name: String,
    /// What is done.
    pub kind: Doing,
    /// Where the result goes, for what has one.
    pub artifact: Option<Artifact>,
    /// Paths on the disks that a command uses.
    pub io_paths: Vec<PathBuf>,
    /// Variables that hold secrets, which no policy takes over.
    pub secrets: Vec<String>,
    /// What is different from before.
    pub changes: Vec<String>,
    /// What must be done before it can run.
    pub needs: Vec<String>,
}

/// What a job does: the kinds that a crontab leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Directories.
    Filesystem(Filesystem),
    /// PostgreSQL databases.
    PgDump(PgDump),
    /// Any program.
    Command(Command),
}

impl Doing {
    /// The kind, as in a policy.
    pub fn name(&self) -> &'static str {
        match self {
            Doing::Filesystem(_) => "filesystem",
            Doing::PgDump(_) => "pg_dump",
            Doing::Command(_) => "command",
        }
    }
}

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The directory.
    pub target: PathBuf,
    /// How they are packed.
    pub compression: Compression,
    /// Which of them stay; `None`: all.
    pub keep: Option<Keep>,
    /// What a result was called before, with a `0` for each date.
    pub called: String,
    /// A `find` has removed them by age.
    pub removed: Option<Removed>,
}

/// How old files were removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The `N` of `-mtime +N`.
    pub days: u32,
    /// Where that stood.
    pub origin: String,
}

impl Removed {
    /// How long a file stayed, in days: find(1) cuts its age to whole days, and more than N of them are N and one.
    pub fn stayed(&self) -> u32 {
        self.days.saturating_add(1)
    }

    /// The rule that keeps as many, of a job that ran so often in that time.
    pub fn keep(&self, runs: u32) -> Keep {
        if runs == self.stayed() { Keep::Daily(runs) } else { Keep::Last(runs.max(1)) }
    }
}

/// A rule of retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The newest so many.
    Last(u32),
    /// The newest of each of so many days.
    Daily(u32),
    /// Of so many weeks.
    Weekly(u32),
    /// Of so many months.
    Monthly(u32),
}

impl Keep {
    /// The key and its value, as in a policy.
    pub fn key(self) -> (&'static str, u32) {
        match self {
            Keep::Last(count) => ("keep_last", count),
            Keep::Daily(count) => ("keep_daily", count),
            Keep::Weekly(count) => ("keep_weekly", count),
            Keep::Monthly(count) => ("keep_monthly", count),
        }
    }
}

impl Draft {
    /// A draft of something, without anything around it.
    pub fn new(name: impl Into<String>, kind: Doing) -> Draft {
        Draft {
            name: name.into(),
            kind,
            artifact: None,
            io_paths: Vec::new(),
            secrets: Vec::new(),
            changes: Vec::new(),
            needs: Vec::new(),
        }
    }

    /// A program with its arguments.
    pub fn command(
        name: impl Into<String>,
        argv: Vec<String>,
        env: BTreeMap<String, String>,
        at: Option<&Path>,
    ) -> Draft {
        let kind = Doing::Command(Command {
            argv,
            env,
            directory: at.map(Path::to_path_buf),
            success_codes: vec![0],
            warning_codes: vec![],
            capture: None,
        });
        Draft::new(name, kind)
    }

    /// The same, with something that is different from before.
    pub fn changed(mut self, change: impl Into<String>) -> Draft {
        self.changes.push(change.into());
        self
    }

    /// The same, with exit codes of a command that mean: done, but look.
    pub fn warning(mut self, code: u8, meaning: &str) -> Draft {
        if let Doing::Command(command) = &mut self.kind {
            command.warning_codes.push(code);
            self.changes.push(format!("exit code {code} ({meaning}) is a warning"));
        }
        self
    }

    /// The same, with paths on disks, each once.
    pub fn on_disks(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Draft {
        for path in paths {
            if !self.io_paths.contains(&path) {
                self.io_paths.push(path);
            }
        }
        self
    }

    /// The same, with a place for its results. What stood for them before is told.
    pub fn stored(mut self, place: Place, compression: Compression) -> Draft {
        let Place { directory: target, called, keep, shown: _ } = place;
        self.artifact = Some(Artifact { target, compression, keep, called, removed: None });
        self
    }
}
