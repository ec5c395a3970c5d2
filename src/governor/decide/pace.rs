//! How fast, between harm and calm: down at once and in proportion; up again like CUBIC, which remembers where it went wrong.

use std::time::Duration;

/// After a cut its effect is awaited: the pump's bucket empties in 100 ms, and a stall needs two windows to be seen.
const RESPONSE: Duration = Duration::from_millis(750);

/// One cut takes at most half, and at least a tenth: less would not be seen.
const CUT: std::ops::RangeInclusive<f64> = 0.5..=0.9;

/// So long it must have been calm, all in all, since the last harm before the pace rises.
const CALM: Duration = Duration::from_secs(1);

/// After so long without harm, windows that are neither calm nor harm let the pace creep up, too.
const LULL: Duration = Duration::from_secs(5);

/// This share of the speed where harm began is reached within [`QUICK`].
const SAFE_SHARE: f64 = 0.8;

/// The time of the quick part of a climb.
const QUICK: Duration = Duration::from_secs(3);

/// Beyond it, the pace grows by this in a calm second. At 10 % the simulator's steady nights take a tenth less time, for a p95 that is
/// a tenth higher and a third more decisions.
const SLOW: f64 = 0.05;

/// After so long without harm the edge is somewhere else (ADR 3): a run that was cut in its first second, when it had hardly begun, must
/// not take a minute to become as fast as nobody minds.
const STEEPER_AFTER: Duration = Duration::from_secs(5);

/// From then on the growth itself grows by this in a calm second,
const STEEPER: f64 = 0.09;

/// but to no more than this.
const STEEPEST: f64 = 0.5;

/// And by this in one that is neither calm nor harm. In the simulator 0, 1 and 3 % are alike; it is here so that no such night starves.
const CREEP: f64 = 0.01;

/// Cuts so close together are one: the edge is where the first found the run, for the others see a queue that still drains. In the
/// simulator this takes the median burst night from 1.66 to 1.48 times free, with no more outage.
const EPISODE: Duration = Duration::from_secs(3);

/// One step of a climb counts for no more, however late it comes.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// So long without harm, and where it began is forgotten.
const MEMORY: Duration = Duration::from_secs(600);

/// A pace so far above what the run is able to do holds nothing back.
const BEYOND: f64 = 1.2;

/// A run below this share of its pace is not held by it.
const HELD: f64 = 0.8;

/// A run is set free when its pace has not held it for so long: one that is let go sooner jumps to whatever the disk can do.
const UNHELD: Duration = Duration::from_secs(2);

/// What the run is able to do is a mean over this where it is more than was known,
const RISE: Duration = Duration::from_secs(5);

/// and over this where it is less. Files out of the page cache, or a sparse one, say little about the disk.
const FALL: Duration = Duration::from_secs(30);

/// No run is faster; what says so is wrong.
const FASTEST: f64 = 1e15;

/// A cut or a climb is told only when it makes this of the pace that was told last, or the other way round: around the edge a pace
/// goes up and down all the time.
const NEWS: f64 = 0.75;

/// What is remembered of speeds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edge {
    /// What the run does where nothing of ours holds it.
    able: f64,
    /// So long it was seen to.
    seen_for: Duration,
    /// For how long its pace has not held it.
    unheld_for: Duration,
    /// How fast it is.
    speed: f64,
    /// The speed at which others were harmed the last time.
    harm: Option<f64>,
    last_cut: Option<Duration>,
    last_harm: Option<Duration>,
    /// For how long it was calm since the last harm.
    calm_for: Duration,
    /// The pace at which the climb began, while there is one.
    climbing_from: Option<f64>,
    /// The last pace that was told, while there is one; it goes along with a climb that was told.
    told: Option<f64>,
    /// The climb was told.
    climb_told: bool,
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
        /// It is worth a line.
        is_news: bool,
    },
    /// Nothing needs to hold it.
    Free,
}

impl Edge {
    /// Takes note of how fast the run was in the last `step`, held at `pace`.
    pub fn see(&mut self, speed: f64, pace: Option<f64>, step: Duration) {
        self.speed = if speed.is_finite() { speed.clamp(0.0, FASTEST) } else { 0.0 };
        let held = pace.is_some_and(|pace| self.speed >= pace * HELD);
        self.unheld_for = if held || pace.is_none() { Duration::ZERO } else { self.unheld_for.saturating_add(step) };
        if self.speed <= 0.0 || (held && self.speed <= self.able) {
            return;
        }
        let step = step.clamp(Duration::from_millis(1), LONGEST_STEP);
        self.seen_for = self.seen_for.saturating_add(step);
        let over = if self.speed > self.able { RISE } else { FALL };
        let weight = step.as_secs_f64() / over.min(self.seen_for).as_secs_f64();
        self.able += (self.speed - self.able) * weight.min(1.0);
    }

    /// What the run does where nothing of ours holds it: a mean, so that no moment of luck counts for long.
    pub fn able(&self) -> f64 {
        self.able
    }

