//! Whether slowing the run helps anybody.
//!
//! At the floor there is nothing left to take. Harm that stays there is put to the test: the run stands still for some seconds.
//! What stays then is not the run's doing: it is what is usual tonight. It counts again when it grows well beyond that, for then
//! the run has a part in it; when it has gone by itself; and after some minutes in any case, to be tested anew.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::governor::readings::{Reading, Signal};

/// So long harm must last at the floor before it is put to the test.
const PATIENCE: Duration = Duration::from_secs(10);

/// And so long where slowing the run seems to have helped. It may have gone down by itself.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// Harm that fell below this share of what it was is being helped.
const HELPED: f64 = 0.8;

/// A pace up to so many times the floor is as good as at the floor: harm that flickers lets the run climb a little in between.
const NEAR: f64 = 1.5;

/// A queue that the run left behind is gone after this. With 2 s, the simulator's overloaded nights blamed others for it.
const SETTLE: Duration = Duration::from_secs(4);

/// So long the run stands still before it is judged: not longer than the first pause holds in any case.
const PROOF: Duration = Duration::from_secs(9);

/// What is usual without the run is held against it above so many times that.
const BEYOND: f64 = 1.5;

/// So long what is not the run's doing is not held against it.
const MUTE: Duration = Duration::from_secs(300);

/// What was not seen for so long has gone by itself.
const GONE: Duration = Duration::from_secs(30);

type Key = (Signal, Arc<str>);

/// What is known of the run's influence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Authority {
    /// How bad it was before the run was slowed.
    at_first: Option<f64>,
    /// Since when others are harmed with the run near its floor.
    pinned: Option<Duration>,
    /// When others were harmed the last time.
    harmed: Option<Duration>,
    test: Option<Test>,
    /// It was put to the test and found to be the run's: until then it need not be tested again.
    confirmed: Option<Duration>,
    foreign: BTreeMap<Key, Foreign>,
}

/// What is seen while the run stands still.
#[derive(Debug, Clone, PartialEq)]
struct Test {
    /// What led to it.
    of: Reading,
    seen: BTreeMap<Key, Usual>,
}

/// A signal without the run.
#[derive(Debug, Clone, PartialEq)]
struct Usual {
    windows: f64,
    sum: f64,
    squares: f64,
    last: Reading,
}

impl Usual {
    fn mean(&self) -> f64 {
        self.sum / self.windows
    }

    /// The mean and two standard deviations (with the mean alone, the simulator's steady nights took 6.6 times as long): a signal that goes up and down by itself is above its mean in half of the windows.
    fn level(&self) -> f64 {
        let mean = self.mean();
        mean + 2.0 * (self.squares / self.windows - mean * mean).max(0.0).sqrt()
    }
}

/// A signal that is high without the run.
#[derive(Debug, Clone, PartialEq)]
struct Foreign {
    /// How high.
    level: f64,
    until: Duration,
    /// When it was there the last time.
    seen: Duration,
}

/// Whether the floor helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does, or it is too early to tell.
    Effective,
    /// It does not: stop the run to see.
    Doubtful,
}

