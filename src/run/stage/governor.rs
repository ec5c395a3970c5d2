//! The governor beside the payload: what it decides is done here, and written down.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::cast::Cast;
use super::ward::place;
use super::{Stage, Stop, TICK};
use crate::governor::decide::Command;
use crate::governor::readings::Knob;
use crate::kernel::cgroup::controller::Controller;
use crate::kernel::group::Group;
use crate::kernel::{self, account, process};
use crate::run::governing::situation::show;
use crate::run::governing::{Governing, Standing};

/// The speed of the pump is taken over this time: long enough to be steady, short enough to follow a cut.
const RECENT: Duration = Duration::from_secs(1);

impl Stage {
    /// From now on the run gives way to others. Before it begins, they are watched for a while: what is usual for them is no harm.
    pub async fn give_way_to_others(&mut self, governing: Governing, watch_first: bool) {
        self.recorder.log().line("", &governing.describe()).await;
        for remark in governing.remarks() {
            self.recorder.note(remark).await;
        }
        self.governing = Some(governing);
        // An account without rights may lock some MiB at most, and would then be refused more memory.
        let locked = if account::is_root() { process::stay_in_memory() } else { Ok(()) };
        if let Err(error) = locked {
            self.recorder
                .log()
                .line("", &format!("the governor may have to wait for its own memory: {}", error.chain()))
                .await;
        }
        if watch_first {
            self.watch_the_quiet().await;
        }
        let Some(governing) = &mut self.governing else { return };
        let usual = governing.end_the_quiet();
        self.recorder.remember_usual(&usual);
    }

    async fn watch_the_quiet(&mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.stopped.is_none() {
            tokio::select! {
                Some(asked) = self.orders.recv() => self.obey(asked, None).await,
                _ = ticks.tick() => {
                    let Some(governing) = &mut self.governing else { return };
                    let (enough, news) = governing.watch_the_quiet();
                    for line in news {
                        self.recorder.note(&line).await;
                    }
                    if enough {
                        return;
                    }
                }
            }
        }
    }

    /// One round: sense, decide, act. `cast` is what performs now; between two programs there is nothing to slow, but a pause to end.
    pub(super) async fn govern(&mut self, now: Instant, cast: Option<&mut Cast>) -> kernel::Result<()> {
        // What is set by hand outweighs it; and what it saw meanwhile would not be what its own decisions led to.
        let by_hand = self.paused_until.is_some() || self.manual_pace.is_some();
        if self.clearing_up || self.stopped.is_some() || by_hand {
            return Ok(());
        }
        let standing = self.standing(now, cast.as_deref());
        let Some(governing) = &mut self.governing else { return Ok(()) };
        let round = governing.round(now, standing);
        let acts = governing.acts();
        for line in &round.news {
            self.recorder.note(line).await;
        }
        let knob = round.readings.own.knob;
        if let Some(change) = &round.decision.change {
            self.recorder.decision(change, &change.describe(|speed| show(knob, speed)), acts).await;
        }
        if !acts {
            return Ok(());
        }
        let command = round.decision.command;
        if command == Command::GiveUp {
            return self.stop(Stop::GaveWay);
        }
        if let Err(error) = self.stand_still_or_go_on(cast.is_some()) {
            self.cannot_pause = true;
            self.recorder.note(&format!("no authority: the run cannot be stopped: {}", error.chain())).await;
            self.go_on()?;
        }
        match cast {
            Some(cast) if cast.link.is_some() => self.send_pace_if_new(cast),
            Some(_) => self.hold_payload(command, knob).await,
            None => {}
        }
        Ok(())
    }

    fn standing(&self, now: Instant, cast: Option<&Cast>) -> Standing {
        let counted = cast.map_or(0, |cast| cast.counters.plain);
        let can = |controller| match (&self.ward, &self.group) {
            (Some(ward), _) => !self.powerless && ward.is_limitable(),
            (None, Group::Cgroup(enclosure)) => !self.powerless && enclosure.controllers.contains(&controller),
            (None, Group::Descendants { .. }) => false,
        };
        Standing {
            done: self.recorder.taken_in() + counted,
            pumped: cast.filter(|cast| cast.pump.is_some()).map(|_| self.recent_speed(now)),
            reads: can(Controller::Io),
            cpu: can(Controller::Cpu),
            pause: !self.cannot_pause,
            performing: cast.is_some(),
        }
    }

    fn recent_speed(&self, now: Instant) -> f64 {
        let recent = self.history.iter().filter(|(at, _)| now.saturating_duration_since(*at) <= RECENT);
        let (Some((start, from)), Some((end, to))) = (recent.clone().next(), self.history.last()) else { return 0.0 };
        let seconds = end.saturating_duration_since(*start).as_secs_f64();
        if seconds > 0.0 { to.saturating_sub(*from) as f64 / seconds } else { 0.0 }
    }

    /// Where no pump stands behind the payload, the kernel holds it.
    async fn hold_payload(&mut self, command: Command, knob: Knob) {
        let Some(place) = place(self.ward.as_ref(), &self.group) else { return };
        let done = match command {
            Command::Pace(pace) => self.actuator.hold(place, &self.in_force, knob, pace),
            Command::Free => self.actuator.lift(place, &self.in_force),
            Command::Pause | Command::GiveUp => Ok(vec![]),
        };
        match done {
            Ok(changed) => {
                for limit in changed {
                    self.guard.change(&limit);
                }
            }
            Err(error) => {
                self.powerless = true;
                let line = format!("no authority: {}; from now on the run can only be stopped", error.chain());
                self.recorder.note(&line).await;
            }
        }
    }

    /// What held one program does not hold the next.
    pub(super) async fn lift_what_governs(&mut self) {
        // A unit that has ended has no group any more: its limits are taken back with it.
        let Some(place) = place(self.ward.as_ref(), &self.group).filter(|_| self.actuator.holds()) else { return };
        match self.actuator.lift(place, &self.in_force) {
            Ok(changed) => changed.iter().for_each(|limit| self.guard.change(limit)),
            Err(error) => {
                self.recorder
                    .note(&format!("a cap of the governor may stay until the run ends: {}", error.chain()))
                    .await;
            }
        }
    }
}
