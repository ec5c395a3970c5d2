//! What is to be started, when, and what becomes of it: a pure function of what is told, and of what was told before.
//!
//! ```text
//!            due ──▶ waiting ──▶ admission ──▶ running ──▶ retry ──▶ waiting
//! schedule ───┘         ▲ orders                 │ ended
//! ```
//!
//! The core reads no clock, no file and no machine: [`Core::step`] is told the time with everything else, and answers with what is to
//! be done. So a year of nights passes in a test within seconds.
//!
//! Invariants: whatever was due is started once, or is recorded as skipped with its reason; of two runs of one job the second waits;
//! a record comes before what it records.
//!
//! - [`due`]: which runs of a schedule are due, and which were missed
//! - [`admission`]: whose turn it is
//! - [`retry`]: what follows a run that did not succeed
//! - [`holds`]: pauses and paces by hand
//! - [`restart`]: from what was written down to a core

pub mod admission;
pub mod due;
pub mod entry;
pub mod holds;
pub mod job;
mod orders;
pub mod restart;
pub mod retry;
mod view;
pub mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::config::admission::Overlap;
use crate::ledger::State;
use crate::ledger::occasions::{Cause, Fate, Occasion, Record};
use crate::run::event;
use crate::schedule::{Missed, jitter};

use admission::{Kind, LOOK_AGAIN, Scene, Verdict, Wait, judge};
use due::{Dues, Skipped, dues, lived_through};
use entry::{Key, Running, Waiting};
use holds::Holds;
use job::Job;
use retry::{Attempt, Next};
use words::{Client, Climate, Input, Manner, Moment, Output, Planned, Plans, RunEnd};

/// A clock that goes back further than this was wrong before: cron's limit, too. What was looked at in its wrong future is forgotten.
const CORRECTION: TimeDelta = TimeDelta::hours(3);

/// Names runs.
pub type Names = Box<dyn FnMut(Moment) -> String + Send>;

/// The whole of it.
pub struct Core {
    names: Names,
    boot: String,
    plans: Plans,
    jobs: BTreeMap<String, Job>,
    /// When each job is due next, the earliest first.
    ahead: BTreeSet<(Moment, String)>,
    waiting: Vec<Waiting>,
    running: BTreeMap<String, Running>,
    holds: Holds,
    climate: Option<Climate>,
    wants_climate: Option<Moment>,
    look_again: Option<Moment>,
    last: Moment,
    /// What is new in `waiting` and not yet written down.
    fresh: BTreeSet<Key>,
}

impl Core {
    /// Takes note of something, and says what is to be done.
    pub fn step(&mut self, now: Moment, input: Input<'_>) -> Vec<Output> {
        let mut out = vec![];
        self.follow_clock(now, &mut out);
        match input {
            Input::Tick => {}
            Input::Climate(climate) => self.climate = Some(climate),
            Input::Plans(plans) => self.adopt(now, plans, &mut out),
            Input::Disks(disks) => self.learn_disks(disks),
            Input::Hears { run } => self.hears(now, run, &mut out),
            Input::Ended { run, end } => self.ended(now, run, &end, &mut out),
            Input::NeverBegan { run, why } => self.never_began(now, run, &why, &mut out),
            Input::Order { client, order } => self.obey(now, client, order, &mut out),
            Input::Gone { client } => self.gone(now, client, &mut out),
        }
        self.note_what_is_due(now, &mut out);
        self.admit(now, &mut out);
        out
    }

    /// When to be asked again if nothing happens before.
    pub fn wake_at(&self) -> Option<Moment> {
        let next = self.ahead.first().map(|(at, _)| *at);
        [next, self.look_again].into_iter().flatten().min()
    }

    /// When somebody at the start gate wants to know how busy the machine is.
    pub fn wants_climate(&self) -> Option<Moment> {
        self.wants_climate
    }

    /// A clock that was put back a little repeats nothing, for what was looked at stays so; one that was put back far was wrong before.
    fn follow_clock(&mut self, now: Moment, out: &mut Vec<Output>) {
        let back = self.last - now;
        self.last = now;
        // What was seen at a time that is yet to come is no news of the machine any more.
        self.climate = self.climate.filter(|climate| climate.at <= now);
        if back <= CORRECTION {
            return;
        }
        say(out, None, true, format!("the clock went back by {} h: schedules begin anew from here", back.num_hours()));
        self.holds.shift(-back);
        out.extend(self.holds.in_force(now).map(orders::held));
        for entry in &mut self.waiting {
            entry.not_before -= back;
            entry.patient_since = entry.patient_since.map(|since| since - back);
            // Whoever comes after this daemon knows nothing of the wrong time.
            self.fresh.insert(entry.key());
        }
        for running in self.running.values_mut() {
            running.since -= back;
        }
        for (name, job) in &mut self.jobs {
            job.dealt_with = job.dealt_with.max(Some(job.considered));
            job.considered = now;
            job.last_good = job.last_good.map(|good| good.min(now));
            out.push(considered(name, now, &self.boot));
        }
        self.look_ahead();
    }

