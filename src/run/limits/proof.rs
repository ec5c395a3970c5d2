//! Whether a cap holds what it was set for. That the kernel took it proves nothing: the bytes may pass elsewhere.
//!
//! A cap is *unproven* until the payload itself has moved [`ENOUGH`] bytes to or from block devices since it was set: what comes out
//! of the page cache never counts. It is *proven* when the capped device counted them, and *disproved* when it did not, or when
//! more than 1.2 times the cap went through it for five seconds.
//!
//! Invariants: from *proven* a verdict goes to *disproved* alone, and from there nowhere. A device that lets through what the cap
//! allows and now and then up to a second's worth more is never disproved for its speed. Nothing here reads a clock or a file.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::human;

/// So many bytes of the payload decide: less may be its programs and libraries.
pub const ENOUGH: u64 = 16 << 20;

/// The device counted the payload's bytes if it counted at least one in so many.
const MOST: u64 = 2;

/// The device did not count them if it counted fewer than one in so many: those are directories and the like.
const HARDLY_ANY: u64 = 16;

/// Tenths of the cap that may go through before it is too much: the kernel works in slices, and samples are never taken on time.
pub const TOLERANCE: u64 = 12;

/// The least time over which a speed is taken.
pub const STEP: Duration = Duration::from_secs(1);

/// So many steps in a row have to be too fast. One alone is the burst the kernel allows after a pause, or at the start.
pub const STEPS: u32 = 5;

/// What is capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes: `rbps`, `wbps`.
    Bytes,
    /// Requests: `riops`, `wiops`.
    Requests,
}

/// A cap on one device, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// What is capped.
    pub unit: Unit,
    /// How many of it a second, as written for this device: already divided where several devices serve a stream.
    pub per_second: NonZeroU64,
}

/// Counters at one moment, all of the direction that is capped; where they begin to count does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Time on the monotonic clock, since any moment.
    pub at: Duration,
    /// Bytes the payload's processes moved to or from block devices: `read_bytes` or `write_bytes` of /proc/PID/io.
    pub payload: u64,
    /// Bytes among those that are on no device yet: `file_dirty` + `file_writeback` of the cgroup. 0 for reads.
    pub pending: u64,
    /// Bytes of the payload that passed devices other than the capped one, as far as that is known: a second source, its own
    /// programs, temporary files.
    pub elsewhere: u64,
    /// Bytes the capped device counted for the payload's cgroup.
    pub bytes: u64,
    /// Requests it counted.
    pub requests: u64,
}

/// What a verdict rests on: growth since the cap was set, or since it was last proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Bytes the payload moved.
    pub payload: u64,
    /// Bytes of those that the capped device must have seen: neither pending nor known to have passed elsewhere.
    pub due: u64,
    /// Bytes the capped device counted.
    pub counted: u64,
    /// Steps in a row, up to now, in which too much went through.
    pub fast: u32,
    /// Bytes or requests per second in the last of those.
    pub speed: u64,
}

/// What is known of a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Unproven(Unproven),
    /// The payload's bytes pass the device that is capped, and not faster than that.
    Proven,
    /// It does not hold the payload.
    Disproved(Disproved),
}

/// Why nothing is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    /// The payload has moved too little: so many bytes.
    TooLittle(u64),
    /// The device counted a part of what the payload moved, and the rest may have gone elsewhere.
    InPart {
        /// Bytes the payload moved.
        payload: u64,
        /// Bytes the device counted.
        counted: u64,
    },
}

/// Why a cap does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disproved {
    /// The payload's bytes do not pass the device.
    PassedBy {
        /// Bytes that should have.
        due: u64,
        /// Bytes the device counted.
        counted: u64,
    },
    /// More passes than the cap allows.
    TooFast {
        /// Per second.
        speed: u64,
        /// What was allowed.
        cap: Cap,
    },
}

/// Judges what is known at one moment.
pub fn judge(evidence: &Evidence, cap: &Cap) -> Verdict {
    let Evidence { payload, due, counted, fast, speed } = *evidence;
    if fast >= STEPS {
        return Verdict::Disproved(Disproved::TooFast { speed, cap: *cap });
    }
    if payload < ENOUGH {
        return Verdict::Unproven(Unproven::TooLittle(payload));
    }
    if counted >= ENOUGH / MOST {
        return Verdict::Proven;
    }
    if due >= ENOUGH && counted < due / HARDLY_ANY {
        return Verdict::Disproved(Disproved::PassedBy { due, counted });
    }
    Verdict::Unproven(Unproven::InPart { payload, counted })
}

