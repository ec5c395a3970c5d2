//! From what was written down to a core: nothing that was due is lost, and nothing is begun twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::entry::{Running, Waiting};
use super::holds::{Hold, Holds};
use super::job::Job;
use super::orders::{LONGEST, held};
use super::words::{Moment, Output, Plans, RunEnd};
use super::{Core, Names, considered, say};
use crate::ledger::occasions::{Cause, Occasion, Remembered};
use crate::schedule::Trigger;

/// What became of a run that was begun before the daemon was here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// It is under way.
    UnderWay,
    /// It is over.
    Ended(RunEnd),
    /// It never began, and never will.
    NeverBegan,
}

/// A run under way that somebody else began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its id.
    pub run: String,
    /// Its job.
    pub job: String,
    /// It makes a backup; else it checks or restores one, or is a command of somebody's.
    pub backs_up: bool,
}

/// What was found when the daemon came.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// What it knew when it went.
    pub remembered: Remembered,
    /// What became of the runs it had begun, by their ids.
    pub since: BTreeMap<String, Since>,
    /// Runs under way that it had not begun.
    pub others: Vec<Other>,
    /// When the last good run of each job ended.
    pub last_good: BTreeMap<String, Moment>,
    /// The id of this boot.
    pub boot: String,
}

impl Core {
    /// A core that goes on where the last one ended, and what is to be done at once.
    pub fn take_over(now: Moment, names: Names, plans: Plans, found: Found) -> (Core, Vec<Output>) {
        let mut core = Core {
            names,
            boot: found.boot,
            plans,
            jobs: BTreeMap::new(),
            ahead: BTreeSet::new(),
            waiting: vec![],
            running: BTreeMap::new(),
            holds: Holds::default(),
            climate: None,
            wants_climate: None,
            look_again: None,
            last: now,
            fresh: BTreeSet::new(),
        };
        let mut out = vec![];
        let Remembered { open, considered, holds } = found.remembered;
        let ahead =
            considered.iter().map(|(_, us, _)| moment(*us)).max().map_or(TimeDelta::zero(), |latest| latest - now);
        let wrong = if ahead > super::CORRECTION { ahead } else { TimeDelta::zero() };
        for (job, pace, until_us) in holds {
            // One that is longer than any order was given at a time that was wrong, too.
            let until = (moment(until_us) - wrong).min(now + LONGEST);
            core.holds.set(Hold { job, pace, until });
        }
        if wrong > TimeDelta::zero() {
            out.extend(core.holds.in_force(now).map(held));
        }
        core.know_jobs(now, &considered, &found.last_good, &mut out);
        for Other { run, job, backs_up } in found.others {
            core.note_running(now, run, job, None, backs_up);
        }
        let ended = core.take_up(now, open, &found.since, &mut out);
        core.look_ahead();
        for (run, end) in ended {
            core.ended(now, &run, &end, &mut out);
        }
        // With what was noted above: that the machine was booted, that a run is over, is not noted again.
        core.write_down_what_waits(now, &mut out);
        (core, out)
    }

    /// Up to where the schedule of each job was looked at, and whether the machine was booted since.
    fn know_jobs(
        &mut self,
        now: Moment,
        remembered: &[(String, i64, String)],
        last_good: &BTreeMap<String, Moment>,
        out: &mut Vec<Output>,
    ) {
        // A job that cannot be used now may be back tomorrow, and goes on where it was.
        for (name, us, _) in remembered.iter().filter(|(name, ..)| self.plans.refused.contains(name)) {
            let last_good = last_good.get(name).map(|good| now.min(*good));
            self.jobs.insert(name.clone(), Job::new(moment(*us).min(now), last_good));
        }
        let mut at_boot = vec![];
        for (name, plan) in &self.plans.jobs {
            let known = remembered.iter().find(|(job, ..)| job == name);
            let at = known.map_or(now, |(_, us, _)| moment(*us));
            // A clock that is far behind what it was is right now, and was wrong before.
            let corrected = at - now > super::CORRECTION;
            let at = if corrected { now } else { at };
            let last_good = last_good.get(name).map(|good| now.min(*good));
            let dealt_with = known.map(|(_, us, _)| moment(*us)).filter(|_| corrected);
            self.jobs.insert(name.clone(), Job { dealt_with, ..Job::new(at, last_good) });
            let booted = known.is_some_and(|(.., boot)| *boot != self.boot);
            if known.is_none() || booted || corrected {
                out.push(considered(name, at, &self.boot));
            }
            if booted && plan.policy.schedule.triggers.contains(&Trigger::Boot) {
                at_boot.push(name.clone());
            }
        }
        for name in at_boot {
            self.enqueue(Waiting::new(&name, now, Cause::Boot));
        }
    }

    /// What was still to be done is still to be done. Says what has ended in the meantime.
    fn take_up(
        &mut self,
        now: Moment,
        open: Vec<Occasion>,
        since: &BTreeMap<String, Since>,
        out: &mut Vec<Output>,
    ) -> Vec<(String, RunEnd)> {
        let mut ended = vec![];
        for occasion in open {
            let mut entry = Waiting::remembered(&occasion);
            let ahead = moment(occasion.at_us) - now;
            if ahead > super::CORRECTION {
                entry.not_before -= ahead;
            }
            let run = match occasion.fate {
                crate::ledger::occasions::Fate::Started(run) => Some(run),
                _ => None,
            };
            match run.as_ref().and_then(|run| since.get(run)) {
                Some(Since::UnderWay) => {
                    self.note_running(now, run.unwrap_or_default(), entry.job.clone(), Some(entry), true)
                }
                Some(Since::Ended(end)) => {
                    let run = run.unwrap_or_default();
                    self.note_running(now, run.clone(), entry.job.clone(), Some(entry), true);
                    ended.push((run, end.clone()));
                }
                // Who asked for it is gone with the daemon that was asked.
                _ if entry.cause == Cause::Attended => {
                    self.skip(now, &entry, "the daemon ended before it began".to_owned(), out);
                }
                _ if self.plans.know_nothing_of(&entry.job) => {
                    self.skip(now, &entry, "its policy is gone".to_owned(), out);
                }
                _ => {
                    if run.is_some() {
                        say(out, Some(&entry.job), false, "a run was about to begin when the daemon ended".to_owned());
                    }
                    self.enqueue(entry);
                }
            }
        }
        ended
    }

    fn note_running(&mut self, now: Moment, run: String, job: String, due: Option<Waiting>, backs_up: bool) {
        let plan = self.plans.jobs.get(&job);
        let disks = plan.filter(|plan| plan.policy.admission.heavy).map(|plan| plan.disks.clone()).unwrap_or_default();
        let running = Running { run: run.clone(), job, disks, since: now, due, ending: false, hears: false, backs_up };
        self.running.insert(run, running);
    }
}

fn moment(us: i64) -> Moment {
    Moment::from_timestamp_micros(us).unwrap_or_default()
}
