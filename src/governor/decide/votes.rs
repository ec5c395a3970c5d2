//! Which of the readings count: how others are, all in all.

use std::borrow::Cow;
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

    /// How far above its threshold the worst is. An alarm is above any harm: it must not be answered with less.
    pub fn ratio(&self) -> f64 {
        match self {
            Mood::Alarm(_) => f64::INFINITY,
            Mood::Harm(reading) => reading.ratio(),
            Mood::Neutral | Mood::Calm => 0.0,
        }
    }
}

/// The last windows of each stall.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Votes {
    stalls: BTreeMap<(Signal, Arc<str>), u8>,
}

impl Votes {
    /// Takes the readings of one window. What was found to be there without the run counts from a higher level on.
    pub fn take(&mut self, now: Duration, readings: &[Reading], authority: &Authority) -> Mood {
        let seen: Vec<Cow<'_, Reading>> = readings.iter().map(|reading| authority.held_against(now, reading)).collect();
        self.count(&seen);
        let counts = || seen.iter().map(AsRef::as_ref).filter(|reading| self.counts(reading));
        if let Some(reading) = worst(counts().filter(|reading| reading.is_alarm())) {
            return Mood::Alarm(reading.clone());
        }
        if let Some(reading) = worst(counts().filter(|reading| reading.is_harm())) {
            return Mood::Harm(reading.clone());
        }
        match seen.iter().all(|reading| reading.is_calm()) {
            true => Mood::Calm,
            false => Mood::Neutral,
        }
    }

    /// Moves each stall on by a window; one that is not reported was none.
    fn count(&mut self, readings: &[Cow<'_, Reading>]) {
        for bits in self.stalls.values_mut() {
            *bits = (*bits << 1) & WINDOWS;
        }
        for reading in readings.iter().filter(|reading| reading.signal.is_stall() && reading.is_harm()) {
            *self.stalls.entry(reading.key()).or_default() |= 1;
        }
        self.stalls.retain(|_, bits| *bits != 0);
    }

    fn counts(&self, reading: &Reading) -> bool {
        let bits = || self.stalls.get(&reading.key()).copied().unwrap_or_default();
        !reading.signal.is_stall() || bits().count_ones() >= NEEDED
    }
}

/// The one that is furthest above its threshold.
fn worst<'a>(readings: impl Iterator<Item = &'a Reading>) -> Option<&'a Reading> {
    readings.max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
}