impl Authority {
    /// A reading with the thresholds that hold for the run: higher ones, where it is known to be high without it.
    pub fn held_against<'a>(&self, now: Duration, reading: &'a Reading) -> Cow<'a, Reading> {
        if self.foreign.is_empty() {
            return Cow::Borrowed(reading);
        }
        match self.foreign.get(&reading.key()) {
            Some(foreign) if now < foreign.until => {
                let Foreign { level, .. } = *foreign;
                let most = if reading.signal.is_share() { f64::midpoint(level, 1.0) } else { f64::INFINITY };
                let throttle = reading.throttle.max((level * BEYOND).min(most));
                let calm = f64::midpoint(level, throttle).clamp(reading.calm.min(throttle), throttle);
                Cow::Owned(Reading { throttle, calm, ..reading.clone() })
            }
            Some(_) | None => Cow::Borrowed(reading),
        }
    }

    /// Others are harmed, with the run at a pace: whether it still helps to slow it.
    pub fn harmed(&mut self, now: Duration, ratio: f64, pace: Option<f64>, floor: f64) -> Standing {
        self.harmed = Some(now);
        let worst = self.at_first.unwrap_or_default().max(ratio);
        if !pace.is_some_and(|pace| pace <= floor * NEAR) {
            (self.at_first, self.pinned) = (Some(worst), None);
            return Standing::Effective;
        }
        let first = *self.at_first.get_or_insert(ratio);
        let lasted = now.saturating_sub(*self.pinned.get_or_insert(now));
        let patience = if ratio >= first * HELPED { PATIENCE } else { LONG_PATIENCE };
        let known = self.confirmed.is_some_and(|until| now < until);
        if lasted >= patience && !known { Standing::Doubtful } else { Standing::Effective }
    }

    /// Nobody is harmed in this window.
    pub fn at_rest(&mut self, now: Duration) {
        if self.harmed.is_some_and(|last| now.saturating_sub(last) >= PATIENCE) {
            (self.at_first, self.pinned, self.harmed) = (None, None, None);
        }
    }

    /// The run stands still, for nothing but to see whether that helps.
    pub fn begin_test(&mut self, of: &Reading) {
        self.test = Some(Test { of: of.clone(), seen: BTreeMap::new() });
    }

    /// What led to the test, if it stayed although the run stands still since a moment. Whether it did or not, all that is high
    /// without the run has higher thresholds from now on.
    ///
    /// Judged from the windows before this one: what is seen now must not make the run faster.
    pub fn verdict(&mut self, now: Duration, since: Option<Duration>) -> Option<Reading> {
        let test = self.test.as_ref()?;
        if now.saturating_sub(since?) < PROOF {
            return None;
        }
        for (key, usual) in test.seen.iter().filter(|(_, usual)| usual.level() * BEYOND > usual.last.throttle) {
            self.foreign.insert(key.clone(), Foreign { level: usual.level(), until: now + MUTE, seen: now });
        }
        let usual = test.seen.get(&test.of.key())?;
        let stayed = Reading { value: usual.level(), ..usual.last.clone() };
        (stayed.is_harm() && usual.mean() >= test.of.value * HELPED).then_some(stayed)
    }

    /// Whether the run has stood still for long enough, and nothing stayed that led to it. Then it is the run's, for a while.
    pub fn is_confirmed(&mut self, now: Duration, since: Option<Duration>) -> bool {
        let over = since.is_some_and(|since| now.saturating_sub(since) >= PROOF);
        if self.test.is_none() || !over {
            return false;
        }
        self.confirmed = Some(now + MUTE);
        true
    }

    /// The run goes on.
    pub fn end_test(&mut self) {
        (self.at_first, self.pinned, self.harmed, self.test) = (None, None, None, None);
    }

    /// Takes note of a window, after it was judged; `still_since` is when the run was stopped, while it is.
    pub fn watch(&mut self, now: Duration, readings: &[Reading], still_since: Option<Duration>) {
        if let (Some(test), Some(since)) = (&mut self.test, still_since)
            && now.saturating_sub(since) >= SETTLE
        {
            for reading in readings.iter().filter(|reading| (0.0..f64::MAX.sqrt()).contains(&reading.value)) {
                let usual = test.seen.entry(reading.key()).or_insert_with(|| Usual {
                    windows: 0.0,
                    sum: 0.0,
                    squares: 0.0,
                    last: reading.clone(),
                });
                usual.windows += 1.0;
                usual.sum += reading.value;
                usual.squares += reading.value * reading.value;
                usual.last.clone_from(reading);
            }
        }
        if self.foreign.is_empty() {
            return;
        }
        for reading in readings.iter().filter(|reading| reading.is_harm()) {
            if let Some(foreign) = self.foreign.get_mut(&reading.key()) {
                foreign.seen = now;
            }
        }
        self.foreign.retain(|_, foreign| now < foreign.until && now.saturating_sub(foreign.seen) < GONE);
    }
}
