//! Runs as the machine has them: their workers, and their rows in the ledger.

use std::collections::{BTreeMap, BTreeSet};

use govern::daemon::core::restart::Since;
use govern::daemon::core::words::{Moment, RunEnd};
use govern::ledger::State;

/// A run that began.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its job.
    pub job: String,
    /// When it will be over by itself: µs of a life without any clock's whims.
    pub ends: i64,
    /// How it will end.
    pub outcome: (State, u8),
    /// Disks it has for itself.
    pub disks: BTreeSet<String>,
    /// How it ended.
    pub end: Option<RunEnd>,
}

/// All runs that anybody may still ask for.
#[derive(Debug, Default)]
pub struct Runs {
    runs: BTreeMap<String, Run>,
    running: BTreeSet<String>,
    last_good: BTreeMap<String, Moment>,
    /// How many there ever were.
    pub begun: usize,
}

impl Runs {
    /// One begins.
    pub fn begin(&mut self, id: String, run: Run) {
        self.begun += 1;
        self.running.insert(id.clone());
        self.runs.insert(id, run);
    }

    /// One is over; says how, unless it was over before.
    pub fn end(&mut self, id: &str, now: Moment, how: (State, u8)) -> Option<RunEnd> {
        if !self.running.remove(id) {
            return None;
        }
        let run = self.runs.get_mut(id)?;
        let end = RunEnd { state: how.0, code: how.1, at: now };
        run.end = Some(end.clone());
        if matches!(how.0, State::Ok | State::Warning) {
            self.last_good.insert(run.job.clone(), now);
        }
        Some(end)
    }

    /// A run, whether it is over or not.
    pub fn get(&self, id: &str) -> Option<&Run> {
        self.runs.get(id)
    }

    /// To change how it will end.
    pub fn under_way_mut(&mut self, id: &str) -> Option<&mut Run> {
        self.running.contains(id).then(|| self.runs.get_mut(id)).flatten()
    }

    /// Those under way.
    pub fn under_way(&self) -> impl Iterator<Item = (&String, &Run)> {
        self.running.iter().filter_map(|id| Some((id, self.runs.get(id)?)))
    }

    /// What became of one that was started.
    pub fn since(&self, id: &str) -> Since {
        match self.runs.get(id) {
            None => Since::NeverBegan,
            Some(Run { end: Some(end), .. }) => Since::Ended(end.clone()),
            Some(_) => Since::UnderWay,
        }
    }

    /// When the last good run of each job ended.
    pub fn last_good(&self) -> BTreeMap<String, Moment> {
        self.last_good.clone()
    }

    /// As the core sees it after a restart: disks are those of the policy of now.
    pub fn see_disks_anew(&mut self, disks: impl Fn(&str) -> BTreeSet<String>) {
        for id in &self.running {
            if let Some(run) = self.runs.get_mut(id) {
                run.disks = disks(&run.job);
            }
        }
    }
}
