//! Where the time of a run goes.

use std::time::{Duration, Instant};

use crate::ledger::entry::Times;

/// What a run is doing, for the account of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Working.
    Active,
    /// Waiting to be let in.
    Waiting,
    /// Stopped.
    Paused,
}

/// Adds up the time spent in each mode, on the monotonic clock.
#[derive(Debug, Clone)]
pub struct Meter {
    mode: Mode,
    since: Instant,
    active: Duration,
    waiting: Duration,
    paused: Duration,
    throttled: Duration,
}

impl Meter {
    /// Starts at `now` in a mode.
    pub fn start(mode: Mode, now: Instant) -> Meter {
        let zero = Duration::ZERO;
        Meter { mode, since: now, active: zero, waiting: zero, paused: zero, throttled: zero }
    }

    /// From `now` on in another mode.
    pub fn switch(&mut self, mode: Mode, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        match self.mode {
            Mode::Active => self.active += passed,
            Mode::Waiting => self.waiting += passed,
            Mode::Paused => self.paused += passed,
        }
        self.mode = mode;
        self.since = self.since.max(now);
    }

    /// So much of the active time was spent waiting for a pace.
    pub fn throttled(&mut self, time: Duration) {
        self.throttled += time;
    }

    /// The account at `now`.
    pub fn times(&self, now: Instant) -> Times {
        let mut until_now = self.clone();
        until_now.switch(self.mode, now);
        // The pump counts its waiting in steps: the last one may reach over the end of the active time.
        let throttled = until_now.throttled.min(until_now.active);
        let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        let times = Times {
            wall: 0,
            active: micros(until_now.active) - micros(throttled),
            waiting: micros(until_now.waiting),
            throttled: micros(throttled),
            paused: micros(until_now.paused),
        };
        Times { wall: times.active + times.waiting + times.throttled + times.paused, ..times }
    }
}

/// The account between two readings of one meter.
pub fn between(start: &Times, end: &Times) -> Times {
    let wall = end.wall.saturating_sub(start.wall);
    let waiting = end.waiting.saturating_sub(start.waiting);
    let paused = end.paused.saturating_sub(start.paused);
    // Throttled time is booked when the pump reports it, and taken from active: it may belong to what was active before.
    let active_or_throttled = wall.saturating_sub(waiting).saturating_sub(paused);
    let throttled = end.throttled.saturating_sub(start.throttled).min(active_or_throttled);
    Times { wall, active: active_or_throttled - throttled, waiting, throttled, paused }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_second_is_counted_once() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut meter = Meter::start(Mode::Waiting, start);
        meter.switch(Mode::Active, at(2));
        meter.switch(Mode::Paused, at(5));
        meter.switch(Mode::Active, at(9));
        meter.throttled(Duration::from_secs(1));
        let times = meter.times(at(10));
        let s = 1_000_000;
        assert_eq!(times, Times { wall: 10 * s, active: 3 * s, waiting: 2 * s, throttled: s, paused: 4 * s });
    }

    #[test]
    fn what_was_throttled_before_does_not_make_a_part_longer_than_it_was() {
        let start = Times { wall: 10, active: 10, ..Times::default() };
        let end = Times { wall: 20, active: 8, throttled: 12, ..Times::default() };
        assert_eq!(between(&start, &end), Times { wall: 10, throttled: 10, ..Times::default() });
    }

    proptest! {
        #[test]
        fn the_wall_is_the_sum(steps in prop::collection::vec((0u64..9, 0u64..4, 0u64..500), 0..20)) {
            let start = Instant::now();
            let mut now = start;
            let mut meter = Meter::start(Mode::Waiting, start);
            for (ms, mode, throttled) in steps {
                now += Duration::from_millis(ms);
                meter.switch([Mode::Active, Mode::Waiting, Mode::Paused, Mode::Active][mode as usize], now);
                meter.throttled(Duration::from_micros(throttled));
            }
            let times = meter.times(now);
            prop_assert_eq!(times.wall, times.active + times.waiting + times.throttled + times.paused);
            prop_assert_eq!(times.wall, (now - start).as_micros() as u64);
        }
    }
}
