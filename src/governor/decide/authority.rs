//! Whether slowing the run helps anybody.
//!
//! At the floor there is nothing left to take. Harm that is there no less than before is put to the test: the run stands still for
//! some seconds. What stays then is not the run's doing, and is no longer held against it until it has gone by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::reason::Reason;
use crate::governor::readings::{Reading, Signal};

/// So long harm must last at the floor before it is put to the test.
const PATIENCE: Duration = Duration::from_secs(10);

/// Harm that fell below this share of what it was is being helped.
const HELPED: f64 = 0.8;

/// So long harm must last while the run stands still. A queue that the run left behind is gone by then.
const PROOF: Duration = Duration::from_secs(5);

/// So long what is not the run's doing is not held against it.
const MUTE: Duration = Duration::from_secs(300);

type Key = (Signal, Arc<str>);

/// What is known of the run's influence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Authority {
    /// How bad it was before the run was slowed.
    at_first: Option<f64>,
    /// Since when the run is at its floor with harm.
    at_floor: Option<Duration>,
    /// The pause is a test.
    testing: bool,
    muted: BTreeMap<Key, Duration>,
}

/// Whether the floor helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does, or it is too early to tell.
    Effective,
    /// It does not: stop the run to see.
    Doubtful,
}

impl Authority {
    /// Whether a reading is known not to be the run's doing.
    pub fn is_muted(&self, now: Duration, reading: &Reading) -> bool {
        let until = self.muted.get(&(reading.signal, reading.of.clone()));
        until.is_some_and(|until| now < *until)
    }

    /// Others are harmed, and there is room to give way.
    pub fn harmed(&mut self, reading: &Reading) {
        let worst = self.at_first.unwrap_or_default().max(reading.ratio());
        (self.at_first, self.at_floor) = (Some(worst), None);
    }

    /// Others are harmed, and there is none.
    pub fn at_the_floor(&mut self, now: Duration, reading: &Reading, can_pause: bool) -> Standing {
        let since = *self.at_floor.get_or_insert(now);
        let first = *self.at_first.get_or_insert(reading.ratio());
        let lasted = now.saturating_sub(since) >= PATIENCE;
        if lasted && can_pause && reading.ratio() >= first * HELPED {
            self.testing = true;
            return Standing::Doubtful;
        }
        Standing::Effective
    }

    /// Others are harmed while the run stands still. The reason to go on, when it has become clear that it is not the run.
    pub fn while_paused(&mut self, now: Duration, since: Option<Duration>, reading: &Reading) -> Option<Reason> {
        let lasted = now.saturating_sub(since?) >= PROOF;
        if !(self.testing && lasted) {
            return None;
        }
        self.muted.retain(|_, until| now < *until);
        self.muted.insert((reading.signal, reading.of.clone()), now + MUTE);
        self.rest();
        Some(Reason::not_ours(reading))
    }

    /// The harm went while the run stood still: it was the run's.
    pub fn absolved(&mut self) {
        self.testing = false;
    }

    /// Nobody is harmed.
    pub fn rest(&mut self) {
        (self.at_first, self.at_floor, self.testing) = (None, None, false);
    }
}
