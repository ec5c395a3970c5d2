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

/// Most bytes in flight, however fast the disk: the design's figure.
pub const MOST: usize = 4 << 20;

/// Largest request: half of [`MOST`], as two windows may be in flight at once. Twice as much gained nothing measurable.
pub const LARGEST: usize = MOST / 2;

/// All sizes are multiples of this: a multiple of every block size a disk has.
pub const STEP: usize = 64 << 10;

/// Bytes per second at which a request of [`LEAST`] takes [`REQUEST`]: what a new disk is believed to do.
const FIRST: u64 = LEAST as u64 * 1000 / REQUEST.as_millis() as u64;

/// What one file's disk is believed to sustain.
///
/// The belief at most doubles, and only after [`TIME`] of busy disk has borne it out: caches and burst credits make the first
/// requests fast on disks that are slow. A single request that takes more than twice as long as believed lowers it at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flight {
    /// Bytes per second; `None` while nothing is known.
    rate: Option<u64>,
    /// Bytes since the belief last changed.
    bytes: u64,
    /// The time they kept the disk busy.
    busy: Duration,
}

impl Flight {
    /// Takes in that `bytes` took the disk `elapsed`.
    pub fn observe(&mut self, bytes: usize, elapsed: Duration) {
        let bytes = bytes as u64;
        self.bytes = self.bytes.saturating_add(bytes);
        self.busy = self.busy.saturating_add(elapsed);
        let believed = self.rate.unwrap_or(FIRST);
        let shown = per_second(bytes, elapsed);
        // The fixed cost of a small last request says nothing about the rate.
        if shown < believed / 2 && bytes >= LEAST as u64 / 2 {
            self.believe(shown);
        } else if self.busy >= TIME {
            self.believe(per_second(self.bytes, self.busy).min(believed.saturating_mul(2)));
        }
    }

    fn believe(&mut self, rate: u64) {
        *self = Flight { rate: Some(rate.max(1)), bytes: 0, busy: Duration::ZERO };
    }

    /// Bytes per second this disk is believed to sustain, `None` while nothing is known.
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Most bytes in flight at once.
    pub fn bound(&self) -> usize {
        self.worth(TIME)
    }

    /// What one request should carry.
    pub fn block(&self) -> usize {
        self.worth(REQUEST).min(LARGEST)
    }

    /// The bytes this disk moves in `time`, within the limits.
    fn worth(&self, time: Duration) -> usize {
        let Some(rate) = self.rate() else { return LEAST };
        let bytes = u128::from(rate) * time.as_nanos() / 1_000_000_000;
        let bytes = usize::try_from(bytes).unwrap_or(MOST).clamp(LEAST, MOST);
        bytes - bytes % STEP
    }
}

/// `bytes` in `time` as bytes per second.
fn per_second(bytes: u64, time: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000_000_000 / time.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A disk of so many MiB/s carries blocks of the size asked for, until the time is up.
    fn run(flight: &mut Flight, mib: u32, time: Duration) {
        let mut busy = Duration::ZERO;
        while busy < time {
            let block = flight.block();
            let took = Duration::from_secs(1) * (block as u32 / 1024) / 1024 / mib;
            flight.observe(block, took);
            busy += took;
        }
    }

    #[test]
    fn starts_small_and_follows_the_disk() {
        let mut flight = Flight::default();
        assert_eq!((flight.bound(), flight.block(), flight.rate()), (LEAST, LEAST, None));
        run(&mut flight, 41, Duration::from_secs(1));
        assert_eq!((flight.bound(), flight.block()), (2 << 20, 384 << 10));
        run(&mut flight, 2000, Duration::from_secs(1));
        assert_eq!((flight.bound(), flight.block()), (MOST, LARGEST));
    }

    #[test]
    fn a_burst_is_not_believed() {
        let mut flight = Flight::default();
        for _ in 0..4 {
            flight.observe(LEAST, Duration::from_micros(100));
        }
        assert_eq!(flight.block(), LEAST);
    }

    #[test]
    fn a_disk_that_slows_down_is_believed_at_once() {
        let mut flight = Flight::default();
        run(&mut flight, 2000, Duration::from_secs(1));
        flight.observe(LARGEST, Duration::from_millis(200)); // 10 MiB/s
        assert_eq!((flight.bound(), flight.block()), (512 << 10, LEAST));
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
