//! Shares of what a machine has: of a file system, of its memory, of a processor.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{BadUnit, Size, size};

const PERCENT: &str = "a percentage from `0%` to `100%`";
const FREE: &str = "a size such as `10GiB` or a percentage such as `5%`";
const MEMORY: &str = "a size such as `128MiB` or a share of the memory such as `25%`";
const CPU_MAX: &str = "a percentage of one core such as `50%` or `200%`";

/// A share in whole percent, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Percent(u8);

impl Percent {
    /// A share; `None` above 100.
    pub fn new(percent: u8) -> Option<Percent> {
        (percent <= 100).then_some(Percent(percent))
    }

    /// 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let number = text.trim().strip_suffix('%').map(str::trim_end);
        let digits = number.filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        digits.and_then(|n| n.parse().ok()).and_then(Percent::new).ok_or_else(|| {
            BadUnit::new(PERCENT, text, number.filter(|n| n.contains('.')).map(|_| "whole percents only".to_owned()))
        })
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", self.0))
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

impl FromStr for Free {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        if text.trim_end().ends_with('%') {
            return text.parse::<Percent>().map(|p| Free::Percent(p.get()));
        }
        size(text, "").map(Free::Bytes).map_err(|hint| BadUnit::new(FREE, text, hint))
    }
}

impl fmt::Display for Free {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Free::Bytes(bytes) => Size::new(*bytes).fmt(f),
            Free::Percent(percent) => f.pad(&format!("{percent}%")),
        }
    }
}

/// An amount of memory: bytes, or a share of what the machine has. Never less than [`Memory::LEAST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Bytes.
    Bytes(u64),
    /// Percent of the machine's memory, 1 to 100.
    Percent(u8),
}

impl Memory {
    /// The least that can be asked for, in bytes: with less a job spends its time on reclaiming the program it runs.
    pub const LEAST: u64 = 16 << 20;

    /// Bytes, on a machine with so many bytes of memory.
    pub fn bytes(self, total: u64) -> u64 {
        match self {
            Memory::Bytes(bytes) => bytes,
            // In this order nothing overflows; what is lost is less than 100 bytes.
            Memory::Percent(percent) => (total / 100).saturating_mul(u64::from(percent)),
        }
        .max(Memory::LEAST)
    }
}

/// A share and a size cannot be compared without the machine.
impl PartialOrd for Memory {
    fn partial_cmp(&self, other: &Memory) -> Option<Ordering> {
        match (self, other) {
            (Memory::Bytes(a), Memory::Bytes(b)) => Some(a.cmp(b)),
            (Memory::Percent(a), Memory::Percent(b)) => Some(a.cmp(b)),
            (Memory::Bytes(_), Memory::Percent(_)) | (Memory::Percent(_), Memory::Bytes(_)) => None,
        }
    }
}

impl FromStr for Memory {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let bad = |hint| BadUnit::new(MEMORY, text, hint);
        if text.trim_end().ends_with('%') {
            let percent = text.parse::<Percent>().map_err(|error| bad(error.hint))?.get();
            return if percent == 0 { Err(bad(Some(least()))) } else { Ok(Memory::Percent(percent)) };
        }
        let number = text.trim();
        match size(text, "").map_err(bad)? {
            bytes if bytes >= Memory::LEAST => Ok(Memory::Bytes(bytes)),
            bytes if bytes > 0 && number.bytes().all(|b| b.is_ascii_digit()) => {
                Err(bad(Some(format!("add a unit: `{number}MiB`"))))
            }
            _ => Err(bad(Some(least()))),
        }
    }
}

fn least() -> String {
    format!("`{}` is the least that a job can work with", Size::new(Memory::LEAST))
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Memory::Bytes(bytes) => Size::new(*bytes).fmt(f),
            Memory::Percent(percent) => f.pad(&format!("{percent}%")),
        }
    }
}

/// The most CPU time a job gets, in percent of one core: `200%` is two of them.
///
/// 1 to 1,000,000: the kernel takes no quota below 1 ms, which is 1 % of its usual period of 100 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CpuMax(u32);

impl CpuMax {
    /// A share of one core; `None` out of range.
    pub fn new(percent: u32) -> Option<CpuMax> {
        (1..=1_000_000).contains(&percent).then_some(CpuMax(percent))
    }

    /// Percent of one core.
    pub fn percent(self) -> u32 {
        self.0
    }
}

impl FromStr for CpuMax {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let number = text.trim();
        let bad = |hint: Option<&str>| BadUnit::new(CPU_MAX, text, hint.map(str::to_owned));
        let digits = |n: &&str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        let Some(percent) = number.strip_suffix('%').map(str::trim_end) else {
            let hint = Some(number).filter(digits).map(|n| format!("add a `%`: `{n}%` of one core"));
            return Err(bad(hint.as_deref()));
        };
        let parsed = Some(percent).filter(digits).and_then(|n| n.parse().ok());
        parsed.and_then(CpuMax::new).ok_or_else(|| {
            bad(match parsed {
                Some(0) => Some("`1%` is the least; to keep out of everybody's way write `cpu_weight = \"idle\"`"),
                _ if percent.contains('.') => Some("whole percents only"),
                _ => None,
            })
        })
    }
}

impl fmt::Display for CpuMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", self.0))
    }
}
