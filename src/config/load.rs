//! Reads a configuration directory: `govern.toml` and `jobs/*.toml`.
//!
//! Every error of every file is told at once, and one bad file hides nothing in the others. A job comes out only if its
//! own file and `govern.toml` are free of errors: a mistyped limit in `[defaults]` must not become "no limit".

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{error, io};

use toml::de::DeTable;

use super::admission::{self, Daemon};
use super::after::{self, Waiting};
use super::diagnostic::{Diagnostic, Diagnostics, FileId, Place, quoted};
use super::fragment::{JobFile, KindName, MachineFile};
use super::governor::{self, Governor};
use super::limits::{Slice, rules};
use super::merge::Setting;
use super::name::JobName;
use super::policy::Policy;
use super::reader::{Known, Reader, Reading};
use super::resolve;
use super::schedule::MachineZone;
use crate::kernel::{self, fs};

/// The file with `[defaults]`.
const MACHINE_FILE: &str = "govern.toml";
/// The directory of the jobs' files.
const JOBS: &str = "jobs";

/// A job that can be run.
#[derive(Debug, Clone)]
pub struct Job {
    /// What it does.
    pub policy: Policy,
    /// Where each value of the policy came from, in the order of the sections.
    pub settings: Vec<Setting>,
    /// Its file.
    pub file: PathBuf,
}

/// A configuration directory as it was read.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The jobs without errors, by file name.
    pub jobs: Vec<Job>,
    /// Everything that is wrong.
    pub diagnostics: Diagnostics,
    /// The jobs with errors: the name, as far as it can be told, and the file.
    pub refused: Vec<(String, PathBuf)>,
    /// The limits of all runs together; `None` where `govern.toml` has errors, or the directory cannot be read.
    pub slice: Option<Slice>,
    /// What the daemon may do; `None` where `slice` is.
    pub daemon: Option<Daemon>,
    /// Where each value of it came from.
    pub daemon_settings: Vec<Setting>,
    /// How a run without a policy gives way; `None` where `slice` is.
    pub governor: Option<Governor>,
    /// There is no configuration directory. With neither this nor errors, an empty list of jobs means that there are none.
    pub missing: bool,
}

impl Loaded {
    /// The job of this name.
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.policy.job.as_str() == name)
    }

    /// What keeps `slice` and `governor` from being known: the errors of `govern.toml`, or of the directory.
    pub fn why_no_slice(&self) -> Diagnostics {
        let of_a_job = |path: &Path| path.parent().is_some_and(|directory| directory.ends_with(JOBS));
        self.diagnostics.filtered(|path| path.ends_with(MACHINE_FILE) || !of_a_job(path))
    }

    /// What keeps the job of this name from being run: the errors of its files, and of `govern.toml`. Empty if there is
    /// no such job.
    pub fn why_refused(&self, name: &str) -> Diagnostics {
        let files: Vec<&Path> =
            self.refused.iter().filter(|(refused, _)| refused == name).map(|(_, file)| file.as_path()).collect();
        if files.is_empty() {
            return Diagnostics::default();
        }
        self.diagnostics.filtered(|path| files.contains(&path) || path.ends_with(MACHINE_FILE))
    }
}

/// Reads a configuration directory.
pub fn load(dir: &Path) -> Loaded {
    load_in(dir, &MachineZone::find())
}

/// Reads that of a machine in a time zone.
pub fn load_in(dir: &Path, zone: &MachineZone) -> Loaded {
    let mut loaded = Loaded::default();
    let out = &mut loaded.diagnostics;
    let entries = match fs::list(dir) {
        Ok(entries) => entries,
        Err(error) => {
            let file = out.add_file(dir, None);
            loaded.missing = error.source.kind() == io::ErrorKind::NotFound;
            out.push(if loaded.missing {
                let message = format!("there is no configuration directory {}", quoted(&dir.to_string_lossy()));
                Diagnostic::error(start(file), message)
                    .hint("create it with a file for each job in `jobs/`, or name another with `--config DIR`")
            } else {
                Diagnostic::error(start(file), reason(&error))
            });
            return loaded;
        }
    };
    let known = KnownKeys::new(out.add_file(dir, None));
    let (machine, file) = match entries.iter().find(|path| path.ends_with(MACHINE_FILE)) {
        Some(path) => machine_file(out, path, &known),
        None => (nothing_typed(known.nowhere), None),
    };
    rules::defaults(out, &machine.defaults.keys.shared.limits);
    admission::merge::defaults(out, &machine.defaults.keys.shared.retry);
    let slice = rules::slice(out, &machine.slice);
    let governor = governor::rules::machine(out, &machine.governor.keys);
    let (daemon, daemon_settings) = admission::merge::daemon(out, &machine.daemon.keys);
    let without_a_job = governor::rules::without_a_job(out, KindName::Command, &governor);
    let jobs = dir.join(JOBS);
    let files = match fs::list(&jobs) {
        Ok(files) => files,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let file = out.add_file(&jobs, None);
            out.push(Diagnostic::error(start(file), reason(&error)));
            Vec::new()
        }
    };
    let for_all =
        resolve::Machine { defaults: &machine.defaults.keys, slice: &slice.limits, governor: &governor, zone };
    let mut found = Vec::new();
    for path in files {
        if is_job_file(out, &path) {
            found.push(job_file(out, path, &known, &for_all));
        }
    }
    tell_duplicates(out, &mut found);
    tell_of_waiting(out, &mut found);
    let machine_is_bad = file.is_some_and(|file| out.has_errors_in(file));
    loaded.slice = (!machine_is_bad).then_some(slice);
    loaded.daemon = (!machine_is_bad).then_some(daemon);
    loaded.daemon_settings = daemon_settings;
    loaded.governor = (!machine_is_bad).then_some(without_a_job);
    for Found { path, file, called, job, .. } in found {
        match job {
            Some((policy, settings)) if !machine_is_bad && !out.has_errors_in(file) => {
                loaded.jobs.push(Job { policy, settings, file: path });
            }
            _ => loaded.refused.push((called, path)),
        }
    }
    loaded
}

