//! Temperatures and clocks, for the record.
//!
//! Invariant: one sensor a tick. Some drivers sleep for milliseconds, and a machine may have a hundred.

use std::path::Path;

use crate::kernel::sensors::{self, Kind, Sensor};

/// The sensors and what each said last.
#[derive(Debug)]
pub struct Climate {
    sensors: Vec<(Sensor, Option<f64>)>,
    turn: usize,
}

impl Climate {
    /// Those that are there.
    pub fn open(sys: &Path) -> Climate {
        Climate { sensors: sensors::find(sys).into_iter().map(|sensor| (sensor, None)).collect(), turn: 0 }
    }

    /// Reads the next one. One that fails has nothing to say until its next turn: nothing is steered by it.
    pub fn look(&mut self) {
        let count = self.sensors.len();
        if let Some((sensor, value)) = self.sensors.get_mut(self.turn) {
            *value = sensor.read().ok().flatten();
            self.turn = (self.turn + 1) % count;
        }
    }

    /// The hottest, in °C.
    pub fn temperature(&self) -> Option<f64> {
        self.of(Kind::Temperature).max_by(f64::total_cmp)
    }

    /// The mean clock, in MHz.
    pub fn clock(&self) -> Option<f64> {
        let count = self.of(Kind::Clock).count();
        (count > 0).then(|| self.of(Kind::Clock).sum::<f64>() / count as f64)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = f64> {
        self.sensors.iter().filter(move |(sensor, _)| sensor.kind == kind).filter_map(|(_, value)| *value)
    }
}
