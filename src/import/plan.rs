//! All crontabs at once: each entry with what becomes of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::command::parse;
use super::command::prefix::locked;
use super::crontab::{self, Content, Crontab, Dialect, Entry};
use super::draft::Draft;
use super::meaning::{self, Around, Choice, HoldsSecret, Meaning};
use super::names::Names;
use super::policy::{self, Facts};
use super::proof::{Proof, prove};
use super::{exec, secret};
use crate::config::policy::Policy;
use crate::config::schedule::MachineZone;
use crate::config::{self, name::JobName};
use crate::schedule::crontab::BadExpression;
use crate::schedule::{Trigger, Zone};

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

/// An entry on its way.
struct Candidate<'a> {
    entry: &'a Entry,
    timing: Timing,
    meaning: Meaning,
}

/// When an entry runs.
struct Timing {
    trigger: Trigger,
    zone: Zone,
    named: Option<Zone>,
    jitter: Option<Duration>,
}

/// Why an entry is not imported, and what to do.
type Refusal = (String, String);

/// What becomes of crontabs. Any text has an answer.
pub fn plan(sources: &[Source], machine: Machine<'_>, wanted: Wanted, which: Which) -> Import {
    let crontabs: Vec<Crontab> = sources.iter().map(|source| crontab::read(&source.text, source.dialect)).collect();
    let shared_locks = shared_locks(&crontabs);
    let mut candidates: Vec<Vec<(usize, &str, Result<Candidate<'_>, Refusal>)>> = Vec::new();
    for (source, crontab) in sources.iter().zip(&crontabs) {
        let lines = crontab.lines.iter().filter_map(|line| {
            let found = match &line.content {
                Content::Nothing | Content::Setting => return None,
                Content::Bad(bad) => {
                    let hint = "cron does not read it either: correct it, or make it a comment".to_owned();
                    Err((format!("this is no entry: {bad}"), hint))
                }
                Content::Entry(entry) => candidate(entry, source, machine, &shared_locks),
            };
            Some((line.number, line.text.as_str(), found))
        });
        candidates.push(lines.collect());
    }
    let retained = take_retention(&mut candidates, wanted);
    let is_left = |candidate: &Candidate<'_>| {
        which == Which::Backups && !candidate.meaning.choices.first().is_some_and(|choice| choice.is_backup)
    };
    let mut names = Names::default();
    let mut taken: Vec<Vec<Option<JobName>>> = Vec::new();
    for (file, lines) in candidates.iter().enumerate() {
        let name = |(place, (_, _, found)): (usize, &(usize, &str, Result<Candidate<'_>, Refusal>))| {
            let candidate = found
                .as_ref()
                .ok()
                .filter(|candidate| !is_left(candidate) && !retained.iter().any(|(at, _)| *at == (file, place)))?;
            candidate.meaning.choices.first().map(|choice| names.take(&choice.draft.name))
        };
        taken.push(lines.iter().enumerate().map(name).collect());
    }
    let named = |at: &(usize, usize)| taken.get(at.0).and_then(|file| file.get(at.1)).cloned().flatten();
    let mut files = Vec::new();
    for (number, ((source, crontab), lines)) in sources.iter().zip(&crontabs).zip(candidates).enumerate() {
        let lines = lines.into_iter().enumerate().map(|(place, (line, text, found))| {
            let at = (number, place);
            let text = secret::covered(&text.trim().replace('\t', " "));
            let jobs = retained.iter().find(|(own, _)| *own == at).map(|(_, jobs)| jobs);
            match (found, jobs) {
                (Err((why, hint)), _) => refused(line, text, why, hint),
                (Ok(_), Some(jobs)) => Line {
                    outcome: Outcome::Retention { jobs: jobs.iter().filter_map(named).collect() },
                    ..refused(line, text, String::new(), String::new())
                },
                (Ok(candidate), None) if is_left(&candidate) => {
                    Line { outcome: Outcome::Left, ..refused(line, text, String::new(), String::new()) }
                }
                (Ok(candidate), None) => {
                    let name = named(&at).unwrap_or_else(|| JobName::nearest(""));
                    finish(Numbered { source, line, text }, candidate, name, machine, wanted)
                }
            }
        });
        let lines = lines.collect();
        files.push(File {
            name: source.name.clone(),
            text: source.text.clone(),
            remarks: remarks(source, crontab),
            lines,
        });
    }
    Import { files }
}

fn refused(number: usize, text: String, why: String, hint: String) -> Line {
    Line { number, text, outcome: Outcome::Refused { why, hint }, changes: vec![], needs: vec![], proof: None }
}

/// What concerns a whole file.
fn remarks(source: &Source, crontab: &Crontab) -> Vec<String> {
    let all = [
        (
            crontab.carriage_returns,
            "lines end as on Windows: cron hands the carriage return to the shell, and it is left out here",
        ),
        (crontab.unfinished, "the last line has no end: Debian's cron does not read such a file"),
        (!source.is_text, "it is not UTF-8: what is not was replaced by `\u{fffd}`"),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, remark)| remark.to_owned()).collect()
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

fn candidate<'a>(
    entry: &'a Entry,
    source: &Source,
    machine: Machine<'_>,
    shared_locks: &BTreeSet<String>,
) -> Result<Candidate<'a>, Refusal> {
    let timing = timing(entry, machine.zone)?;
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

