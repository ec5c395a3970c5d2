//! What waits for its turn, and what is under way.

use std::collections::BTreeSet;

use super::admission::Kind;
use super::words::{Client, Moment};
use crate::ledger::occasions::{Cause, Fate, Occasion};

/// What tells one from all others: the job, when it was due, why, the attempt.
pub type Key = (String, Moment, Cause, u32);

/// Something that was due and waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub job: String,
    /// When it was due.
    pub due: Moment,
    /// Why it is to be run.
    pub cause: Cause,
    /// The how manieth attempt it is, from 1.
    pub attempt: u32,
    /// How many attempts before failed.
    pub failures: u32,
    /// Not before this.
    pub not_before: Moment,
    /// Since when nothing but the state of the machine, or of other jobs, is in its way.
    pub patient_since: Option<Moment>,
    /// What it waits for.
    pub why: String,
    /// The kind of reason that the log was told.
    pub told: Option<Kind>,
    /// Who will start it, if that is not the daemon.
    pub client: Option<Client>,
    /// It waits for nobody.
    pub at_once: bool,
}

impl Waiting {
    /// One that may begin at once.
    pub fn new(job: &str, due: Moment, cause: Cause) -> Waiting {
        Waiting {
            job: job.to_owned(),
            due,
            cause,
            attempt: 1,
            failures: 0,
            not_before: due,
            patient_since: None,
            why: String::new(),
            told: None,
            client: None,
            at_once: false,
        }
    }

    /// As it is written down.
    pub fn occasion(&self, fate: Fate, now: Moment) -> Occasion {
        Occasion {
            job: self.job.clone(),
            due_us: self.due.timestamp_micros(),
            cause: self.cause,
            attempt: self.attempt,
            failures: self.failures,
            not_before_us: self.not_before.timestamp_micros(),
            fate,
            until_us: self.due.timestamp_micros(),
            count: 1,
            at_us: now.timestamp_micros(),
        }
    }

    /// As it was written down.
    pub fn remembered(occasion: &Occasion) -> Waiting {
        let moment = |us| Moment::from_timestamp_micros(us).unwrap_or_default();
        Waiting {
            attempt: occasion.attempt,
            failures: occasion.failures,
            not_before: moment(occasion.not_before_us),
            ..Waiting::new(&occasion.job, moment(occasion.due_us), occasion.cause)
        }
    }

    /// What tells it from all others.
    pub fn key(&self) -> Key {
        (self.job.clone(), self.due, self.cause, self.attempt)
    }

    /// Whether the schedule asked for both at the same moment.
    pub fn is(&self, other: &Waiting) -> bool {
        let scheduled = |it: &Waiting| matches!(it.cause, Cause::Schedule | Cause::Missed);
        self.job == other.job && self.due == other.due && scheduled(self) && scheduled(other)
    }

    /// Whether somebody asked for it, who is not told "outside its window".
    pub fn is_request(&self) -> bool {
        matches!(self.cause, Cause::Request | Cause::Attended)
    }
}

/// A run that is under way.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its id.
    pub run: String,
    /// Its job.
    pub job: String,
    /// The lowest disks it works on, if it counts as heavy.
    pub disks: BTreeSet<String>,
    /// Since when.
    pub since: Moment,
    /// What it was due for; none if it was found under way.
    pub due: Option<Waiting>,
    /// It was told to end.
    pub ending: bool,
    /// It hears orders.
    pub hears: bool,
    /// It makes a backup; else it checks or restores one, or is a command of somebody's.
    pub backs_up: bool,
}
