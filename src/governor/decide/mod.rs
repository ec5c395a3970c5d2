//! How far a run gives way now: a pure function of what is sensed, the policy, and what was decided before.
//!
//! In this order:
//!
//! 1. a probe at its pause level stops the run for now, within the pause budget;
//! 2. somebody waits for a lock the dump holds: the run goes on as fast as it can, and is given up when that takes too long;
//! 3. a deadline raises the pace below which harm does not push the run;
//! 4. harm lowers the pace at once, in proportion; what has no effect at the floor is found out by standing still for a while, and
//!    no longer held against the run when it stays;
//! 5. otherwise the run is as fast as the machine allows: calm raises the pace, quickly to where harm was not, then slowly.
//!
//! Invariants, each held by a property test: no pace is below the floor, or below the share that `stretch` grants; no pause outlives
//! its budget, and between two pauses lies at least the hold; a higher value of a signal never makes the run faster.

mod authority;
mod pace;
mod pause;
pub mod reason;
#[cfg(test)]
mod tests;
mod votes;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::authority::{Authority, Standing};
use self::pace::Edge;
use self::pause::Rest;
use self::reason::{Change, Reason};
use self::votes::{Mood, Votes};
use super::readings::{Knob, Readings};
use crate::config::governor::{Governor, OnConflict};

/// What is to be done with the payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// It runs as fast as it can.
    #[default]
    Free,
    /// It runs at most this fast, in the unit of [`Own::speed`](super::readings::Own::speed).
    Pace(f64),
    /// It stands still.
    Pause,
    /// It is ended, to be tried again later.
    GiveUp,
}

/// The least share of a core in percent that a run is held to.
const LEAST_CPU: f64 = 5.0;

/// The numbers of a policy that decide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// No pace is below it.
    pub floor: f64,
    /// No pace is below the fastest the run has been, divided by this.
    pub stretch: f64,
    /// No pause is longer.
    pub pause_budget: Duration,
    /// The longest wait for a lock of the dump.
    pub lock_wait_max: Option<Duration>,
    /// Whether a deadline outweighs clear harm.
    pub on_conflict: OnConflict,
}

impl Rule {
    /// The rule of a policy, for a run that is paced this way.
    pub fn of(governor: &Governor, knob: Knob) -> Rule {
        Rule {
            floor: match knob {
                Knob::Bytes => governor.floor.bytes() as f64,
                Knob::Cpu => LEAST_CPU,
            },
            stretch: f64::from(governor.stretch.get()),
            pause_budget: governor.pause_budget,
            lock_wait_max: governor.lock_wait_max,
            on_conflict: governor.on_conflict,
        }
    }
}

/// What a run can be held with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Means {
    /// It can be slowed.
    pub pace: bool,
    /// It can be stopped.
    pub pause: bool,
}

/// What was decided before, and what is remembered for the next decision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    command: Command,
    /// When it was decided the last time; `None` at first.
    at: Option<Duration>,
    votes: Votes,
    edge: Edge,
    rest: Rest,
    authority: Authority,
    /// Somebody waits for a lock.
    locked: bool,
}

impl State {
    /// What holds now.
    pub fn command(&self) -> Command {
        self.command
    }

    /// From now on paces are counted in another unit: what is remembered of speeds is worth nothing.
    pub fn change_knob(&mut self) {
        self.edge = Edge::default();
        if let Command::Pace(_) = self.command {
            self.command = Command::Free;
        }
    }

    /// Somebody let the run go on by hand, at this time.
    pub fn resumed_by_hand(&mut self, now: Duration) {
        if self.command == Command::Pause {
            self.leave_pause(now);
            self.command = Command::Free;
        }
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What is to be done.
    pub command: Command,
    /// What is worth a line in the log: not each step of a climb.
    pub change: Option<Change>,
}

/// Decides what holds from `now` on; `now` is the time since any fixed moment and never runs back.
pub fn decide(now: Duration, readings: &Readings, rule: &Rule, means: Means, state: &mut State) -> Decision {
    let since_last = state.at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
    state.at = Some(now);
    let before = state.command;
    if before == Command::GiveUp {
        return Decision { command: before, change: None };
    }
    let speed = readings.own.speed;
    state.edge.see(speed);
    let mood = state.votes.take(now, &readings.signals, &state.authority);
    let floor = floor(readings, rule, &state.edge, &mood);
    let (command, reason) = state.choose(now, since_last, readings, rule, means, &mood, floor);
    state.command = command;
    let change = reason.map(|reason| Change { from: before, to: command, speed, reason });
    Decision { command, change }
}

impl State {
    #[allow(clippy::too_many_arguments)]
    fn choose(
        &mut self,
        now: Duration,
        since_last: Duration,
        readings: &Readings,
        rule: &Rule,
        means: Means,
        mood: &Mood,
        floor: f64,
    ) -> (Command, Option<Reason>) {
        let paused = self.command == Command::Pause;
        if let Mood::Alarm(reading) = mood
            && means.pause
        {
            if !paused && self.rest.may_begin(now) {
                self.rest.begin(now);
                return (Command::Pause, Some(Reason::harm(reading)));
            }
            if paused && !self.rest.is_spent(now, rule.pause_budget) {
                self.rest.disturbed(now);
                return (Command::Pause, None);
            }
        }
        if let Some(wait) = readings.lock_wait {
            if rule.lock_wait_max.is_some_and(|most| wait > most) {
                return (Command::GiveUp, Some(Reason::LockWait(wait)));
            }
            self.leave_pause(now);
            let known = std::mem::replace(&mut self.locked, true);
            return (Command::Free, (!known && self.command != Command::Free).then_some(Reason::LockWait(wait)));
        }
        self.locked = false;
        if paused {
            return self.stay_or_go_on(now, rule, mood, floor);
        }
        match mood {
            Mood::Alarm(reading) | Mood::Harm(reading) => self.give_way(now, reading, means, floor),
            Mood::Neutral => {
                self.edge.hold();
                self.authority.rest();
                (self.command, None)
            }
            Mood::Calm => {
                self.authority.rest();
                self.climb(now, since_last)
            }
        }
    }

