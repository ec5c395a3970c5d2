//! A token bucket: how many bytes may pass now, or how long to wait.
//!
//! Invariants: over any window of time at most `rate * window + depth` bytes are granted, where the depth is what the rate
//! yields in [`DEPTH`], but at least one byte; whoever waits as long as told and asks again is granted something; a new rate
//! counts from the moment it is set. No clock is read here: `now` is the time since any fixed moment, and never runs back.

use std::time::Duration;

use crate::config::units::Rate;

/// How much time's worth of bytes may pass in one burst. The design's figure: deeper, and the disk sees bursts instead of a
/// pace.
pub const DEPTH: Duration = Duration::from_millis(100);

/// A grant waits until this share of the depth is there (or all that was asked for): 40 grants a second instead of
/// thousands of tiny ones.
const BATCH: u128 = 4;

/// One byte in the bucket's unit, byte-nanoseconds: exact for every rate.
const BYTE: u128 = 1_000_000_000;

/// The answer to [`Bucket::take`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// So many bytes may pass, at least one and at most what was asked for.
    Pass(usize),
    /// Nothing yet: ask again after this.
    Wait(Duration),
}

/// The bucket. Starts empty.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    rate: Option<Rate>,
    level: u128,
    filled_at: Duration,
}

impl Bucket {
    /// A bucket for `rate`; `None` grants everything.
    pub fn new(rate: Option<Rate>, now: Duration) -> Bucket {
        Bucket { rate, level: 0, filled_at: now }
    }

    /// The rate in force.
    pub fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// Changes the rate. What was saved up stays, as far as the new depth holds it.
    pub fn set_rate(&mut self, rate: Option<Rate>, now: Duration) {
        self.fill(now);
        self.rate = rate;
        self.level = match rate {
            Some(rate) => self.level.min(depth(rate)),
            None => 0,
        };
    }

    /// Asks for up to `want` bytes (0 is taken as 1).
    pub fn take(&mut self, want: usize, now: Duration) -> Grant {
        let want = want.max(1);
        self.fill(now);
        let Some(rate) = self.rate else { return Grant::Pass(want) };
        let enough = (want as u128 * BYTE).min((depth(rate) / BATCH).max(BYTE));
        if self.level < enough {
            let nanos = (enough - self.level).div_ceil(u128::from(rate.bytes()));
            return Grant::Wait(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        }
        let bytes = usize::try_from(self.level / BYTE).unwrap_or(usize::MAX).min(want);
        self.level -= bytes as u128 * BYTE;
        Grant::Pass(bytes)
    }

    /// Gives back what was granted and not used.
    pub fn give_back(&mut self, bytes: usize) {
        if let Some(rate) = self.rate {
            self.level = (self.level + bytes as u128 * BYTE).min(depth(rate));
        }
    }

    fn fill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.filled_at);
        self.filled_at = self.filled_at.max(now);
        if let Some(rate) = self.rate {
            let gained = elapsed.as_nanos().saturating_mul(u128::from(rate.bytes()));
            self.level = self.level.saturating_add(gained).min(depth(rate));
        }
    }
}

/// The most a bucket holds, in byte-nanoseconds.
fn depth(rate: Rate) -> u128 {
    (u128::from(rate.bytes()) * DEPTH.as_nanos()).max(BYTE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(bytes: u64) -> Option<Rate> {
        Rate::per_second(bytes)
    }

    fn at(nanos: u64) -> Duration {
        Duration::from_nanos(nanos)
    }

    #[test]
    fn no_rate_never_waits() {
        let mut bucket = Bucket::new(None, at(0));
        for _ in 0..10 {
            assert_eq!(bucket.take(1 << 30, at(5)), Grant::Pass(1 << 30));
        }
    }

    #[test]
    fn a_lower_rate_keeps_no_more_than_its_own_depth() {
        let mut bucket = Bucket::new(rate(1_000_000_000), at(0));
        bucket.set_rate(rate(1000), at(1_000_000_000));
        assert_eq!(bucket.take(1 << 20, at(1_000_000_000)), Grant::Pass(100));
        assert!(matches!(bucket.take(1 << 20, at(1_000_000_000)), Grant::Wait(_)));
    }

    #[test]
    fn leaving_no_limit_starts_empty() {
        let mut bucket = Bucket::new(None, at(0));
        bucket.set_rate(rate(1000), at(1_000_000_000));
        assert!(matches!(bucket.take(1, at(1_000_000_000)), Grant::Wait(_)));
    }

    proptest! {
        /// Random steps of time and requests; whatever window one picks, no more passed than rate * window + depth.
        #[test]
        fn never_exceeds_rate_and_depth(
            bytes in 1u64..1 << 34,
            steps in prop::collection::vec((0u64..400_000_000, 1usize..1 << 24, any::<bool>()), 1..60),
        ) {
            let mut bucket = Bucket::new(rate(bytes), at(0));
            let mut now = 0;
            let mut passed = Vec::new();
            for (step, want, unused) in steps {
                now += step;
                if let Grant::Pass(n) = bucket.take(want, at(now)) {
                    prop_assert!(n >= 1 && n <= want);
                    let back = if unused { n / 2 } else { 0 };
                    bucket.give_back(back);
                    passed.push((now, n - back));
                }
            }
            let depth = (u128::from(bytes) / 10).max(1);
            for (from, &(start, _)) in passed.iter().enumerate() {
                let mut sum = 0u128;
                for &(end, n) in &passed[from..] {
                    sum += n as u128;
                    let window = u128::from(end - start);
                    prop_assert!(sum <= u128::from(bytes) * window / 1_000_000_000 + depth + 1);
                }
            }
        }

        #[test]
        fn never_starves(bytes in 1u64..1 << 40, wants in prop::collection::vec(0usize..1 << 24, 1..30)) {
            let mut bucket = Bucket::new(rate(bytes), at(0));
            let mut now = Duration::ZERO;
            for want in wants {
                if let Grant::Wait(time) = bucket.take(want, now) {
                    // At most a batch's worth, or what one byte takes.
                    prop_assert!(time <= Duration::from_millis(25).max(Duration::from_nanos(1_000_000_000 / bytes + 1)));
                    now += time;
                    prop_assert!(matches!(bucket.take(want, now), Grant::Pass(1..)));
                }
            }
        }

        #[test]
        fn a_greedy_taker_gets_the_whole_rate(bytes in 1000u64..1 << 32) {
            let mut bucket = Bucket::new(rate(bytes), at(0));
            let (mut now, mut sum) = (Duration::ZERO, 0u128);
            while now < Duration::from_secs(5) {
                match bucket.take(1 << 20, now) {
                    Grant::Pass(n) => sum += n as u128,
                    Grant::Wait(time) => now += time,
                }
            }
            let due = u128::from(bytes) * 5;
            prop_assert!(sum + due / 20 >= due && sum <= due + due / 20, "{sum} of {due}");
        }

        #[test]
        fn a_new_rate_counts_at_once(old in 1u64..1 << 34, new in 1u64..1 << 34, idle in 0u64..10_000_000_000) {
            let mut bucket = Bucket::new(rate(old), at(0));
            bucket.set_rate(rate(new), at(idle));
            let mut sum = 0u128;
            while let Grant::Pass(n) = bucket.take(usize::MAX >> 8, at(idle)) {
                sum += n as u128;
            }
            prop_assert!(sum <= (u128::from(new) / 10).max(1));
        }
    }
}
