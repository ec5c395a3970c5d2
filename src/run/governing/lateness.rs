//! How late rounds come: a governor that waits for its turn lets others wait, too.

use std::time::Duration;

/// Rounds that are later than this many milliseconds count as so late.
const MOST: usize = 1000;

/// Counts rounds by how late they came, in whole milliseconds. Its size never changes.
#[derive(Debug, Clone)]
pub struct Lateness {
    rounds: Vec<u32>,
}

impl Default for Lateness {
    fn default() -> Lateness {
        Lateness { rounds: vec![0; MOST + 1] }
    }
}

impl Lateness {
    /// A round came so late.
    pub fn take(&mut self, late: Duration) {
        let millis = usize::try_from(late.as_millis()).unwrap_or(MOST).min(MOST);
        if let Some(count) = self.rounds.get_mut(millis) {
            *count = count.saturating_add(1);
        }
    }

    /// How many rounds there were.
    pub fn rounds(&self) -> u64 {
        self.rounds.iter().map(|count| u64::from(*count)).sum()
    }

    /// So many milliseconds late came all but this share of the rounds, in percent: 1 is the 99th percentile.
    pub fn but(&self, percent: u64) -> usize {
        let mut above = self.rounds() * percent / 100;
        for (millis, count) in self.rounds.iter().enumerate().rev() {
            if u64::from(*count) > above {
                return millis;
            }
            above -= u64::from(*count);
        }
        0
    }

    /// `812 rounds, 99 of 100 at most 3 ms late, all at most 12 ms`.
    pub fn describe(&self) -> String {
        format!("{} rounds, 99 of 100 at most {} ms late, all at most {} ms", self.rounds(), self.but(1), self.but(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_a_hundred_do_not_count() {
        let mut lateness = Lateness::default();
        for _ in 0..198 {
            lateness.take(Duration::from_micros(3500));
        }
        lateness.take(Duration::from_millis(40));
        lateness.take(Duration::from_secs(60));
        assert_eq!((lateness.rounds(), lateness.but(1), lateness.but(0)), (200, 3, 1000));
        assert_eq!(lateness.describe(), "200 rounds, 99 of 100 at most 3 ms late, all at most 1000 ms");
        assert_eq!(Lateness::default().but(1), 0);
    }
}
