//! What a command is, by the program it runs: a file for each tool that is known.
//!
//! Each answers with a [`Draft`], or with `None` where anything about the command is not understood: then it stays the command it
//! was. A wrong guess would be a backup that lacks something, so the lists of known options are closed.

mod borg;
mod clean;
mod mysqldump;
mod options;
mod pg_dump;
mod place;
mod plain;
mod restic;
mod rsync;
mod stored;
mod tar;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use clean::Cleaning;
pub use place::Place;
pub use plain::name_of_script;

use super::command::{Simple, Word};
use super::draft::Draft;
use super::secret;

/// A pipeline and what is around it.
#[derive(Debug, Clone)]
pub struct Task<'a> {
    /// The program that does the work, without its prefixes.
    pub first: &'a Simple,
    /// What reads its output.
    pub rest: &'a [Simple],
    /// Where it starts.
    pub base: Option<&'a Path>,
    /// Its variables: those of the crontab, of its prefixes, and those in front of it.
    pub environment: BTreeMap<String, String>,
    /// The account it runs as.
    pub account: Option<&'a str>,
}

/// What a pipeline is; `None`: nothing that can do without a shell.
pub fn recognise(task: &Task<'_>) -> Option<Draft> {
    match task.first.program()? {
        "tar" | "gtar" | "bsdtar" => tar::recognise(task).or_else(|| plain::recognise(task)),
        "pg_dump" | "pg_dumpall" => pg_dump::recognise(task).or_else(|| plain::recognise(task)),
        "mysqldump" | "mariadb-dump" => mysqldump::recognise(task),
        _ => tool(task).or_else(|| plain::recognise(task)),
    }
}

/// The same of a tool that stays a command, but of which more is known: which disks it uses, what its exit codes mean.
pub fn tool(task: &Task<'_>) -> Option<Draft> {
    match task.first.program()? {
        "rsync" => rsync::recognise(task),
        "restic" => restic::recognise(task),
        "borg" => borg::recognise(task),
        _ => None,
    }
}

/// Files that are removed by age.
pub fn cleaning(pipeline: &[Simple], base: Option<&Path>) -> Option<Cleaning> {
    clean::recognise(pipeline, base)
}

impl Task<'_> {
    /// The arguments of the program.
    fn arguments(&self) -> &[Word] {
        self.first.words.get(1..).unwrap_or_default()
    }

    /// The program and its arguments, where they are nothing but text, no output goes to another program, and none to a file but a
    /// log. With what is said about that log.
    fn argv(&self) -> Option<(Vec<String>, Option<String>)> {
        let log = match self.rest {
            [] => log_of(self.first)?,
            _ => return None,
        };
        Some((self.first.literal()?, log))
    }

    /// Its variables without secrets, and the names of those.
    fn variables(&self) -> (BTreeMap<String, String>, Vec<String>) {
        secret::split(self.environment.clone())
    }

    /// A command of these words.
    fn command(&self, name: impl Into<String>, argv: Vec<String>) -> Draft {
        let (variables, secrets) = self.variables();
        Draft { secrets, ..Draft::command(name, argv, variables, self.base) }
    }

    /// A path from the root that a word names, if it names one of this machine.
    fn path(&self, word: &Word) -> Option<PathBuf> {
        let text = word.text().filter(|text| !text.is_empty() && !place::is_remote(text))?;
        place::absolute(text, self.base)
    }
}

/// What is said of a log that a program's output was appended to. `None`: its output goes elsewhere.
#[allow(clippy::option_option)]
fn log_of(simple: &Simple) -> Option<Option<String>> {
    let mut log = None;
    for redirection in simple.redirections.iter().filter(|redirection| !redirection.is_idle()) {
        use super::command::Target;
        match &redirection.to {
            Target::File(word) | Target::Append(word) | Target::Both(word) => log = Some(word.shown()),
            Target::From(_) | Target::Stream(_) => return None,
        }
    }
    Some(log.map(|file| format!("output goes into the log of the run, no longer to `{file}`")))
}

/// The last name of a path, as a part of a job's name.
fn stem(path: &Path) -> String {
    path.file_name().map_or_else(|| "root".to_owned(), |name| name.to_string_lossy().into_owned())
}
