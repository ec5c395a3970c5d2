//! `govern status`: what is known of each job. [`mod@doing`] says what a run is at, [`screen`] shows it to people.

pub mod doing;
pub mod screen;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::doing::{Doing, doing};
use super::snapshot::Agenda;
use crate::config::policy::Policy;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::ledger::query::{ArtifactRow, LimitRow, RunRow};
use crate::ledger::{Ledger, State};
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
    /// The last sign of life of that, if it is under way.
    pub now: Option<Beat>,
    /// What it is doing, by that.
    pub doing: Option<Doing>,
    /// The limits of that run, and whether they hold.
    pub limits: Vec<LimitRow>,
    /// Its newest good artifact: by the ledger, and by what lies on the disk where that is mounted.
    pub last_good: Option<ArtifactRow>,
    /// What is to come, where a daemon plans it.
    pub agenda: Option<Agenda>,
}

/// Collects what is known: every job that has a policy, then every other that ever ran. `lies_there` looks whether what the
/// ledger knows as a good artifact is one still; `at` is now. What is to come is for the caller to add.
///
/// # Errors
/// When the ledger cannot be read.
pub fn gather(
    state: &Path,
    policies: &[&Policy],
    lies_there: impl Fn(&Path) -> bool,
    at: Stamp,
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
        let by = policy.and_then(|policy| policy.governor.deadline);
        let doing = running.zip(now.as_ref()).and_then(|(run, beat)| doing(beat, run.started, by, at));
        rows.push(JobStatus {
            kind: policy.map(|p| p.kind.name().to_owned()).or_else(|| last_run.as_ref().map(|r| r.kind.clone())),
            description: policy.and_then(|p| p.description.clone()),
            has_policy: policy.is_some(),
            limits,
            last_run,
            now,
            doing,
            last_good,
            agenda: None,
            job,
        });
    }
    Ok(rows)
}

/// A moment to the minute: `2026-11-23 05:29`.
fn minute(at: Stamp) -> String {
    at.date_time().format("%Y-%m-%d %H:%M").to_string()
}
