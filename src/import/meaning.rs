//! What an entry's command is: the best that can be said of it first, a plain command for its shell last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::command::prefix::Setting;
use super::command::{Known, Pipeline, Prefixes, Word, Work, base_name, parse, understand};
use super::crontab::Entry;
use super::draft::{Doing, Draft};
use super::recognise::{self, Cleaning, Task, name_of_script};
use super::{retention, secret};

/// What surrounds an entry.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The account it runs as; `None`: not known, for a crontab without its owner.
    pub account: Option<&'a str>,
    /// The home directory of an account; `None` is the entry's.
    pub home: &'a dyn Fn(Option<&str>) -> Option<String>,
    /// Files that several entries lock.
    pub shared_locks: &'a BTreeSet<String>,
    /// What the file is called, for a command without a name.
    pub file: &'a str,
}

/// What a command may become.
#[derive(Debug, Clone)]
pub struct Meaning {
    /// From the best to the plainest. Never empty.
    pub choices: Vec<Choice>,
    /// It does nothing but remove old files.
    pub cleaning: Option<Cleaning>,
}

/// One thing that a command may become.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is done.
    pub draft: Draft,
    /// How it is run.
    pub prefixes: Prefixes,
    /// It makes a backup, as far as can be seen.
    pub is_backup: bool,
}

/// The command holds a secret that cannot be taken out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldsSecret;

/// What may become of an entry's command.
///
/// # Errors
/// [`HoldsSecret`]
pub fn of(entry: &Entry, around: Around<'_>) -> Result<Meaning, HoldsSecret> {
    let setting =
        Setting { is_root: around.account.is_none_or(|name| name == "root"), shared_locks: around.shared_locks };
    let value = |name: &str| {
        let value = entry.environment.of_commands().find(|(known, _)| *known == name);
        value.map(|(_, value)| value.to_owned())
    };
    let known = Known { home: around.home, value: &value };
    let work = match &entry.input {
        None => understand(&entry.command, known, setting).ok(),
        Some(_) => None,
    };
    let mut meaning = Meaning { choices: Vec::new(), cleaning: None };
    if let Some(work) = &work {
        let reading = Reading { entry, around, work };
        if let [(_, pipeline)] = work.steps.as_slice() {
            meaning.cleaning = recognise::cleaning(pipeline, reading.base().as_deref());
        }
        meaning.choices.extend(reading.without_a_shell());
    }
    meaning.choices.push(for_a_shell(entry, around, work.as_ref()));
    meaning.choices.retain(|choice| !holds_secret(&choice.draft));
    if meaning.choices.is_empty() { Err(HoldsSecret) } else { Ok(meaning) }
}

/// A command that is taken apart.
struct Reading<'a> {
    entry: &'a Entry,
    around: Around<'a>,
    work: &'a Work,
}

impl Reading<'_> {
    /// Where it starts.
    fn base(&self) -> Option<PathBuf> {
        let account = self.work.prefixes.account.as_deref().filter(|_| self.work.prefixes.login);
        let at_home = || (self.around.home)(account).map(PathBuf::from);
        self.work.directory.clone().or_else(at_home)
    }

    /// What it is, where that needs no shell.
    fn without_a_shell(&self) -> Option<Choice> {
        let ((_, pipeline), behind) = self.work.steps.split_first()?;
        let base = self.base();
        let task = self.task(pipeline, base.as_deref())?;
        let mut draft = recognise::recognise(&task)?;
        for (_, pipeline) in behind {
            let cleaning = recognise::cleaning(pipeline, base.as_deref())?;
            retention::apply(&mut draft, &cleaning, "the same line")?;
        }
        if self.work.background {
            draft.changes.push("the `&` is left out: a run lasts as long as its command".to_owned());
        }
        let prefixes = self.work.prefixes.clone();
        draft.changes.extend(prefixes.notes.iter().cloned());
        let is_backup = is_backup(&self.entry.command) || draft.artifact.is_some();
        Some(Choice { draft, prefixes, is_backup })
    }

    fn task<'b>(&'b self, pipeline: &'b Pipeline, base: Option<&'b Path>) -> Option<Task<'b>> {
        let (first, rest) = pipeline.split_first()?;
        let mut environment = environment(self.entry);
        for (name, word) in self.work.prefixes.assignments.iter().chain(&first.assignments) {
            environment.insert(name.clone(), word.text()?.to_owned());
        }
        let account = self.work.prefixes.account.as_deref().or(self.around.account);
        Some(Task { first, rest, base, environment, account })
    }
}

