//! How everything stands at one moment: jobs, what is to come, the machine. What `govern status` shows, and what the control
//! socket answers.

use serde::{Deserialize, Serialize};

use super::status::JobStatus;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When.
    #[serde(with = "crate::kernel::clock::as_rfc3339")]
    pub at: Stamp,
    /// The daemon; none: nothing is scheduled.
    pub daemon: Option<Daemon>,
    /// The machine.
    pub machine: Option<Machine>,
    /// Pauses and paces ordered by hand that are in force.
    pub holds: Vec<Hold>,
    /// The jobs.
    pub jobs: Vec<JobStatus>,
}

impl Snapshot {
    /// The same with these jobs alone; with all, if none is named.
    ///
    /// # Errors
    /// When one of them is not known.
    pub fn only(&self, jobs: &[String]) -> Result<Snapshot, Failure> {
        if let Some(unknown) = jobs.iter().find(|job| !self.jobs.iter().any(|row| row.job == **job)) {
            let what = format!("there is no job `{unknown}`, and none of that name ever ran");
            return Err(Failure::new(Exit::Usage, what).hint("`govern status` shows all of them"));
        }
        let mut snapshot = self.clone();
        snapshot.jobs.retain(|row| jobs.is_empty() || jobs.contains(&row.job));
        Ok(snapshot)
    }
}

/// The daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its process id.
    pub pid: i32,
    /// Since when it is there.
    #[serde(with = "crate::kernel::clock::as_rfc3339")]
    pub since: Stamp,
    /// Its version.
    pub version: String,
    /// So many runs are under way.
    pub running: u32,
    /// So many may be.
    pub max_running: u32,
    /// What somebody should look at: a policy with errors that keeps its earlier form.
    pub troubles: Vec<String>,
}

/// What is to come for one job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agenda {
    /// When its schedule is due next.
    #[serde(with = "crate::kernel::clock::as_rfc3339_if_any", default)]
    pub next: Option<Stamp>,
    /// It is due and waits.
    pub queued: Option<Queued>,
    /// A failed run is tried again.
    pub retry: Option<Retry>,
    /// What became of what was due last, where that was no run: `skipped: …`.
    pub skipped: Option<String>,
}

/// A run that is due and waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Since when it is due.
    #[serde(with = "crate::kernel::clock::as_rfc3339")]
    pub since: Stamp,
    /// What it waits for.
    pub why: String,
}

/// The next attempt after a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// When.
    #[serde(with = "crate::kernel::clock::as_rfc3339")]
    pub at: Stamp,
    /// The how manieth attempt it is; the first retry is 2.
    pub attempt: u32,
    /// Why.
    pub why: String,
}

/// What somebody ordered for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The job; none is all.
    pub job: Option<String>,
    /// A pace in bytes a second, or a pause.
    pub what: Held,
    /// Until when.
    #[serde(with = "crate::kernel::clock::as_rfc3339")]
    pub until: Stamp,
}

/// What a job is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Nothing is started, and what runs stands still.
    Paused,
    /// A pace in bytes a second; none: no limit.
    Pace(Option<u64>),
}

/// What the machine says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// How far limits can be enforced here: `full: cgroup v2 with cpu, io, memory`.
    pub level: String,
    /// Who of those that runs give way to waits most; none: nobody waits, or it is not counted.
    pub stall: Option<Stall>,
    /// Bytes that were changed in memory and are not on a disk yet.
    pub dirty_bytes: u64,
    /// Load over one minute.
    pub load: f64,
    /// Processors.
    pub processors: u32,
}

/// Somebody waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// Who.
    pub unit: String,
    /// `io`, `cpu` or `memory`.
    pub resource: String,
    /// Percent of the last ten seconds: PSI `some`, `avg10`.
    pub percent: f64,
}
