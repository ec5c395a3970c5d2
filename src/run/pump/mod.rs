//! The pump.

use std::time::Duration;

pub mod link;
pub mod protocol;

/// How often a pump says where it stands.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);
