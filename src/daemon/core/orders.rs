//! Orders of clients.

use super::Core;
use super::entry::Waiting;
use super::holds::Hold;
use super::words::{Client, Moment, Output, done, refused};
use crate::config::units::{Rate, Span};
use crate::daemon::protocol::{Answer, Order};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ledger::occasions::{Cause, Record};
use crate::run::event;
use chrono::TimeDelta;

/// A pause or a pace by hand lasts at most so long: 31 days.
pub(super) const LONGEST: TimeDelta = TimeDelta::days(31);

/// A client hears why its run does not begin.
pub(super) fn waits(client: Client, why: &str) -> Output {
    Output::Answer { client, answer: Answer::Waiting { why: why.to_owned() } }
}

/// A client hears that its run will not begin.
pub(super) fn not_run(client: Client, job: &str, why: &str) -> Output {
    refused(client, Failure::new(Exit::NotNow, format!("job `{job}` is not run: {why}")))
}

/// A pause or a pace as it is written down.
pub(super) fn held(hold: &Hold) -> Output {
    let (job, pace, until_us) = (hold.job.clone(), hold.pace, hold.until.timestamp_micros());
    Output::Record(Record::Held { job, pace, until_us })
}

impl Core {
    /// Does what was ordered, or says why not.
    pub(super) fn obey(&mut self, now: Moment, client: Client, order: &Order, out: &mut Vec<Output>) {
        if let Some(job) = named(order)
            && !self.plans.jobs.contains_key(job)
            && !self.running.values().any(|running| running.job == *job)
        {
            let failure = Failure::new(Exit::Usage, format!("there is no job `{job}`"));
            return out.push(refused(client, failure.hint("`govern status` shows those there are")));
        }
        match order {
            Order::Run { job } => self.ask_for(now, job, None, false, client, out),
            Order::Admit { job, at_once } => self.ask_for(now, job, Some(client), *at_once, client, out),
            Order::Cancel { job, now: at_once } => self.cancel(now, client, job, *at_once, out),
            Order::Pause { job, seconds } => self.pause(now, client, job.as_deref(), *seconds, out),
            Order::Resume { job } => self.resume(client, job.as_deref(), out),
            Order::Throttle { job, rate, seconds } => self.throttle(now, client, job, *rate, *seconds, out),
            Order::Reload => out.push(Output::Reload { client }),
        }
    }

    fn ask_for(
        &mut self,
        now: Moment,
        job: &str,
        lent: Option<Client>,
        at_once: bool,
        client: Client,
        out: &mut Vec<Output>,
    ) {
        if !self.plans.jobs.contains_key(job) {
            return out.push(not_run(client, job, "it has no policy any more"));
        }
        if let Some(running) = self.running.values().find(|running| running.job == job) {
            let failure =
                Failure::new(Exit::NotNow, format!("job `{job}` is busy: run `{}` is under way", running.run));
            return out.push(refused(client, failure.hint("wait for it, or `govern cancel` it")));
        }
        let cause = if lent.is_some() { Cause::Attended } else { Cause::Request };
        self.enqueue(Waiting { client: lent, at_once, ..Waiting::new(job, now, cause) });
        if lent.is_none() {
            out.push(done(client, format!("job {job} is in the queue: `govern status` shows its turn")));
        }
    }

    fn cancel(&mut self, now: Moment, client: Client, job: &str, at_once: bool, out: &mut Vec<Output>) {
        let waiting = std::mem::take(&mut self.waiting);
        let (gone, kept): (Vec<_>, _) = waiting.into_iter().partition(|entry| entry.job == job);
        self.waiting = kept;
        let unqueued = gone.len();
        for entry in gone {
            self.skip(now, &entry, "cancelled".to_owned(), out);
        }
        let order = if at_once { event::Order::Kill } else { event::Order::Cancel };
        let Some(running) = self.running.values_mut().find(|running| running.job == job) else {
            return out.push(match unqueued {
                0 => refused(
                    client,
                    Failure::new(Exit::Usage, format!("no run of job `{job}` is under way, and none waits"))
                        .hint("`govern status` shows what is"),
                ),
                _ => done(client, format!("job {job} is out of the queue")),
            });
        };
        running.ending = true;
        let text = format!("1 run of job {job} is told to end");
        if running.hears {
            out.push(Output::Give { run: running.run.clone(), order, tell: Some((client, text)) });
        } else {
            // It is told as soon as it hears.
            out.push(done(client, text));
        }
    }