fn environment(entry: &Entry) -> BTreeMap<String, String> {
    entry.environment.of_commands().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The line as it is, for its shell.
fn for_a_shell(entry: &Entry, around: Around<'_>, work: Option<&Work>) -> Choice {
    let (text, prefixes) = match work {
        Some(work) => (work.text.as_str(), work.outer.clone()),
        None => (entry.command.as_str(), Prefixes::default()),
    };
    let text = text.trim();
    let mut changes = Vec::new();
    let line = match (text.strip_suffix('&').filter(|rest| !rest.ends_with('&')), &entry.input) {
        (Some(rest), _) if work.is_some_and(|work| work.background) => {
            changes.push("the `&` is left out: a run lasts as long as its command".to_owned());
            rest.trim_end().to_owned()
        }
        (_, Some(input)) => {
            changes.push("what stands behind the first `%` is its input, and comes from printf; a `%` of a command is `\\%` in a crontab".to_owned());
            let lines: Vec<String> = input.lines().map(|line| shell_words::quote(line).into_owned()).collect();
            let lines = if lines.is_empty() { "''".to_owned() } else { lines.join(" ") };
            format!("printf '%s\\n' {lines} | {{ {text}\n}}")
        }
        _ => text.to_owned(),
    };
    let shell = prefixes.shell.clone().unwrap_or_else(|| entry.environment.shell().to_owned());
    let (env, secrets) = secret::split(environment(entry));
    let home = (around.home)(prefixes.account.as_deref().filter(|_| prefixes.login));
    let argv = vec![shell, "-c".to_owned(), line];
    let mut draft = Draft::command(name_of(entry, around, work), argv, env, home.as_deref().map(Path::new));
    draft.secrets = secrets;
    if let Some(more) = work.and_then(|work| last_tool(entry, around, work)) {
        draft.name = more.name;
        draft.io_paths = more.io_paths;
        if let (Doing::Command(own), Doing::Command(other)) = (&mut draft.kind, more.kind) {
            own.warning_codes = other.warning_codes;
        }
        changes.extend(more.changes.into_iter().filter(|change| change.starts_with("exit code")));
    }
    changes.extend(prefixes.notes.iter().cloned());
    draft.changes = changes;
    Choice { draft, prefixes, is_backup: is_backup(&entry.command) }
}

/// What is known of the tool that ends a line: its exit code is that of the line.
fn last_tool(entry: &Entry, around: Around<'_>, work: &Work) -> Option<Draft> {
    let (_, pipeline) = work.steps.last()?;
    let reading = Reading { entry, around, work };
    let base = reading.base();
    recognise::tool(&reading.task(pipeline, base.as_deref())?)
}

/// What a line is called: like the program of it that does something, or like its file.
fn name_of(entry: &Entry, around: Around<'_>, work: Option<&Work>) -> String {
    let parsed = parse(&entry.command).ok();
    let steps = work.map(|work| &work.steps).or(parsed.as_ref().map(|line| &line.steps));
    let programs = steps.into_iter().flatten().flat_map(|(_, pipeline)| pipeline);
    let by_program = programs.filter_map(name_of_script).next();
    let by_path = || {
        let mut paths = entry.command.split([' ', ';', '"', '\'', '(', ')']).filter(|word| word.starts_with('/'));
        paths.find_map(|path| {
            let words = Word::plain(path);
            name_of_script(&super::command::Simple { words: vec![words], ..Default::default() })
        })
    };
    by_program.or_else(by_path).unwrap_or_else(|| base_name(around.file).to_owned())
}

fn holds_secret(draft: &Draft) -> bool {
    let Doing::Command(command) = &draft.kind else { return false };
    match command.argv.as_slice() {
        [_, option, line] if option == "-c" => secret::in_line(line),
        argv => secret::in_arguments(argv),
    }
}

/// Whether a command has to do with backups: then it is run as one, else exactly as cron ran it.
fn is_backup(command: &str) -> bool {
    const TOOLS: [&str; 24] = [
        "tar",
        "rsync",
        "restic",
        "borg",
        "borgmatic",
        "pg_dump",
        "pg_dumpall",
        "pg_basebackup",
        "pgbackrest",
        "barman",
        "wal-g",
        "mysqldump",
        "mariadb-dump",
        "mariabackup",
        "xtrabackup",
        "mongodump",
        "duplicity",
        "duply",
        "rclone",
        "rsnapshot",
        "rdiff-backup",
        "bup",
        "kopia",
        "dump",
    ];
    let mut words = command.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'));
    words.any(|word| TOOLS.contains(&word) || word.to_ascii_lowercase().contains("backup"))
}
