//! How far a run gives way now: a pure function of what is sensed, the policy, and what was decided before.
//!
//! In this order:
//!
//! 1. a probe at its pause level stops the run for now, within the pause budget;
//! 2. somebody waits for a lock the dump holds: the run goes on as fast as it can, and is given up when that takes too long, even
//!    while it is paused: that serves both who waits and who is harmed;
//! 3. a deadline raises the pace below which harm does not push the run;
//! 4. harm lowers the pace at once, in proportion; what has no effect at the floor is found out by standing still for a while, and
//!    no longer held against the run when it stays;
//! 5. otherwise the run is as fast as the machine allows: calm raises the pace, quickly to where harm was not, then slowly.
//!
//! Invariants, each held by a property test: no pace is below the floor, or below the share that `stretch` grants; no pause outlives
//! its budget, and between two pauses lies at least the hold and a quarter of the first, so that a run gets at least a fifth of
//! its floor whatever is sensed; a higher value of a signal never makes the run faster; what is not a number never does, either.

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
use self::pace::{Climb, Edge};
use self::pause::Rest;
use self::reason::{Change, Reason};
use self::votes::{Mood, Votes};
use super::readings::{Knob, Reading, Readings};
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
    /// No pace is below what the run was able to do of late where nothing held it, divided by this.
    pub stretch: f64,
    /// No pause is longer. Zero: none at all.
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
    /// It really is, so that a pause shows whose doing harm is. False where decisions are only recorded.
    pub test: bool,
}

/// What was decided before, and what is remembered for the next decision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    command: Command,
    /// When it was decided the last time; `None` at first.
    at: Option<Duration>,
    votes: Votes,
    edge: Edge,
    /// What is remembered, and what holds, in the unit that is not counted in now.
    other: (Edge, Option<f64>),
    rest: Rest,
    authority: Authority,
    /// Somebody waits for a lock.
    locked: bool,
    /// When harm was severe the last time: a deadline that yields does so for a while.
    severe: Option<Duration>,
}

impl State {
    /// What holds now.
    pub fn command(&self) -> Command {
        self.command
    }

    /// From now on paces are counted in the other unit: what is remembered of those holds, until it is changed back.
    pub fn change_knob(&mut self) {
        std::mem::swap(&mut self.edge, &mut self.other.0);
        let mine = self.pace();
        let theirs = std::mem::replace(&mut self.other.1, mine);
        if let Command::Pace(_) | Command::Free = self.command {
            self.command = theirs.map_or(Command::Free, Command::Pace);
        }
    }

    /// Somebody let the run go on by hand, at this time.
    pub fn resumed_by_hand(&mut self, now: Duration) {
        if self.command == Command::Pause {
            self.leave_pause(now);
            self.command = Command::Free;
        }
    }

    /// The run was to be given up, and goes on all the same.
    pub fn carry_on(&mut self) {
        if self.command == Command::GiveUp {
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

/// A deadline that gave way to severe harm does so for at least this: else the run would go up and down with each window.
const YIELD: Duration = Duration::from_secs(10);

/// The pace below which harm does not push the run.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Floor {
    pace: f64,
    /// It is where it is because of a deadline.
    is_deadline: bool,
}

/// What one decision is made from.
struct Tick<'a> {
    now: Duration,
    /// Since the last one.
    step: Duration,
    rule: &'a Rule,
    means: Means,
    floor: Floor,
}

/// Decides what holds from `now` on; `now` is the time since any fixed moment and never runs back.
pub fn decide(now: Duration, readings: &Readings, rule: &Rule, means: Means, state: &mut State) -> Decision {
    let step = state.at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
    state.at = Some(now);
    let before = state.command;
    if before == Command::GiveUp {
        return Decision { command: before, change: None };
    }
    if before != Command::Pause {
        state.edge.see(readings.own.speed, state.pace(), step);
    }
    let mood = state.votes.take(now, &readings.signals, &state.authority);
    let floor = state.floor(now, readings, rule, &mood);
    let tick = Tick { now, step, rule, means, floor };
    let (command, reason) = state.choose(&tick, readings.lock_wait, &mood);
    state.command = match command {
        Command::Pace(pace) => Command::Pace(pace.max(floor.pace)),
        Command::Free | Command::Pause | Command::GiveUp => command,
    };
    state.authority.watch(now, &readings.signals, state.rest.since());
    let change = reason.map(|reason| Change { from: before, to: state.command, speed: state.edge.speed(), reason });
    Decision { command: state.command, change }
}

impl State {
    fn choose(&mut self, tick: &Tick<'_>, lock_wait: Option<Duration>, mood: &Mood) -> (Command, Option<Reason>) {
        if let Some(wait) = lock_wait
            && tick.rule.lock_wait_max.is_some_and(|most| wait > most)
        {
            return (Command::GiveUp, Some(Reason::LockWait(wait)));
        }
        let paused = self.command == Command::Pause;
        if let Mood::Alarm(reading) = mood {
            if !paused && self.may_pause(tick) {
                self.pause(tick.now);
                return (Command::Pause, Some(Reason::harm(reading)));
            }
            if paused && !self.rest.is_spent(tick.now, tick.rule.pause_budget) {
                self.rest.disturbed(tick.now);
                return (Command::Pause, None);
            }
        }
        let known = std::mem::replace(&mut self.locked, lock_wait.is_some());
        if let Some(wait) = lock_wait {
            self.leave_pause(tick.now);
            return (Command::Free, (!known && self.command != Command::Free).then_some(Reason::LockWait(wait)));
        }
        if paused {
            return self.stay_or_go_on(tick);
        }
        match mood {
            Mood::Alarm(reading) | Mood::Harm(reading) => self.give_way(tick, reading, mood.ratio()),
            Mood::Neutral => {
                self.authority.at_rest(tick.now);
                self.go_up(tick, Edge::creep)
            }
            Mood::Calm => {
                self.authority.at_rest(tick.now);
                self.edge.forget_in_time(tick.now);
                self.go_up(tick, Edge::climb)
            }
        }
    }

