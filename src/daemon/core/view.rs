//! What others are shown of the core.

use std::collections::BTreeMap;

use super::Core;
use super::entry::Waiting;
use super::words::Moment;
use crate::kernel::clock::Stamp;
use crate::ledger::occasions::Cause;
use crate::report::snapshot::{Agenda, Held, Hold, Queued, Retry};
use crate::schedule::Zone;

impl Core {
    /// What is to come for each job.
    pub fn agenda(&self) -> BTreeMap<String, Agenda> {
        let mut agenda: BTreeMap<String, Agenda> = BTreeMap::new();
        for (name, job) in self.jobs.iter().filter(|(name, _)| self.plans.jobs.contains_key(*name)) {
            let zone = self.zone(name);
            let next = job.next.map(|at| stamp(zone, at));
            agenda.insert(name.clone(), Agenda { next, skipped: job.skipped.clone(), ..Agenda::default() });
        }
        for entry in &self.waiting {
            let zone = self.zone(&entry.job);
            let of_job = agenda.entry(entry.job.clone()).or_default();
            let why = entry.why.clone();
            if entry.cause == Cause::Retry {
                of_job.retry = Some(Retry { at: stamp(zone, entry.not_before), attempt: entry.attempt, why });
            } else {
                of_job.queued = Some(Queued { since: stamp(zone, entry.due), why });
            }
        }
        agenda
    }

    /// Pauses and paces in force.
    pub fn holds(&self, now: Moment) -> Vec<Hold> {
        let shown = |hold: &super::holds::Hold| Hold {
            job: hold.job.clone(),
            what: hold.pace.map_or(Held::Paused, Held::Pace),
            until: stamp(hold.job.as_deref().map_or_else(Zone::default, |job| self.zone(job)), hold.until),
        };
        self.holds.in_force(now).map(shown).collect()
    }

    /// The runs under way: their ids and jobs.
    pub fn under_way(&self) -> impl Iterator<Item = (&str, &str)> {
        self.running.values().map(|running| (running.run.as_str(), running.job.as_str()))
    }

    /// How many wait for their turn.
    pub fn queue_length(&self) -> usize {
        self.waiting.len()
    }

    /// The job that is due next, and when.
    pub fn next_due(&self) -> Option<(&str, Stamp)> {
        self.ahead.first().map(|(at, name)| (name.as_str(), stamp(self.zone(name), *at)))
    }

    /// When it was due, on the clock of its job.
    pub(super) fn shown(&self, entry: &Waiting) -> String {
        self.zone(&entry.job).shown(entry.due).format("%Y-%m-%d %H:%M").to_string()
    }

    fn zone(&self, job: &str) -> Zone {
        self.plans.jobs.get(job).map(|plan| plan.policy.schedule.zone).unwrap_or_default()
    }
}

fn stamp(zone: Zone, at: Moment) -> Stamp {
    Stamp { us: at.timestamp_micros(), offset: zone.offset(at).local_minus_utc() }
}
