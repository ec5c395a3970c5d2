//! Pauses: how long one holds, and how soon the next may begin.

use std::time::Duration;

/// So long the first pause lasts, or goes on after the last alarm in it.
const HOLD: Duration = Duration::from_secs(10);

/// And so long when one follows another.
const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// What each further pause adds.
const HOLD_STEP: Duration = Duration::from_secs(10);

/// For each second without a pause, the hold shrinks by a half.
const DECAY: u32 = 2;

/// Behind a pause lies at least this share of its length in which the run goes on.
const WORK_SHARE: u32 = 4;

/// The pauses of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rest {
    /// When the pause began, while there is one.
    since: Option<Duration>,
    /// The last moment in it at which there was an alarm.
    disturbed: Duration,
    /// The hold of the last pause, and its end.
    last: Option<(Duration, Duration)>,
    hold: Duration,
    /// No pause before this.
    not_before: Duration,
}

impl Rest {
    /// Whether one may begin.
    pub fn may_begin(&self, now: Duration) -> bool {
        self.since.is_none() && now >= self.not_before
    }

    /// One begins.
    pub fn begin(&mut self, now: Duration) {
        self.hold = match self.last {
            None => HOLD,
            Some((hold, end)) => {
                let decayed = hold.saturating_sub(now.saturating_sub(end) / DECAY);
                (decayed + HOLD_STEP).clamp(HOLD, LONGEST_HOLD)
            }
        };
        (self.since, self.disturbed) = (Some(now), now);
    }

    /// When the pause began.
    pub fn since(&self) -> Option<Duration> {
        self.since
    }

    /// There is an alarm although the run stands still.
    pub fn disturbed(&mut self, now: Duration) {
        self.disturbed = now;
    }

    /// Whether it lasted as long as it may.
    pub fn is_spent(&self, now: Duration, budget: Duration) -> bool {
        self.since.is_some_and(|since| now.saturating_sub(since) >= budget)
    }

    /// Whether it lasted for the hold since the last alarm.
    pub fn was_long_enough(&self, now: Duration) -> bool {
        now.saturating_sub(self.disturbed) >= self.hold
    }

    /// It ends.
    pub fn end(&mut self, now: Duration) {
        if let Some(since) = self.since.take() {
            self.last = Some((self.hold, now));
            self.not_before = now + self.hold.max(now.saturating_sub(since) / WORK_SHARE);
        }
    }
}
