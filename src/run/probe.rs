//! What a run would find here, found out by doing.
//!
//! ```text
//! ask ─▶ a unit like a run's, or a child where there is none ─▶ `govern probe JOB…` ─▶ look ─▶ Probe, as JSON
//! ```
//!
//! A throw-away group is made in the very place a run gets. In it a sleeping program is frozen and killed, and the limits of each
//! job are set on a group of their own and read back. All of it is gone afterwards; the slice of all runs is not touched.

mod look;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use look::{look, sleep};

use super::launch;
use super::limits::choose::{self, Wish};
use super::limits::{self, Unmet};
use super::request::new_id;
use crate::config::Dirs;
use crate::config::policy::Policy;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::cgroup::controller::Controller;
use crate::kernel::clock::Stamp;
use crate::kernel::group::Level;
use crate::kernel::process::{self, Spawn};
use crate::kernel::psi::Pressure;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Why runs are no units of systemd; `None`: they are.
    pub no_unit: Option<String>,
    /// The level of enforcement.
    pub level: Level,
    /// The group a payload would be in, or why there is none.
    pub group: Result<Found, String>,
    /// Whether a program in it stood still when it was told to.
    pub paused: Proof,
    /// Whether it could then be killed.
    pub killed: Proof,
    /// What came of the limits of each job.
    pub jobs: Vec<Tried>,
}

/// A group that was there for a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its directory.
    pub path: PathBuf,
    /// The controllers whose limits can be set on it.
    pub controllers: BTreeSet<Controller>,
    /// Why there are no more, where that is known.
    pub shortfall: Option<String>,
    /// Whether it had a `cgroup.kill`.
    pub has_kill: bool,
    /// Whether pressure is counted for it, or why that could not be seen.
    pub pressure: Result<Pressure, String>,
}

/// Something that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It worked, after so many µs.
    Seen(u64),
    /// It did not; why.
    Failed(String),
}

/// What came of the limits of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The job.
    pub job: String,
    /// The limits that were set and read back, in the kernel's words.
    pub in_force: Vec<String>,
    /// Those that were not.
    pub unmet: Vec<Unmet>,
    /// Devices that take a cap on reading, whether the policy has one or not.
    pub read_caps: Vec<String>,
    /// Devices that take a cap on writing, and on which it makes nobody else wait.
    pub write_caps: Vec<String>,
    /// Why there are no more.
    pub uncapped: Vec<Unmet>,
    /// What a cap on one of them does not do.
    pub warnings: Vec<String>,
}

/// Makes a probe for these jobs, in the way their runs are started.
///
/// # Errors
/// When the probe itself cannot be made: that says nothing about the machine.
pub async fn ask(dirs: &Dirs, policies: &[&Policy]) -> Result<Probe, Failure> {
    // The weights of a run are its unit's: jobs that share them can share a probe.
    let weights = |policy: &Policy| choose::weights(&policy.limits, &limits::hygiene(policy));
    let mut parts: Vec<(Vec<Wish>, Vec<&Policy>)> = vec![];
    for policy in policies {
        let own = weights(policy);
        match parts.iter_mut().find(|(weights, _)| *weights == own) {
            Some((_, sharing)) => sharing.push(policy),
            None => parts.push((own, vec![policy])),
        }
    }
    if parts.is_empty() {
        parts.push((vec![], vec![]));
    }
    let mut whole: Option<Probe> = None;
    for (weights, policies) in parts {
        let part = ask_once(dirs, &policies, &weights).await?;
        match &mut whole {
            Some(probe) => probe.jobs.extend(part.jobs),
            None => whole = Some(part),
        }
    }
    whole.ok_or_else(|| Failure::new(Exit::Internal, "nothing was probed"))
}

async fn ask_once(dirs: &Dirs, policies: &[&Policy], weights: &[Wish]) -> Result<Probe, Failure> {
    let unit = format!("govern-probe-{}.service", new_id(Stamp::now()));
    let mut argv = vec![process::own_program()?.into_os_string()];
    argv.extend(["--config".into(), dirs.config.clone().into(), "--state".into(), dirs.state.clone().into()]);
    argv.extend(["probe".into(), "--unit".into(), (&unit).into(), "--".into()]);
    argv.extend(policies.iter().map(|policy| policy.job.to_string().into()));
    match launch::unit::probe(unit, argv.clone(), weights).await {
        Ok(said) => understand(&said),
        Err(why) => {
            // Like a run's worker: a child in a session of its own.
            let said = process::capture(Spawn { argv, session: true, ..Spawn::default() }).await?;
            if !said.exit.success() {
                let why = String::from_utf8_lossy(&said.stderr).trim().to_owned();
                return Err(Failure::new(Exit::Internal, "the probe failed").caused_by(why));
            }
            Ok(Probe { no_unit: Some(why), ..understand(&String::from_utf8_lossy(&said.stdout))? })
        }
    }
}

fn understand(said: &str) -> Result<Probe, Failure> {
    serde_json::from_str(said).map_err(|e| Failure::new(Exit::Internal, "the probe is not understood").because(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_comes_through_as_it_was_made() {
        let unmet = Unmet {
            resource: Some(crate::config::limits::Resource::Io),
            what: "`io_read`".into(),
            why: "no `io`".into(),
            hint: None,
            typed: true,
        };
        let probe = Probe {
            no_unit: None,
            level: Level::Partial,
            group: Ok(Found {
                path: "/sys/fs/cgroup/x".into(),
                controllers: [Controller::Cpu, Controller::Memory].into(),
                shortfall: None,
                has_kill: true,
                pressure: Err("cannot read".into()),
            }),
            paused: Proof::Seen(220),
            killed: Proof::Failed("no".into()),
            jobs: vec![Tried { job: "etc".into(), unmet: vec![unmet], ..Tried::default() }],
        };
        assert_eq!(understand(&serde_json::to_string(&probe).unwrap()).unwrap(), probe);
        assert_eq!(understand("{}").unwrap_err().message, "the probe is not understood");
    }
}
