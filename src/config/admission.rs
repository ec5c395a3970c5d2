//! When a run that is due may start: `[admission]` and `[retry]` of a job, `[daemon]` of `govern.toml`.

pub mod keys;
pub(super) mod merge;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::name::JobName;

/// `[admission]`: what a run that is due waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Of several runs that wait, the one with the highest starts first: 0 to 100 (default: 50).
    pub priority: u8,
    /// It wants a disk for itself: no two heavy runs share one (default: true).
    pub heavy: bool,
    /// Jobs that must have succeeded before.
    pub after: Vec<JobName>,
    /// How old that success may be (default: 24 h).
    pub after_max_age: Duration,
    /// It starts below this load average per processor, in hundredths (default: 200); `None`: at any.
    pub max_load: Option<u32>,
    /// It starts below this temperature in °C (default: 90); `None`: at any.
    pub max_temperature: Option<u32>,
    /// How long it waits for a calm machine (default: 1 h).
    pub max_wait: Duration,
    /// What happens when the machine has not become calm by then.
    pub otherwise: Otherwise,
    /// What happens when it is due while its last run still goes on.
    pub overlap: Overlap,
}

/// What becomes of a run that has waited for a calm machine in vain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It starts at the lowest pace.
    #[default]
    Gently,
    /// It starts as if the machine were calm.
    Run,
    /// It is skipped, which is an alarm.
    Skip,
}

/// What becomes of a run that is due while the last one of the same job goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is skipped, and recorded as that.
    #[default]
    Skip,
    /// It starts when the last one has ended. At most one waits.
    Queue,
    /// The last one is cancelled.
    Replace,
}

/// `[retry]`: what becomes of a run that failed. "Not now" (exit code 75) is no failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often it is tried again (default: 3); 0: not at all.
    pub limit: u32,
    /// How long after the first failure (default: 5 min); doubled each time.
    pub delay: Duration,
    /// The longest that doubling leads to (default: 1 h).
    pub max_delay: Duration,
}

/// `[daemon]` of `govern.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Most runs at the same time, 1 to 64 (default: 2).
    pub max_running: u32,
    /// Runs that were missed are started within this time, one by one (default: 10 min).
    pub catch_up_within: Duration,
}

impl Default for Admission {
    fn default() -> Self {
        Admission {
            priority: 50,
            heavy: true,
            after: Vec::new(),
            after_max_age: Duration::from_secs(24 * 3600),
            max_load: Some(200),
            max_temperature: Some(90),
            max_wait: Duration::from_secs(3600),
            otherwise: Otherwise::default(),
            overlap: Overlap::default(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Retry { limit: 3, delay: Duration::from_secs(300), max_delay: Duration::from_secs(3600) }
    }
}

impl Default for Daemon {
    fn default() -> Self {
        Daemon { max_running: 2, catch_up_within: Duration::from_secs(600) }
    }
}