fn timing(entry: &Entry, zone: Zone) -> Result<Timing, Refusal> {
    let trigger = entry.when.to_string().parse::<Trigger>();
    let trigger = trigger.map_err(|BadExpression { text, hint, .. }| (text, hint))?;
    let named = match entry.environment.filled("CRON_TZ") {
        None => None,
        Some(name) => Some(name.parse::<Zone>().map_err(|error| {
            (format!("`CRON_TZ`: {error}"), "write its name in the IANA database, such as `Europe/Berlin`".to_owned())
        })?),
    };
    // crontab(5) of cronie: in minutes.
    let minutes = entry.environment.filled("RANDOM_DELAY").and_then(|value| value.trim().parse::<u64>().ok());
    let jitter = minutes.filter(|minutes| *minutes > 0).map(|minutes| Duration::from_secs(60 * minutes.min(1440)));
    Ok(Timing { trigger, zone: named.unwrap_or(zone), named, jitter })
}

/// Entries that remove what jobs of other entries wrote become the retention of those. Which entry, and of which.
type Retained = Vec<((usize, usize), Vec<(usize, usize)>)>;

fn take_retention(candidates: &mut [Vec<(usize, &str, Result<Candidate<'_>, Refusal>)>], wanted: Wanted) -> Retained {
    let mut retained = Retained::new();
    if wanted == Wanted::Exec {
        return retained;
    }
    let mut cleanings = Vec::new();
    for (file, lines) in candidates.iter().enumerate() {
        for (place, (number, _, found)) in lines.iter().enumerate() {
            if let Some(cleaning) = found.as_ref().ok().and_then(|candidate| candidate.meaning.cleaning.clone()) {
                cleanings.push(((file, place), *number, cleaning));
            }
        }
    }
    for (at, number, cleaning) in cleanings {
        let mut jobs = Vec::new();
        for (file, lines) in candidates.iter_mut().enumerate() {
            for (place, (_, _, found)) in lines.iter_mut().enumerate() {
                let draft = found.as_mut().ok().and_then(|candidate| candidate.meaning.choices.first_mut());
                let origin = format!("line {number}");
                if draft.and_then(|choice| meaning::apply(&mut choice.draft, &cleaning, &origin)).is_some() {
                    jobs.push((file, place));
                }
            }
        }
        if !jobs.is_empty() {
            retained.push((at, jobs));
        }
    }
    retained
}

/// A line of a file.
struct Numbered<'a> {
    source: &'a Source,
    line: usize,
    text: String,
}

/// Writes the policy of an entry and holds it against the loader; what the loader refuses becomes something plainer.
fn finish(own: Numbered<'_>, candidate: Candidate<'_>, name: JobName, machine: Machine<'_>, wanted: Wanted) -> Line {
    let Numbered { source, line, text } = own;
    let Candidate { entry, timing, meaning } = candidate;
    if wanted == Wanted::Exec {
        return exec_line(line, text, entry, name);
    }
    let mut why = String::new();
    for mut choice in meaning.choices {
        settle_retention(&mut choice.draft, &timing, machine.now);
        let (changes, needs) = said(entry, &timing, &choice, &name);
        let Choice { draft, prefixes, is_backup } = choice;
        let account = prefixes.account.as_deref().or(entry.account.as_deref()).or(source.account.as_deref());
        let facts = Facts {
            origin: format!("{}, line {line}", source.name),
            line: text.trim(),
            when: entry.when.to_string(),
            zone: timing.named,
            jitter: timing.jitter,
            account,
            prefixes: &prefixes,
            remarks: &changes,
            needs: &needs,
            is_backup,
        };
        let policy = policy::write(name.as_str(), &draft, &facts);
        match loaded(&name, &policy, machine.zone) {
            Ok(job) => {
                let proof = prove(&timing.trigger, timing.zone, &job.schedule, machine.now);
                let outcome = Outcome::Job { name, kind: draft.kind.name(), policy };
                return Line { number: line, text, outcome, changes, needs, proof };
            }
            Err(error) => why = error,
        }
    }
    refused(line, text, format!("no policy can say it: {why}"), "write a policy by hand, or use `--exec`".to_owned())
}

/// A removal by age as a rule of retention, which counts: how many there were of that age, the times of the entry say.
fn settle_retention(draft: &mut Draft, timing: &Timing, now: DateTime<Utc>) {
    let Some(artifact) = draft.artifact.as_mut() else { return };
    let Some(removed) = artifact.removed.take() else { return };
    let until = now + TimeDelta::days(i64::from(removed.stayed()));
    let first = timing.trigger.next(timing.zone, now);
    let runs = std::iter::successors(first, |at| timing.trigger.next(timing.zone, *at)).take_while(|at| *at < until);
    let most = usize::try_from(removed.stayed()).unwrap_or(usize::MAX);
    let keep = removed.keep(u32::try_from(runs.take(most).count()).unwrap_or(u32::MAX));
    artifact.keep = Some(keep);
    let (key, count) = keep.key();
    let target = artifact.target.display();
    let one = if key == "keep_daily" { ", the newest of each day" } else { "" };
    draft.changes.push(format!(
        "`{key} = {count}` in place of the `find` of {}{one}; the last good one always stays",
        removed.origin
    ));
    draft
        .changes
        .push(format!("files of before stay in `{target}`: remove them by hand when they are no longer wanted"));
}

fn exec_line(number: usize, text: String, entry: &Entry, name: JobName) -> Line {
    if secret::in_line(&entry.command) {
        let why = "its command line holds a password, which would stand in the log of its runs".to_owned();
        return refused(
            number,
            text,
            why,
            "let the program take it from a file that only its account can read".to_owned(),
        );
    }
    let line = exec::line(entry, name.as_str());
    let outcome = Outcome::Exec { name, line };
    Line { number, text, outcome, changes: vec![], needs: vec![], proof: None }
}

/// The policy as the loader understands it, or its first complaint.
fn loaded(name: &JobName, text: &str, zone: Zone) -> Result<Policy, String> {
    let path = format!("{name}.toml");
    match config::job_of_text(Path::new(&path), text, &MachineZone::from(zone)) {
        Ok(job) => Ok(job.policy),
        Err(diagnostics) => {
            let all = diagnostics.to_json();
            let first = all.get(0).and_then(|first| first.get("message")).and_then(serde_json::Value::as_str);
            Err(first.unwrap_or("it has errors").to_owned())
        }
    }
}

/// What is different from before, and what must be done.
fn said(entry: &Entry, timing: &Timing, choice: &Choice, name: &JobName) -> (Vec<String>, Vec<String>) {
    let Choice { draft, prefixes, .. } = choice;
    let suffix = draft.artifact.as_ref().map_or("", |artifact| artifact.compression.suffix());
    let filled = |text: &String| text.replace("{job}", name.as_str()).replace("{suffix}", suffix);
    let mut changes: Vec<String> = draft.changes.iter().map(filled).collect();
    let mut needs = draft.needs.clone();
    changes.extend(kept(draft));
    for variable in &draft.secrets {
        changes.push(format!("`{variable}` is not taken over: no policy holds a secret"));
        needs.push(secret::advice(variable, name.as_str()));
    }
    if let Some(zone) = timing.named {
        changes.push(format!(
            "`zone = \"{zone}\"` from CRON_TZ, which cronie knows; Debian's cron ran it by the machine's clock"
        ));
    }
    if timing.jitter.is_some() {
        changes.push(
            "`jitter` from RANDOM_DELAY: the same delay for this host and job each time; Debian's cron had none"
                .to_owned(),
        );
    }
    if let Some(address) = entry.environment.filled("MAILTO") {
        changes.push(format!("nothing is mailed to `{address}` (MAILTO): `govern status` and the log have it"));
    }
    if entry.unrecorded {
        changes.push("the `-` in front kept runs out of cron's log; govern records each".to_owned());
    }
    let at_home = (prefixes.account.is_none() || !prefixes.login)
        && matches!(&draft.kind, super::draft::Doing::Command(command) if command.directory.is_none());
    if at_home {
        changes.push("it starts in `/`: the home directory of its account is not known here".to_owned());
    }
    (changes, needs)
}

/// What is said about which results stay.
fn kept(draft: &Draft) -> Option<String> {
    let artifact = draft.artifact.as_ref()?;
    let is_said = draft.changes.iter().any(|change| change.contains("in place of the `find`"));
    match artifact.keep.map(super::draft::Keep::key) {
        _ if is_said => None,
        Some(("keep_last", 1)) => Some("`keep_last = 1`: each run replaced the one before".to_owned()),
        Some((key, count)) => Some(format!("`{key} = {count}`: so long it took until a name came again")),
        None => Some("all stay, as before: `[retention]` says otherwise".to_owned()),
    }
}
