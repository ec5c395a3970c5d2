//! What a governor would see of the users, as it would: late, noisy, at times not at all.

use std::sync::Arc;

use govern::config::governor::Governor;
use govern::governor::harm::judge;
use govern::governor::readings::{Reading, Sample, Signal};
use govern::governor::usual::{Quiet, Usual};

use crate::arm::balanced;
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

/// Seconds from where on a probe throttles and pauses, and between two of its questions.
const SLOW: f64 = 0.3;
const STUCK: f64 = 2.0;
const INTERVAL: f64 = 1.0;

/// The sensors of a night.
pub struct Senses<'a> {
    night: &'a Night,
    sight: Sight,
    random: Random,
    policy: Governor,
    quiet: Quiet,
    usual: Usual,
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
            policy: balanced(),
            quiet: Quiet::default(),
            usual: Usual::default(),
            last_blip: 0.0,
            probe: (0.0, 0.0),
            names: ["forum.service".into(), "postgresql.service".into(), "page".into()],
        }
    }

    /// A window before the backup begins.
    pub fn learn(&mut self, window: Window) {
        let samples = [self.stalled(self.stall(window)), self.waiting(window, 1.0)];
        self.quiet.take(&samples, false);
        self.usual = self.quiet.clone().usual();
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
        if !self.random.chance(sensors.missing) {
            let mut stall = self.stall(window) * self.noise();
            if machine.now - self.last_blip > 1.0 && self.random.chance(sensors.blips) {
                (stall, self.last_blip) = (stall.max(0.3), machine.now);
            }
            readings.push(self.judged(&self.stalled(stall.min(1.0))));
        }
        if !self.random.chance(sensors.missing) {
            let noise = self.noise();
            readings.push(self.judged(&self.waiting(window, noise)));
        }
        if sensors.probe {
            if machine.now - self.probe.0 >= INTERVAL {
                // It asks what a user asks: the last answer, or for how long there was none.
                let took = machine.answers.last().map_or(0.0, |answer| answer.took);
                self.probe = (machine.now, took * self.noise());
            }
            let pause = sensors.alarm.then_some(STUCK);
            let (of, value) = (self.names[2].clone(), self.probe.1);
            readings.push(Reading { signal: Signal::Latency, of, value, calm: SLOW / 2.0, throttle: SLOW, pause });
        }
        readings
    }

    fn stalled(&self, value: f64) -> Sample {
        Sample { signal: Signal::IoStall, of: self.names[0].clone(), value }
    }

    /// Without rights to see sessions, tasks that wait for a disk stand in: looked at once, not all the time.
    fn waiting(&self, window: Window, noise: f64) -> Sample {
        let (signal, value) = match self.night.sensors.sessions {
            true => (Signal::Waiters, window.waiting),
            false => (Signal::Blocked, window.blocked),
        };
        Sample { signal, of: self.names[1].clone(), value: value * noise }
    }

    /// As the governor itself would.
    fn judged(&self, sample: &Sample) -> Reading {
        judge(sample, &self.policy.thresholds, self.usual.of(sample.signal, &sample.of))
    }

    fn noise(&mut self) -> f64 {
        1.0 + self.random.between(-1.0, 1.0) * self.night.sensors.noise
    }
}
