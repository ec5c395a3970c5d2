//! What others ask of a run while it is under way, and what follows from it: cancel, pause, resume, a pace by hand.
//!
//! Everything that is set by hand ends by itself. Nothing here waits: neither for the payload nor for whoever asked.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::cast::Cast;
use super::{Stage, Stop, TICK};
use crate::config::units::Rate;
use crate::failure::Failure;
use crate::kernel;
use crate::run::control::Asked;
use crate::run::event::{Order, Progress};
use crate::run::governing::Governing;
use crate::run::meter::Mode;
use crate::run::phase::Open;
use crate::run::pump::protocol;

/// What is set by hand holds for a year at most; a larger number is a mistake, and no reason to fail.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// So long a payload may take to stand still before that is said.
const FREEZING_PATIENCE: Duration = Duration::from_secs(10);

/// The moment so many seconds from now.
fn after(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds).min(LONGEST)
}

impl Stage {
    /// Obeys what was asked while nothing was on the stage.
    pub(super) async fn obey_waiting(&mut self) {
        while let Ok(asked) = self.orders.try_recv() {
            self.obey(asked, None).await;
        }
    }

    /// Nothing is started into a pause: a child that is frozen on its way to exec would hold up its parent, which is us.
    pub(super) async fn wait_while_paused(&mut self, phase: &Open) -> kernel::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.is_paused() && self.stopped.is_none() {
            tokio::select! {
                Some(asked) = self.orders.recv() => self.obey(asked, None).await,
                _ = ticks.tick() => {
                    self.end_pause_in_time().await?;
                    self.govern(Instant::now(), None).await?;
                    self.recorder.progress(Progress { seq: phase.seq, paused: true, ..Progress::default() });
                }
            }
        }
        Ok(())
    }

    pub(super) async fn end_pause_in_time(&mut self) -> kernel::Result<()> {
        if self.paused_until.is_some_and(|until| until <= Instant::now()) {
            self.paused_until = None;
            self.stand_still_or_go_on(true)?;
            let next = if self.is_paused() { "the governor's holds on" } else { "the payload goes on" };
            self.recorder.note(&format!("the pause has reached its end: {next}")).await;
        }
        Ok(())
    }

    /// The pace in force: one that was set by hand outweighs the governor's, which never exceeds the policy's.
    pub(super) fn pace(&self) -> Option<Rate> {
        if let Some((rate, _)) = self.manual_pace {
            return rate;
        }
        let governed = self.governing.as_ref().and_then(Governing::pump_pace);
        [self.supervision.rate, governed].into_iter().flatten().min()
    }

    /// Whether the payload is to stand still, by hand or by the governor.
    pub(super) fn is_paused(&self) -> bool {
        self.paused_until.is_some() || self.governing.as_ref().is_some_and(Governing::pauses)
    }

    /// A pace set by hand has its end, too.
    pub(super) async fn end_pace_in_time(&mut self, cast: &mut Cast) {
        if self.manual_pace.is_some_and(|(_, until)| until <= Instant::now()) {
            self.manual_pace = None;
            self.send_pace(cast);
            self.recorder.note("the pace set by hand has reached its end").await;
        }
    }

    fn send_pace(&mut self, cast: &mut Cast) {
        self.sent_pace = self.pace();
        if let Some(link) = &mut cast.link {
            link.order(protocol::Order::Rate(self.sent_pace));
        }
    }

    pub(super) fn send_pace_if_new(&mut self, cast: &mut Cast) {
        if self.sent_pace != self.pace() {
            self.send_pace(cast);
        }
    }

    pub(super) async fn obey(&mut self, asked: Asked, cast: Option<&mut Cast>) {
        let Asked { order, answer } = asked;
        let done = match order {
            Order::Attach => Ok(()),
            Order::Cancel => self.stop(Stop::Cancelled),
            Order::Kill => {
                self.stopped.get_or_insert(Stop::Cancelled);
                self.kill_at = Some(Instant::now());
                self.kill(&cast.as_ref().map(|c| c.pids()).unwrap_or_default()).await
            }
            Order::Pause { seconds } => {
                let until = after(seconds);
                self.recorder.note(&format!("paused by hand for at most {seconds} s")).await;
                self.pause(until, cast.is_some())
            }
            Order::Resume => {
                self.recorder.note("resumed by hand").await;
                self.go_on()
            }
            Order::Throttle { .. } if cast.as_ref().is_some_and(|c| c.pump.is_none()) => {
                // Without a pump there is nothing between the program and the disk that could hold it back.
                answer
                    .send(
                        Err("its program does not write through the pump: it can be paused, not throttled".to_owned()),
                    )
                    .ok();
                return;
            }
            Order::Throttle { rate, seconds } => {
                let rate = rate.and_then(Rate::per_second);
                self.manual_pace = Some((rate, after(seconds)));
                let pace = rate.map_or_else(|| "no limit".to_owned(), |r| r.to_string());
                self.recorder.note(&format!("pace set by hand to {pace} for at most {seconds} s")).await;
                if let Some(cast) = cast {
                    self.send_pace(cast);
                }
                Ok(())
            }
        };
        answer.send(done.map_err(|e| Failure::from(e).one_line())).ok();
    }

    /// A payload that is told to stand still does so when the kernel gets to it: a task that waits for a slow disk stops when its
    /// read returns. After ten seconds of that somebody should know.
    pub(super) async fn see_that_it_stands_still(&mut self, now: Instant) -> kernel::Result<()> {
        if !self.is_paused() {
            self.freezing_since = None;
            return Ok(());
        }
        if self.stands_still()? {
            return Ok(());
        }
        // Without a cgroup, what was forked in between has not heard the signal.
        self.hold_still(true)?;
        let since = *self.freezing_since.get_or_insert(now);
        if now.saturating_duration_since(since) > FREEZING_PATIENCE {
            // In the future: it is said once a pause.
            self.freezing_since = Some(now + LONGEST);
            let patience = FREEZING_PATIENCE.as_secs();
            self.recorder
                .note(&format!("the payload is still freezing after {patience} s: something in it waits for a disk"))
                .await;
        }
        Ok(())
    }

    fn pause(&mut self, until: Instant, performing: bool) -> kernel::Result<()> {
        self.paused_until = Some(until);
        self.stand_still_or_go_on(performing)
    }

    /// Brings the payload into the state in which it is to be. Between two programs nothing is frozen: nothing is started either.
    pub(super) fn stand_still_or_go_on(&mut self, performing: bool) -> kernel::Result<()> {
        let still = self.is_paused();
        self.recorder.meter().switch(if still { Mode::Paused } else { Mode::Active }, Instant::now());
        if still == self.still {
            return Ok(());
        }
        match still {
            true if performing => self.hold_still(true)?,
            true => return Ok(()),
            false => self.hold_still(false)?,
        }
        self.still = still;
        Ok(())
    }

    /// Whatever the reason it stands still for, the payload goes on.
    pub(super) fn go_on(&mut self) -> kernel::Result<()> {
        self.paused_until = None;
        if let Some(governing) = &mut self.governing {
            governing.resumed_by_hand();
        }
        self.stand_still_or_go_on(true)
    }

    /// Asks everything to end. A frozen program with a handler would not hear TERM, so it is resumed first.
    pub(super) fn stop(&mut self, why: Stop) -> kernel::Result<()> {
        self.go_on()?;
        self.stopped.get_or_insert(why);
        self.kill_at.get_or_insert(Instant::now() + self.supervision.grace);
        self.group.terminate()
    }
}
