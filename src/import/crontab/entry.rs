//! An entry: when, for whom, what.

use std::fmt;

use super::{BLANKS, Bad, Dialect, Environment};

/// A time and a command, with the settings in force for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// A `-` in front: cron keeps no record of its runs (cronie and SUSE).
    pub unrecorded: bool,
    /// When it runs.
    pub when: When,
    /// The account of the command, in a file of the system.
    pub account: Option<String>,
    /// What stands in front of the command, as typed: the time, the account, and the blanks.
    pub head: String,
    /// The command as typed, with its `%`.
    pub raw: String,
    /// The command that the shell gets: up to the first `%`, with `\%` as `%`.
    pub command: String,
    /// What the command reads: the text behind the first `%`, with the others as newlines.
    pub input: Option<String>,
    /// The settings above it.
    pub environment: Environment,
}

/// When an entry runs. Whether the fields mean anything is for the schedule to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Five fields with one blank between them.
    Fields(String),
    /// `@daily` and the like.
    Nickname(String),
    /// `@reboot`: once after each boot.
    Reboot,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Fields(text) | When::Nickname(text) => f.write_str(text),
            When::Reboot => f.write_str("@reboot"),
        }
    }
}

/// Reads a line that is neither empty nor a comment nor a setting.
pub fn read(line: &str, dialect: Dialect, environment: &Environment) -> Result<Entry, Bad> {
    let (unrecorded, rest) = match line.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start_matches(BLANKS)),
        None => (false, line),
    };
    let (when, rest) = time(rest)?;
    let (account, raw) = match dialect {
        Dialect::User => (None, rest),
        Dialect::System => {
            let (account, rest) = word(rest).ok_or(Bad::NoAccount)?;
            (Some(account.to_owned()), rest)
        }
    };
    if raw.is_empty() {
        // Of two words that are missing the first is told.
        let no_command = account.is_none() || rest.contains(BLANKS);
        return Err(if no_command { Bad::NoCommand } else { Bad::NoAccount });
    }
    let head = line.get(..line.len() - raw.len()).unwrap_or_default().to_owned();
    let (command, input) = percent(raw);
    if command.trim().is_empty() {
        return Err(Bad::NoCommand);
    }
    let (raw, environment) = (raw.to_owned(), environment.clone());
    Ok(Entry { unrecorded, when, account, head, raw, command, input, environment })
}

fn time(line: &str) -> Result<(When, &str), Bad> {
    if line.starts_with('@') {
        let (name, rest) = word(line).ok_or(Bad::TooShort)?;
        let when = if name == "@reboot" { When::Reboot } else { When::Nickname(name.to_owned()) };
        return if rest.is_empty() { Err(Bad::NoCommand) } else { Ok((when, rest)) };
    }
    let (mut fields, mut rest) = (Vec::new(), line);
    for _ in 0..5 {
        let (field, after) = word(rest).ok_or(Bad::TooShort)?;
        fields.push(field);
        rest = after;
    }
    if rest.is_empty() { Err(Bad::TooShort) } else { Ok((When::Fields(fields.join(" ")), rest)) }
}

/// The first word, and what follows it and the blanks behind it.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(BLANKS).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (!word.is_empty()).then(|| (word, rest.trim_start_matches(BLANKS)))
}

/// Where the first `%` without a backslash stands.
pub fn first_percent(raw: &str) -> Option<usize> {
    raw.match_indices('%').map(|(at, _)| at).find(|&at| !raw.get(..at).is_some_and(|before| before.ends_with('\\')))
}

/// The command and its input.
fn percent(raw: &str) -> (String, Option<String>) {
    let plain = |text: &str| text.replace("\\%", "%");
    let Some(at) = first_percent(raw) else { return (plain(raw), None) };
    let (command, input) = raw.split_at(at);
    let mut lines = String::new();
    let mut rest = input.strip_prefix('%').unwrap_or(input);
    while let Some(at) = first_percent(rest) {
        let (line, after) = rest.split_at(at);
        lines.push_str(&plain(line));
        lines.push('\n');
        rest = after.strip_prefix('%').unwrap_or(after);
    }
    lines.push_str(&plain(rest));
    (plain(command), Some(lines))
}

impl Entry {
    /// The typed command in two: what the shell gets, and the `%` with what follows it.
    pub fn typed(&self) -> (&str, &str) {
        self.raw.split_at(first_percent(&self.raw).unwrap_or(self.raw.len()))
    }
}