    fn pause(&mut self, now: Moment, client: Client, job: Option<&str>, seconds: u64, out: &mut Vec<Output>) {
        let Some(until) = until(now, seconds) else { return out.push(too_long(client)) };
        self.hold(Hold { job: job.map(str::to_owned), pace: None, until }, out);
        let runs = self.order_to(job, event::Order::Pause { seconds: seconds.max(1) }, out);
        let whose = job.map_or_else(String::new, |job| format!(" of job {job}"));
        let span = Span(std::time::Duration::from_secs(seconds));
        let also = if runs > 0 { ", and what is under way stands still" } else { "" };
        out.push(done(client, format!("nothing{whose} begins for {span}{also}")));
    }

    fn resume(&mut self, client: Client, job: Option<&str>, out: &mut Vec<Output>) {
        let held = self.holds.resume(job);
        out.push(Output::Record(Record::Released { job: job.map(str::to_owned) }));
        let runs = self.order_to(job, event::Order::Resume, out);
        let whose = job.map_or_else(|| "every job".to_owned(), |job| format!("job {job}"));
        out.push(match (held, runs, job) {
            (false, 0, Some(job)) => refused(
                client,
                Failure::new(Exit::Usage, format!("job `{job}` is not paused"))
                    .hint("a pause of all jobs ends with `govern resume --all`"),
            ),
            (false, 0, None) => refused(client, Failure::new(Exit::Usage, "nothing is paused")),
            _ => done(client, format!("{whose} goes on")),
        });
    }

    fn throttle(
        &mut self,
        now: Moment,
        client: Client,
        job: &str,
        rate: Option<u64>,
        seconds: u64,
        out: &mut Vec<Output>,
    ) {
        let Some(until) = until(now, seconds) else { return out.push(too_long(client)) };
        self.hold(Hold { job: Some(job.to_owned()), pace: Some(rate), until }, out);
        let runs = self.order_to(Some(job), event::Order::Throttle { rate, seconds: seconds.max(1) }, out);
        let pace = rate.and_then(Rate::per_second).map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
        let span = Span(std::time::Duration::from_secs(seconds));
        let whose = if runs > 0 { "the run" } else { "a run that begins meanwhile" };
        out.push(done(client, format!("{whose} of job {job} has a pace of {pace} for at most {span}")));
    }

    fn hold(&mut self, hold: Hold, out: &mut Vec<Output>) {
        out.push(held(&hold));
        self.holds.set(hold);
    }

    /// Passes an order on to the runs of a job, or to all; says to how many. One that does not hear yet is told when it does.
    fn order_to(&self, job: Option<&str>, order: event::Order, out: &mut Vec<Output>) -> usize {
        let runs = self.running.values().filter(|running| job.is_none_or(|job| running.job == job));
        let mut count = 0;
        for running in runs {
            count += 1;
            if running.hears {
                out.push(Output::Give { run: running.run.clone(), order, tell: None });
            }
        }
        count
    }
}

fn named(order: &Order) -> Option<&String> {
    match order {
        Order::Run { job } | Order::Admit { job, .. } | Order::Cancel { job, .. } | Order::Throttle { job, .. } => {
            Some(job)
        }
        Order::Pause { job, .. } | Order::Resume { job } => job.as_ref(),
        Order::Reload => None,
    }
}

fn until(now: Moment, seconds: u64) -> Option<Moment> {
    let span = i64::try_from(seconds.max(1)).ok().and_then(TimeDelta::try_seconds).filter(|span| *span <= LONGEST)?;
    Some(now + span)
}

fn too_long(client: Client) -> Output {
    let failure = Failure::new(Exit::Usage, "nothing is held for longer than 31 days");
    refused(client, failure.hint("to end it for good, change the policy"))
}