    /// Finds out anew when each job is due.
    fn look_ahead(&mut self) {
        self.ahead.clear();
        for (name, job) in &mut self.jobs {
            let Some(plan) = self.plans.jobs.get(name) else { continue };
            job.look_ahead(plan);
            self.ahead.extend(job.next.map(|next| (next, name.clone())));
        }
    }

    /// From now on these are the policies. A schedule that is new or has changed counts from now; what it asked for before was due.
    fn adopt(&mut self, now: Moment, plans: Plans, out: &mut Vec<Output>) {
        self.note_what_is_due(now, out);
        let before = std::mem::replace(&mut self.plans, plans);
        for (name, plan) in &self.plans.jobs {
            let same = before.jobs.get(name).is_some_and(|old| old.policy.schedule == plan.policy.schedule);
            // One that could not be used goes on where it was: what it missed meanwhile was missed.
            let back = !before.jobs.contains_key(name) && self.jobs.contains_key(name);
            if !same && !back {
                let last_good = self.jobs.get(name).and_then(|job| job.last_good);
                self.jobs.insert(name.clone(), Job::new(now, last_good));
                out.push(considered(name, now, &self.boot));
            }
        }
        let plans = &self.plans;
        self.jobs.retain(|name, _| !plans.know_nothing_of(name));
        let waiting = std::mem::take(&mut self.waiting);
        let (orphans, kept) = waiting.into_iter().partition::<Vec<_>, _>(|entry| plans.know_nothing_of(&entry.job));
        self.waiting = kept;
        for entry in orphans {
            self.skip(now, &entry, "its policy is gone".to_owned(), out);
        }
        self.look_ahead();
    }

    fn learn_disks(&mut self, disks: BTreeMap<String, BTreeSet<String>>) {
        for (job, disks) in disks {
            if let Some(plan) = self.plans.jobs.get_mut(&job) {
                plan.disks = disks;
            }
        }
    }

