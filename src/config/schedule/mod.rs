//! `[schedule]` of a job, and what of it `[defaults]` may hold: from what was typed to a [`crate::schedule::Schedule`].

pub mod keys;
pub(super) mod merge;

use crate::kernel::{self, timezone};
use crate::schedule::Zone;

/// The zone that times are in where nobody names one; or why it is not known.
#[derive(Debug, Clone)]
pub struct MachineZone(pub(super) Result<Zone, String>);

impl MachineZone {
    /// That of this machine.
    pub fn find() -> MachineZone {
        let name = timezone::name().map_err(|error: kernel::Error| error.chain());
        MachineZone(name.and_then(|name| name.parse::<Zone>().map_err(|error| error.to_string())))
    }

    /// It, or universal time where it is not known.
    pub fn or_utc(&self) -> Zone {
        self.0.as_ref().map_or(Zone::UTC, |zone| *zone)
    }
}

impl From<Zone> for MachineZone {
    fn from(zone: Zone) -> Self {
        MachineZone(Ok(zone))
    }
}
