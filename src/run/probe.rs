//! What a run would find here, found out by doing.
//!
//! ```text
//! ask ─▶ a unit like a run's, or a child where there is none ─▶ `govern probe JOB…` ─▶ look ─▶ Probe, as JSON
//! ```
//!
//! A throw-away group is made in the very place a run gets. In it a sleeping program is frozen and killed, and the limits of each
//! job are set on a group of their own and read back. All of it is gone afterwards; the slice of all runs is not touched.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::launch;
use super::limits::choose::{self, Choice, Wish};
use super::limits::enforce::{self, InForce};
use super::limits::{self, Unmet, ground};
use super::request::new_id;
use crate::config::Dirs;
use crate::config::limits::{IoLimits, Limits};
use crate::config::policy::Policy;
use crate::config::units::Rate;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::controller::Controller;
use crate::kernel::cgroup::limit::IoKey;
use crate::kernel::clock::Stamp;
use crate::kernel::group::{Enclosure, Group, Level, Signal};
use crate::kernel::process::{self, Spawn};
use crate::kernel::psi::{self, Pressure};

/// How long a sleeping program may take to freeze before it counts as not frozen: some milliseconds are usual.
const FREEZE_PATIENCE: Duration = Duration::from_secs(5);

/// The sleeping program ends by itself after so long, should nobody kill it.
const SLEEP: Duration = Duration::from_secs(60);

/// Between two looks at a state the kernel reaches by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The cap that is tried on a device for which the policy has none: high enough to mean nothing. Nothing runs under it.
const HIGH: u64 = 1 << 40;

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

/// Looks around, from where a run's worker would be, in a process that may be this unit.
///
/// # Errors
/// When something was left behind.
pub async fn look(unit: &str, policies: &[&Policy]) -> Result<Probe, Failure> {
    process::adopt_orphans()?;
    let name = unit.trim_end_matches(".service");
    let group = Group::create(name, unit);
    let (paused, killed) = prove(&group).await;
    let mut jobs = vec![];
    for policy in policies {
        jobs.push(try_limits(&group, name, policy).await);
    }
    let found = match &group {
        Group::Cgroup(Enclosure { cgroup, controllers, shortfall, .. }) => Ok(Found {
            path: cgroup.path().to_path_buf(),
            controllers: controllers.clone(),
            shortfall: shortfall.clone(),
            has_kill: cgroup.has_kill(),
            pressure: psi::of_group(cgroup.path()).map_err(|error| error.chain()),
        }),
        Group::Descendants { reason } => Err(reason.clone()),
    };
    group.delete().await?;
    Ok(Probe { no_unit: None, level: group.level(), group: found, paused, killed, jobs })
}

/// The sleeping program.
pub fn sleep() {
    std::thread::sleep(SLEEP);
}

/// Pauses a sleeping program, and kills it while it stands still.
async fn prove(group: &Group) -> (Proof, Proof) {
    let start = || {
        let cgroup = group.cgroup().map(Cgroup::entrance).transpose()?;
        let argv = vec![process::own_program()?.into_os_string(), "probe".into(), "--asleep".into()];
        Spawn { argv, cgroup, ..Spawn::default() }.start()
    };
    let sleeper = match start() {
        Ok(sleeper) => sleeper,
        Err(error) => return (Proof::Failed(error.chain()), Proof::Failed(error.chain())),
    };
    let begun = Instant::now();
    let paused = match pause(group, begun).await {
        Ok(proof) => proof,
        Err(error) => Proof::Failed(error.chain()),
    };
    let begun = Instant::now();
    let ended = match group.kill(&[sleeper.pid()]).await {
        Ok(()) => sleeper.wait().await,
        Err(error) => Err(error),
    };
    let killed = match ended {
        Ok(exit) if exit.signal == Some(Signal::SIGKILL as i32) => Proof::Seen(since(begun)),
        Ok(exit) => Proof::Failed(format!("it ended otherwise ({})", exit.describe())),
        Err(error) => Proof::Failed(error.chain()),
    };
    (paused, killed)
}

