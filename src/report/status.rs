//! `govern status`: a line a job.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::style;
use super::table::{paint, table};
use crate::config::policy::Policy;
use crate::failure::Failure;
use crate::human::{bytes, duration};
use crate::kernel::clock::Stamp;
use crate::ledger::query::{ArtifactRow, LimitRow, RunRow};
use crate::ledger::{Ledger, State};
use crate::run::event::Progress;
use crate::run::heartbeat::{self, Beat};
use crate::run::request::RunDir;

/// What is known of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its name.
    pub job: String,
    /// Its kind.
    pub kind: Option<String>,
    /// What its policy says about it.
    pub description: Option<String>,
    /// Whether there is a policy of that name now.
    pub has_policy: bool,
    /// Its newest run that is not a check or a restore.
    pub last_run: Option<RunRow>,
    /// What that is doing, if it is under way.
    pub now: Option<Beat>,
    /// The limits of that run, and whether they hold.
    pub limits: Vec<LimitRow>,
    /// Its newest good artifact: by the ledger, and by what lies on the disk where that is mounted.
    pub last_good: Option<ArtifactRow>,
}

/// Collects what is known: every job that has a policy, then every other that ever ran. `lies_there` looks whether what the
/// ledger knows as a good artifact is one still.
pub fn gather(
    state: &Path,
    policies: &[&Policy],
    lies_there: impl Fn(&Path) -> bool,
) -> Result<Vec<JobStatus>, Failure> {
    let ledger = Ledger::open_to_read(state)?;
    let mut names: Vec<String> = policies.iter().map(|p| p.job.to_string()).collect();
    names.sort();
    if let Some(ledger) = &ledger {
        let others = ledger.jobs()?.into_iter().filter(|job| !names.contains(job)).collect::<Vec<_>>();
        names.extend(others);
    }
    let mut rows = Vec::new();
    for job in names {
        let policy = policies.iter().find(|p| p.job.as_str() == job);
        let (last_run, last_good) = match &ledger {
            Some(ledger) => {
                (ledger.telling_run(Some(&job), &["backup", "exec"])?, ledger.last_good(&job, &lies_there)?)
            }
            None => (None, None),
        };
        let limits = match (&ledger, &last_run) {
            (Some(ledger), Some(run)) => ledger.limits(&run.run)?,
            _ => vec![],
        };
        let running = last_run.as_ref().filter(|r| r.state == State::Running);
        let now = running.and_then(|r| heartbeat::last(&RunDir::of(state, &r.run).heartbeat()));
        rows.push(JobStatus {
            kind: policy.map(|p| p.kind.name().to_owned()).or_else(|| last_run.as_ref().map(|r| r.kind.clone())),
            description: policy.and_then(|p| p.description.clone()),
            has_policy: policy.is_some(),
            limits,
            last_run,
            now,
            last_good,
            job,
        });
    }
    Ok(rows)
}

/// For people; `now` is what ages are counted from.
pub fn render(rows: &[JobStatus], now: Stamp) -> String {
    if rows.is_empty() {
        return "no job has a policy, and none ever ran\n".to_owned();
    }
    let mut table = table(&["JOB", "STATE", "LAST RUN", "TOOK", "LAST GOOD", "SIZE", "NOTE"], &[3, 5]);
    for row in rows {
        let run = row.last_run.as_ref();
        let dash = || "-".to_owned();
        let took = match (run, &row.now) {
            (Some(run), Some(beat)) if run.state == State::Running => duration(beat.times.wall),
            (Some(run), _) if run.state != State::Skipped => duration(run.times.wall),
            _ => dash(),
        };
        table.add_row([
            row.job.clone(),
            run.map_or_else(|| "never run".to_owned(), |r| r.state.to_string()),
            run.map_or_else(dash, |r| r.started.short()),
            took,
            row.last_good.as_ref().map_or_else(dash, |a| format!("{} ago", duration(now.since(a.published)))),
            row.last_good.as_ref().map_or_else(dash, |a| bytes(a.stored)),
            note(row),
        ]);
    }
    paint(&table, State::ALL.map(|s| (s.word().to_owned(), style(s))))
}

fn note(row: &JobStatus) -> String {
    let parts = [story(row), limits(row)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Limits that do not hold.
fn limits(row: &JobStatus) -> String {
    let trouble = row.limits.iter().filter(|limit| limit.state.is_trouble());
    let named: Vec<String> = trouble.map(|limit| format!("{} {}", limit.what, limit.state.word())).collect();
    named.join(", ")
}

/// What holds it back, and why.
fn held(progress: &Progress) -> String {
    match &progress.governor {
        Some(situation) if situation.holds() => {
            let reason = situation.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!(", {situation}{reason}")
        }
        _ if progress.paused => ", paused".to_owned(),
        _ => String::new(),
    }
}

/// What it is doing, or why it ended as it did.
fn story(row: &JobStatus) -> String {
    if let Some(beat) = &row.now {
        let Some(phase) = beat.phases.last() else { return String::new() };
        let paused = held(&beat.progress);
        let plain = beat.progress.plain;
        let whole = beat.phases.first().and_then(|p| p.expected).filter(|e| *e > 0);
        return match whole {
            Some(whole) => format!(
                "{}: {} of about {} ({} %){paused}",
                phase.title,
                bytes(plain),
                bytes(whole),
                (plain * 100 / whole).min(99)
            ),
            None if plain > 0 => format!("{}: {}{paused}", phase.title, bytes(plain)),
            None => format!("{}{paused}", phase.title),
        };
    }
    let reason = row.last_run.as_ref().and_then(|r| r.reason.clone()).unwrap_or_default();
    match reason.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", reason.get(..at).unwrap_or_default()),
        None => reason,
    }
}
