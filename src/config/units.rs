//! Sizes, rates, durations and shares as people write them.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// A pace in bytes per second, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// A pace in bytes per second; `None` for zero.
    pub fn per_second(bytes: u64) -> Option<Rate> {
        NonZeroU64::new(bytes).map(Rate)
    }

    /// Bytes per second.
    pub fn bytes(self) -> u64 {
        self.0.get()
    }
}

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Free {
    /// Bytes.
    Bytes(u64),
    /// Percent of its size, 0 to 100.
    Percent(u8),
}
