//! How many bytes of one stream may be on their way to a disk at once, from what that disk has shown it can do.
//!
//! Invariants: [`Flight::bound`] is never more than [`TIME`] of the measured rate unless that is less than [`LEAST`], and
//! never more than [`MOST`]; [`Flight::block`] is never more than the bound. Both are multiples of [`STEP`]. Nothing here
//! reads a clock or a disk.

use std::time::Duration;

/// Longest time the bytes in flight may keep the disk busy: what somebody else's fsync may have to wait for us.
pub const TIME: Duration = Duration::from_millis(50);

/// What one request should keep the disk busy for. A fifth of [`TIME`]: in the measurements behind the design, requests of
/// 26 ms tripled the others' p95 where requests of 6 ms did not, and past some milliseconds a request's fixed cost is
/// small beside its transfer.
pub const REQUEST: Duration = Duration::from_millis(10);

/// Fewest bytes in flight: smaller requests cost throughput on every disk.
pub const LEAST: usize = 256 << 10;

/// Most bytes in flight, however fast the disk: more gained nothing measurable, and it is memory of the pump.
pub const MOST: usize = 4 << 20;

/// All sizes are multiples of this: a multiple of every block size a disk has.
pub const STEP: usize = 64 << 10;

/// The weight of the newest observation in the average, as a divisor.
const WEIGHT: u64 = 4;

/// The measured rate of one file's disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flight {
    /// Average time a MiB takes, in ns; `None` before the first observation.
    per_mib: Option<u64>,
}

impl Flight {
    /// Takes in that `bytes` took the disk `elapsed`.
    pub fn observe(&mut self, bytes: usize, elapsed: Duration) {
        if bytes == 0 {
            return;
        }
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX >> 24).min(u64::MAX >> 24);
        let new = (nanos.saturating_mul(1 << 20) / bytes as u64).max(1);
        self.per_mib = Some(match self.per_mib {
            None => new,
            Some(old) => (old - old / WEIGHT).saturating_add(new / WEIGHT).max(1),
        });
    }

    /// Bytes per second, `None` before the first observation.
    pub fn rate(&self) -> Option<u64> {
        self.per_mib.map(|nanos| 1_000_000_000_u64.saturating_mul(1 << 20) / nanos)
    }

    /// Most bytes in flight at once.
    pub fn bound(&self) -> usize {
        self.worth(TIME)
    }

    /// What one request should carry.
    pub fn block(&self) -> usize {
        self.worth(REQUEST)
    }

    /// The bytes this disk moves in `time`, within the limits.
    fn worth(&self, time: Duration) -> usize {
        let Some(rate) = self.rate() else { return LEAST };
        let bytes = u128::from(rate) * time.as_nanos() / 1_000_000_000;
        let bytes = usize::try_from(bytes).unwrap_or(MOST).clamp(LEAST, MOST);
        bytes - bytes % STEP
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn starts_small_and_follows_the_disk() {
        let mut flight = Flight::default();
        assert_eq!((flight.bound(), flight.block()), (LEAST, LEAST));
        for _ in 0..40 {
            flight.observe(1 << 20, Duration::from_millis(25)); // 40 MiB/s
        }
        assert_eq!(flight.bound(), 2 << 20);
        assert_eq!(flight.block(), 384 << 10);
        for _ in 0..40 {
            flight.observe(1 << 20, Duration::from_millis(250));
        }
        assert_eq!(flight.bound(), LEAST);
    }

    proptest! {
        #[test]
        fn stays_within_its_limits(seen in prop::collection::vec((0usize..1 << 24, 0u64..1 << 40), 0..50)) {
            let mut flight = Flight::default();
            for (bytes, nanos) in seen {
                flight.observe(bytes, Duration::from_nanos(nanos));
                prop_assert!((LEAST..=MOST).contains(&flight.bound()));
                prop_assert!((LEAST..=flight.bound()).contains(&flight.block()));
                prop_assert_eq!(flight.bound() % STEP, 0);
                prop_assert_eq!(flight.block() % STEP, 0);
            }
        }
    }
}
