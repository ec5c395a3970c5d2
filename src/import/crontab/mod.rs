//! Reading a crontab as Vixie's cron and cronie do: lines, settings and entries, each with its number. What a time or a command
//! means is not decided here.
//!
//! ```text
//! # a comment          comments and empty lines
//! MAILTO=admin         a setting: it holds for the entries below it
//! 20 4 * * *  command  an entry: five fields or a nickname, in a system's file an account, then the command
//! ```
//!
//! Invariant: every text is read to its end, line by line; what cannot be read is a line with a reason, never an error for all.

mod entry;
mod environment;
mod names;
mod setting;

pub use entry::{Entry, When};
pub use environment::Environment;
pub use names::{Flavour, is_read};

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A user's crontab, as `crontab -l` shows it.
    User,
    /// `/etc/crontab` and the files of `/etc/cron.d`: an account stands in front of each command.
    System,
}

/// A crontab as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crontab {
    /// Its lines, from the first.
    pub lines: Vec<Line>,
    /// Lines end as on Windows: cron takes the carriage return for a part of the command.
    pub carriage_returns: bool,
    /// The last line has no end.
    pub unfinished: bool,
}

/// A line of a crontab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// As it was typed, without its end.
    pub text: String,
    /// What it is.
    pub content: Content,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing, or a comment.
    Nothing,
    /// `NAME=value`, for the entries below it.
    Setting,
    /// A time and a command.
    Entry(Box<Entry>),
    /// Neither; cron would refuse the file, or this line.
    Bad(Bad),
}

/// Why a line is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// Fewer than five fields.
    #[error("five fields of a time, or a nickname such as `@daily`, and a command are needed")]
    TooShort,
    /// No account in a file of the system.
    #[error("an account is missing between the time and the command")]
    NoAccount,
    /// Nothing to run.
    #[error("a command is missing behind the time")]
    NoCommand,
    /// What no shell takes.
    #[error("it holds a NUL character")]
    Nul,
}

/// Reads a crontab. Any text has an answer.
pub fn read(text: &str, dialect: Dialect) -> Crontab {
    let mut environment = Environment::default();
    let mut crontab = Crontab { unfinished: !text.is_empty() && !text.ends_with('\n'), ..Crontab::default() };
    for (number, typed) in (1..).zip(text.lines_with_returns()) {
        let line = typed.strip_suffix('\r').unwrap_or(typed);
        crontab.carriage_returns |= line != typed;
        let content = content(line, dialect, &mut environment);
        crontab.lines.push(Line { number, text: line.to_owned(), content });
    }
    crontab
}

fn content(line: &str, dialect: Dialect, environment: &mut Environment) -> Content {
    let line = line.trim_start_matches(BLANKS);
    if line.is_empty() || line.starts_with('#') {
        return Content::Nothing;
    }
    if line.contains('\0') {
        return Content::Bad(Bad::Nul);
    }
    if let Some((name, value)) = setting::read(line) {
        environment.set(name, value);
        return Content::Setting;
    }
    match entry::read(line, dialect, environment) {
        Ok(entry) => Content::Entry(Box::new(entry)),
        Err(bad) => Content::Bad(bad),
    }
}

/// What stands between fields.
const BLANKS: [char; 2] = [' ', '\t'];

trait Lines {
    /// The lines of a text without the newline, but with a carriage return in front of it.
    fn lines_with_returns(&self) -> impl Iterator<Item = &str>;
}

impl Lines for str {
    fn lines_with_returns(&self) -> impl Iterator<Item = &str> {
        self.split_inclusive('\n').map(|line| line.strip_suffix('\n').unwrap_or(line))
    }
}

#[cfg(test)]
mod tests;
