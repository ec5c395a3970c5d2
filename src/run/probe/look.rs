//! The probe itself, executed where a run's worker would be.

use std::time::{Duration, Instant};

use super::{Found, Probe, Proof, Tried};
use crate::config::limits::{IoLimits, Limits};
use crate::config::policy::Policy;
use crate::config::units::Rate;
use crate::failure::Failure;
use crate::kernel;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::limit::IoKey;
use crate::kernel::group::{Enclosure, Group, Signal};
use crate::kernel::process::{self, Spawn};
use crate::kernel::psi;
use crate::run::limits::choose::{self, Choice};
use crate::run::limits::enforce::{self, InForce};
use crate::run::limits::{self, Unmet, ground};

/// How long a sleeping program may take to freeze before it counts as not frozen: some milliseconds are usual.
const FREEZE_PATIENCE: Duration = Duration::from_secs(5);

/// The sleeping program ends by itself after so long, should nobody kill it.
const SLEEP: Duration = Duration::from_secs(60);

/// Between two looks at a state the kernel reaches by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The cap that is tried on a device for which the policy has none: high enough to mean nothing. Nothing runs under it.
const HIGH: u64 = 1 << 40;

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
    let choose = |limits: &Limits| {
        Ok(choose::choose(limits, &usual, &ground::survey(policy, limits, ground::Work::Backup, group)?))
    };
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
