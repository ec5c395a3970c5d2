//! What must be true of a year, held against every record that became durable and every run that began.
//!
//! It knows the rules of the clock, and no other of the core's: a clock that is put back by more than three hours was wrong before,
//! and schedules count anew from there; less than that repeats nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use govern::daemon::core::words::{Moment, Planned, Plans};
use govern::ledger::State;
use govern::ledger::occasions::{Cause, Fate, Occasion};

use crate::books::Books;
use crate::reign::{LOOK_BACK, Reign};
use crate::runs::Runs;

/// A clock that goes back further was wrong before.
pub const CORRECTION: TimeDelta = TimeDelta::hours(3);

/// No pause is longer.
const LONGEST_PAUSE: TimeDelta = TimeDelta::days(31);

/// Enough to see what is wrong.
const MOST_WRONG: usize = 1000;

/// Job, due, cause, attempt.
type Key = (String, Moment, Cause, u32);

/// Something that was due, and what became of it.
#[derive(Debug)]
struct Item {
    fate: Fate,
    /// The reign it was due in; 0 for what no schedule asked for.
    reign: u32,
}

impl Item {
    fn is_over(&self) -> bool {
        matches!(self.fate, Fate::Done(_) | Fate::Skipped(_))
    }
}

/// Whoever holds the year against what was due.
#[derive(Debug, Default)]
pub struct Oracle {
    items: BTreeMap<Key, Item>,
    reigns: BTreeMap<String, Reign>,
    last_reign: u32,
    /// Of requests: those of clients that start the run themselves, and those that wait for nobody.
    pub lent: BTreeSet<(String, Moment)>,
    pub at_once: BTreeSet<(String, Moment)>,
    /// Pauses in force: a job or all, until when.
    pauses: BTreeMap<Option<String>, Moment>,
    last: Option<Moment>,
    /// The latest that the clock has shown since it was wrong the last time.
    seen: Moment,
    pub wrong: Vec<String>,
    /// How many of each fate.
    pub tally: BTreeMap<&'static str, u64>,
}

impl Oracle {
    fn say(&mut self, now: Moment, job: &str, text: impl std::fmt::Display) {
        if self.wrong.len() < MOST_WRONG {
            self.wrong.push(format!("{now} {job}: {text}"));
        }
    }

    fn open_reign(&mut self, plan: &Planned, from: Moment) {
        self.last_reign += 1;
        let job = plan.policy.job.to_string();
        self.reigns.insert(job, Reign::new(self.last_reign, plan, from));
    }

    fn close_reign(&mut self, now: Moment, job: &str, until: Moment) {
        let Some(reign) = self.reigns.remove(job) else { return };
        for due in reign.left_out(until) {
            // What waits, or is under way, since before the clock was put back is this very one.
            let earlier = |cause| self.items.get(&(job.to_owned(), due, cause, 1)).map(|item| item.reign);
            let of_before = |cause| earlier(cause).is_some_and(|number| number < reign.number);
            if !of_before(Cause::Schedule) && !of_before(Cause::Missed) {
                let (triggers, zone) = (&reign.schedule.triggers, reign.schedule.zone);
                let what =
                    format!("what was due at {due} is not accounted for ({triggers:?} in {zone}, until {until})");
                self.say(now, job, what);
            }
        }
    }

    /// A daemon comes, and finds these books.
    pub fn came(&mut self, now: Moment, plans: &Plans, books: &Books) {
        for gone in self.reigns.keys().filter(|job| !plans.jobs.contains_key(*job)).cloned().collect::<Vec<_>>() {
            let known = books.considered(&gone).map_or(now, |(us, _)| moment(*us));
            self.close_reign(now, &gone, known);
        }
        for (job, plan) in &plans.jobs {
            let known = books.considered(job).map(|(us, _)| moment(*us));
            let same = self.reigns.get(job).is_some_and(|reign| reign.is_of(plan));
            let corrected = known.is_some_and(|known| known - now > CORRECTION);
            if !same || corrected {
                self.close_reign(now, job, known.unwrap_or(now));
                self.open_reign(plan, if corrected { now } else { known.unwrap_or(now) });
            }
        }
        // Those whose schedules count on from what was known are asked about no more than what this daemon has looked at.
        self.looked(now);
        self.seen = now;
        let ahead = books.latest().map_or(TimeDelta::zero(), |latest| moment(latest) - now);
        if ahead > CORRECTION {
            self.pauses.values_mut().for_each(|until| *until -= ahead);
        }
        self.pauses.values_mut().for_each(|until| *until = (*until).min(now + LONGEST_PAUSE));
        self.last = Some(now);
    }

