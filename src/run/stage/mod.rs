//! Where payloads perform: starts the programs of a phase, watches them, passes orders on, and ends them if need be.
//!
//! Everything of a payload is in one [`Group`]: the tool, the pump beside it, and whatever they start. [`Stage::perform`]
//! returns only when all of it is gone.

mod cast;
mod governor;
mod limits;
mod orders;
mod outcome;
mod parts;
pub mod taps;
mod ward;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

pub use cast::Work;
use cast::{Cast, Dressing, ended};
pub use outcome::{Fallen, Outcome, Stop};
use parts::Parts;
use taps::{Drop, Use};

use super::control::Asked;
use super::event::Progress;
use super::governing::Governing;
use super::governing::actuator::Actuator;
use super::limits::enforce::InForce;
use super::limits::guard::Guard;
use super::phase::{Ending, Open};
use super::pump::link::PumpLink;
use super::pump::protocol::Word;
use super::recorder::Recorder;
use super::unit::ward::Ward;
use crate::backup::dialect::Said;
use crate::backup::tool::{Output, Tool};
use crate::config::limits::Resource;
use crate::config::policy::Supervision;
use crate::config::units::Rate;
use crate::failure::Failure;
use crate::kernel;
use crate::kernel::account::Account;
use crate::kernel::group::{Group, Signal};
use crate::kernel::process::{self, Exit};

/// How often time limits are looked at and progress is told.
const TICK: Duration = Duration::from_millis(250);

/// So long what a cancelled payload has printed is still listened to.
const FAREWELL: Duration = Duration::from_secs(1);

/// The rate shown is the mean over so many ticks: long enough to be steady, short enough to follow.
const RATE_TICKS: usize = 12;

/// The stage of one run.
pub struct Stage {
    /// The run's records.
    pub recorder: Recorder,
    run: String,
    group: Group,
    /// The unit that is the payload, where it is one.
    ward: Option<Ward>,
    /// Its limits were looked at since it runs.
    unit_seen: bool,
    supervision: Supervision,
    account: Option<Account>,
    in_force: InForce,
    guard: Guard,
    required: BTreeSet<Resource>,
    orders: mpsc::Receiver<Asked>,
    /// A pace set by hand, and until when.
    manual_pace: Option<(Option<Rate>, Instant)>,
    paused_until: Option<Instant>,
    governing: Option<Governing>,
    actuator: Actuator,
    /// The kernel refused the governor a limit: there is none to be had.
    powerless: bool,
    /// The payload could not be stopped when it should.
    cannot_pause: bool,
    /// The pace the pump was told.
    sent_pace: Option<Rate>,
    /// The payload was told to stand still.
    still: bool,
    /// Since when the payload should stand still and does not, until that was said.
    freezing_since: Option<Instant>,
    stopped: Option<Stop>,
    /// When what has not ended by then is killed.
    kill_at: Option<Instant>,
    /// What runs now puts away what the run had begun: no time limit ends it.
    clearing_up: bool,
    /// Moments and bytes of the last ticks.
    history: Vec<(Instant, u64)>,
}

impl Stage {
    /// Sets the stage for a run.
    pub fn new(
        recorder: Recorder,
        run: &str,
        group: Group,
        supervision: Supervision,
        orders: mpsc::Receiver<Asked>,
    ) -> Stage {
        Stage {
            recorder,
            run: run.to_owned(),
            group,
            ward: None,
            unit_seen: false,
            supervision,
            account: None,
            in_force: InForce::default(),
            guard: Guard::new(&InForce::default(), Instant::now()),
            required: BTreeSet::new(),
            orders,
            manual_pace: None,
            paused_until: None,
            governing: None,
            actuator: Actuator::default(),
            powerless: false,
            cannot_pause: false,
            sent_pace: None,
            still: false,
            freezing_since: None,
            stopped: None,
            kill_at: None,
            clearing_up: false,
            history: vec![],
        }
    }

    /// Why the run is to end before its time, if it is.
    pub fn stopped(&self) -> Option<Stop> {
        self.stopped
    }

    /// Where the payload is.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// From now on the payload runs as this account.
    pub fn set_account(&mut self, account: Option<Account>) {
        self.account = account;
    }

    /// Runs one phase: it begins, `work` does what it is about, and it ends, however that went.
    pub async fn phase<T>(
        &mut self,
        name: &str,
        detail: Option<&str>,
        work: impl AsyncFnOnce(&mut Stage, &Open) -> Result<(Ending, T), Fallen>,
    ) -> Result<T, Failure> {
        let open = self.recorder.begin(name, detail).await;
        match work(self, &open).await {
            Ok((ending, value)) => {
                self.recorder.end(&open, ending).await;
                Ok(value)
            }
            Err(Fallen { ending, failure, .. }) => {
                self.recorder.end(&open, ending).await;
                Err(*failure)
            }
        }
    }