    /// Harm that is not an alarm, or one that must not stop the run any more.
    fn give_way(
        &mut self,
        now: Duration,
        reading: &super::readings::Reading,
        means: Means,
        floor: f64,
    ) -> (Command, Option<Reason>) {
        if !means.pace {
            // Without anything between them, stopping is all there is.
            if means.pause && self.rest.may_begin(now) {
                self.rest.begin(now);
                return (Command::Pause, Some(Reason::harm(reading)));
            }
            return (self.command, None);
        }
        let pace = match self.command {
            Command::Pace(pace) => Some(pace),
            Command::Free | Command::Pause | Command::GiveUp => None,
        };
        if pace.is_some_and(|pace| pace <= floor) {
            return match self.authority.at_the_floor(now, reading, means.pause && self.rest.may_begin(now)) {
                Standing::Effective => (Command::Pace(floor), None),
                Standing::Doubtful => {
                    self.rest.begin(now);
                    (Command::Pause, Some(Reason::no_authority(reading)))
                }
            };
        }
        self.authority.harmed(reading);
        match self.edge.cut(now, pace, floor, reading.ratio()) {
            Some(lower) => {
                let worth = self.edge.is_news(lower);
                (Command::Pace(lower), worth.then(|| Reason::harm(reading)))
            }
            None => (self.command, None),
        }
    }

    fn climb(&mut self, now: Duration, since_last: Duration) -> (Command, Option<Reason>) {
        let Command::Pace(pace) = self.command else {
            self.edge.forget_in_time(now);
            return (self.command, None);
        };
        match self.edge.climb(now, pace, since_last) {
            pace::Climb::Wait => (self.command, None),
            pace::Climb::To { pace, begins } => (Command::Pace(pace), begins.then_some(Reason::Calm)),
            pace::Climb::Free => (Command::Free, Some(Reason::Calm)),
        }
    }

    /// A pause ends when it was calm for the hold, when its budget is spent, or when it has shown that the harm is not the run's.
    fn stay_or_go_on(&mut self, now: Duration, rule: &Rule, mood: &Mood, floor: f64) -> (Command, Option<Reason>) {
        let spent = self.rest.is_spent(now, rule.pause_budget);
        let verdict = match mood {
            Mood::Alarm(reading) | Mood::Harm(reading) => {
                self.rest.disturbed(now);
                self.authority.while_paused(now, self.rest.since(), reading)
            }
            Mood::Neutral | Mood::Calm => {
                self.authority.absolved();
                None
            }
        };
        let reason = match (verdict, spent) {
            (Some(foreign), _) => foreign,
            (None, true) => Reason::BudgetSpent(rule.pause_budget),
            (None, false) if self.rest.was_calm_long_enough(now) => Reason::Calm,
            (None, false) => return (Command::Pause, None),
        };
        self.leave_pause(now);
        self.edge.begin_at(floor);
        (Command::Pace(floor), Some(reason))
    }

    fn leave_pause(&mut self, now: Duration) {
        if self.command == Command::Pause {
            self.rest.end(now);
        }
    }
}

/// The pace below which harm does not push the run.
fn floor(readings: &Readings, rule: &Rule, edge: &Edge, mood: &Mood) -> f64 {
    let stretched = edge.fastest() / rule.stretch;
    let least = rule.floor.max(stretched);
    let own = &readings.own;
    let (Some(left), Some(time)) = (own.left, own.time_left) else { return least };
    // A tenth more than needed: what earlier runs tell is not exact. Past the deadline nothing is fast enough.
    let needed = if time.is_zero() { f64::INFINITY } else { left * 1.1 / time.as_secs_f64() };
    let yields = match rule.on_conflict {
        OnConflict::Finish => false,
        OnConflict::Protect => mood.is_severe(),
    };
    if yields { least } else { least.max(needed.min(edge.fastest().max(least))) }
}
