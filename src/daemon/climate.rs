//! How busy the machine is, for those who wait at the start gate.

use std::path::Path;

use super::core::words::{Climate, Moment};
use crate::kernel::sensors::{self, Kind, Sensor};
use crate::kernel::{fs, machine, process, procfs};

/// The sensors of this machine.
#[derive(Debug)]
pub struct Senses {
    thermometers: Vec<Sensor>,
}

impl Senses {
    /// Those that are there.
    pub fn open() -> Senses {
        let all = sensors::find(Path::new("/sys"));
        Senses { thermometers: all.into_iter().filter(|sensor| sensor.kind == Kind::Temperature).collect() }
    }

    /// Reads them. What cannot be read keeps nobody waiting.
    pub fn look(&mut self, now: Moment) -> Climate {
        let text = fs::read_text(&Path::new(procfs::PROC).join("loadavg")).unwrap_or_default();
        let load = machine::parse_loadavg(&text).unwrap_or_default() / f64::from(process::processors().max(1));
        let hottest = self.thermometers.iter_mut().filter_map(|sensor| sensor.read().ok().flatten()).fold(None, warmer);
        Climate {
            load: (load * 100.0).round() as u32,
            temperature: hottest.map(|t| t.round().max(0.0) as u32),
            at: now,
        }
    }
}

fn warmer(so_far: Option<f64>, value: f64) -> Option<f64> {
    Some(so_far.map_or(value, |other| other.max(value)))
}