/// Reads a job's file that is on no disk yet, as the only one beside an empty `govern.toml`.
///
/// # Errors
/// All that is wrong with it.
pub fn job_of_text(path: &Path, text: &str, zone: &MachineZone) -> Result<Job, Diagnostics> {
    let mut out = Diagnostics::default();
    let file = out.add_file(path, Some(text));
    let known = KnownKeys::new(file);
    let machine = nothing_typed(file);
    let (slice, governor) =
        (rules::slice(&mut out, &machine.slice), governor::rules::machine(&mut out, &machine.governor.keys));
    let for_all =
        resolve::Machine { defaults: &machine.defaults.keys, slice: &slice.limits, governor: &governor, zone };
    let found = job_text(&mut out, path.to_path_buf(), file, text, &known, &for_all);
    match found.job.filter(|_| found.name.is_some() && !out.has_errors()) {
        Some((policy, settings)) => Ok(Job { policy, settings, file: found.path }),
        None => Err(out),
    }
}

/// A file of `jobs/`, read.
struct Found {
    path: PathBuf,
    file: FileId,
    /// What a person would call it: an allowed name, or not.
    called: String,
    /// The name and where it was given, where both are certain.
    name: Option<(JobName, Place)>,
    /// Whom it waits for, and where that is said.
    after: Vec<(JobName, Place)>,
    job: Option<(Policy, Vec<Setting>)>,
}

/// What both kinds of file may hold.
pub(super) struct KnownKeys {
    /// Of a job.
    pub(super) job: Known,
    /// Of `govern.toml`.
    pub(super) machine: Known,
    nowhere: FileId,
}

impl KnownKeys {
    pub(super) fn new(nowhere: FileId) -> Self {
        let job = Reading::known(nowhere, JobFile::read);
        KnownKeys { job, machine: Reading::known(nowhere, MachineFile::read), nowhere }
    }
}

fn start(file: FileId) -> Place {
    Place { file, span: 0..0 }
}

/// An error of the operating system with its causes, on one line.
fn reason(error: &kernel::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Whether a name in `jobs/` is that of a job. One that nearly is gets a warning: a job that silently never runs is the
/// worst error there is.
fn is_job_file(out: &mut Diagnostics, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') || name.ends_with('~') || extension.is_empty() {
        return false;
    }
    if extension == "toml" {
        return true;
    }
    if strsim::damerau_levenshtein(&extension.to_lowercase(), "toml") <= 1 {
        let file = out.add_file(path, None);
        let warning = Diagnostic::warning(start(file), format!("{} is not read", quoted(&name)));
        out.push(warning.hint("the names of jobs' files end in `.toml`"));
    }
    false
}

fn nothing_typed(nowhere: FileId) -> MachineFile {
    let none = || Known::default();
    let empty = DeTable::new();
    Reading::file(nowhere, &empty, none(), (none(), ""), MachineFile::read).0
}

fn machine_file(out: &mut Diagnostics, path: &Path, known: &KnownKeys) -> (MachineFile, Option<FileId>) {
    let (file, text) = read(out, path);
    let mut machine = match text {
        Some(text) => {
            let elsewhere = (known.job.clone(), "a file of `jobs/`");
            parse(out, file, &text, &known.machine, elsewhere, MachineFile::read).0
        }
        None => nothing_typed(known.nowhere),
    };
    if out.has_errors_in(file) {
        machine.defaults.keys.doubt();
        machine.governor.keys.doubt();
    }
    (machine, Some(file))
}

