//! Whose turn it is: a pure function of one that waits and of the scene around it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::entry::{Running, Waiting};
use super::holds::Holds;
use super::job::Job;
use super::words::{Climate, Manner, Moment, Planned, Plans};
use crate::config::admission::{Admission, Otherwise};

/// What the machine said this long ago is not what it says now.
const STALE: TimeDelta = TimeDelta::seconds(15);

/// Between two looks at a machine that is not calm.
pub const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// How much more is put up with at most, in percent, when a backup is overdue.
const MOST_TOLERANT: i64 = 400;

/// What is around those who wait.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Now.
    pub now: Moment,
    /// The policies.
    pub plans: &'a Plans,
    /// What is known of the jobs.
    pub jobs: &'a BTreeMap<String, Job>,
    /// What is under way.
    pub running: &'a BTreeMap<String, Running>,
    /// What was ordered for a while.
    pub holds: &'a Holds,
    /// What the machine said last.
    pub climate: Option<Climate>,
    /// Jobs that stand in the queue.
    pub queued: BTreeSet<String>,
    /// Disks for which somebody ahead in the queue waits already.
    pub spoken_for: BTreeSet<String>,
}

/// Whether it may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Now.
    Go(Manner),
    /// Not yet.
    Wait(Wait),
    /// Never; why.
    Skip(String),
}

/// The kinds of reason to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another run of the same job.
    Job,
    /// Its own delay.
    Delay,
    /// A pause by hand.
    Pause,
    /// Its window.
    Window,
    /// A job it comes after.
    Predecessor,
    /// Too many runs are under way.
    Number,
    /// A disk.
    Disk,
    /// A calm machine.
    Calm,
    /// A look at the machine: for less than a moment.
    Look,
}

/// What it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What kind of reason it is.
    pub kind: Kind,
    /// In words.
    pub why: String,
    /// When that may have changed without anything else happening.
    pub until: Option<Moment>,
    /// Its own time has come: only others are in its way.
    pub patient: bool,
    /// It wants to know how busy the machine is.
    pub climate: bool,
    /// It waits for these disks, and nobody behind it may take them.
    pub claims: bool,
}

fn wait(kind: Kind, why: String, until: Option<Moment>) -> Wait {
    Wait { kind, why, until, patient: false, climate: false, claims: false }
}

/// Waits for others.
fn patient(kind: Kind, why: String, until: Option<Moment>) -> Wait {
    Wait { patient: true, ..wait(kind, why, until) }
}

/// A moment on the clock of the job.
fn shown(plan: &Planned, at: Moment) -> String {
    plan.policy.schedule.zone.shown(at).format("%Y-%m-%d %H:%M").to_string()
}

/// Whether `entry` may begin.
pub fn judge(entry: &Waiting, plan: &Planned, scene: &Scene<'_>) -> Verdict {
    if let Some(run) = scene.running.values().find(|running| running.job == entry.job) {
        return Verdict::Wait(wait(Kind::Job, format!("run `{}` of this job is under way", run.run), None));
    }
    if entry.at_once {
        return Verdict::Go(Manner::Usual);
    }
    if let Some(wait) = own_time(entry, plan, scene) {
        return Verdict::Wait(wait);
    }
    let since = entry.patient_since.unwrap_or(scene.now);
    let tolerance = tolerance(entry, scene);
    let admission = &plan.policy.admission;
    let most = TimeDelta::from_std(admission.max_wait).unwrap_or(TimeDelta::MAX);
    let until = since + most * 100 / i32::try_from(tolerance).unwrap_or(100);
    predecessors(admission, entry, scene, since + most)
        .or_else(|| room(plan, scene).map(Verdict::Wait))
        .unwrap_or_else(|| calm(admission, entry, scene, until, tolerance))
}

/// What has to do with nobody else: its own delay, a pause, its window.
fn own_time(entry: &Waiting, plan: &Planned, scene: &Scene<'_>) -> Option<Wait> {
    let now = scene.now;
    if entry.not_before > now {
        let why = match entry.why.as_str() {
            "" => format!("until {}", shown(plan, entry.not_before)),
            why => why.to_owned(),
        };
        return Some(wait(Kind::Delay, why, Some(entry.not_before)));
    }
    if let Some(until) = scene.holds.paused_until(&entry.job, now) {
        return Some(wait(Kind::Pause, format!("paused until {}", shown(plan, until)), Some(until)));
    }
    let schedule = &plan.policy.schedule;
    if !entry.is_request() && !schedule.is_open(now) {
        let opens = schedule.opens(now);
        let when = opens.map(|at| format!(", which opens at {}", shown(plan, at))).unwrap_or_default();
        return Some(wait(Kind::Window, format!("outside its window{when}"), opens));
    }
    None
}