    /// The core was told this time, before anything else.
    pub fn clock(&mut self, now: Moment, plans: &Plans) {
        let back = self.last.map_or(TimeDelta::zero(), |last| last - now);
        self.last = Some(now);
        if back <= CORRECTION {
            return;
        }
        for until in self.pauses.values_mut() {
            *until -= back;
        }
        for job in self.reigns.keys().cloned().collect::<Vec<_>>() {
            self.close_reign(now, &job, self.seen);
            if let Some(plan) = plans.jobs.get(&job) {
                self.open_reign(plan, now);
            }
        }
        self.seen = now;
    }

    /// All that was due up to here has been looked at.
    pub fn looked(&mut self, now: Moment) {
        if now - self.seen > LOOK_BACK {
            self.reigns.values_mut().for_each(|reign| reign.excuse(now - LOOK_BACK));
        }
        self.seen = self.seen.max(now);
    }

    /// The policies are these from now on.
    pub fn planned(&mut self, now: Moment, plans: &Plans) {
        for gone in self.reigns.keys().filter(|job| !plans.jobs.contains_key(*job)).cloned().collect::<Vec<_>>() {
            self.close_reign(now, &gone, now);
        }
        for (job, plan) in &plans.jobs {
            if !self.reigns.get(job).is_some_and(|reign| reign.is_of(plan)) {
                self.close_reign(now, job, now);
                self.open_reign(plan, now);
            }
        }
    }

    /// A pause, or its end.
    pub fn paused(&mut self, job: Option<String>, until: Option<Moment>) {
        match (until, job) {
            (Some(until), job) => drop(self.pauses.insert(job, until)),
            (None, None) => self.pauses.clear(),
            (None, job) => drop(self.pauses.remove(&job)),
        }
    }

    /// A record became durable.
    pub fn record(&mut self, now: Moment, it: &Occasion, runs: &Runs) {
        let due = moment(it.due_us);
        let key = (it.job.clone(), due, it.cause, it.attempt);
        let shown = format!("due {due} ({} {})", it.cause.word(), it.attempt);
        match &it.fate {
            Fate::Queued => {}
            Fate::Started(_) => *self.tally.entry("started").or_default() += 1,
            Fate::Done(_) => *self.tally.entry("done").or_default() += 1,
            Fate::Skipped(why) => {
                *self.tally.entry("skipped").or_default() += u64::from(it.count);
                if why.trim().is_empty() {
                    self.say(now, &it.job, format!("{shown} is skipped without a reason"));
                }
            }
        }
        if let Some(item) = self.items.get_mut(&key).filter(|item| !item.is_over()) {
            let before = std::mem::replace(&mut item.fate, it.fate.clone());
            if let Err(why) = follows(&before, &it.fate, runs) {
                self.say(now, &it.job, format!("{shown}: {why}"));
            }
            return;
        }
        let reign = match self.begins(it, due, runs) {
            Ok(reign) => reign,
            Err(why) => return self.say(now, &it.job, format!("{shown} {why}: {:?}", it.fate)),
        };
        if matches!(it.fate, Fate::Done(_)) {
            self.say(now, &it.job, format!("{shown} was done before it was started"));
        }
        self.items.insert(key, Item { fate: it.fate.clone(), reign });
    }

    /// Whether something may be due now; its reign.
    fn begins(&mut self, it: &Occasion, due: Moment, runs: &Runs) -> Result<u32, String> {
        match (it.cause, it.attempt) {
            (Cause::Schedule | Cause::Missed, 1) => {
                let reign = self.reigns.get_mut(&it.job).ok_or("is of no job")?;
                match it.count {
                    1 => reign.account(due)?,
                    count if matches!(it.fate, Fate::Skipped(_)) => {
                        reign.account_for_all(due, moment(it.until_us), count)?;
                    }
                    _ => return Err("stands for several that are not skipped".to_owned()),
                }
                Ok(reign.number)
            }
            (Cause::Request | Cause::Attended | Cause::Boot, 1) => Ok(0),
            (Cause::Retry, 2..) => {
                let before = it.attempt - 1;
                let of = |cause| self.items.get(&(it.job.clone(), due, cause, before)).filter(|item| item.is_over());
                let causes = [Cause::Retry, Cause::Schedule, Cause::Missed, Cause::Boot];
                let failed = causes.into_iter().filter_map(of).any(|item| has_failed(&item.fate, runs));
                if failed { Ok(0) } else { Err("follows nothing that failed".to_owned()) }
            }
            _ => Err("has a number that cannot be".to_owned()),
        }
    }

