//! A running mean: of what is sampled at moments, the share of time behind it.

use std::time::{Duration, Instant};

/// What was sampled so long ago counts a third (1 / e).
const MEMORY: Duration = Duration::from_secs(1);

/// The mean of the last second or so.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mean {
    value: f64,
    at: Option<Instant>,
}

impl Mean {
    /// Takes a sample; the first counts whole.
    pub fn take(&mut self, now: Instant, sample: f64) -> f64 {
        let weight = match self.at {
            None => 1.0,
            Some(at) => 1.0 - (-now.saturating_duration_since(at).as_secs_f64() / MEMORY.as_secs_f64()).exp(),
        };
        self.value += (sample - self.value) * weight;
        self.at = Some(now);
        self.value
    }

    /// The mean as it stands.
    pub fn value(&self) -> f64 {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_followed_within_seconds() {
        let start = Instant::now();
        let mut mean = Mean::default();
        assert_eq!(mean.take(start, 0.0), 0.0);
        for tick in 1..=4 {
            mean.take(start + Duration::from_millis(250 * tick), 4.0);
        }
        assert!((2.4..2.7).contains(&mean.value()), "{}", mean.value());
        for tick in 5..=20 {
            mean.take(start + Duration::from_millis(250 * tick), 4.0);
        }
        assert!(mean.value() > 3.9);
    }
}
