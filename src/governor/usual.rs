//! What is usual for the others: watched for some seconds before the first byte, and remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::readings::{Sample, Signal};

/// So many standard deviations above the mean are still usual. Windows are short and differ: with the mean alone, steady nights of the
/// simulator took three times as long, with ten times the decisions.
const SPREAD: f64 = 2.0;

/// What is left of a remembered value that was not seen again.
const FADES: f64 = 0.5;

/// What a value is about.
pub type Key = (Signal, Arc<str>);

/// What is usual, in the unit of each signal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usual {
    values: BTreeMap<Key, f64>,
}

impl Usual {
    /// What was remembered.
    pub fn known(values: impl IntoIterator<Item = (Key, f64)>) -> Usual {
        Usual { values: values.into_iter().collect() }
    }

    /// What is usual for one.
    pub fn of(&self, signal: Signal, of: &Arc<str>) -> Option<f64> {
        self.values.get(&(signal, of.clone())).copied()
    }

    /// From now on this is.
    pub fn learn(&mut self, key: Key, value: f64) {
        self.values.insert(key, value);
    }

    /// Takes over what was just seen. Of what was not seen this time half is left: a night on which everybody waited must not raise the
    /// thresholds of a month.
    pub fn renew(&mut self, fresh: Usual) {
        for value in self.values.values_mut() {
            *value *= FADES;
        }
        self.values.extend(fresh.values);
    }

    /// All of it.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, f64)> {
        self.values.iter().map(|(key, value)| (key, *value))
    }
}

/// Watches in the quiet.
#[derive(Debug, Clone, Default)]
pub struct Quiet {
    windows: usize,
    restless: bool,
    seen: BTreeMap<Key, Vec<f64>>,
}

impl Quiet {
    /// Takes what was sensed in one window, and whether everybody was calm in it. What is not reported was 0.
    pub fn take<'a>(&mut self, samples: impl IntoIterator<Item = &'a Sample>, calm: bool) {
        self.windows += 1;
        self.restless |= !calm;
        for sample in samples {
            self.seen.entry((sample.signal, sample.of.clone())).or_default().push(sample.value);
        }
    }

    /// How many windows were watched.
    pub fn windows(&self) -> usize {
        self.windows
    }

    /// Whether everybody was calm in all of them.
    pub fn is_calm(&self) -> bool {
        !self.restless
    }

    /// What is usual.
    pub fn usual(self) -> Usual {
        let windows = self.windows.max(1) as f64;
        let values = self.seen.into_iter().map(|(key, values)| {
            // A window without a report was one of 0, and needs no place in a sum.
            let mean = values.iter().sum::<f64>() / windows;
            let squares = values.iter().map(|value| value * value).sum::<f64>() / windows;
            let usual = mean + SPREAD * (squares - mean * mean).max(0.0).sqrt();
            let usual = if key.0.is_share() { usual.min(1.0) } else { usual };
            (key, usual)
        });
        Usual { values: values.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: f64) -> Sample {
        Sample { signal: Signal::IoStall, of: "nginx.service".into(), value }
    }

    #[test]
    fn what_is_usual_lies_above_nearly_all_windows() {
        let mut quiet = Quiet::default();
        for n in 1..=20 {
            quiet.take(&[sample(f64::from(n) / 100.0)], true);
        }
        let usual = quiet.usual().of(Signal::IoStall, &"nginx.service".into()).unwrap();
        assert!((usual - 0.22).abs() < 0.001, "{usual}");
    }

    #[test]
    fn a_share_is_never_more_than_always() {
        let mut quiet = Quiet::default();
        for n in 0..10 {
            quiet.take(&[sample(f64::from(n % 2))], false);
        }
        assert_eq!(quiet.usual().of(Signal::IoStall, &"nginx.service".into()), Some(1.0));
    }

    #[test]
    fn a_window_without_a_report_is_one_without_a_wait() {
        let mut quiet = Quiet::default();
        quiet.take(&[sample(0.5)], false);
        for _ in 0..19 {
            quiet.take(&[], true);
        }
        assert_eq!(quiet.windows(), 20);
        assert!(!quiet.is_calm());
        let usual = quiet.usual().of(Signal::IoStall, &"nginx.service".into()).unwrap();
        assert!((0.2..0.3).contains(&usual), "{usual}");
    }

    #[test]
    fn what_is_remembered_fades_where_it_was_not_seen_again() {
        let other: Arc<str> = "php.service".into();
        let mut usual = Usual::known([((Signal::IoStall, other.clone()), 0.3)]);
        let mut quiet = Quiet::default();
        quiet.take(&[sample(0.5)], false);
        usual.renew(quiet.usual());
        assert_eq!(usual.of(Signal::IoStall, &other), Some(0.15));
        assert_eq!(usual.iter().count(), 2);
    }
}
