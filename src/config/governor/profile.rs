//! The numbers of the profiles.

use std::num::NonZeroU16;
use std::time::Duration;

use super::{Governor, Mode, OnConflict, Profile, Share, Thresholds};
use crate::config::fragment::KindName;
use crate::config::units::Rate;

impl Governor {
    /// What holds without a word.
    pub fn of_profile(profile: Profile, kind: KindName) -> Governor {
        let (floor, stretch) = match profile {
            Profile::Gentle => (500_000, 20),
            Profile::Balanced => (1_000_000, 10),
            Profile::Urgent => (10_000_000, 2),
        };
        Governor {
            mode: Mode::On,
            profile,
            protect: None,
            agents: vec![],
            baseline: Duration::from_secs(5),
            thresholds: thresholds(profile),
            floor: Rate::per_second(floor).unwrap_or(Rate::MIN),
            stretch: NonZeroU16::new(stretch).unwrap_or(NonZeroU16::MIN),
            pause_budget: pause_budget(kind),
            lock_wait_max: Some(Duration::from_secs(30)),
            deadline: None,
            on_conflict: OnConflict::Protect,
            probes: vec![],
        }
    }

    /// The same with the numbers of the gentle profile: for a run that begins although the machine is busy.
    pub fn gently(&self) -> Governor {
        // The budget for pauses is the kind's, not the profile's.
        let gentle = Governor::of_profile(Profile::Gentle, KindName::Command);
        Governor {
            profile: gentle.profile,
            thresholds: gentle.thresholds,
            floor: gentle.floor.min(self.floor),
            stretch: gentle.stretch.max(self.stretch),
            ..self.clone()
        }
    }
}

fn thresholds(profile: Profile) -> Thresholds {
    let (io, memory, cpu, waiters, debt, above_usual) = match profile {
        Profile::Gentle => (300, 300, 1000, 300, 150, 13),
        Profile::Balanced => (500, 500, 2000, 500, 250, 15),
        Profile::Urgent => (2000, 2000, 5000, 2000, 1000, 30),
    };
    Thresholds {
        io_stall: Share(io),
        memory_stall: Share(memory),
        cpu_stall: Share(cpu),
        waiters,
        dirty_debt: Duration::from_millis(debt),
        above_usual,
    }
}

/// How long a program of this kind may stand still. A dump holds a snapshot and locks; restic gives its lock up after 22 minutes and
/// a connection to a borg server is cut after 5.
fn pause_budget(kind: KindName) -> Duration {
    Duration::from_secs(match kind {
        KindName::PgDump => 120,
        KindName::Command | KindName::Unit => 240,
        KindName::Filesystem => 1800,
    })
}
