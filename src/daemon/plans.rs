//! From the configuration directory to what the core plans with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;

use super::core::words::{Planned, Plans};
use crate::config::Loaded;
use crate::config::policy::{Kind, Policy};
use crate::run::limits::ground::{self, Work};
use crate::schedule::jitter;

/// Where Debian's PostgreSQL has its data: what a dump of a local server reads from, which no path of its policy says.
const POSTGRESQL: &str = "/var/lib/postgresql";

/// What a reading of the configuration comes to.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What is in force from now on.
    pub plans: Plans,
    /// What somebody should look at: a policy with errors whose earlier form stays in force.
    pub troubles: Vec<String>,
}

/// Which job each file was of, when it could last be read: one with errors may not even say its name.
pub type Files = BTreeMap<PathBuf, String>;

/// A policy with errors keeps its earlier form, if it had one; one whose file is gone is gone.
pub fn plans(loaded: &Loaded, before: &Plans, files: &mut Files, host: &str) -> Reading {
    let mut plans = Plans { jobs: BTreeMap::new(), refused: BTreeSet::new(), ..before.clone() };
    files.extend(loaded.jobs.iter().map(|job| (job.file.clone(), job.policy.job.to_string())));
    if let Some(daemon) = &loaded.daemon {
        plans.max_running = daemon.max_running;
        plans.catch_up_within = TimeDelta::from_std(daemon.catch_up_within).unwrap_or_default();
    }
    let mut troubles = vec![];
    for job in &loaded.jobs {
        let name = job.policy.job.to_string();
        let disks = before.jobs.get(&name).map(|old| old.disks.clone()).unwrap_or_default();
        let delay = jitter::delay(host, &name, job.policy.schedule.jitter);
        plans.jobs.insert(name, Planned { policy: Arc::new(job.policy.clone()), disks, delay });
    }
    for (called, file) in &loaded.refused {
        let name = files.get(file).unwrap_or(called);
        let kept = before.jobs.get(name);
        troubles.push(match kept {
            Some(_) => format!("`{}` has errors: job {name} keeps its earlier policy", file.display()),
            None => format!("`{}` has errors: job {name} is not scheduled", file.display()),
        });
        match kept {
            // Another file may have taken its name meanwhile.
            Some(kept) => drop(plans.jobs.entry(name.clone()).or_insert_with(|| kept.clone())),
            None => drop(plans.refused.insert(name.clone())),
        }
    }
    if loaded.daemon.is_none() && !loaded.missing {
        troubles.push("`govern.toml` cannot be used: what it said before stays in force".to_owned());
    }
    if loaded.jobs.is_empty() && loaded.refused.is_empty() && loaded.diagnostics.has_errors() {
        // The directory itself could not be read: that is no order to forget every job.
        plans.jobs.clone_from(&before.jobs);
    }
    Reading { plans, troubles }
}

/// The lowest disks that a job reads or writes, as far as that can be told. Asks file systems, and so may take as long as the slowest of
/// them.
pub fn disks_of(policy: &Policy) -> BTreeSet<String> {
    let mut disks = ground::lowest_disks(policy, Work::Backup);
    if let Kind::PgDump(dump) = &policy.kind
        && dump.connection.host.as_deref().is_none_or(|host| host.starts_with('/') || host == "localhost")
    {
        disks.extend(ground::lowest_disks_under(Path::new(POSTGRESQL)));
    }
    disks.into_iter().map(|(_, name)| name).collect()
}
