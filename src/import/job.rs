//! An entry as a job: its policy, which the loader must take, or `govern exec` in front of it.

use std::path::Path;

use super::crontab::Entry;
use super::meaning::Choice;
use super::outcome::{Line, Machine, Outcome, Source};
use super::plan::Candidate;
use super::policy::{self, Facts};
use super::proof::prove;
use super::{exec, remarks, retention, secret};
use crate::config::policy::Policy;
use crate::config::schedule::MachineZone;
use crate::config::{self, name::JobName};
use crate::schedule::Zone;

/// Where an entry stands.
pub struct Origin<'a> {
    /// The file.
    pub source: &'a Source,
    /// The line, counted from 1.
    pub number: usize,
    /// As it was typed, without secrets.
    pub text: String,
}

/// Writes the policy of an entry and holds it against the loader; what the loader refuses becomes something plainer.
pub fn with_policy(origin: Origin<'_>, candidate: Candidate<'_>, name: JobName, machine: Machine<'_>) -> Line {
    let Origin { source, number, text } = origin;
    let Candidate { entry, timing, meaning } = candidate;
    let mut why = String::new();
    for mut choice in meaning.choices {
        retention::settle(&mut choice.draft, &timing, machine.now);
        let (changes, needs) = remarks::of_entry(entry, &timing, &choice, &name);
        let Choice { draft, prefixes, is_backup } = choice;
        let account = prefixes.account.as_deref().or(entry.account.as_deref()).or(source.account.as_deref());
        let facts = Facts {
            origin: format!("{}, line {number}", source.name),
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
                return Line { number, text, outcome, changes, needs, proof };
            }
            Err(error) => why = error,
        }
    }
    let why = format!("no policy can say it: {why}");
    let hint = "write a policy by hand, or use `--exec`".to_owned();
    Line::without_job(number, text, Outcome::Refused { why, hint })
}

/// Puts `govern exec` into an entry. Its command line will stand in the log of its runs.
pub fn with_exec(origin: Origin<'_>, entry: &Entry, name: JobName) -> Line {
    let Origin { number, text, .. } = origin;
    if secret::in_line(&entry.raw) {
        let why = "its command line holds a password, which would stand in the log of its runs".to_owned();
        let hint = "let the program take it from a file that only its account can read".to_owned();
        return Line::without_job(number, text, Outcome::Refused { why, hint });
    }
    let line = exec::line(entry, name.as_str());
    Line::without_job(number, text, Outcome::Exec { name, line })
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
