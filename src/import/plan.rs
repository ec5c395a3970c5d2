//! All crontabs at once: each entry with what becomes of it.

use std::collections::BTreeSet;

use super::command::prefix::locked;
use super::command::{Beyond, parse};
use super::crontab::{self, Content, Crontab, Entry};
use super::meaning::{self, Around, HoldsSecret, Meaning};
use super::names::Names;
use super::outcome::{File, Import, Line, Machine, Outcome, Source, Wanted, Which};
use super::timing::{self, Timing};
use super::{job, remarks, retention, secret};
use crate::config::name::JobName;

/// A line on its way.
pub struct Read<'a> {
    /// Its file.
    pub file: &'a str,
    /// Counted from 1.
    pub number: usize,
    /// As it was typed.
    text: &'a str,
    /// What it means.
    pub found: Result<Candidate<'a>, Refusal>,
    /// The job it becomes.
    name: Option<JobName>,
}

/// An entry that can be imported.
pub struct Candidate<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// When it runs.
    pub timing: Timing,
    /// What its command is.
    pub meaning: Meaning,
}

/// A line by the places of its file and of itself among those that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The file.
    pub file: usize,
    /// The line.
    pub place: usize,
}

/// Why an entry is not imported, and what to do.
pub type Refusal = (String, String);

/// What becomes of crontabs. Any text has an answer.
pub fn plan(sources: &[Source], machine: Machine<'_>, wanted: Wanted, which: Which) -> Import {
    let crontabs: Vec<Crontab> = sources.iter().map(|source| crontab::read(&source.text, source.dialect)).collect();
    let shared_locks = shared_locks(&crontabs);
    let mut files: Vec<Vec<Read<'_>>> = sources
        .iter()
        .zip(&crontabs)
        .map(|(source, crontab)| {
            crontab.lines.iter().filter_map(|line| read(line, source, machine, &shared_locks)).collect()
        })
        .collect();
    let retained = retention::distribute(&mut files, wanted);
    let retained_by = |at: At| retained.iter().find(|(own, _)| *own == at).map(|(_, jobs)| jobs);
    let mut names = Names::default();
    for (file, lines) in files.iter_mut().enumerate() {
        for (place, line) in lines.iter_mut().enumerate() {
            let becomes_job = line
                .found
                .as_ref()
                .ok()
                .filter(|candidate| which.takes(&candidate.meaning) && retained_by(At { file, place }).is_none());
            let wish = becomes_job.and_then(|candidate| candidate.meaning.choices.first());
            line.name = wish.map(|choice| names.take(&choice.draft.name));
        }
    }
    let named: Vec<Vec<Option<JobName>>> =
        files.iter().map(|lines| lines.iter().map(|line| line.name.clone()).collect()).collect();
    let name_of = |at: &At| named.get(at.file).and_then(|file| file.get(at.place)).cloned().flatten();
    let mut imported = Vec::new();
    for (file, ((source, crontab), lines)) in sources.iter().zip(&crontabs).zip(files).enumerate() {
        let lines = lines.into_iter().enumerate().map(|(place, line)| {
            let text = secret::covered(&line.text.trim().replace('\t', " "));
            match (line.found, line.name, retained_by(At { file, place })) {
                (Err((why, hint)), _, _) => Line::without_job(line.number, text, Outcome::Refused { why, hint }),
                (Ok(candidate), Some(name), _) => {
                    let origin = job::Origin { source, number: line.number, text };
                    match wanted {
                        Wanted::Policies => job::with_policy(origin, candidate, name, machine),
                        Wanted::Exec => job::with_exec(origin, candidate.entry, name),
                    }
                }
                (Ok(_), None, Some(jobs)) => {
                    let jobs = jobs.iter().filter_map(name_of).collect();
                    Line::without_job(line.number, text, Outcome::Retention { jobs })
                }
                (Ok(_), None, None) => Line::without_job(line.number, text, Outcome::Left),
            }
        });
        let lines = lines.collect();
        let remarks = remarks::of_file(source, crontab);
        imported.push(File { name: source.name.clone(), text: source.text.clone(), remarks, lines });
    }
    Import { files: imported }
}

impl Which {
    fn takes(self, meaning: &Meaning) -> bool {
        self == Which::All || meaning.choices.first().is_some_and(|choice| choice.is_backup)
    }
}

fn read<'a>(
    line: &'a crontab::Line,
    source: &'a Source,
    machine: Machine<'_>,
    shared_locks: &BTreeSet<String>,
) -> Option<Read<'a>> {
    let found = match &line.content {
        Content::Nothing | Content::Setting => return None,
        Content::Bad(bad) => {
            let hint = "cron does not read it either: correct it, or make it a comment".to_owned();
            Err((format!("this is no entry: {bad}"), hint))
        }
        Content::Entry(entry) => candidate(entry, source, machine, shared_locks),
    };
    Some(Read { file: &source.name, number: line.number, text: &line.text, found, name: None })
}

fn candidate<'a>(
    entry: &'a Entry,
    source: &Source,
    machine: Machine<'_>,
    shared_locks: &BTreeSet<String>,
) -> Result<Candidate<'a>, Refusal> {
    let timing = timing::of(entry, machine.zone)?;
    if entry.input.is_some() && parse(&entry.command) == Err(Beyond::Unfinished) {
        let why = "a `%` ends the command in the middle of a quote or a bracket: no shell takes it".to_owned();
        return Err((why, "write `\\%` in its place, as a crontab needs it".to_owned()));
    }
    let account = entry.account.as_deref().or(source.account.as_deref());
    let home = |other: Option<&str>| {
        let own = || entry.environment.filled("HOME").map(str::to_owned);
        let of = |name: &str| (machine.home)(name);
        match other {
            Some(other) => of(other),
            None => own().or_else(|| of(account.unwrap_or(machine.account))),
        }
    };
    let account = account.or(Some(machine.account));
    let around = Around { account, home: &home, shared_locks, file: &source.name };
    match meaning::of(entry, around) {
        Ok(meaning) => Ok(Candidate { entry, timing, meaning }),
        Err(HoldsSecret) => Err((
            "its command line holds a password, which no policy and no log may hold".to_owned(),
            "let the program take it from a file that only its account can read, then import the line again".to_owned(),
        )),
    }
}

/// Files that more than one entry locks.
fn shared_locks(crontabs: &[Crontab]) -> BTreeSet<String> {
    let (mut once, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for line in crontabs.iter().flat_map(|crontab| &crontab.lines) {
        let Content::Entry(entry) = &line.content else { continue };
        let Ok(parsed) = parse(&entry.command) else { continue };
        let simples = parsed.steps.iter().flat_map(|(_, pipeline)| pipeline);
        for file in simples.filter_map(|simple| locked(&simple.words)).collect::<BTreeSet<_>>() {
            if !once.insert(file.to_owned()) {
                shared.insert(file.to_owned());
            }
        }
    }
    shared
}
