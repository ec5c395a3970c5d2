//! The bucket as the threads of a pump share it, and the counters they all see.
//!
//! Invariants: whoever waits for bytes wakes as soon as the rate changes; the time spent waiting is counted while it
//! passes, not only at its end.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::{Bucket, Grant};
use super::protocol::Counters;
use crate::config::units::Rate;

/// Longest sleep in one piece, so that the counters stay current at rates of a few bytes per second.
const NAP: Duration = Duration::from_millis(100);

/// Pace and counters of one pump.
#[derive(Debug)]
pub struct Pace {
    bucket: Mutex<Bucket>,
    changed: Condvar,
    start: Instant,
    plain: AtomicU64,
    stored: AtomicU64,
    throttled_us: AtomicU64,
}

impl Pace {
    /// A pace of `rate` from now on.
    pub fn new(rate: Option<Rate>) -> Pace {
        Pace {
            bucket: Mutex::new(Bucket::new(rate, Duration::ZERO)),
            changed: Condvar::new(),
            start: Instant::now(),
            plain: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            throttled_us: AtomicU64::new(0),
        }
    }

    /// Waits until bytes may pass, at most `want`; returns how many, at least one.
    pub fn take(&self, want: usize) -> usize {
        let mut bucket = self.lock();
        loop {
            match bucket.take(want, self.start.elapsed()) {
                Grant::Pass(bytes) => return bytes,
                Grant::Wait(time) => {
                    let begun = Instant::now();
                    let waited = self.changed.wait_timeout(bucket, time.min(NAP));
                    bucket = waited.unwrap_or_else(PoisonError::into_inner).0;
                    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                    self.throttled_us.fetch_add(micros, Relaxed);
                }
            }
        }
    }

    /// Gives back what was granted and not used.
    pub fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.lock().give_back(bytes);
        }
    }

    /// Changes the rate, also for whoever waits already.
    pub fn set_rate(&self, rate: Option<Rate>) {
        self.lock().set_rate(rate, self.start.elapsed());
        self.changed.notify_all();
    }

    /// Counts uncompressed bytes.
    pub fn add_plain(&self, bytes: usize) {
        self.plain.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts bytes of the file.
    pub fn add_stored(&self, bytes: usize) {
        self.stored.fetch_add(bytes as u64, Relaxed);
    }

    /// Where it stands.
    pub fn counters(&self) -> Counters {
        Counters {
            plain: self.plain.load(Relaxed),
            stored: self.stored.load(Relaxed),
            throttled_us: self.throttled_us.load(Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        // A bucket is whole after each of its methods, so a poisoned lock guards nothing broken.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_sleeping_taker_wakes_on_a_new_rate() {
        let pace = Arc::new(Pace::new(Rate::per_second(1)));
        let sleeper = thread::spawn({
            let pace = Arc::clone(&pace);
            move || (0..100).map(|_| pace.take(1000)).sum::<usize>()
        });
        thread::sleep(Duration::from_millis(50));
        pace.set_rate(None);
        // At one byte a second this would take a hundred seconds.
        assert!(sleeper.join().unwrap() >= 1000);
        assert!(pace.start.elapsed() < Duration::from_secs(20));
        assert!(pace.counters().throttled_us > 0);
    }
}
