//! The core without a machine: nights, days off, clocks that are set.

mod admission;
mod orders;
mod restart;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::words::{Climate, Input, Moment, Output, Planned, Plans, RunEnd};
use super::{Core, restart::Found};
use crate::config::policy::Policy;
use crate::daemon::protocol::{Answer, Order};
use crate::ledger::State;
use crate::ledger::occasions::{Fate, Occasion, Record};

/// A core, its clock, and everything it ever said.
pub(super) struct Night {
    pub core: Core,
    pub now: Moment,
    pub said: Vec<Output>,
    plans: Plans,
}

/// `2026-03-29 01:30` in UTC.
pub(super) fn at(text: &str) -> Moment {
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc()
}

/// A policy with these lines, as the loader makes it.
pub(super) fn policy(name: &str, text: &str) -> Policy {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("jobs");
    crate::kernel::fs::create_dir_all(&jobs, 0o700).unwrap();
    let full = format!("kind = \"command\"\n{text}\n[command]\nargv = [\"true\"]\n");
    crate::kernel::fs::create_file(&jobs.join(format!("{name}.toml")), full.as_bytes()).unwrap();
    let loaded = crate::config::load(dir.path());
    // A predecessor may be in another file.
    assert!(loaded.job(name).is_some(), "{}", loaded.diagnostics.render(false));
    loaded.job(name).unwrap().policy.clone()
}

pub(super) fn planned(policy: Policy, disks: &[&str]) -> Planned {
    let disks = disks.iter().map(|disk| (*disk).to_owned()).collect::<BTreeSet<_>>();
    Planned { policy: Arc::new(policy), disks, delay: TimeDelta::zero() }
}

pub(super) fn plans(jobs: Vec<Planned>) -> Plans {
    let jobs = jobs.into_iter().map(|plan| (plan.policy.job.to_string(), plan)).collect();
    Plans { jobs, refused: BTreeSet::new(), max_running: 2, catch_up_within: TimeDelta::minutes(10) }
}

/// One job with these lines of `[schedule]` in UTC, which waits for nothing.
pub(super) fn job(name: &str, schedule: &str) -> Planned {
    let text =
        format!("[schedule]\nzone = \"UTC\"\n{schedule}\n[admission]\nmax_load = \"none\"\nmax_temperature = \"none\"");
    planned(policy(name, &text), &[])
}

/// The same with lines of `[admission]`.
pub(super) fn job_with(name: &str, schedule: &str, admission: &str, disks: &[&str]) -> Planned {
    let calm = if admission.contains("max_load") { "" } else { "max_load = \"none\"\n" };
    let text =
        format!("[schedule]\nzone = \"UTC\"\n{schedule}\n[admission]\n{calm}max_temperature = \"none\"\n{admission}");
    planned(policy(name, &text), disks)
}

fn names() -> super::Names {
    let mut last = 0;
    Box::new(move |_| {
        last += 1;
        format!("run-{last}")
    })
}

impl Night {
    pub fn new(now: &str, jobs: Vec<Planned>) -> Night {
        Night::found(now, jobs, Found { boot: "boot".to_owned(), ..Found::default() })
    }

    pub fn found(now: &str, jobs: Vec<Planned>, found: Found) -> Night {
        let (now, plans) = (at(now), plans(jobs));
        let (core, said) = Core::take_over(now, names(), plans.clone(), found);
        let mut night = Night { core, now, said, plans };
        night.tell(Input::Tick);
        night
    }

    pub fn tell(&mut self, input: Input<'_>) -> Vec<Output> {
        let outputs = self.core.step(self.now, input);
        self.said.extend(outputs.clone());
        outputs
    }

    /// Lets time pass, wake-up by wake-up.
    pub fn until(&mut self, moment: &str) {
        let end = at(moment);
        while let Some(wake) = self.core.wake_at().filter(|wake| *wake <= end) {
            assert!(wake >= self.now, "a wake-up in the past: {wake} at {}", self.now);
            self.now = wake;
            self.tell(Input::Tick);
        }
        self.now = end;
        self.tell(Input::Tick);
    }

    pub fn ends(&mut self, run: &str, state: State, code: u8) {
        let end = RunEnd { state, code, at: self.now };
        self.tell(Input::Ended { run, end });
    }

    pub fn order(&mut self, client: u64, order: Order) -> Vec<Answer> {
        let outputs = self.tell(Input::Order { client, order: &order });
        let answers = outputs.into_iter().filter_map(|output| match output {
            Output::Answer { answer, .. } => Some(answer),
            _ => None,
        });
        answers.collect()
    }

    pub fn calm(&mut self, load: u32) {
        let climate = Climate { load, temperature: None, at: self.now };
        self.tell(Input::Climate(climate));
    }

    pub fn replan(&mut self, change: impl FnOnce(&mut Plans)) {
        change(&mut self.plans);
        let plans = self.plans.clone();
        self.tell(Input::Plans(plans));
    }

    /// The runs that were started, with their jobs.
    pub fn started(&self) -> Vec<(String, String)> {
        let start = |output: &Output| match output {
            Output::Start { run, policy, .. } => Some((run.clone(), policy.job.to_string())),
            _ => None,
        };
        self.said.iter().filter_map(start).collect()
    }

    /// What became of everything that was due: job, when, and in the end what.
    pub fn fates(&self) -> BTreeMap<(String, String, String), Occasion> {
        let mut fates = BTreeMap::new();
        for output in &self.said {
            if let Output::Record(Record::Occasion(it)) = output {
                let due = Moment::from_timestamp_micros(it.due_us).unwrap().format("%m-%d %H:%M").to_string();
                fates.insert((it.job.clone(), due, format!("{} {}", it.cause.word(), it.attempt)), it.clone());
            }
        }
        fates
    }

    /// The same in lines.
    pub fn story(&self) -> String {
        let lines = self.fates().into_iter().map(|((job, due, cause), it)| {
            let fate = match it.fate {
                Fate::Queued => "queued".to_owned(),
                Fate::Started(run) => format!("started as {run}"),
                Fate::Done(run) => format!("done as {run}"),
                Fate::Skipped(why) => format!("skipped: {why}"),
            };
            let count = if it.count > 1 { format!(" x{}", it.count) } else { String::new() };
            format!("{due} {job} ({cause}){count} {fate}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn waits(&self, job: &str) -> Option<String> {
        self.core.agenda().get(job)?.queued.as_ref().map(|queued| queued.why.clone())
    }
}
