//! What is known at one tick, as values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a reading is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// Share of time in which some task of a unit waited for a disk, 0 to 1.
    IoStall,
    /// Share of time in which it waited for memory, 0 to 1.
    MemoryStall,
    /// Share of time in which it waited for a processor, 0 to 1.
    CpuStall,
    /// Sessions of a database server that work for others and wait, a mean.
    Waiters,
    /// Tasks of others in uninterruptible sleep, a mean: stands in where sessions cannot be seen, or pressure is not counted.
    Blocked,
    /// Tasks of others that want a processor, for each processor: stands in where pressure is not counted.
    RunQueue,
    /// Seconds an fsync of others may have to wait for what is dirty.
    DirtyDebt,
    /// A probe that measures time, in seconds.
    Latency,
    /// A probe that measures how much of something is in use, 0 to 1.
    Occupancy,
    /// A probe that counts.
    Count,
    /// Seconds for which a probe has not had an answer.
    NoAnswer,
}

impl Signal {
    /// Every one.
    pub const ALL: [Signal; 11] = [
        Signal::IoStall,
        Signal::MemoryStall,
        Signal::CpuStall,
        Signal::Waiters,
        Signal::Blocked,
        Signal::RunQueue,
        Signal::DirtyDebt,
        Signal::Latency,
        Signal::Occupancy,
        Signal::Count,
        Signal::NoAnswer,
    ];

    /// The name used in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Signal::IoStall => "io-stall",
            Signal::MemoryStall => "memory-stall",
            Signal::CpuStall => "cpu-stall",
            Signal::Waiters => "waiters",
            Signal::Blocked => "blocked",
            Signal::RunQueue => "run-queue",
            Signal::DirtyDebt => "dirty-debt",
            Signal::Latency => "latency",
            Signal::Occupancy => "occupancy",
            Signal::Count => "count",
            Signal::NoAnswer => "no-answer",
        }
    }

    /// By that name.
    pub fn by_name(name: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.name() == name)
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Signal::IoStall => "io stall",
            Signal::MemoryStall => "memory stall",
            Signal::CpuStall => "cpu stall",
            Signal::Waiters => "waiting sessions",
            Signal::Blocked => "blocked tasks",
            Signal::RunQueue => "run queue",
            Signal::DirtyDebt => "dirty debt",
            Signal::Latency => "latency",
            Signal::Occupancy => "occupancy",
            Signal::Count => "count",
            Signal::NoAnswer => "no answer",
        }
    }

    /// Whether it is a share of time in a window, which a single wait can fill: it counts only when it lasts.
    pub fn is_stall(self) -> bool {
        matches!(self, Signal::IoStall | Signal::MemoryStall | Signal::CpuStall)
    }

    /// Whether it is a part of a whole, 0 to 1.
    pub fn is_share(self) -> bool {
        self.is_stall() || self == Signal::Occupancy
    }

    /// A value with its unit.
    pub fn show(self, value: f64) -> String {
        match self {
            Signal::IoStall | Signal::MemoryStall | Signal::CpuStall | Signal::Occupancy => {
                format!("{:.1} %", value * 100.0)
            }
            Signal::Waiters | Signal::Blocked | Signal::RunQueue => format!("{value:.1}"),
            Signal::Count => format!("{value:.0}"),
            Signal::DirtyDebt | Signal::Latency | Signal::NoAnswer if value < 1.0 => {
                format!("{:.0} ms", value * 1000.0)
            }
            Signal::DirtyDebt | Signal::Latency | Signal::NoAnswer => format!("{value:.1} s"),
        }
    }
}

/// One signal as it was sensed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What it is about.
    pub signal: Signal,
    /// Whose it is: a unit, a disk, a probe.
    pub of: Arc<str>,
    /// The value, in the unit of the signal.
    pub value: f64,
}

/// One signal of one unit, disk or probe, and what it is held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What it is about.
    pub signal: Signal,
    /// Whose it is: a unit, a disk, a probe.
    pub of: Arc<str>,
    /// The value, in the unit of the signal.
    pub value: f64,
    /// Below this they are calm.
    pub calm: f64,
    /// Above this others are harmed. Never below `calm`.
    pub throttle: f64,
    /// Above this the run is to stop for now.
    pub pause: Option<f64>,
}

impl Reading {
    /// Others are harmed.
    pub fn is_harm(&self) -> bool {
        self.value > self.throttle
    }

    /// They are not, by a margin. Nothing at all is calm also where nothing is allowed; what is not a sensible number is not calm.
    pub fn is_calm(&self) -> bool {
        self.value == 0.0 || (0.0..self.calm).contains(&self.value)
    }

    /// The run is to stop for now.
    pub fn is_alarm(&self) -> bool {
        self.pause.is_some_and(|pause| self.value > pause)
    }

    /// The highest threshold it is above.
    pub fn exceeded(&self) -> f64 {
        self.pause.filter(|_| self.is_alarm()).unwrap_or(self.throttle)
    }

    /// How far above the threshold it is: 1 is just there. Where none is allowed, one is beyond measure.
    pub fn ratio(&self) -> f64 {
        match self.throttle > 0.0 {
            true => self.value / self.throttle,
            false if self.is_harm() => f64::INFINITY,
            false => 0.0,
        }
    }

    /// What it is about, and whose it is.
    pub fn key(&self) -> (Signal, Arc<str>) {
        (self.signal, self.of.clone())
    }
}

impl fmt::Display for Reading {
    /// `io stall of nginx.service 9.2 %`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.signal.word(), self.of, self.signal.show(self.value))
    }
}

/// What a pace is counted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knob {
    /// Bytes a second.
    #[default]
    Bytes,
    /// Percent of a core.
    Cpu,
}

/// What the run itself does, so that a decision can be put into numbers. It never counts as harm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// What its speed is counted in, and held by.
    pub knob: Knob,
    /// Its speed over the last second or so.
    pub speed: f64,
    /// Bytes that are left, as far as earlier runs tell.
    pub left: Option<f64>,
    /// Time that is left until the deadline.
    pub time_left: Option<Duration>,
}

/// What is recorded and does not steer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Bytes a second that others moved to and from the run's disks.
    pub foreign_disk: Option<f64>,
    /// Tasks of others that run or wait for a processor.
    pub foreign_run_queue: Option<f64>,
    /// The load average over a minute.
    pub load: Option<f64>,
    /// The hottest sensor, in °C.
    pub temperature: Option<f64>,
    /// The mean clock of the processors, in MHz.
    pub clock: Option<f64>,
    /// What the run's session at the database server waits for, such as `ClientWrite` while the run does not take what it sends.
    pub session_waits: Option<String>,
    /// Stall of units that work for the run, by unit: io, 0 to 1.
    pub agents: Vec<(Arc<str>, f64)>,
}

/// Everything that is known at one tick.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    /// The signals that steer.
    pub signals: Vec<Reading>,
    /// The run itself.
    pub own: Own,
    /// The longest wait for a lock that the dump holds.
    pub lock_wait: Option<Duration>,
    /// For the record.
    pub context: Context,
}
