//! `govern next`: the runs to come, and what the next change of each zone's clock does to them.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Utc};
use serde::Serialize;

use super::table::{paint, table};
use crate::config::policy::Policy;
use crate::human::duration;
use crate::schedule::clock_change::Effect;
use crate::schedule::{Schedule, Start, Trigger, jitter};

/// What comes.
#[derive(Debug, Serialize)]
pub struct Next {
    /// Seen from here.
    pub from: DateTime<Utc>,
    /// In the order of time.
    pub runs: Vec<Run>,
    /// Jobs without any run that can be foretold.
    pub without: Vec<Without>,
    /// The next change of each clock that jobs go by.
    pub clock_changes: Vec<ClockChange>,
}

/// A run to come.
#[derive(Debug, Serialize)]
pub struct Run {
    /// Its job.
    pub job: String,
    /// When it starts, unless it has to wait for something else.
    pub at: DateTime<FixedOffset>,
    /// What makes it due.
    pub trigger: String,
    /// When that makes it due.
    pub due: DateTime<FixedOffset>,
    /// Due, it would start at a time that the clock skips.
    pub time_is_skipped: bool,
    /// This host's and job's share of the jitter, in seconds.
    pub delay_s: i64,
    /// It would start outside of the windows, and waits for the next to open.
    pub waits_for_window: bool,
    /// Jobs that must have succeeded before.
    pub after: Vec<String>,
}

/// A job that nobody knows the next run of.
#[derive(Debug, Serialize)]
pub struct Without {
    /// Its name.
    pub job: String,
    /// It runs when the machine starts.
    pub at_boot: bool,
}

/// A change of a clock.
#[derive(Debug, Serialize)]
pub struct ClockChange {
    /// Whose clock.
    pub zone: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What the clock would show.
    pub from: NaiveDateTime,
    /// What it shows.
    pub to: NaiveDateTime,
    /// What becomes of each job's runs then; nothing where no time of a job is skipped or repeated.
    pub jobs: BTreeMap<String, Vec<Effect>>,
}

/// Up to so many runs of each job from a moment on, on this host.
pub fn gather(policies: &[&Policy], from: DateTime<Utc>, count: usize, host_id: &str) -> Next {
    let mut next = Next { from, runs: Vec::new(), without: Vec::new(), clock_changes: Vec::new() };
    for policy in policies {
        let schedule = &policy.schedule;
        let delay = jitter::delay(host_id, policy.job.as_str(), schedule.jitter);
        // A run at this very moment is to come.
        let just_before = from.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(from);
        let first = schedule.next_start(just_before, delay);
        let starts = std::iter::successors(first, |last| schedule.next_start(last.at, delay));
        let runs: Vec<Run> = starts.take(count).map(|start| run(policy, &start, delay)).collect();
        if runs.is_empty() {
            let at_boot = schedule.triggers.contains(&Trigger::Boot);
            next.without.push(Without { job: policy.job.to_string(), at_boot });
        }
        next.runs.extend(runs);
        add_change(&mut next.clock_changes, policy.job.as_str(), schedule, from, delay);
    }
    next.runs.sort_by(|a, b| (a.at, &a.job).cmp(&(b.at, &b.job)));
    next.clock_changes.sort_by_key(|change| change.at);
    next
}

fn run(policy: &Policy, start: &Start<'_>, delay: TimeDelta) -> Run {
    let zone = policy.schedule.zone;
    let time_is_skipped = match start.trigger {
        Trigger::Cron(expression) => expression.is_made_up(zone, start.due),
        Trigger::Every(_) | Trigger::Boot => false,
    };
    Run {
        job: policy.job.to_string(),
        at: zone.shown(start.at),
        trigger: start.trigger.to_string(),
        due: zone.shown(start.due),
        time_is_skipped,
        delay_s: delay.num_seconds(),
        waits_for_window: start.waits_for_window,
        after: policy.admission.after.iter().map(ToString::to_string).collect(),
    }
}

/// Adds a job to the change of its clock, if it goes by one.
fn add_change(changes: &mut Vec<ClockChange>, job: &str, schedule: &Schedule, from: DateTime<Utc>, delay: TimeDelta) {
    if !schedule.triggers.iter().any(|trigger| matches!(trigger, Trigger::Cron(_))) {
        return;
    }
    let Some(change) = schedule.zone.next_change(from) else { return };
    let zone = schedule.zone.to_string();
    let effects = (job.to_owned(), schedule.effects(&change, delay));
    match changes.iter_mut().find(|known| known.zone == zone) {
        Some(known) => known.jobs.extend([effects]),
        None => {
            let jobs = BTreeMap::from([effects]);
            changes.push(ClockChange { zone, at: change.at, from: change.from, to: change.to, jobs });
        }
    }
}

/// For people.
pub fn render(next: &Next) -> String {
    let mut table = table(&["JOB", "WHEN", "IN", "WHY"], &[2]);
    for run in &next.runs {
        let wait = run.at.to_utc().signed_duration_since(next.from);
        let wait = wait.num_microseconds().and_then(|us| u64::try_from(us).ok()).unwrap_or_default();
        let when = run.at.format("%a %Y-%m-%d %H:%M:%S %:z").to_string();
        table.add_row([run.job.clone(), when, duration(wait), why(run)]);
    }
    for Without { job, at_boot } in &next.without {
        let (when, why) = if *at_boot {
            ("when the machine starts", "@reboot")
        } else {
            ("when it is asked for", "no cron or every in [schedule]")
        };
        table.add_row([job.as_str(), when, "-", why]);
    }
    let mut text = paint(&table, []);
    for change in &next.clock_changes {
        text.push_str(&told(change));
    }
    text
}

/// What makes it start then.
fn why(run: &Run) -> String {
    let mut why = run.trigger.clone();
    if run.time_is_skipped {
        why.push_str(", whose time the clock skips");
    }
    if run.delay_s > 0 {
        let delay = u64::try_from(run.delay_s).unwrap_or_default();
        why.push_str(&format!(", {} of jitter", humantime::format_duration(std::time::Duration::from_secs(delay))));
    }
    if run.waits_for_window {
        let due = run.due.format("%a %H:%M");
        why.push_str(&format!(", moved from {due} to the opening of its window"));
    }
    if !run.after.is_empty() {
        why.push_str(&format!(", after {}", run.after.join(", ")));
    }
    why
}

fn told(change: &ClockChange) -> String {
    let direction = if change.to > change.from { "forward" } else { "back" };
    // A clock can be set over midnight.
    let same_day = change.to.date() == change.from.date();
    let to = change.to.format(if same_day { "%H:%M" } else { "%Y-%m-%d %H:%M" });
    let from = change.from.format("%a %Y-%m-%d %H:%M");
    let mut text = format!("\n{from} the clock of {} goes {direction} to {to}\n", change.zone);
    let affected = || change.jobs.iter().filter(|(_, effects)| !effects.is_empty());
    let width = affected().map(|(job, _)| job.len()).max().unwrap_or_default();
    for (job, effects) in affected() {
        for effect in effects {
            text.push_str(&format!("  {job:width$}  {effect}\n"));
        }
    }
    if affected().next().is_none() {
        text.push_str("  no run is due then\n");
    }
    text
}
