//! What a probe has to say at one moment. Pure: the time comes with the call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::governor::readings::Signal;

/// A probe that counts gets its answer in a few ms. Where that takes longer than this nobody is left to give it: a full pool of
/// workers does not serve its status page. The first answer of any probe is late then, too.
const LATE: Duration = Duration::from_millis(500);

/// A value and what it is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// [`Signal::Latency`], [`Signal::Occupancy`], [`Signal::Count`], or [`Signal::NoAnswer`].
    pub signal: Signal,
    /// In the unit of the signal.
    pub value: f64,
}

impl Sample {
    /// A time.
    pub fn latency(time: Duration) -> Sample {
        Sample { signal: Signal::Latency, value: time.as_secs_f64() }
    }
}

/// What a probe has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Felt {
    /// The probe.
    pub name: Arc<str>,
    /// The newest value; while an answer is awaited, how long it takes already.
    pub sample: Sample,
    /// How far it can be relied on.
    pub stands: Stands,
}

/// How far a probe can be relied on.
#[derive(Debug, Clone, PartialEq)]
pub enum Stands {
    /// It answers.
    Fresh,
    /// It does not, and that is harm.
    Failing {
        /// Why, on one line.
        why: Arc<str>,
        /// Since when there has been no good answer.
        since: Instant,
    },
    /// It has not for so long that it says nothing about this run any more.
    Absent {
        /// Why, on one line.
        why: Arc<str>,
    },
}

/// One probe's answers so far.
#[derive(Debug, Clone)]
pub struct Diary {
    name: Arc<str>,
    /// Whether it measures time.
    timed: bool,
    absent_after: Duration,
    /// When the question under way was asked.
    asked: Option<Instant>,
    /// The last good answer.
    last: Option<Sample>,
    /// When it came; before there was one, when the probe began.
    good: Instant,
    /// Why there has been none since.
    failing: Option<Arc<str>>,
}

impl Diary {
    /// A probe that begins now; `timed` says whether it measures time.
    pub fn new(name: &str, timed: bool, absent_after: Duration, now: Instant) -> Diary {
        Diary { name: name.into(), timed, absent_after, asked: None, last: None, good: now, failing: None }
    }

    /// A question begins.
    pub fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// It was answered, or not.
    pub fn answered(&mut self, answer: Result<Sample, String>, now: Instant) {
        self.asked = None;
        match answer {
            Ok(sample) => {
                (self.last, self.good, self.failing) = (Some(sample), now, None);
            }
            Err(why) => self.failing = Some(why.into()),
        }
    }

    /// What there is to say; `None` where nothing is known yet.
    pub fn felt(&self, now: Instant) -> Option<Felt> {
        let felt = |sample, stands| Some(Felt { name: self.name.clone(), sample, stands });
        let without = now.saturating_duration_since(self.good);
        let so_far = self.asked.map(|asked| now.saturating_duration_since(asked));
        let late = !self.timed && so_far.is_some_and(|so_far| so_far > LATE);
        if let Some(why) = self.failing.clone().or_else(|| late.then(|| "it does not answer".into())) {
            let sample = Sample { signal: Signal::NoAnswer, value: without.as_secs_f64() };
            return match without < self.absent_after {
                true => felt(sample, Stands::Failing { why, since: self.good }),
                false => felt(sample, Stands::Absent { why }),
            };
        }
        // What counts something says nothing by the time it takes.
        let sample = match (self.last, so_far.filter(|_| self.timed).map(Sample::latency)) {
            (Some(last), Some(so_far)) if so_far.value > last.value => so_far,
            (Some(last), _) => last,
            // The first moments of the first question say nothing yet.
            (None, so_far) => so_far.filter(|so_far| so_far.value > LATE.as_secs_f64())?,
        };
        felt(sample, Stands::Fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_slow_answer_counts_while_it_is_awaited() {
        let start = Instant::now();
        let mut diary = Diary::new("page", true, ms(60_000), start);
        assert_eq!(diary.felt(start), None);
        diary.asked(start);
        assert_eq!(diary.felt(start + ms(20)), None);
        assert_eq!(diary.felt(start + ms(600)).unwrap().sample.value, 0.6, "the first one, too");
        diary.answered(Ok(Sample::latency(ms(30))), start + ms(30));
        diary.asked(start + ms(1000));
        let value = |diary: &Diary, at| diary.felt(start + ms(at)).unwrap().sample.value;
        assert_eq!(value(&diary, 1020), 0.03);
        assert_eq!(value(&diary, 1400), 0.4);
        diary.answered(Ok(Sample::latency(ms(450))), start + ms(1450));
        assert_eq!(value(&diary, 1460), 0.45);
        diary.asked(start + ms(2000));
        assert_eq!(value(&diary, 2100), 0.45, "not calm before it was answered");
    }

    #[test]
    fn what_counts_is_not_judged_by_its_time() {
        let start = Instant::now();
        let mut diary = Diary::new("workers", false, ms(60_000), start);
        let half = Sample { signal: Signal::Occupancy, value: 0.5 };
        diary.answered(Ok(half), start);
        diary.asked(start);
        assert_eq!(diary.felt(start + ms(400)).unwrap().sample, half);
        let late = diary.felt(start + ms(600)).unwrap();
        assert_eq!(late.sample, Sample { signal: Signal::NoAnswer, value: 0.6 });
        assert_eq!(late.stands, Stands::Failing { why: "it does not answer".into(), since: start });
    }

    #[test]
    fn failing_then_absent_then_back() {
        let start = Instant::now();
        let mut diary = Diary::new("page", true, ms(5000), start);
        diary.asked(start);
        diary.answered(Err("refused".into()), start + ms(10));
        let felt = diary.felt(start + ms(1000)).unwrap();
        assert_eq!(felt.sample, Sample { signal: Signal::NoAnswer, value: 1.0 });
        assert_eq!(felt.stands, Stands::Failing { why: "refused".into(), since: start });
        diary.asked(start + ms(4000));
        assert_eq!(diary.felt(start + ms(5000)).unwrap().stands, Stands::Absent { why: "refused".into() });
        diary.answered(Ok(Sample::latency(ms(20))), start + ms(5100));
        assert_eq!(diary.felt(start + ms(5200)).unwrap().stands, Stands::Fresh);
        diary.answered(Err("refused".into()), start + ms(6000));
        assert_eq!(diary.felt(start + ms(6100)).unwrap().sample.value, 1.0, "since the last good answer");
    }
}