async fn pause(group: &Group, begun: Instant) -> kernel::Result<Proof> {
    group.pause()?;
    while !group.is_paused()? {
        if begun.elapsed() > FREEZE_PATIENCE {
            return Ok(Proof::Failed(format!("it still ran after {} s", FREEZE_PATIENCE.as_secs())));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(Proof::Seen(since(begun)))
}

fn since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Sets the limits of a job on a group beside the one that was probed, and reads them back.
async fn try_limits(group: &Group, name: &str, policy: &Policy) -> Tried {
    let mut tried = Tried { job: policy.job.to_string(), ..Tried::default() };
    let (limits, usual) = (&policy.limits, limits::hygiene(policy));
    let choose = |limits: &Limits| Ok(choose::choose(limits, &usual, &ground::survey(policy, limits, group)?));
    let chosen: kernel::Result<(Choice, Choice)> =
        choose(limits).and_then(|chosen| Ok((chosen, choose(&with_caps(limits))?)));
    let (chosen, capped) = match chosen {
        Ok(both) => both,
        Err(error) => {
            tried.unmet.push(not_told(error.chain()));
            return tried;
        }
    };
    tried.uncapped = capped.unmet.iter().filter(|unmet| unmet.what.starts_with("`io_")).cloned().collect();
    let Group::Cgroup(enclosure) = group else {
        tried.unmet.extend(chosen.unmet);
        return tried;
    };
    let (in_force, unmet) = set(enclosure, &format!("{name}-limits"), chosen).await;
    tried.in_force =
        in_force.limits.iter().chain(in_force.caps.iter().flat_map(|(_, l)| l)).map(|l| l.to_string()).collect();
    tried.unmet.extend(unmet);
    if let (true, Some(unit)) = (enclosure.in_unit, enclosure.cgroup.parent()) {
        let weights = choose::weights(limits, &usual);
        let missing = enforce::check(&unit, &weights);
        let held = weights.iter().filter(|wish| matches!(unit.holds(&wish.limit), Ok(None)));
        tried.in_force.extend(held.map(|wish| wish.limit.to_string()));
        tried.unmet.extend(missing);
    }
    let caps = Choice { caps: capped.caps, ..Choice::default() };
    let (taken, refused) = set(enclosure, &format!("{name}-caps"), caps).await;
    for (cap, _) in &taken.caps {
        for warning in cap.target.warnings.iter().map(ToString::to_string) {
            if !tried.warnings.contains(&warning) {
                tried.warnings.push(warning);
            }
        }
        match cap.key {
            IoKey::ReadBytes => tried.read_caps.push(cap.target.name.clone()),
            IoKey::WriteBytes => tried.write_caps.push(cap.target.name.clone()),
            IoKey::ReadOps | IoKey::WriteOps => {}
        }
    }
    tried.uncapped.extend(refused);
    tried
}

/// The same limits with a cap on reading and one on writing.
fn with_caps(limits: &Limits) -> Limits {
    let (high, io) = (Rate::per_second(HIGH), limits.io.clone());
    Limits { io: IoLimits { read: high, read_iops: None, write: high, write_iops: None, ..io }, ..limits.clone() }
}

/// Sets what was chosen on a group that exists for this alone.
async fn set(enclosure: &Enclosure, name: &str, choice: Choice) -> (InForce, Vec<Unmet>) {
    let parent = enclosure.cgroup.parent().unwrap_or_else(|| enclosure.cgroup.clone());
    let cgroup = match Cgroup::create(parent.path(), name) {
        Ok(cgroup) => cgroup,
        Err(error) => return (InForce::default(), vec![not_told(error.chain())]),
    };
    let set = enforce::enforce(&cgroup, choice);
    if let Err(error) = cgroup.delete().await {
        tracing::warn!("{}", error.chain());
    }
    set
}

/// Nothing is known of the limits of a job; why.
fn not_told(why: String) -> Unmet {
    Unmet { resource: None, what: "its limits".to_owned(), why, hint: None, typed: true }
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