    /// Puts into the queue what has become due.
    fn note_what_is_due(&mut self, now: Moment, out: &mut Vec<Output>) {
        while self.ahead.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, name)) = self.ahead.pop_first() else { return };
            let (Some(plan), Some(job)) = (self.plans.jobs.get(&name).cloned(), self.jobs.get(&name)) else { continue };
            let (considered_before, since) = (job.considered, job.since(now));
            let before = (since > considered_before).then(|| {
                // What is under way since then is not skipped.
                let known = |due| self.knows(&Waiting::new(&name, due, Cause::Schedule));
                lived_through(&plan.policy.schedule, plan.delay, considered_before, since, known)
            });
            let Some(job) = self.jobs.get_mut(&name) else { continue };
            let found = dues(&plan.policy.schedule, plan.delay, since, now);
            job.considered = now;
            job.look_ahead(&plan);
            self.ahead.extend(job.next.map(|next| (next, name.clone())));
            out.push(considered(&name, now, &self.boot));
            if let Some(skipped) = before.flatten() {
                skip_all(now, &name, &skipped, out);
            }
            self.line_up(now, &name, &plan, found, out);
        }
    }

    fn line_up(&mut self, now: Moment, name: &str, plan: &Planned, found: Dues, out: &mut Vec<Output>) {
        if let Some(skipped) = found.skipped {
            skip_all(now, name, &skipped, out);
        }
        let within = self.plans.catch_up_within.to_std().unwrap_or_default();
        for due in found.missed {
            let later = now + jitter::delay("catch up", name, within);
            let why = "it was missed; runs that were missed begin one after the other".to_owned();
            let entry = Waiting { not_before: later, why, ..Waiting::new(name, due, Cause::Missed) };
            if plan.policy.schedule.missed == Missed::All {
                if !self.knows(&entry) {
                    self.enqueue(entry);
                }
            } else if let Some(entry) = self.take_turn(now, plan, entry, out) {
                self.enqueue(entry);
            }
        }
        for due in found.now {
            self.due_now(now, plan, Waiting::new(name, due, Cause::Schedule), out);
        }
    }

    /// A clock that was put back may find it waiting, or under way, since before that: then it is that very one.
    fn knows(&self, entry: &Waiting) -> bool {
        let under_way = self.running.values().filter_map(|running| running.due.as_ref());
        self.waiting.iter().chain(under_way).any(|known| known.is(entry))
    }

    /// Of what waits of one job, this does for what failed and for what was missed; and what else waits does for this. `None`: it
    /// will not be run.
    fn take_turn(&mut self, now: Moment, plan: &Planned, entry: Waiting, out: &mut Vec<Output>) -> Option<Waiting> {
        if self.knows(&entry) {
            return None;
        }
        let does_for = |other: &Waiting| match other.cause {
            Cause::Retry => true,
            Cause::Missed => plan.policy.schedule.missed != Missed::All,
            Cause::Schedule | Cause::Boot | Cause::Request | Cause::Attended => false,
        };
        let waiting = std::mem::take(&mut self.waiting);
        let (covered, kept): (Vec<_>, _) =
            waiting.into_iter().partition(|other| other.job == entry.job && does_for(other));
        self.waiting = kept;
        for other in covered {
            self.skip(now, &other, "the next one is due".to_owned(), out);
        }
        // A request may be taken back, and its client go away: it stands for no run of the schedule.
        let before = |other: &&Waiting| other.cause != Cause::Missed && !other.is_request();
        if self.waiting.iter().filter(before).any(|other| other.job == entry.job) {
            self.skip(now, &entry, "the one before it still waits".to_owned(), out);
            return None;
        }
        Some(entry)
    }

    /// The schedule says so, now: what of the same job waits or is under way decides.
    fn due_now(&mut self, now: Moment, plan: &Planned, entry: Waiting, out: &mut Vec<Output>) {
        let Some(entry) = self.take_turn(now, plan, entry, out) else { return };
        let mut of_job = self.running.values_mut().filter(|running| running.job == entry.job);
        // A check or a restore of its artifacts is not what the next one overlaps with: it waits for those.
        let Some(running) = of_job.find(|running| running.backs_up) else { return self.enqueue(entry) };
        match plan.policy.admission.overlap {
            Overlap::Skip => {
                let why = format!("run `{}` is still under way", running.run);
                self.skip(now, &entry, why, out);
            }
            Overlap::Queue => self.enqueue(entry),
            Overlap::Replace => {
                if !std::mem::replace(&mut running.ending, true) {
                    if running.hears {
                        out.push(Output::Give { run: running.run.clone(), order: event::Order::Cancel, tell: None });
                    }
                    say(out, Some(&entry.job), false, format!("run `{}` makes way for the next one", running.run));
                }
                self.enqueue(entry);
            }
        }
    }

    fn enqueue(&mut self, entry: Waiting) {
        self.fresh.insert(entry.key());
        self.waiting.push(entry);
    }

    /// It will not be run.
    fn skip(&mut self, now: Moment, entry: &Waiting, why: String, out: &mut Vec<Output>) {
        self.fresh.remove(&entry.key());
        say(out, Some(&entry.job), false, format!("the run due at {} is skipped: {why}", self.shown(entry)));
        if let Some(job) = self.jobs.get_mut(&entry.job) {
            job.skipped = Some(why.clone());
        }
        out.push(Output::Record(Record::Occasion(entry.occasion(Fate::Skipped(why.clone()), now))));
        if let Some(client) = entry.client {
            out.push(orders::not_run(client, &entry.job, &why));
        }
    }

    /// Lets everybody begin whose turn it is.
    fn admit(&mut self, now: Moment, out: &mut Vec<Output>) {
        (self.look_again, self.wants_climate) = (None, None);
        self.holds.forget(now);
        let order = |entry: &Waiting| {
            let priority = self.plans.jobs.get(&entry.job).map_or(0, |plan| plan.policy.admission.priority);
            (!entry.at_once, std::cmp::Reverse(priority), entry.due, entry.job.clone())
        };
        self.waiting.sort_by_cached_key(order);
        let mut spoken_for = BTreeSet::new();
        let queue = std::mem::take(&mut self.waiting);
        let mut queued: BTreeSet<String> = queue.iter().map(|entry| entry.job.clone()).collect();
        for mut entry in queue {
            let Some(plan) = self.plans.jobs.get(&entry.job) else {
                entry.why = "its policy has errors".to_owned();
                self.waiting.push(entry);
                continue;
            };
            queued.remove(&entry.job);
            let scene = Scene {
                now,
                plans: &self.plans,
                jobs: &self.jobs,
                running: &self.running,
                holds: &self.holds,
                climate: self.climate,
                queued: std::mem::take(&mut queued),
                spoken_for: std::mem::take(&mut spoken_for),
            };
            let verdict = judge(&entry, plan, &scene);
            (queued, spoken_for) = (scene.queued, scene.spoken_for);
            match verdict {
                Verdict::Go(manner) => {
                    let plan = plan.clone();
                    self.begin(now, entry, &plan, manner, out);
                }
                Verdict::Skip(why) => {
                    say(out, Some(&entry.job), true, format!("not run: {why}"));
                    self.skip(now, &entry, why, out);
                }
                Verdict::Wait(wait) => {
                    if wait.claims {
                        spoken_for.extend(plan.disks.iter().cloned());
                    }
                    queued.insert(entry.job.clone());
                    self.keep_waiting(now, &mut entry, wait, out);
                    self.waiting.push(entry);
                }
            }
        }
        self.write_down_what_waits(now, out);
    }

    fn keep_waiting(&mut self, now: Moment, entry: &mut Waiting, wait: Wait, out: &mut Vec<Output>) {
        entry.patient_since = if wait.patient { entry.patient_since.or(Some(now)) } else { None };
        if let Some(client) = entry.client.filter(|_| entry.why != wait.why && wait.kind != Kind::Look) {
            out.push(orders::waits(client, &wait.why));
        }
        // The log is told what it waits for, not how that goes on: a thousand may wait for one.
        if wait.kind != Kind::Look && entry.told.replace(wait.kind) != Some(wait.kind) {
            say(out, Some(&entry.job), false, format!("waits: {}", wait.why));
        }
        entry.why = wait.why;
        if wait.climate {
            let at = self.climate.map_or(now, |climate| (climate.at + LOOK_AGAIN).max(now));
            self.wants_climate = Some(self.wants_climate.map_or(at, |other| other.min(at)));
        }
        self.look_again = [self.look_again, wait.until.filter(|until| *until > now)].into_iter().flatten().min();
    }

    fn begin(&mut self, now: Moment, entry: Waiting, plan: &Planned, manner: Manner, out: &mut Vec<Output>) {
        self.fresh.remove(&entry.key());
        let run = (self.names)(now);
        out.push(Output::Record(Record::Occasion(entry.occasion(Fate::Started(run.clone()), now))));
        match entry.client {
            Some(client) => out.push(Output::Lend { run: run.clone(), client }),
            None => out.push(Output::Start { run: run.clone(), policy: plan.policy.clone(), manner }),
        }
        if let Some(job) = self.jobs.get_mut(&entry.job) {
            job.skipped = None;
        }
        let disks = if plan.policy.admission.heavy { plan.disks.clone() } else { BTreeSet::new() };
        let job = entry.job.clone();
        let running = Running {
            run: run.clone(),
            job,
            disks,
            since: now,
            due: Some(entry),
            ending: false,
            hears: false,
            backs_up: true,
        };
        self.running.insert(run, running);
    }

    fn write_down_what_waits(&mut self, now: Moment, out: &mut Vec<Output>) {
        let fresh = std::mem::take(&mut self.fresh);
        if fresh.is_empty() {
            return;
        }
        // What a client asked for that starts the run itself is wanted as long as it is there: the next daemon does not know it.
        for entry in self.waiting.iter().filter(|entry| entry.client.is_none()) {
            if fresh.contains(&entry.key()) {
                out.push(Output::Record(Record::Occasion(entry.occasion(Fate::Queued, now))));
            }
        }
    }

    fn ended(&mut self, now: Moment, run: &str, end: &RunEnd, out: &mut Vec<Output>) {
        let Some(running) = self.running.remove(run) else { return };
        if running.backs_up
            && matches!(end.state, State::Ok | State::Warning)
            && let Some(job) = self.jobs.get_mut(&running.job)
        {
            job.last_good = job.last_good.max(Some(end.at.min(now)));
        }
        let Some(entry) = running.due else { return };
        // A run that was turned away at the door did nothing: that is no end, but a reason.
        let fate = match end.state {
            State::Skipped => {
                Fate::Skipped(format!("run `{run}` was turned away: another one of this job was under way"))
            }
            _ => Fate::Done(run.to_owned()),
        };
        out.push(Output::Record(Record::Occasion(entry.occasion(fate, now))));
        // An end in a time that turned out to be wrong is no reason to wait until then.
        let end = &RunEnd { at: end.at.min(now), ..end.clone() };
        self.follow_up(&entry, end, out);
    }

    /// What follows a run that did not succeed.
    fn follow_up(&mut self, entry: &Waiting, end: &RunEnd, out: &mut Vec<Output>) {
        let (Some(plan), Some(job)) = (self.plans.jobs.get(&entry.job), self.jobs.get(&entry.job)) else { return };
        if entry.is_request() {
            return;
        }
        let attempt = Attempt { number: entry.attempt, failures: entry.failures, due: entry.due, next_due: job.next };
        match retry::after(end, attempt, &plan.policy.retry) {
            Next::Nothing => {}
            Next::GivenUp(why) => say(out, Some(&entry.job), true, format!("not tried again: {why}")),
            Next::Again { at, failures, why } => {
                let number = entry.attempt + 1;
                let why = format!("attempt {number} after one that ended {why}");
                let again = Waiting::new(&entry.job, entry.due, Cause::Retry);
                self.enqueue(Waiting { attempt: number, failures, not_before: at, why, ..again });
            }
        }
    }

    fn never_began(&mut self, now: Moment, run: &str, why: &str, out: &mut Vec<Output>) {
        let Some(running) = self.running.remove(run) else { return };
        if let Some(entry) = running.due.as_ref().filter(|entry| entry.client.is_some()) {
            return self.skip(now, &Waiting { client: None, ..entry.clone() }, why.to_owned(), out);
        }
        let why = format!("run `{run}` could not be started: {why}");
        say(out, Some(&running.job), true, why.clone());
        let Some(entry) = running.due else { return };
        out.push(Output::Record(Record::Occasion(entry.occasion(Fate::Skipped(why), now))));
        let end = RunEnd { state: State::Failed, code: crate::exit::Exit::Internal.code(), at: now };
        self.follow_up(&entry, &end, out);
    }

    /// Who waited for a run of its own has gone.
    fn gone(&mut self, now: Moment, client: Client, out: &mut Vec<Output>) {
        let waiting = std::mem::take(&mut self.waiting);
        let (gone, kept): (Vec<_>, _) = waiting.into_iter().partition(|entry| entry.client == Some(client));
        self.waiting = kept;
        for entry in gone {
            self.skip(now, &Waiting { client: None, ..entry }, "who asked for it went away".to_owned(), out);
        }
    }

    /// A run hears orders now: what was ordered for its job holds for it, too.
    fn hears(&mut self, now: Moment, run: &str, out: &mut Vec<Output>) {
        let Some(running) = self.running.get_mut(run) else { return };
        running.hears = true;
        let left = |until: Moment| u64::try_from((until - now).num_seconds()).unwrap_or(1).max(1);
        let pace = self.holds.pace(&running.job, now);
        let pace = pace.map(|(rate, until)| event::Order::Throttle { rate, seconds: left(until) });
        let pause = self.holds.paused_until(&running.job, now);
        let pause = pause.map(|until| event::Order::Pause { seconds: left(until) });
        let cancel = running.ending.then_some(event::Order::Cancel);
        for order in [pace, pause, cancel].into_iter().flatten() {
            out.push(Output::Give { run: run.to_owned(), order, tell: None });
        }
    }
}

fn considered(job: &str, at: Moment, boot: &str) -> Output {
    let (job, boot) = (job.to_owned(), boot.to_owned());
    Output::Record(Record::Considered { job, at_us: at.timestamp_micros(), boot })
}

/// Several runs will not be run.
fn skip_all(now: Moment, name: &str, skipped: &Skipped, out: &mut Vec<Output>) {
    let Skipped { first, last, count, why } = skipped;
    let first = Waiting::new(name, *first, Cause::Schedule);
    let occasion = Occasion {
        until_us: last.timestamp_micros(),
        count: *count,
        ..first.occasion(Fate::Skipped((*why).to_owned()), now)
    };
    out.push(Output::Record(Record::Occasion(occasion)));
    say(out, Some(name), false, format!("skipped {count} of its runs: {why}"));
}

fn say(out: &mut Vec<Output>, job: Option<&str>, alert: bool, text: String) {
    out.push(Output::Say { job: job.map(str::to_owned), alert, text });
}
