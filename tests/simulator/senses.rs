//! What a governor would see of the users, as it would: late, noisy, at times not at all.

use std::sync::Arc;

use govern::governor::readings::{Reading, Signal};

use crate::machine::{Machine, Window};
use crate::night::Night;
use crate::random::Random;

/// Whose pressure is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sight {
    /// That of the users.
    Others,
    /// That of all, the run too: wrong, and here to show what it leads to.
    Root,
}

/// Thresholds of the balanced profile: share of time, sessions.
const STALL: f64 = 0.05;
const SESSIONS: f64 = 1.0;
/// A reading that is usual is harm above so many times its usual value.
const ABOVE_USUAL: f64 = 1.5;
/// Seconds from where on a probe throttles and pauses, and between two of its questions.
const SLOW: f64 = 0.3;
const STUCK: f64 = 2.0;
const INTERVAL: f64 = 1.0;

/// The sensors of a night.
pub struct Senses<'a> {
    night: &'a Night,
    sight: Sight,
    random: Random,
    stall_usual: Usual,
    waiting_usual: Usual,
    last_blip: f64,
    probe: (f64, f64),
    names: [Arc<str>; 3],
}

impl<'a> Senses<'a> {
    pub fn new(night: &'a Night, sight: Sight) -> Senses<'a> {
        Senses {
            night,
            sight,
            random: Random::of(night.seed, 4),
            stall_usual: Usual::default(),
            waiting_usual: Usual::default(),
            last_blip: 0.0,
            probe: (0.0, 0.0),
            names: ["forum.service".into(), "postgresql.service".into(), "page".into()],
        }
    }

    /// A window before the backup begins.
    pub fn learn(&mut self, window: Window) {
        self.stall_usual.learn(self.stall(window));
        self.waiting_usual.learn(if self.night.sensors.sessions { window.waiting } else { window.blocked });
    }

    fn stall(&self, window: Window) -> f64 {
        match self.sight {
            Sight::Others => window.stall,
            Sight::Root => window.any_stall,
        }
    }

    /// What is sensed of a window.
    pub fn readings(&mut self, window: Window, machine: &Machine<'_>) -> Vec<Reading> {
        let sensors = &self.night.sensors;
        let mut readings = vec![];
        let (usual_stall, usual_waiting) = (self.stall_usual.level(), self.waiting_usual.level());
        if !self.random.chance(sensors.missing) {
            let mut stall = self.stall(window) * self.noise();
            if machine.now - self.last_blip > 1.0 && self.random.chance(sensors.blips) {
                (stall, self.last_blip) = (stall.max(0.3), machine.now);
            }
            readings.push(judged(Signal::IoStall, &self.names[0], stall.min(1.0), STALL, usual_stall));
        }
        if !self.random.chance(sensors.missing) {
            // Without rights to see sessions, tasks that wait for a disk stand in: looked at once, not all the time.
            let (signal, waiting) = match sensors.sessions {
                true => (Signal::Waiters, window.waiting),
                false => (Signal::Blocked, window.blocked),
            };
            let waiting = waiting * self.noise();
            readings.push(judged(signal, &self.names[1], waiting, SESSIONS, usual_waiting));
        }
        if sensors.probe {
            if machine.now - self.probe.0 >= INTERVAL {
                // It asks what a user asks: the last answer, or for how long there was none.
                let took = machine.answers.last().map_or(0.0, |answer| answer.took);
                self.probe = (machine.now, took * self.noise());
            }
            let pause = sensors.alarm.then_some(STUCK);
            readings.push(Reading { pause, ..judged(Signal::Latency, &self.names[2], self.probe.1, SLOW, 0.0) });
        }
        readings
    }

    fn noise(&mut self) -> f64 {
        1.0 + self.random.between(-1.0, 1.0) * self.night.sensors.noise
    }
}

/// What is usual of a signal: the mean and two standard deviations of its windows.
#[derive(Debug, Clone, Copy, Default)]
struct Usual {
    windows: f64,
    sum: f64,
    squares: f64,
}

impl Usual {
    fn learn(&mut self, value: f64) {
        self.windows += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn level(&self) -> f64 {
        let mean = self.sum / self.windows.max(1.0);
        mean + 2.0 * (self.squares / self.windows.max(1.0) - mean * mean).max(0.0).sqrt()
    }
}

/// A value held against a threshold and what is usual.
fn judged(signal: Signal, of: &Arc<str>, value: f64, threshold: f64, usual: f64) -> Reading {
    // A share cannot be above 1: halfway there it is harm, whatever is usual.
    let most = if signal.is_share() { f64::midpoint(usual, 1.0) } else { f64::INFINITY };
    let throttle = threshold.max((usual * ABOVE_USUAL).min(most));
    Reading { signal, of: of.clone(), value, calm: f64::midpoint(usual, throttle), throttle, pause: None }
}