    /// Harm that is not an alarm, or one that must not stop the run any more.
    fn give_way(&mut self, tick: &Tick<'_>, reading: &Reading, ratio: f64) -> (Command, Option<Reason>) {
        let (now, floor) = (tick.now, tick.floor.pace);
        if !tick.means.pace {
            // Without anything between them, stopping is all there is.
            if !tick.floor.is_deadline && self.may_pause(tick) {
                self.pause(now);
                self.authority.begin_test(reading);
                return (Command::Pause, Some(Reason::harm(reading)));
            }
            return (self.command, None);
        }
        let pace = self.pace();
        let standing = self.authority.harmed(now, ratio, pace, floor);
        let testable = tick.means.test && !tick.floor.is_deadline && self.may_pause(tick);
        if standing == Standing::Doubtful && testable {
            self.rest.begin(now);
            self.authority.begin_test(reading);
            return (Command::Pause, Some(Reason::no_authority(reading)));
        }
        if pace.is_some_and(|pace| pace <= floor) {
            self.edge.harmed(now);
            return (self.command, None);
        }
        match self.edge.cut(now, pace, floor, ratio) {
            Some(lower) => {
                let worth = self.edge.is_news(lower);
                (Command::Pace(lower), worth.then(|| Reason::harm(reading)))
            }
            None => (self.command, None),
        }
    }

    fn go_up(
        &mut self,
        tick: &Tick<'_>,
        how: impl FnOnce(&mut Edge, Duration, f64, Duration) -> Climb,
    ) -> (Command, Option<Reason>) {
        let Some(pace) = self.pace() else { return (self.command, None) };
        match how(&mut self.edge, tick.now, pace, tick.step) {
            Climb::Wait => (self.command, None),
            Climb::To { pace, is_news } => (Command::Pace(pace), is_news.then_some(Reason::Calm)),
            Climb::Free => (Command::Free, Some(Reason::Calm)),
        }
    }

    /// A pause ends when its budget is spent, when it was long enough, or when it has shown that the harm is not the run's.
    ///
    /// One that began with an alarm is long enough when there was none for the hold; another one after the hold: what harms others
    /// while the run stands still is no reason to let it stand.
    fn stay_or_go_on(&mut self, tick: &Tick<'_>) -> (Command, Option<Reason>) {
        let foreign = self.authority.verdict(tick.now, self.rest.since());
        let reason = match &foreign {
            Some(reading) => Reason::not_ours(reading),
            None if self.rest.is_spent(tick.now, tick.rule.pause_budget) => Reason::BudgetSpent(tick.rule.pause_budget),
            None if tick.means.pace && self.authority.is_confirmed(tick.now, self.rest.since()) => Reason::Ours,
            None if self.rest.was_long_enough(tick.now) => Reason::Calm,
            None => return (Command::Pause, None),
        };
        self.leave_pause(tick.now);
        if foreign.is_some() {
            self.edge.forget();
        }
        if !tick.means.pace {
            return (Command::Free, Some(reason));
        }
        self.edge.begin_at(tick.floor.pace);
        (Command::Pace(tick.floor.pace), Some(reason))
    }

    fn may_pause(&self, tick: &Tick<'_>) -> bool {
        tick.means.pause && !tick.rule.pause_budget.is_zero() && self.rest.may_begin(tick.now)
    }

    fn pause(&mut self, now: Duration) {
        self.edge.stopped(now, self.pace());
        self.rest.begin(now);
    }

    fn leave_pause(&mut self, now: Duration) {
        if self.command == Command::Pause {
            self.rest.end(now);
            self.authority.end_test();
        }
    }

    /// The pace that holds, if one does.
    fn pace(&self) -> Option<f64> {
        match self.command {
            Command::Pace(pace) => Some(pace),
            Command::Free | Command::Pause | Command::GiveUp => None,
        }
    }

    fn floor(&mut self, now: Duration, readings: &Readings, rule: &Rule, mood: &Mood) -> Floor {
        let least = rule.floor.max(self.edge.able() / rule.stretch);
        if mood.is_severe() {
            self.severe = Some(now);
        }
        let yields = match rule.on_conflict {
            OnConflict::Finish => false,
            OnConflict::Protect => self.severe.is_some_and(|last| now.saturating_sub(last) < YIELD),
        };
        let own = &readings.own;
        let needed = match (own.left, own.time_left) {
            (Some(left), Some(_)) if !left.is_finite() || left <= 0.0 => 0.0,
            (Some(_), Some(time)) if time.is_zero() => f64::INFINITY,
            // A tenth more than needed: what earlier runs tell is not exact. Past the deadline nothing is fast enough.
            (Some(left), Some(time)) => left * 1.1 / time.as_secs_f64(),
            (None, _) | (_, None) => 0.0,
        };
        let needed = needed.min(self.edge.able());
        if yields || needed <= least {
            Floor { pace: least, is_deadline: false }
        } else {
            Floor { pace: needed, is_deadline: true }
        }
    }
}