/// How much more is put up with, in percent: 100 while the last good backup is younger than the time between two of them, and more
/// the older it is.
fn tolerance(entry: &Waiting, scene: &Scene<'_>) -> i64 {
    let Some(job) = scene.jobs.get(&entry.job) else { return 100 };
    let (Some(good), Some(period)) = (job.last_good, job.period.filter(|period| *period > TimeDelta::zero())) else {
        return if job.last_good.is_none() { MOST_TOLERANT } else { 100 };
    };
    let age = (scene.now - good).num_seconds().max(0);
    (age.saturating_mul(100) / period.num_seconds().max(1)).clamp(100, MOST_TOLERANT)
}

/// `after`: these have to have succeeded, not too long ago.
fn predecessors(admission: &Admission, entry: &Waiting, scene: &Scene<'_>, until: Moment) -> Option<Verdict> {
    let waits = |why, until| Some(Verdict::Wait(patient(Kind::Predecessor, why, until)));
    let most = TimeDelta::from_std(admission.after_max_age).unwrap_or(TimeDelta::MAX);
    for name in admission.after.iter().map(|name| name.as_str()) {
        if entry.is_request() {
            break;
        }
        if scene.running.values().any(|running| running.job == name) {
            return waits(format!("after job `{name}`, which is under way"), None);
        }
        if scene.queued.contains(name) {
            return waits(format!("after job `{name}`, which waits as well"), None);
        }
        let good = scene.jobs.get(name).and_then(|job| job.last_good);
        if good.is_some_and(|good| scene.now - good <= most) {
            continue;
        }
        if scene.now >= until {
            return Some(Verdict::Skip(format!("job `{name}` has no good run that is young enough")));
        }
        return waits(format!("job `{name}` has no good run that is young enough"), Some(until));
    }
    None
}

/// One heavy run a disk, and not too many in all.
fn room(plan: &Planned, scene: &Scene<'_>) -> Option<Wait> {
    let most = usize::try_from(scene.plans.max_running.max(1)).unwrap_or(usize::MAX);
    if scene.running.len() >= most {
        let names: Vec<&str> = scene.running.values().map(|running| running.job.as_str()).collect();
        return Some(patient(
            Kind::Number,
            format!("{} of {most} runs are under way: {}", names.len(), names.join(", ")),
            None,
        ));
    }
    if !plan.policy.admission.heavy {
        return None;
    }
    for disk in &plan.disks {
        if let Some(running) = scene.running.values().find(|running| running.disks.contains(disk)) {
            let why = format!("job `{}` is under way on disk `{disk}`", running.job);
            return Some(Wait { claims: true, ..patient(Kind::Disk, why, None) });
        }
        if scene.spoken_for.contains(disk) {
            return Some(patient(Kind::Disk, format!("disk `{disk}`, for which another job waits already"), None));
        }
    }
    None
}

/// The start gate: waits for a calm machine, but not for ever.
fn calm(admission: &Admission, entry: &Waiting, scene: &Scene<'_>, until: Moment, tolerance: i64) -> Verdict {
    if entry.is_request() || (admission.max_load.is_none() && admission.max_temperature.is_none()) {
        return Verdict::Go(Manner::Usual);
    }
    let gate = |kind, why: String| Verdict::Wait(Wait { climate: true, ..patient(kind, why, Some(until)) });
    let Some(climate) = scene.climate.filter(|climate| scene.now - climate.at <= STALE) else {
        return gate(Kind::Look, "a look at how busy the machine is".to_owned());
    };
    let Some(why) = unrest(admission, climate, tolerance) else { return Verdict::Go(Manner::Usual) };
    if scene.now < until {
        return gate(Kind::Calm, format!("a calm machine: {why}"));
    }
    match admission.otherwise {
        Otherwise::Gently => Verdict::Go(Manner::Gently),
        Otherwise::Run => Verdict::Go(Manner::Usual),
        Otherwise::Skip => Verdict::Skip(format!("the machine was never calm enough: {why}")),
    }
}

/// What keeps the machine from being calm.
fn unrest(admission: &Admission, climate: Climate, tolerance: i64) -> Option<String> {
    let hundredths = |value: u32| f64::from(value) / 100.0;
    if let Some(most) = admission.max_load {
        let most = u32::try_from(i64::from(most) * tolerance / 100).unwrap_or(u32::MAX);
        if climate.load > most {
            let (load, most) = (hundredths(climate.load), hundredths(most));
            return Some(format!("load {load:.2} a processor > {most:.2}"));
        }
    }
    match (admission.max_temperature, climate.temperature) {
        (Some(most), Some(now)) if now > most => Some(format!("{now} °C > {most} °C")),
        _ => None,
    }
}
