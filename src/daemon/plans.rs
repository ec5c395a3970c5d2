//! From the configuration directory to what the core plans with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;

use super::core::words::{Planned, Plans};
use crate::config::Loaded;
use crate::config::policy::{Kind, Policy};
use crate::kernel::{fs, process};
use crate::run::limits::ground::{self, Work};
use crate::schedule::jitter;

/// Where Debian's PostgreSQL has its data: what a dump of a local server reads from, which no path of its policy says.
const POSTGRESQL: &str = "/var/lib/postgresql";

/// Identifies an installation: machine-id(5).
const MACHINE_ID: &str = "/etc/machine-id";

/// What a reading of the configuration comes to.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What is in force from now on.
    pub plans: Plans,
    /// What somebody should look at: a policy with errors whose earlier form stays in force.
    pub troubles: Vec<String>,
}

/// A policy with errors keeps its earlier form, if it had one; one whose file is gone is gone.
pub fn plans(loaded: &Loaded, before: &Plans, host: &str) -> Reading {
    let mut plans = Plans { jobs: BTreeMap::new(), ..before.clone() };
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
    for (name, file) in &loaded.refused {
        let kept = before.jobs.get(name);
        troubles.push(match kept {
            Some(_) => format!("`{}` has errors: job {name} keeps its earlier policy", file.display()),
            None => format!("`{}` has errors: job {name} is not scheduled", file.display()),
        });
        if let Some(kept) = kept {
            plans.jobs.insert(name.clone(), kept.clone());
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

/// What is shown to others: with the policies that keep their earlier form, because what was read of them has errors.
pub fn in_force(mut loaded: Loaded, before: &Loaded, plans: &Plans) -> Loaded {
    let kept = before.jobs.iter().filter(|job| {
        let name = job.policy.job.as_str();
        plans.jobs.contains_key(name) && loaded.job(name).is_none()
    });
    let kept: Vec<_> = kept.cloned().collect();
    loaded.jobs.extend(kept);
    loaded
}

/// What tells this machine from others with the same policies.
pub fn host() -> String {
    let id = fs::read_text_if_any(Path::new(MACHINE_ID)).ok().flatten();
    id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).unwrap_or_else(process::host_name)
}

/// The lowest disks that each job reads or writes, as far as that can be told. Asks file systems, and so may take as long as the
/// slowest of them.
pub fn disks<'a>(policies: impl Iterator<Item = &'a Policy>) -> BTreeMap<String, BTreeSet<String>> {
    policies.map(|policy| (policy.job.to_string(), disks_of(policy))).collect()
}

fn disks_of(policy: &Policy) -> BTreeSet<String> {
    let mut disks = ground::lowest_disks(policy, Work::Backup);
    if let Kind::PgDump(dump) = &policy.kind
        && dump.connection.host.as_deref().is_none_or(|host| host.starts_with('/') || host == "localhost")
    {
        disks.extend(ground::lowest_disks_under(Path::new(POSTGRESQL)));
    }
    disks.into_iter().map(|(_, name)| name).collect()
}
