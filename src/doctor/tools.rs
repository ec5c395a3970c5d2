//! The programs of the jobs: whether they are there, and their versions.
//!
//! Only programs whose switch for the version is known are started, and as the account of the job: one that belongs to it must not
//! get the rights of root by being looked at. Every other command is looked for, and never run.

use std::path::Path;

use super::Subject;
use super::finding::{Finding, Severity};
use super::requirement::Requirement;
use crate::backup::prepare::tar_version;
use crate::backup::tool::Tool;
use crate::backup::{Dialect, command};
use crate::config::policy::{Command, Kind, Policy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::account::Account;
use crate::kernel::{fs, process};
use crate::run::plan;

/// Programs that commands like to run, and how each is asked for its version.
const KNOWN: [(&str, &str); 3] = [("restic", "version"), ("borg", "--version"), ("rsync", "--version")];

/// The first restic that keeps its repository locked over a long pause: an older one gives up after 22 minutes.
const PATIENT_RESTIC: (u32, u32) = (0, 16);

/// A program and what is known of it.
struct Found {
    name: String,
    version: Result<String, Failure>,
    jobs: Vec<String>,
}

/// What is met and what is missed.
pub async fn findings(subjects: &[Subject<'_>]) -> Vec<Finding> {
    let mut found: Vec<Found> = vec![];
    for Subject { policy, account, inspection } in subjects {
        match &policy.kind {
            Kind::Filesystem(_) => {
                let version = tar_version(&mut async |tool| plan::ask(None, tool).await).await;
                add(&mut found, policy, "tar".to_owned(), version);
            }
            Kind::PgDump(_) => {
                for (path, version) in inspection.iter().flat_map(|inspection| &inspection.tools) {
                    add(&mut found, policy, path.display().to_string(), version.clone());
                }
            }
            Kind::Command(command) => {
                for (name, version) in of_command(command, account.as_ref().ok()).await {
                    add(&mut found, policy, name, version);
                }
            }
        }
    }
    found.iter().flat_map(judge).collect()
}

fn add(found: &mut Vec<Found>, policy: &Policy, name: String, version: Result<String, Failure>) {
    let job = policy.job.to_string();
    match found.iter_mut().find(|f| f.name == name && f.version == version) {
        Some(same) => same.jobs.push(job),
        None => found.push(Found { name, version, jobs: vec![job] }),
    }
}

fn judge(found: &Found) -> Vec<Finding> {
    let jobs = format!("for `{}`", found.jobs.join("`, `"));
    let finding = match &found.version {
        Ok(version) if version.is_empty() => Finding::met(Requirement::Tool, format!("found, {jobs}")),
        Ok(version) => Finding::met(Requirement::Tool, format!("{version}, {jobs}")),
        Err(failure) => Finding::failed(Requirement::Tool, failure),
    };
    let mut findings = vec![finding.about(&found.name)];
    if let Some(version) = found.version.as_ref().ok().and_then(|text| restic_version(text))
        && version < PATIENT_RESTIC
    {
        let seen = format!("restic {}.{} ends when it is paused for longer than 22 minutes", version.0, version.1);
        let finding = Finding::missed(Requirement::Tool, Severity::Note, seen);
        findings.push(finding.about(&found.name).fix("restic 0.16, or no pauses of its jobs that are longer"));
    }
    findings
}

/// The program of a command, and the known ones among its words: `nice -n 5 restic backup`, `restic … | logger`. Without an account
/// to run them as, nothing is known but that they are there.
async fn of_command(command: &Command, account: Option<&Option<Account>>) -> Vec<(String, Result<String, Failure>)> {
    let search = process::search_path();
    let program = command.argv.first().cloned().unwrap_or_default();
    if let Err(failure) = command::prepare(command, search.as_deref()) {
        return vec![(program, Err(failure))];
    }
    let mut found = vec![];
    for (word, switch) in known_words(&command.argv) {
        // With a `/` it may as well be a directory of that name.
        if fs::find_program(word.as_ref(), search.as_deref()).is_none() {
            let what = format!("`{word}` stands in the command, and is not in the `PATH`");
            found.extend((!word.contains('/')).then(|| (word, Err(Failure::new(Exit::NotStarted, what)))));
            continue;
        }
        let Some(account) = account else {
            found.push((word, Ok(String::new())));
            continue;
        };
        let answer = plan::ask(account.as_ref(), Tool::reading(Dialect::Plain, [word.as_str(), switch])).await;
        let version = answer.map(|answer| answer.stdout.lines().next().unwrap_or_default().trim().to_owned());
        found.push((word, version));
    }
    if !found.iter().any(|(name, _)| *name == program) {
        found.insert(0, (program, Ok(String::new())));
    }
    found
}

fn known_words(argv: &[String]) -> Vec<(String, &'static str)> {
    let mut known: Vec<(String, &'static str)> = vec![];
    let words = argv.iter().flat_map(|word| word.split(|c: char| c.is_whitespace() || "|&;()<>'\"`".contains(c)));
    for word in words {
        let name = Path::new(word).file_name().and_then(|name| name.to_str());
        let found = KNOWN.iter().find(|(known, _)| Some(*known) == name);
        if let Some((_, switch)) = found.filter(|_| !known.iter().any(|(w, _)| w == word)) {
            known.push((word.to_owned(), switch));
        }
    }
    known
}

/// `restic 0.14.0 compiled with go1.19.8 on linux/amd64`.
fn restic_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("restic ")?.split(['.', ' ', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_programs_are_found_among_the_words() {
        let words = |argv: &[&str]| {
            let argv: Vec<String> = argv.iter().map(|w| (*w).to_owned()).collect();
            known_words(&argv).into_iter().map(|(word, _)| word).collect::<Vec<_>>()
        };
        assert_eq!(words(&["/usr/local/bin/restic", "backup", "/etc"]), ["/usr/local/bin/restic"]);
        assert_eq!(words(&["nice", "-n5", "rsync", "-a", "/srv/rsync/"]), ["rsync", "/srv/rsync/"]);
        assert_eq!(words(&["/bin/sh", "-c", "borg create x && borg prune | logger"]), ["borg"]);
        assert!(words(&["tar", "resticd", "-c"]).is_empty());
    }

    #[test]
    fn an_old_restic_is_told() {
        assert_eq!(restic_version("restic 0.14.0 compiled with go1.19.8 on linux/amd64"), Some((0, 14)));
        assert_eq!(restic_version("restic 0.17.3-dev"), Some((0, 17)));
        for odd in ["", "restic", "restic x.y", "borg 1.2.4", "restic 0"] {
            assert_eq!(restic_version(odd), None, "{odd}");
        }
        let found =
            |version: &str| Found { name: "restic".into(), version: Ok(version.into()), jobs: vec!["a".into()] };
        assert_eq!(judge(&found("restic 0.14.0 compiled")).len(), 2);
        assert_eq!(judge(&found("restic 0.16.4 compiled")).len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            restic_version(&text);
            known_words(&[text]);
        }
    }
}
