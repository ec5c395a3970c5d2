//! How a night was for users, and for the backup.

use crate::arm::{BASELINE, Outcome};
use crate::machine::Answer;

/// A request that takes longer is slow, in seconds.
const SLOW: f64 = 0.5;

/// A second in which fewer of the requests due in it were answered in time is an outage.
const ENOUGH: f64 = 0.95;

/// One way to hold the backup, in one night, beside the same night without it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    /// Requests, and how many more were slow than without a backup.
    pub requests: f64,
    pub slow: f64,
    /// Seconds of outage that there are not without a backup.
    pub outage: f64,
    /// The p95 of latency, in times of what it is without a backup; 1 without users.
    pub p95: f64,
    /// Seconds of the backup, of these at rest.
    pub took: f64,
    pub paused: f64,
    pub decisions: f64,
}

impl Score {
    pub fn of(outcome: &Outcome, alone: &[Answer]) -> Score {
        let end = BASELINE + outcome.took;
        let (own, alone) = (during(&outcome.answers, end), during(alone, end));
        let slow = |answers: &[Answer]| answers.iter().filter(|answer| answer.took > SLOW).count() as f64;
        Score {
            requests: own.len() as f64,
            slow: slow(&own) - slow(&alone),
            outage: outages(&own, end) - outages(&alone, end),
            p95: if own.is_empty() || alone.is_empty() { 1.0 } else { quantile(&own, 0.95) / quantile(&alone, 0.95) },
            took: outcome.took,
            paused: outcome.paused,
            decisions: f64::from(outcome.decisions),
        }
    }
}

/// The requests that were due while the backup ran.
fn during(answers: &[Answer], end: f64) -> Vec<Answer> {
    answers.iter().filter(|answer| (BASELINE..end).contains(&answer.due)).copied().collect()
}

fn outages(answers: &[Answer], end: f64) -> f64 {
    let mut seconds = vec![(0u32, 0u32); end as usize + 1];
    for answer in answers {
        if let Some((due, in_time)) = seconds.get_mut(answer.due as usize) {
            *due += 1;
            *in_time += u32::from(answer.took <= SLOW);
        }
    }
    seconds.iter().filter(|(due, in_time)| f64::from(*in_time) < f64::from(*due) * ENOUGH).count() as f64
}

/// The value below which this share of the latencies is.
fn quantile(answers: &[Answer], share: f64) -> f64 {
    let mut took: Vec<f64> = answers.iter().map(|answer| answer.took).collect();
    let at = ((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1));
    let (_, value, _) = took.select_nth_unstable_by(at, f64::total_cmp);
    *value
}