/// Watches one cap, sample by sample.
#[derive(Debug, Clone)]
pub struct Watch {
    cap: Cap,
    verdict: Verdict,
    /// Where the evidence begins.
    base: Option<Sample>,
    /// Where the current step begins.
    step: Option<Sample>,
    fast: u32,
    speed: u64,
}

impl Watch {
    /// Watches a cap from when it is set.
    pub fn new(cap: Cap) -> Watch {
        let verdict = Verdict::Unproven(Unproven::TooLittle(0));
        Watch { cap, verdict, base: None, step: None, fast: 0, speed: 0 }
    }

    /// What is known.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What is watched.
    pub fn cap(&self) -> Cap {
        self.cap
    }

    /// The same device has another cap from now on. What was proven stays so; the speed is looked at anew.
    pub fn change(&mut self, cap: Cap) {
        self.cap = cap;
        (self.step, self.fast) = (None, 0);
    }

    /// Takes a sample, the first of them when the cap is set. Any number a second will do; the verdict is as old as the last one.
    pub fn feed(&mut self, sample: Sample) -> Verdict {
        let base = *self.base.get_or_insert(sample);
        self.pace(&sample);
        let payload = sample.payload.saturating_sub(base.payload);
        let not_due = sample.elsewhere.saturating_sub(base.elsewhere);
        let not_yet = sample.pending.saturating_sub(base.pending);
        let evidence = Evidence {
            payload,
            due: payload.saturating_sub(not_due).saturating_sub(not_yet),
            counted: sample.bytes.saturating_sub(base.bytes),
            fast: self.fast,
            speed: self.speed,
        };
        let judged = judge(&evidence, &self.cap);
        self.verdict = match (self.verdict, judged) {
            (Verdict::Disproved(why), _) => Verdict::Disproved(why),
            (Verdict::Proven, Verdict::Unproven(_)) => Verdict::Proven,
            (_, judged) => judged,
        };
        if judged == Verdict::Proven {
            // What comes from here on has to prove it again: a volume may be moved to another disk meanwhile.
            self.base = Some(sample);
        }
        self.verdict
    }

    /// Counts the steps in a row that were too fast.
    fn pace(&mut self, sample: &Sample) {
        let step = *self.step.get_or_insert(*sample);
        let time = sample.at.saturating_sub(step.at);
        if time < STEP {
            return;
        }
        self.step = Some(*sample);
        let moved = match self.cap.unit {
            Unit::Bytes => sample.bytes.saturating_sub(step.bytes),
            Unit::Requests => sample.requests.saturating_sub(step.requests),
        };
        let per_second = u128::from(moved) * Duration::from_secs(1).as_nanos() / time.as_nanos().max(1);
        self.speed = u64::try_from(per_second).unwrap_or(u64::MAX);
        let allowed = u128::from(self.cap.per_second.get()) * u128::from(TOLERANCE);
        self.fast = if per_second * 10 > allowed { self.fast.saturating_add(1) } else { 0 };
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&speed(self.unit, self.per_second.get()))
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = human::bytes;
        match *self {
            Unproven::TooLittle(moved) => write!(f, "{} of {} moved yet", size(moved), size(ENOUGH)),
            Unproven::InPart { payload, counted } => {
                let (counted, payload) = (size(counted), size(payload));
                write!(f, "the device counted {counted} of {payload} moved, the rest may have passed elsewhere")
            }
        }
    }
}

impl fmt::Display for Disproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Disproved::PassedBy { due, counted } => {
                let size = human::bytes;
                write!(f, "the device counted {} where {} must have passed", size(counted), size(due))
            }
            Disproved::TooFast { speed: seen, cap } => {
                write!(f, "{} passed for {STEPS} s where {cap} is allowed", speed(cap.unit, seen))
            }
        }
    }
}

fn speed(unit: Unit, per_second: u64) -> String {
    match unit {
        Unit::Bytes => format!("{}/s", human::bytes(per_second)),
        Unit::Requests => format!("{per_second} IOPS"),
    }
}

#[cfg(test)]
mod tests;
