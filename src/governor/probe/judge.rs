//! From what a probe has to say to a reading. Pure.

use super::felt::{Felt, Stands};
use crate::config::governor::{Probe, Threshold};
use crate::governor::readings::{Reading, Signal};

/// A probe without an answer is harm from the first second on, whatever it would measure: seconds.
const UNANSWERED: f64 = 0.001;

/// What is held against the thresholds of the probe; `usual` is its value when nothing runs. `None` where it does not steer: it is
/// absent, or nothing is known of what is usual.
pub fn judge(felt: &Felt, probe: &Probe, usual: Option<f64>) -> Option<Reading> {
    let signal = felt.sample.signal;
    let of = |threshold| level(threshold, signal, usual);
    let (throttle, pause) = (of(probe.throttle), probe.pause.and_then(of));
    let throttle = match &felt.stands {
        Stands::Absent { .. } => return None,
        Stands::Failing { .. } => UNANSWERED,
        Stands::Fresh => throttle.or(pause)?,
    };
    Some(Reading { signal, of: felt.name.clone(), value: felt.sample.value, throttle, pause })
}

/// A threshold in the unit of the signal; `None` where they do not go together. Who has waited for an answer so long has a latency
/// of at least that.
fn level(threshold: Threshold, signal: Signal, usual: Option<f64>) -> Option<f64> {
    match (threshold, signal) {
        (Threshold::Time(time), Signal::Latency | Signal::NoAnswer) => Some(time.as_secs_f64()),
        (Threshold::Share(share), Signal::Occupancy) => Some(f64::from(share.0) / 10_000.0),
        (Threshold::Count(count), Signal::Count) => Some(f64::from(count)),
        // A count of zero is usual, too, and no multiple of it is harm.
        (Threshold::Usual(tenths), Signal::Latency | Signal::Occupancy | Signal::Count) => {
            usual.filter(|usual| *usual > 0.0).map(|usual| usual * f64::from(tenths) / 10.0)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::governor::{Share, Target};
    use crate::governor::probe::Sample;
    use std::time::{Duration, Instant};

    fn probe(throttle: Threshold, pause: Option<Threshold>) -> Probe {
        Probe {
            name: "page".into(),
            target: Target::Tcp { address: "h:1".into() },
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            throttle,
            pause,
            absent_after: Duration::from_secs(60),
        }
    }

    fn felt(signal: Signal, value: f64) -> Felt {
        Felt { name: "page".into(), sample: Sample { signal, value }, stands: Stands::Fresh }
    }

    fn levels(felt: &Felt, probe: &Probe, usual: Option<f64>) -> Option<(f64, Option<f64>)> {
        judge(felt, probe, usual).map(|reading| (reading.throttle, reading.pause))
    }

    #[test]
    fn each_threshold_in_the_unit_of_its_signal() {
        let time = |ms| Threshold::Time(Duration::from_millis(ms));
        assert_eq!(
            levels(&felt(Signal::Latency, 0.1), &probe(time(300), Some(time(2000))), None),
            Some((0.3, Some(2.0)))
        );
        let share = Threshold::Share(Share(8000));
        assert_eq!(levels(&felt(Signal::Occupancy, 0.5), &probe(share, None), None), Some((0.8, None)));
        assert_eq!(levels(&felt(Signal::Count, 9.0), &probe(Threshold::Count(500), None), None), Some((500.0, None)));
        assert_eq!(levels(&felt(Signal::Count, 9.0), &probe(share, None), None), None, "they do not go together");
    }

    #[test]
    fn what_is_usual_must_be_known() {
        let usual = probe(Threshold::Usual(25), Some(Threshold::Time(Duration::from_secs(1))));
        assert_eq!(levels(&felt(Signal::Latency, 0.1), &usual, Some(0.04)), Some((0.1, Some(1.0))));
        assert_eq!(levels(&felt(Signal::Latency, 0.1), &usual, None), Some((1.0, Some(1.0))));
        assert_eq!(levels(&felt(Signal::Latency, 0.1), &probe(Threshold::Usual(25), None), None), None);
        assert_eq!(levels(&felt(Signal::Latency, 0.1), &probe(Threshold::Usual(25), None), Some(0.0)), None);
    }

    #[test]
    fn no_answer_throttles_pauses_in_time_and_is_absent_in_the_end() {
        let probe = probe(Threshold::Usual(25), Some(Threshold::Time(Duration::from_secs(1))));
        let mut felt = felt(Signal::NoAnswer, 0.5);
        felt.stands = Stands::Failing { why: "refused".into(), since: Instant::now() };
        let reading = judge(&felt, &probe, None).unwrap();
        assert!(reading.value > reading.throttle);
        assert_eq!(reading.pause, Some(1.0));
        felt.stands = Stands::Absent { why: "refused".into() };
        assert_eq!(judge(&felt, &probe, None), None);
    }
}