    /// How fast it is. Never negative, always finite.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Others are harmed.
    pub fn harmed(&mut self, now: Duration) {
        (self.last_harm, self.calm_for) = (Some(now), Duration::ZERO);
    }

    /// The run is to be stopped: where harm began is remembered as by a cut.
    pub fn stopped(&mut self, now: Duration, pace: Option<f64>) {
        self.harmed(now);
        self.remember(pace);
    }

    /// The next lower pace; `None` while the last cut may still show its effect, or where there is none.
    pub fn cut(&mut self, now: Duration, pace: Option<f64>, floor: f64, ratio: f64) -> Option<f64> {
        self.harmed(now);
        self.climbing_from = None;
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
        if self.last_cut.is_none_or(|last| now.saturating_sub(last) > EPISODE) {
            self.remember(pace);
        }
        self.last_cut = Some(now);
        let share = if ratio > 0.0 { (1.0 / ratio).clamp(*CUT.start(), *CUT.end()) } else { *CUT.end() };
        let lower = (current * share).max(floor);
        Some(pace.map_or(lower, |pace| pace.min(lower)))
    }

    /// Where the run is far slower than its pace, something else holds it: that tells nothing of where harm begins.
    fn remember(&mut self, pace: Option<f64>) {
        let held = pace.is_none_or(|pace| self.speed >= pace * HELD);
        if self.speed > 0.0 && (held || self.harm.is_none()) {
            self.harm = Some(pace.map_or(self.speed, |pace| pace.min(self.speed)));
        }
    }

    /// Whether it is known where harm begins.
    #[cfg(test)]
    pub fn remembers(&self) -> bool {
        self.harm.is_some()
    }

    /// Whether a lower pace is worth a line after the last one.
    pub fn is_news(&mut self, pace: f64) -> bool {
        let news = self.told.is_none_or(|told| pace <= told * NEWS);
        if news {
            (self.told, self.climb_told) = (Some(pace), false);
        }
        news
    }

    /// Harm was not the run's: it taught nothing.
    pub fn forget(&mut self) {
        (self.harm, self.last_cut, self.last_harm) = (None, None, None);
    }

    /// A pace that was not reached by a cut: the next climb starts here.
    pub fn begin_at(&mut self, pace: f64) {
        (self.calm_for, self.climbing_from) = (Duration::ZERO, None);
        (self.told, self.climb_told) = (Some(pace), false);
    }

    /// Neither harm nor calm: the pace stays, or creeps up when it lasts. Never above what a calm window would make of it.
    pub fn creep(&mut self, now: Duration, pace: f64, step: Duration) -> Climb {
        if self.lull(now) {
            self.rise(pace, pace * (1.0 + CREEP * step.min(LONGEST_STEP).as_secs_f64()))
        } else {
            Climb::Wait
        }
    }

    /// The next step up from a pace, `step` after the last.
    pub fn climb(&mut self, now: Duration, pace: f64, step: Duration) -> Climb {
        let step = step.min(LONGEST_STEP);
        self.calm_for = self.calm_for.saturating_add(step);
        self.forget_in_time(now);
        if self.calm_for < CALM && !self.lull(now) {
            return Climb::Wait;
        }
        let Some(harm) = self.harm else {
            self.ended();
            return Climb::Free;
        };
        let from = self.climbing_from.unwrap_or(pace);
        let (step, safe) = (step.as_secs_f64(), harm * SAFE_SHARE);
        let beyond = self.calm_for.saturating_sub(STEEPER_AFTER).as_secs_f64();
        let slowly = pace * (1.0 + (SLOW + STEEPER * beyond).min(STEEPEST) * step);
        let quickly = (pace + (safe - from).max(0.0) * step / QUICK.as_secs_f64()).min(safe);
        self.rise(pace, quickly.max(slowly))
    }

    fn rise(&mut self, pace: f64, next: f64) -> Climb {
        // What a run is able to do is known once the pace has not held it for a while, not after its first moments.
        if self.unheld_for >= UNHELD && next > self.able * BEYOND {
            self.ended();
            return Climb::Free;
        }
        self.climbing_from.get_or_insert(pace);
        let is_news = !self.climb_told && self.told.is_none_or(|told| next * NEWS >= told);
        self.climb_told |= is_news;
        if self.climb_told {
            self.told = Some(next);
        }
        Climb::To { pace: next, is_news }
    }

    /// Others were not harmed for a while.
    fn lull(&self, now: Duration) -> bool {
        self.last_harm.is_none_or(|last| now.saturating_sub(last) >= LULL)
    }

    /// Where harm began long ago may be somewhere else today.
    pub fn forget_in_time(&mut self, now: Duration) {
        if self.last_harm.is_some_and(|last| now.saturating_sub(last) > MEMORY) {
            self.forget();
        }
    }

    fn ended(&mut self) {
        (self.climbing_from, self.calm_for) = (None, Duration::ZERO);
        (self.told, self.climb_told) = (None, false);
    }
}