    /// A run is started, by the daemon or by a client.
    pub fn starts(&mut self, now: Moment, it: &Occasion, lent: bool, plans: &Plans, runs: &Runs) {
        let (job, due) = (&it.job, moment(it.due_us));
        let Some(plan) = plans.jobs.get(job) else { return self.say(now, job, "is started without a policy") };
        let asked = (job.clone(), due);
        let (requested, at_once) =
            (matches!(it.cause, Cause::Request | Cause::Attended), self.at_once.contains(&asked));
        let mut wrong = vec![];
        if runs.under_way().any(|(_, run)| run.job == *job) {
            wrong.push("is started while a run of it is under way".to_owned());
        }
        if requested && !lent && self.lent.contains(&asked) {
            wrong.push("is started by the daemon for a client that has gone".to_owned());
        }
        if moment(it.not_before_us) > now {
            wrong.push("is started before its time".to_owned());
        }
        if !at_once {
            let taken = |disk: &String| runs.under_way().any(|(_, run)| run.disks.contains(disk));
            if plan.policy.admission.heavy && plan.disks.iter().any(taken) {
                wrong.push("is the second heavy run on a disk".to_owned());
            }
            if runs.under_way().count() >= plans.max_running as usize {
                wrong.push(format!("is more than {} runs at once", plans.max_running));
            }
            let pauses = [None, Some(job.clone())].map(|of| self.pauses.get(&of).copied());
            if pauses.into_iter().flatten().max().is_some_and(|until| until > now) {
                wrong.push("is started in a pause".to_owned());
            }
            if !requested && !plan.policy.schedule.is_open(now) {
                wrong.push("is started outside its window".to_owned());
            }
        }
        for what in wrong {
            self.say(now, job, what);
        }
    }

    /// Whether somebody's request is known.
    pub fn knows_request(&self, job: &str, at: Moment) -> bool {
        [Cause::Request, Cause::Attended].iter().any(|cause| self.items.contains_key(&(job.to_owned(), at, *cause, 1)))
    }

    /// The year is over: nothing is open any more.
    pub fn end(&mut self, now: Moment) {
        for job in self.reigns.keys().cloned().collect::<Vec<_>>() {
            self.close_reign(now, &job, self.seen);
        }
        let open: Vec<String> = self
            .items
            .iter()
            .filter(|(_, item)| !item.is_over())
            .map(|((job, due, cause, attempt), item)| {
                format!("{job}: due {due} ({} {attempt}) is still {:?}", cause.word(), item.fate)
            })
            .collect();
        for text in open {
            self.say(now, "in the end", text);
        }
    }
}

/// Whether this may become of something after that.
fn follows(before: &Fate, after: &Fate, runs: &Runs) -> Result<(), String> {
    let began = |run: &String| runs.get(run).is_some();
    let end = |run: &String| runs.get(run).and_then(|run| run.end.as_ref());
    let turned_away = |run: &String| end(run).is_some_and(|end| end.state == State::Skipped);
    match (before, after) {
        (Fate::Queued, Fate::Done(run)) => Err(format!("run `{run}` was never started")),
        (Fate::Queued, _) => Ok(()),
        (Fate::Started(old), Fate::Done(new)) if old != new => Err(format!("`{old}` was started, `{new}` is done")),
        (Fate::Started(_), Fate::Done(_)) => Ok(()),
        (Fate::Started(old), Fate::Skipped(_)) if turned_away(old) => Ok(()),
        (Fate::Started(old), Fate::Queued | Fate::Started(_) | Fate::Skipped(_)) if began(old) => {
            Err(format!("run `{old}` began, and then it was {after:?}"))
        }
        (Fate::Started(_), _) => Ok(()),
        (Fate::Done(_) | Fate::Skipped(_), _) => Err("it was over".to_owned()),
    }
}

/// A run that never began has failed, too.
fn has_failed(fate: &Fate, runs: &Runs) -> bool {
    if let Fate::Skipped(why) = fate {
        return why.contains("could not be started") || why.contains("was turned away");
    }
    let Fate::Done(run) = fate else { return false };
    let Some(end) = runs.get(run).and_then(|run| run.end.as_ref()) else { return true };
    matches!(end.state, State::Failed | State::Interrupted) || end.code == 75
}

/// µs since 1970.
pub fn moment(us: i64) -> Moment {
    Moment::from_timestamp_micros(us).unwrap()
}
