//! The daemon's rows as the ledger keeps them, without a ledger.

use std::collections::BTreeMap;

use govern::ledger::occasions::{Fate, Occasion, Record, Remembered};

/// What a row of an occasion is found by.
type Key = (String, i64, &'static str, u32);

/// A job or all, and whether it is a pace.
type HoldKey = (Option<String>, bool);

/// What is durable.
#[derive(Debug, Default)]
pub struct Books {
    /// What is not over.
    open: BTreeMap<Key, Occasion>,
    agenda: BTreeMap<String, (i64, String)>,
    holds: BTreeMap<HoldKey, (Option<Option<u64>>, i64)>,
}

impl Books {
    /// Writes one.
    pub fn write(&mut self, record: &Record) {
        match record {
            Record::Occasion(it) => {
                let key = (it.job.clone(), it.due_us, it.cause.word(), it.attempt);
                match it.fate {
                    Fate::Queued | Fate::Started(_) => self.open.insert(key, it.clone()),
                    Fate::Done(_) | Fate::Skipped(_) => self.open.remove(&key),
                };
            }
            Record::Considered { job, at_us, boot } => {
                self.agenda.insert(job.clone(), (*at_us, boot.clone()));
            }
            Record::Held { job, pace, until_us } => {
                self.holds.insert((job.clone(), pace.is_some()), (*pace, *until_us));
            }
            Record::Released { job: Some(job) } => {
                self.holds.remove(&(Some(job.clone()), false));
            }
            Record::Released { job: None } => self.holds.retain(|(_, pace), _| *pace),
        }
    }

    /// What a run was started for.
    pub fn started_as(&self, run: &str) -> Option<&Occasion> {
        self.open.values().find(|it| matches!(&it.fate, Fate::Started(started) if started == run))
    }

    /// Everything that is not over.
    pub fn open(&self) -> impl Iterator<Item = &Occasion> {
        self.open.values()
    }

    /// What a daemon that comes finds.
    pub fn remembered(&self) -> Remembered {
        let mut open: Vec<Occasion> = self.open.values().cloned().collect();
        open.sort_by_key(|it| it.due_us);
        let considered = self.agenda.iter().map(|(job, (at, boot))| (job.clone(), *at, boot.clone())).collect();
        let holds = self.holds.iter().map(|((job, _), (pace, until))| (job.clone(), *pace, *until)).collect();
        Remembered { open, considered, holds }
    }

    /// How far the schedule of a job was looked at, and in which boot.
    pub fn considered(&self, job: &str) -> Option<&(i64, String)> {
        self.agenda.get(job)
    }

    /// Runs that were started, or were about to be.
    pub fn started(&self) -> Vec<String> {
        let started = self.open.values().filter_map(|it| match &it.fate {
            Fate::Started(run) => Some(run.clone()),
            _ => None,
        });
        started.collect()
    }

    /// The latest time at which a schedule was looked at.
    pub fn latest(&self) -> Option<i64> {
        self.agenda.values().map(|(at, _)| *at).max()
    }
}