    /// Runs programs even when the run is to end: for putting away what it had begun.
    pub async fn perform_at_the_end(&mut self, phase: &Open, work: Work<'_>) -> Result<Outcome, Failure> {
        let stopped = self.stopped.take();
        self.clearing_up = true;
        self.go_on()?;
        let outcome = self.perform(phase, work).await;
        self.clearing_up = false;
        self.stopped = stopped.or(self.stopped);
        outcome
    }

    /// Ends the stage: everything of the payload is gone when this returns, or it says what is not.
    pub async fn close(self) -> (Recorder, kernel::Result<()>) {
        if let Some(summary) = self.governing.as_ref().and_then(Governing::summary) {
            self.recorder.log().line("", &summary).await;
        }
        let cleared = match self.group.kill(&[]).await {
            Ok(()) => self.group.delete().await,
            Err(error) => Err(error),
        };
        // Behind the program that follows it: nobody starts it any more.
        let released = match self.ward {
            Some(ward) => ward.release().await,
            None => Ok(()),
        };
        (self.recorder, cleared.and(released))
    }

    /// Runs a short program and returns what it said.
    pub async fn ask(&mut self, phase: &Open, tool: Tool) -> Result<Output, Failure> {
        let outcome = self.perform(phase, Work::Tool(&tool, Use::Keep)).await?;
        match outcome.stopped {
            Some(stop) => Err(stop.failure()),
            None => Ok(outcome.output()),
        }
    }

    /// Runs the programs of a phase to their end, whatever that is. An error is one of starting or watching them.
    pub async fn perform(&mut self, phase: &Open, mut work: Work<'_>) -> Result<Outcome, Failure> {
        self.obey_waiting().await;
        self.wait_while_paused(phase).await?;
        if let Some(stop) = self.stopped {
            return Ok(Outcome::never_began(stop));
        }
        if let Some(spec) = work.spec_mut() {
            spec.rate = self.pace();
        }
        self.sent_pace = self.pace();
        self.look_after_group().await?;
        let dressing = Dressing {
            run: &self.run,
            group: &self.group,
            supervision: &self.supervision,
            account: self.account.as_ref(),
            log: self.recorder.log(),
            context: format!("[{} {}] ", phase.seq, phase.title),
        };
        // A grace that ran out for what has ended is none of what begins now.
        self.kill_at = None;
        let mut cast = Cast::start(&dressing, work).await?;
        let mut parts = Parts::default();
        self.history.clear();
        let played = self.play(phase, &mut cast, &mut parts).await;
        // Whatever was started in the background goes with the phase that started it.
        let cleared = self.group.kill(&self.helpers()).await;
        // A pause goes on over the end of a program, but the place is free for the next: nothing is forked into a frozen group.
        let resumed = self.hold_still(false);
        let cleared = cleared.and(resumed);
        self.still = false;
        self.lift_what_governs().await;
        let outcome = Outcome::of(cast, self.stopped);
        parts.end(&mut self.recorder, &outcome).await;
        played.and(cleared)?;
        Ok(outcome)
    }

