//! What the users of the forum do while it is backed up.

use super::arm::Arm;
use super::disk::Disk;

/// A shape of the foreground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// The same all the time.
    Steady,
    /// Nobody is there, until in the middle of the dump all come for 20 s.
    Burst,
    /// The same all the time, and the backup has to be ready in 1.5 times what it takes as cron runs it.
    Deadline,
    /// Nobody is there.
    Idle,
}

impl Shape {
    pub const ALL: [Shape; 4] = [Shape::Steady, Shape::Burst, Shape::Deadline, Shape::Idle];

    pub fn name(self) -> &'static str {
        match self {
            Shape::Steady => "steady",
            Shape::Burst => "burst",
            Shape::Deadline => "deadline",
            Shape::Idle => "idle",
        }
    }

    /// The disks on which it is measured.
    pub fn disks(self) -> &'static [Disk] {
        match self {
            Shape::Steady => &Disk::ALL,
            Shape::Burst | Shape::Deadline | Shape::Idle => &[Disk::Usual],
        }
    }

    /// The arms that are measured.
    pub fn arms(self, disk: Disk) -> Vec<Arm> {
        match self {
            Shape::Steady => {
                let zstd = |arm: &Arm| matches!(arm, Arm::CronZstd | Arm::GovernZstd);
                Arm::ALL.into_iter().filter(|arm| disk == Disk::Usual || !zstd(arm)).collect()
            }
            Shape::Burst => vec![Arm::Alone, Arm::Cron, Arm::ByHand, Arm::Govern],
            Shape::Deadline | Shape::Idle => vec![Arm::Cron, Arm::ByHand, Arm::Govern],
        }
    }
}
