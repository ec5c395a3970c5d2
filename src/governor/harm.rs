//! From what was sensed to what it means: a value is held against the policy, and against what is usual.
//!
//! A busy service waits for its disk by nature. What is usual for it is no harm; a good deal more is.

use super::readings::{Reading, Sample, Signal};
use crate::config::governor::{Share, Thresholds};

/// Tasks of others that want a processor, for each processor, from where on they are harmed: half of them wait.
const RUN_QUEUE: f64 = 2.0;

/// A share of time at least this far from always can still tell more from most.
const NEARLY_ALWAYS: f64 = 0.99;

impl Share {
    /// 0 to 1.
    pub fn of_one(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// What a value means. `usual` is what it is without the run; none is known for a unit that was never seen busy.
pub fn judge(sample: &Sample, thresholds: &Thresholds, usual: Option<f64>) -> Reading {
    let Sample { signal, of, value } = sample.clone();
    let least = least(signal, thresholds);
    let usual = usual.filter(|usual| usual.is_finite() && *usual > 0.0).unwrap_or(0.0);
    let throttle = least.max(above(signal, usual, f64::from(thresholds.above_usual) / 10.0));
    Reading { signal, of, value, calm: f64::midpoint(usual.min(throttle), throttle), throttle, pause: None }
}

/// Below this nothing is harm, however unusual.
fn least(signal: Signal, thresholds: &Thresholds) -> f64 {
    match signal {
        Signal::IoStall => thresholds.io_stall.of_one(),
        Signal::MemoryStall => thresholds.memory_stall.of_one(),
        Signal::CpuStall => thresholds.cpu_stall.of_one(),
        Signal::Waiters | Signal::Blocked => f64::from(thresholds.waiters) / 1000.0,
        Signal::RunQueue => RUN_QUEUE,
        Signal::DirtyDebt => thresholds.dirty_debt.as_secs_f64(),
        // Probes have thresholds of their own.
        Signal::Latency | Signal::Occupancy | Signal::Count | Signal::NoAnswer => f64::INFINITY,
    }
}

/// So many times the usual. A share of time has an end at 1, and the closer it comes the more each step means: of a queue that is
/// busy for the share s, s ÷ (1 - s) are in it on average, and that is what is multiplied.
pub fn above(signal: Signal, usual: f64, times: f64) -> f64 {
    if !signal.is_stall() {
        return usual * times;
    }
    let usual = usual.clamp(0.0, NEARLY_ALWAYS);
    let queue = usual / (1.0 - usual) * times;
    queue / (1.0 + queue)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::fragment::KindName;
    use crate::config::governor::{Governor, Profile};

    fn thresholds() -> Thresholds {
        Governor::of_profile(Profile::Balanced, KindName::Filesystem).thresholds
    }

    fn stall(value: f64) -> Sample {
        Sample { signal: Signal::IoStall, of: "nginx.service".into(), value }
    }

    #[test]
    fn a_unit_that_is_usually_idle_is_held_against_the_policy() {
        let reading = judge(&stall(0.092), &thresholds(), None);
        assert_eq!((reading.throttle, reading.calm), (0.05, 0.025));
        assert!(reading.is_harm());
    }

    #[test]
    fn a_busy_unit_is_held_against_what_is_usual() {
        let reading = judge(&stall(0.5), &thresholds(), Some(0.5));
        assert!((reading.throttle - 0.6).abs() < 1e-9, "{reading:?}");
        assert!((reading.calm - 0.55).abs() < 1e-9);
        assert!(reading.is_calm());
        assert!(judge(&stall(0.61), &thresholds(), Some(0.5)).is_harm());
        assert!(judge(&stall(1.0), &thresholds(), Some(0.98)).is_harm(), "there is always room for harm");
    }

    proptest! {
        #[test]
        fn calm_is_below_harm_and_what_is_usual_is_none(
            usual in prop::option::of(-1.0f64..2.0), value in 0.0f64..1.0, io in any::<bool>(),
        ) {
            let signal = if io { Signal::IoStall } else { Signal::Waiters };
            let reading = judge(&Sample { signal, of: "x".into(), value }, &thresholds(), usual);
            prop_assert!(reading.calm <= reading.throttle && reading.throttle > 0.0);
            if let Some(usual) = usual.filter(|usual| *usual > 0.0 && *usual < 0.9) {
                let reading = judge(&Sample { signal, of: "x".into(), value: usual }, &thresholds(), Some(usual));
                prop_assert!(!reading.is_harm());
            }
        }
    }
}
