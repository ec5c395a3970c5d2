//! `[schedule]` over `[defaults.schedule]`, over what is built in, and the rules that concern several keys.

use std::time::Duration;

use super::MachineZone;
use super::keys::{CommonKeys, ScheduleKeys};
use crate::config::diagnostic::Diagnostic;
use crate::config::merge::Merge;
use crate::config::reader::{Field, Section};
use crate::schedule::{Missed, Schedule, Trigger, Windows};

/// The schedule of a job; without `[schedule]` it is never run by itself, whatever `[defaults]` say.
pub fn schedule(
    merge: &mut Merge<'_>,
    section: &Section<ScheduleKeys>,
    defaults: &CommonKeys,
    machine: &MachineZone,
) -> Schedule {
    if section.place.is_none() {
        return Schedule::default();
    }
    let (keys, common) = (&section.keys, &section.keys.common);
    says_when(merge, section);
    let cron = merge.optional("schedule.cron", &[&keys.cron]).unwrap_or_default();
    let every = merge.optional("schedule.every", &[&keys.every]).map(Trigger::Every);
    if let (Err(reason), [Field::Absent, Field::Absent]) = (&machine.0, [&common.zone, &defaults.zone]) {
        warn_of_universal_time(merge, keys, reason);
    }
    let built_in = machine.or_utc();
    let zone = merge.or_default("schedule.zone", &[&common.zone, &defaults.zone], built_in, &format!("\"{built_in}\""));
    let between = merge.or_default("schedule.between", &[&keys.between], Vec::new(), "[]");
    let blackouts = merge.or_default("schedule.blackouts", &[&keys.blackouts], Vec::new(), "[]");
    let windows = Windows::new(between, blackouts).unwrap_or_else(|never| {
        let (first, second) = (keys.between.given(), keys.blackouts.given());
        let (between, blackouts) = (first.map(|typed| &typed.place), second.map(|typed| &typed.place));
        if let Some(place) = between.or(blackouts) {
            let error = Diagnostic::error(place.clone(), never.to_string());
            let error = match blackouts.filter(|other| *other != place) {
                Some(other) => error.also(other.clone(), "leaves nothing of it"),
                None => error,
            };
            merge.out.push(error.hint("no run could ever start: leave time between the blackouts"));
        }
        Windows::default()
    });
    let jitter = [&common.jitter, &defaults.jitter];
    let jitter = merge.or_default("schedule.jitter", &jitter, Duration::ZERO, "\"0s\"");
    let missed = merge.or_default("schedule.missed", &[&common.missed, &defaults.missed], Missed::default(), "\"one\"");
    Schedule { triggers: cron.into_iter().chain(every).collect(), zone, windows, jitter, missed }
}

/// Windows alone start nothing.
fn says_when(merge: &mut Merge<'_>, section: &Section<ScheduleKeys>) {
    let Some(place) =
        section.place.as_ref().filter(|_| section.keys.cron.is_absent() && section.keys.every.is_absent())
    else {
        return;
    };
    let error = Diagnostic::error(place.clone(), "`[schedule]` does not say when the job is run");
    merge.out.push(error.hint("add `cron = \"20 4 * * *\"` or `every = \"6h\"`, or remove the section"));
}

/// A time of day that nobody knows the zone of.
fn warn_of_universal_time(merge: &mut Merge<'_>, keys: &ScheduleKeys, reason: &str) {
    let typed = [
        keys.cron.given().map(|typed| &typed.place),
        keys.between.given().map(|typed| &typed.place),
        keys.blackouts.given().map(|typed| &typed.place),
    ];
    let Some(place) = typed.into_iter().flatten().next() else { return };
    let message = format!("times are in UTC: the zone of this machine is not known: {reason}");
    let warning = Diagnostic::warning(place.clone(), message);
    merge.out.push(warning.hint("add `zone = \"Europe/Berlin\"`, here or in `[defaults.schedule]` of `govern.toml`"));
}