fn job_file(out: &mut Diagnostics, path: PathBuf, known: &KnownKeys, machine: &resolve::Machine<'_>) -> Found {
    let (file, text) = read(out, &path);
    match text {
        Some(text) => job_text(out, path, file, &text, known, machine),
        None => Found { called: stem(&path), path, file, name: None, after: vec![], job: None },
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn job_text(
    out: &mut Diagnostics,
    path: PathBuf,
    file: FileId,
    text: &str,
    known: &KnownKeys,
    machine: &resolve::Machine<'_>,
) -> Found {
    let elsewhere = (known.machine.clone(), "`govern.toml`");
    let (typed, whole) = parse(out, file, text, &known.job, elsewhere, JobFile::read);
    let called = typed.name.given().map_or_else(|| stem(&path), |typed| typed.value.clone());
    // Of a file that is only partly understood nothing can be said to be missing.
    if !whole {
        return Found { path, file, called, name: None, after: vec![], job: None };
    }
    let name = resolve::name(out, file, &typed.name);
    let checked = match &name {
        Some((name, _)) => name.clone(),
        // The rest of the file is checked all the same.
        None => JobName::nearest(&called),
    };
    let job = resolve::job(out, file, &checked, &typed, machine);
    let after = typed.admission.keys.after.given().map_or(&[][..], |typed| &typed.value);
    let place = |span| Place { file, span };
    let after = after.iter().map(|other| (other.get_ref().clone(), place(other.span()))).collect();
    Found { path, file, called, name, after, job }
}

fn read(out: &mut Diagnostics, path: &Path) -> (FileId, Option<String>) {
    match fs::read_text(path) {
        Ok(text) => (out.add_file(path, Some(&text)), Some(text)),
        Err(error) => {
            let file = out.add_file(path, None);
            out.push(Diagnostic::error(start(file), reason(&error)));
            (file, None)
        }
    }
}

/// Reads the keys of a text, and whether its syntax was sound. Where it was not, what could be understood is read all the
/// same; but one line gets one complaint, and below a broken header nothing is certain.
pub(super) fn parse<T>(
    out: &mut Diagnostics,
    file: FileId,
    text: &str,
    known: &Known,
    elsewhere: (Known, &'static str),
    keys: impl FnOnce(&mut Reader<'_>) -> T,
) -> (T, bool) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let place = |at: usize| Place { file, span: at..at };
    let line = |out: &Diagnostics, at: usize| out.position(&place(at)).map_or(1, |(line, _)| line);
    let (mut broken_lines, mut uncertain_from) = (Vec::new(), usize::MAX);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let at = line(out, span.start);
        // A broken line may be followed by more complaints about the same.
        if !broken_lines.contains(&at) {
            let message = format!("this is not TOML: {}", error.message());
            out.push(Diagnostic::error(Place { file, span }, message));
        }
        broken_lines.push(at);
        let typed = text.lines().nth(at - 1).unwrap_or_default();
        if typed.trim_start().starts_with('[') || !typed.contains('=') {
            uncertain_from = uncertain_from.min(at);
        }
    }
    let (typed, outcome) = Reading::file(file, root.get_ref(), known.clone(), elsewhere, keys);
    for place in &outcome.covered {
        out.cover(place);
    }
    for error in outcome.errors {
        let at = line(out, error.primary.place.span.start);
        if at < uncertain_from && !broken_lines.contains(&at) {
            out.push(error);
        }
    }
    (typed, errors.is_empty())
}

/// Two files with one name: neither is run, since nobody knows which was meant.
fn tell_duplicates(out: &mut Diagnostics, found: &mut [Found]) {
    let mut first: BTreeMap<JobName, Place> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for (name, place) in found.iter().filter_map(|found| found.name.as_ref()) {
        let Some(earlier) = first.get(name) else {
            first.insert(name.clone(), place.clone());
            continue;
        };
        let error = Diagnostic::error(place.clone(), format!("two jobs are called `{name}`"));
        let error = if place.span.is_empty() { error.label("called like its file") } else { error };
        out.push(error.also(earlier.clone(), "the other one").hint("without `name` a job is called like its file"));
        twice.insert(name.clone());
    }
    for found in found.iter_mut().filter(|found| found.name.as_ref().is_some_and(|(name, _)| twice.contains(name))) {
        found.job = None;
    }
}

/// Jobs that wait for each other in a circle, or for one that is not there: none of them could ever start.
fn tell_of_waiting(out: &mut Diagnostics, found: &mut [Found]) {
    let known: BTreeSet<&str> = found.iter().map(|found| found.called.as_str()).collect();
    let waiting: Vec<Waiting<'_>> =
        found.iter().filter_map(|found| Some(Waiting { job: &found.name.as_ref()?.0, after: &found.after })).collect();
    let never = after::check(out, &waiting, &known);
    for found in found.iter_mut().filter(|found| found.name.as_ref().is_some_and(|(name, _)| never.contains(name))) {
        found.job = None;
    }
}