    /// Watches the programs until all of them have ended.
    async fn play(&mut self, phase: &Open, cast: &mut Cast, parts: &mut Parts) -> kernel::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !cast.over() {
            tokio::select! {
                exit = ended(&cast.tool) => self.tool_ended(cast, exit?).await?,
                exit = ended(&cast.pump) => self.pump_ended(cast, exit?)?,
                word = word(&mut cast.link), if cast.link.is_some() => self.hear_pump(cast, word),
                heard = cast.drops.recv(), if !cast.dry => match heard {
                    Some(Drop::Said(line)) => {
                        if let Said::Part { name, detail } = cast.heard.take(&cast.dialect, &line) {
                            parts.next(&mut self.recorder, phase, cast, name, detail.as_deref()).await;
                        }
                    }
                    Some(Drop::Lost(why)) => cast.lost = cast.lost.take().or(Some(why)),
                    Some(Drop::Stdout { kept, lines }) => (cast.kept.0, cast.lines) = (kept, lines),
                    Some(Drop::Stderr { kept }) => cast.kept.1.extend(kept),
                    None => cast.dry = true,
                },
                Some(asked) = self.orders.recv() => self.obey(asked, Some(cast)).await,
                due = ticks.tick() => {
                    if let Some(governing) = &mut self.governing {
                        governing.came_late(due.elapsed());
                    }
                    self.tick(phase, cast).await?;
                }
            }
        }
        Ok(())
    }

    /// The program has ended: what it left running in the background ends now, and what waits for it is told.
    async fn tool_ended(&mut self, cast: &mut Cast, exit: Exit) -> kernel::Result<()> {
        let failed = !exit.success();
        if let Some(tool) = &mut cast.tool {
            tool.exit = Some(exit);
        }
        let left = self.group.signal_others(Signal::SIGTERM, &cast.pids())?;
        if left > 0 && self.stopped.is_none() {
            self.recorder.note(&format!("{left} processes left behind by the program are ended")).await;
        }
        if left > 0 {
            self.kill_at.get_or_insert(Instant::now() + self.supervision.grace);
        }
        // A reader that failed will not take the rest of the file; the pump need not go on for it.
        if failed && cast.loading {
            self.group.terminate()?;
        }
        Ok(())
    }

    fn pump_ended(&mut self, cast: &mut Cast, exit: Exit) -> kernel::Result<()> {
        if let Some(pump) = &mut cast.pump {
            pump.exit = Some(exit);
        }
        // Nobody takes the program's output any more. It may not be writing just now, and so not notice for hours.
        if !exit.success() && cast.tool.as_ref().is_some_and(|t| !t.ended()) {
            self.group.terminate()?;
            self.kill_at.get_or_insert(Instant::now() + self.supervision.grace);
        }
        Ok(())
    }

    fn hear_pump(&mut self, cast: &mut Cast, word: Option<Word>) {
        let counters = match word {
            Some(Word::Progress(counters)) => counters,
            Some(Word::Done(report)) => {
                let counters = report.counters;
                cast.report = Some(report);
                counters
            }
            Some(Word::Failed { message, errno, content }) => {
                cast.pump_failure = Some(message);
                cast.content_wrong = content;
                cast.disk_full = errno == Some(kernel::error::ENOSPC);
                return;
            }
            None => {
                cast.link = None;
                return;
            }
        };
        let waited = counters.throttled_us.saturating_sub(cast.counters.throttled_us);
        self.recorder.meter().throttled(Duration::from_micros(waited));
        cast.counters = counters;
    }

    async fn tick(&mut self, phase: &Open, cast: &mut Cast) -> kernel::Result<()> {
        let now = Instant::now();
        self.end_pause_in_time().await?;
        self.see_that_it_stands_still(now).await?;
        self.end_pace_in_time(cast).await;
        self.see_to_unit().await?;
        if let Some(link) = &mut cast.link {
            link.push();
        }
        let mut known = cast.pids();
        known.extend(self.helpers());
        process::reap_orphans(&known);
        self.guard_limits().await?;
        let active = Duration::from_micros(self.recorder.times().active);
        let limit = self.supervision.timeout.filter(|_| !self.clearing_up);
        if self.stopped.is_none() && limit.is_some_and(|limit| active > limit) {
            self.stop(Stop::TimedOut)?;
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            self.recorder.note("the grace is over: what has not ended is killed").await;
            match self.stopped {
                Some(_) => self.kill(&cast.pids()).await?,
                // Only what the program left behind: the pump may still have much to write.
                None => drop(self.group.signal_others(Signal::SIGKILL, &cast.pids())?),
            }
        }
        self.give_up_listening(cast, now)?;
        self.history.push((now, cast.counters.plain));
        if self.history.len() > RATE_TICKS {
            self.history.remove(0);
        }
        self.govern(now, Some(cast)).await?;
        let progress = Progress {
            seq: phase.seq,
            plain: cast.counters.plain,
            stored: cast.counters.stored,
            rate: self.rate(),
            pace: self.pace().filter(|_| cast.pump.is_some()).map(Rate::bytes),
            paused: self.is_paused(),
            governor: self.governing.as_ref().map(|governing| Box::new(governing.situation().clone())),
        };
        self.recorder.progress(progress);
        Ok(())
    }

    /// When every program has ended, what they printed is heard to its end, unless that does not come: a caller does not read any
    /// more, or a process that left the payload keeps the pipe open.
    fn give_up_listening(&mut self, cast: &mut Cast, now: Instant) -> kernel::Result<()> {
        if cast.dry || !cast.all_ended() || !self.group.members()?.is_empty() {
            cast.silent_since = None;
            return Ok(());
        }
        let since = *cast.silent_since.get_or_insert(now);
        let patience = match (self.stopped, cast.pass_through) {
            (Some(_), _) => Some(FAREWELL),
            (None, false) => Some(self.supervision.grace),
            // A caller may take its time, like with any other program.
            (None, true) => None,
        };
        cast.dry = patience.is_some_and(|patience| now.duration_since(since) > patience);
        Ok(())
    }

    fn rate(&self) -> u64 {
        let (Some((start, from)), Some((end, to))) = (self.history.first(), self.history.last()) else { return 0 };
        let millis = u64::try_from((*end - *start).as_millis()).unwrap_or(u64::MAX);
        to.saturating_sub(*from).saturating_mul(1000).checked_div(millis).unwrap_or(0)
    }
}

async fn word(link: &mut Option<PumpLink>) -> Option<Word> {
    match link {
        Some(link) => link.word().await,
        None => None,
    }
}
