//! What goes in and what comes out: crontabs, and each of their lines with what becomes of it.

use chrono::{DateTime, Utc};

use super::Proof;
use super::crontab::Dialect;
use crate::config::name::JobName;
use crate::schedule::Zone;

/// A crontab to be imported.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path, or what else it is called.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// It was UTF-8; otherwise something in the text was replaced.
    pub is_text: bool,
    /// Whether it names accounts.
    pub dialect: Dialect,
    /// Whose it is, where that is known.
    pub account: Option<String>,
}

/// What is known of the machine.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// The zone in which cron reads its times.
    pub zone: Zone,
    /// From when on coming runs are counted.
    pub now: DateTime<Utc>,
    /// Who imports; the owner of a crontab without another one.
    pub account: &'a str,
    /// The home directory of an account.
    pub home: &'a dyn Fn(&str) -> Option<String>,
}

/// What entries are to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Jobs.
    Policies,
    /// The same entries with `govern exec` in them.
    Exec,
}

/// Which entries are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those that make backups, as far as can be seen, and those that remove old ones.
    Backups,
}

/// What became of some crontabs.
#[derive(Debug, Clone)]
pub struct Import {
    /// The files, in their order.
    pub files: Vec<File>,
}

/// What became of one of them.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path.
    pub name: String,
    /// What it held.
    pub text: String,
    /// What concerns all of it.
    pub remarks: Vec<String>,
    /// Its entries, and the lines that are none.
    pub lines: Vec<Line>,
}

/// What became of a line.
#[derive(Debug, Clone)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// As it was typed, without secrets.
    pub text: String,
    /// What it is now.
    pub outcome: Outcome,
    /// What is different from before.
    pub changes: Vec<String>,
    /// What must be done before it can run.
    pub needs: Vec<String>,
    /// When it ran and runs; `None` for `@reboot`, and for what is no job.
    pub proof: Option<Proof>,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A job of this kind, with the text of its policy.
    Job {
        /// Its name.
        name: JobName,
        /// `filesystem`, `pg_dump` or `command`.
        kind: &'static str,
        /// A file for `jobs/`.
        policy: String,
    },
    /// An entry of the same crontab.
    Exec {
        /// The name in status and history.
        name: JobName,
        /// The entry.
        line: String,
    },
    /// The retention of these jobs.
    Retention {
        /// Their names.
        jobs: Vec<JobName>,
    },
    /// Nothing, for it makes no backup: it stays as it is.
    Left,
    /// Nothing: it stays as it is.
    Refused {
        /// Why.
        why: String,
        /// What to do about it.
        hint: String,
    },
}

impl Import {
    /// Whether some lines could not be imported.
    pub fn has_refused(&self) -> bool {
        self.lines().any(|line| matches!(line.outcome, Outcome::Refused { .. }))
    }

    /// All lines of all files.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.files.iter().flat_map(|file| &file.lines)
    }
}

impl Line {
    /// A line of which nothing becomes, or nothing of its own.
    pub(super) fn without_job(number: usize, text: String, outcome: Outcome) -> Line {
        Line { number, text, outcome, changes: vec![], needs: vec![], proof: None }
    }
}
