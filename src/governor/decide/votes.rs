//! Which of the readings count: how others are, all in all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::authority::Authority;
use crate::governor::readings::{Reading, Signal};

/// A stall counts in so many of the last [`WINDOWS`]: one wait of a moment can fill a window.
const NEEDED: u32 = 2;

/// Windows that are remembered, as bits.
const WINDOWS: u8 = 0b111;

/// So far above its threshold harm is severe: a deadline is no excuse for it, unless the policy says so.
const SEVERE: f64 = 2.0;

/// How others are.
#[derive(Debug, Clone, PartialEq)]
pub enum Mood {
    /// A probe asks for a pause.
    Alarm(Reading),
    /// They are harmed; by this, most of all.
    Harm(Reading),
    /// Neither harmed nor calm.
    Neutral,
    /// All is well.
    Calm,
}

impl Mood {
    /// Whether they are harmed beyond doubt.
    pub fn is_severe(&self) -> bool {
        match self {
            Mood::Alarm(_) => true,
            Mood::Harm(reading) => reading.ratio() > SEVERE,
            Mood::Neutral | Mood::Calm => false,
        }
    }
}

/// The last windows of each stall.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Votes {
    stalls: BTreeMap<(Signal, Arc<str>), u8>,
}

impl Votes {
    /// Takes the readings of one window. What was found not to be the run's doing does not count.
    pub fn take(&mut self, now: Duration, readings: &[Reading], authority: &Authority) -> Mood {
        self.count(readings);
        let counted = || readings.iter().filter(|reading| !authority.is_muted(now, reading));
        if let Some(reading) = worst(counted().filter(|reading| reading.is_alarm())) {
            return Mood::Alarm(reading.clone());
        }
        if let Some(reading) = worst(counted().filter(|reading| self.is_harm(reading))) {
            return Mood::Harm(reading.clone());
        }
        match counted().all(Reading::is_calm) {
            true => Mood::Calm,
            false => Mood::Neutral,
        }
    }

    /// Moves each stall on by a window; one that is not reported was none.
    fn count(&mut self, readings: &[Reading]) {
        for bits in self.stalls.values_mut() {
            *bits = (*bits << 1) & WINDOWS;
        }
        for reading in readings.iter().filter(|reading| reading.signal.is_stall() && reading.is_harm()) {
            let key = (reading.signal, reading.of.clone());
            *self.stalls.entry(key).or_default() |= 1;
        }
        self.stalls.retain(|_, bits| *bits != 0);
    }

    fn is_harm(&self, reading: &Reading) -> bool {
        if !reading.signal.is_stall() {
            return reading.is_harm();
        }
        let bits = self.stalls.get(&(reading.signal, reading.of.clone())).copied().unwrap_or_default();
        reading.is_harm() && bits.count_ones() >= NEEDED
    }
}

/// The one that is furthest above its threshold.
fn worst<'a>(readings: impl Iterator<Item = &'a Reading>) -> Option<&'a Reading> {
    readings.max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
}
