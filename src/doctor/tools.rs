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
use crate::backup::{Dialect, command, unit};
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
            Kind::Unit(kind) => {
                let seen = unit::look(&kind.name, &mut async |tool| plan::ask(None, tool).await).await;
                let there = seen.and_then(|(_, service)| {
                    unit::suits(&kind.name, &service).map(|()| format!("a service, Type={}", service.kind))
                });
                add(&mut found, policy, kind.name.clone(), there);
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

/// The program of a command, and the known one it starts: `nice -n 5 restic backup`. Without an account
/// to run them as, nothing is known but that they are there.
async fn of_command(command: &Command, account: Option<&Option<Account>>) -> Vec<(String, Result<String, Failure>)> {
    let search = process::search_path();
    let program = command.argv.first().cloned().unwrap_or_default();
    if let Err(failure) = command::prepare(command, search.as_deref()) {
        return vec![(program, Err(failure))];
    }
    let mut found = vec![];
    if let Some((word, switch)) = known_program(&command.argv) {
        let answer = match account {
            _ if fs::find_program(word.as_ref(), search.as_deref()).is_none() => {
                let what = format!("`{word}` stands in the command, and is not in the `PATH`");
                Err(Failure::new(Exit::NotStarted, what))
            }
            Some(account) => {
                let answer = plan::ask(account.as_ref(), Tool::reading(Dialect::Plain, [word.as_str(), switch])).await;
                answer.map(|answer| answer.stdout.lines().next().unwrap_or_default().trim().to_owned())
            }
            None => Ok(String::new()),
        };
        found.push((word, answer));
    }
    if !found.iter().any(|(name, _)| *name == program) {
        found.insert(0, (program, Ok(String::new())));
    }
    found
}

/// The known program a command starts, and how it is asked for its version: its first word, or the one behind programs that start
/// another. Other words are data, and are not executed for being called like a program.
fn known_program(argv: &[String]) -> Option<(String, &'static str)> {
    const STARTERS: [&str; 4] = ["nice", "ionice", "env", "nohup"];
    let leads_on = |word: &str| {
        STARTERS.contains(&word) || word.starts_with('-') || word.contains('=') || word.parse::<i32>().is_ok()
    };
    let program = argv.iter().find(|word| !leads_on(word))?;
    let name = Path::new(program).file_name()?.to_str()?;
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, switch)| (program.clone(), *switch))
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
    fn the_program_of_a_command_is_known_by_its_place() {
        let words = |argv: &[&str]| {
            let argv: Vec<String> = argv.iter().map(|w| (*w).to_owned()).collect();
            known_program(&argv).map(|(word, _)| word)
        };
        assert_eq!(words(&["/usr/local/bin/restic", "backup", "/etc"]), Some("/usr/local/bin/restic".to_owned()));
        assert_eq!(words(&["nice", "-n5", "rsync", "-a", "/srv/rsync/"]), Some("rsync".to_owned()));
        assert_eq!(words(&["nice", "-n", "5", "borg", "create"]), Some("borg".to_owned()));
        assert_eq!(words(&["cat", "/home/alice/restic"]), None, "data is not executed");
        assert_eq!(words(&["tar", "resticd", "-c"]), None);
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
            known_program(&[text]);
        }
    }
}
