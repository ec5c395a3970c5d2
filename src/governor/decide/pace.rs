//! How fast, between harm and calm: down at once and in proportion; up again like CUBIC, which remembers where it went wrong.

use std::time::Duration;

/// After a cut its effect is awaited: the pump's bucket empties in 100 ms, and a stall needs two windows to be seen.
const RESPONSE: Duration = Duration::from_millis(750);

/// One cut takes at most half, and at least a tenth: less would not be seen.
const CUT: std::ops::RangeInclusive<f64> = 0.5..=0.9;

/// So long it must have been calm before the pace rises.
const CALM: Duration = Duration::from_secs(1);

/// This share of the speed where harm began is reached within [`QUICK`].
const SAFE_SHARE: f64 = 0.8;

/// The time of the quick part of a climb.
const QUICK: Duration = Duration::from_secs(3);

/// Beyond it, the pace grows by this in a calm second.
const SLOW: f64 = 0.05;

/// So long without harm, and where it began is forgotten.
const MEMORY: Duration = Duration::from_secs(600);

/// A pace so far above the fastest the run has been holds nothing back.
const BEYOND: f64 = 1.2;

/// A run of at least this share of its pace is held by it.
const HELD: f64 = 0.5;

/// A further cut is told again only when the pace is this share of what was told.
const NEWS: f64 = 0.75;

/// What is remembered of speeds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edge {
    /// The fastest the run has been.
    fastest: f64,
    /// How fast it is.
    speed: f64,
    /// The speed at which others were harmed the last time.
    harm: Option<f64>,
    last_cut: Option<Duration>,
    /// Since when it is calm, while it is.
    calm_since: Option<Duration>,
    /// The pace at which the climb began, while there is one.
    climbing_from: Option<f64>,
    /// The last pace that was told, while the run is being slowed.
    told: Option<f64>,
}

/// A step of a climb.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Climb {
    /// Not yet.
    Wait,
    /// To this pace.
    To {
        /// The pace.
        pace: f64,
        /// It is the first step.
        begins: bool,
    },
    /// Nothing needs to hold it.
    Free,
}

impl Edge {
    /// Takes note of how fast the run is.
    pub fn see(&mut self, speed: f64) {
        self.speed = speed;
        self.fastest = self.fastest.max(speed);
    }

    /// The fastest the run has been.
    pub fn fastest(&self) -> f64 {
        self.fastest
    }

    /// The next lower pace; `None` while the last cut may still show its effect, or where there is none.
    pub fn cut(&mut self, now: Duration, pace: Option<f64>, floor: f64, ratio: f64) -> Option<f64> {
        self.calm_since = None;
        if self.climbing_from.take().is_some() {
            self.told = None;
        }
        if self.last_cut.is_some_and(|last| now.saturating_sub(last) < RESPONSE) {
            return None;
        }
        let current = match pace {
            Some(pace) if self.speed > 0.0 => pace.min(self.speed),
            Some(pace) => pace,
            None => self.speed,
        };
        // A run that moves nothing harms nobody.
        if current <= 0.0 {
            return None;
        }
        self.last_cut = Some(now);
        // Where it is far slower than its pace, something else holds it: that tells nothing of where harm begins.
        if pace.is_none_or(|pace| current >= pace * HELD) || self.harm.is_none() {
            self.harm = Some(current.max(floor));
        }
        let share = if ratio > 0.0 { (1.0 / ratio).clamp(*CUT.start(), *CUT.end()) } else { *CUT.end() };
        let lower = (current * share).max(floor);
        // Never up: a pace below the current floor stays where it is until calm.
        Some(pace.map_or(lower, |pace| pace.min(lower)))
    }

    /// Whether a lower pace is worth a line after the last one.
    pub fn is_news(&mut self, pace: f64) -> bool {
        let news = self.told.is_none_or(|told| pace <= told * NEWS);
        if news {
            self.told = Some(pace);
        }
        news
    }

    /// Neither harm nor calm: the pace stays.
    pub fn hold(&mut self) {
        self.calm_since = None;
    }

    /// A pace that was not reached by a cut: the next climb starts here.
    pub fn begin_at(&mut self, pace: f64) {
        (self.calm_since, self.climbing_from, self.told) = (None, None, Some(pace));
    }

    /// The next step up from a pace, `step` after the last.
    pub fn climb(&mut self, now: Duration, pace: f64, step: Duration) -> Climb {
        let since = *self.calm_since.get_or_insert(now);
        self.forget_in_time(now);
        if now.saturating_sub(since) < CALM {
            return Climb::Wait;
        }
        let begins = self.climbing_from.is_none();
        let from = *self.climbing_from.get_or_insert(pace);
        let Some(harm) = self.harm else {
            self.ended();
            return Climb::Free;
        };
        let (step, safe) = (step.as_secs_f64(), harm * SAFE_SHARE);
        let next = if pace < safe {
            (pace + (safe - from).max(0.0) * step / QUICK.as_secs_f64()).min(safe)
        } else {
            pace * (1.0 + SLOW * step)
        };
        if next > self.fastest * BEYOND && self.fastest > 0.0 {
            self.ended();
            return Climb::Free;
        }
        Climb::To { pace: next, begins }
    }

    /// Where harm began long ago may be somewhere else today.
    pub fn forget_in_time(&mut self, now: Duration) {
        if self.last_cut.is_some_and(|last| now.saturating_sub(last) > MEMORY) {
            (self.harm, self.last_cut) = (None, None);
        }
    }

    fn ended(&mut self) {
        (self.climbing_from, self.calm_since, self.told) = (None, None, None);
    }
}
