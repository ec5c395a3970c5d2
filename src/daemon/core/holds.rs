//! Pauses and paces that somebody ordered for a while. Each ends by itself.

use chrono::TimeDelta;

use super::words::Moment;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The job; none is all.
    pub job: Option<String>,
    /// `None` is a pause; else a pace in bytes a second, or none.
    pub pace: Option<Option<u64>>,
    /// Until when.
    pub until: Moment,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds(Vec<Hold>);

impl Holds {
    /// Puts one in the place of its like.
    pub fn set(&mut self, hold: Hold) {
        self.0.retain(|other| other.job != hold.job || other.pace.is_some() != hold.pace.is_some());
        self.0.push(hold);
    }

    /// Takes the pause of a job back, or all pauses; says whether there were any.
    pub fn resume(&mut self, job: Option<&str>) -> bool {
        let before = self.0.len();
        self.0.retain(|hold| hold.pace.is_some() || (job.is_some() && hold.job.as_deref() != job));
        self.0.len() < before
    }

    /// Until when a job may not begin.
    pub fn paused_until(&self, job: &str, now: Moment) -> Option<Moment> {
        let pauses = self.of(job, now).filter(|hold| hold.pace.is_none());
        pauses.map(|hold| hold.until).max()
    }

    /// The pace for a job, and until when.
    pub fn pace(&self, job: &str, now: Moment) -> Option<(Option<u64>, Moment)> {
        self.of(job, now).find_map(|hold| Some((hold.pace?, hold.until)))
    }

    /// Those in force.
    pub fn in_force(&self, now: Moment) -> impl Iterator<Item = &Hold> {
        self.0.iter().filter(move |hold| hold.until > now)
    }

    /// Forgets those that have ended.
    pub fn forget(&mut self, now: Moment) {
        self.0.retain(|hold| hold.until > now);
    }

    /// The clock was set.
    pub fn shift(&mut self, by: TimeDelta) {
        self.0.iter_mut().for_each(|hold| hold.until += by);
    }

    fn of(&self, job: &str, now: Moment) -> impl Iterator<Item = &Hold> {
        self.in_force(now).filter(move |hold| hold.job.as_deref().is_none_or(|of| of == job))
    }
}
