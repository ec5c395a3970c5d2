//! The keys of `[governor]` as they were typed, each read on its own.

use std::num::NonZeroU16;
use std::time::Duration;

use super::numbers;
use super::probes::keys::ProbeKeys;
use super::{Deadline, Mode, OnConflict, Profile, Share, patterns};
use crate::config::limits;
use crate::config::reader::{Field, Named, Reader};
use crate::config::shapes;
use crate::config::units::Rate;
use crate::config::value;

/// `[governor]`
#[derive(Debug, Clone)]
pub struct GovernorKeys {
    /// `mode`
    pub mode: Field<Mode>,
    /// `profile`
    pub profile: Field<Profile>,
    /// `protect`: never empty.
    pub protect: Field<Vec<String>>,
    /// `agents`
    pub agents: Field<Vec<String>>,
    /// `baseline`: up to 60 s.
    pub baseline: Field<Duration>,
    /// `io_stall`: 0.1 % to 100 %.
    pub io_stall: Field<Share>,
    /// `memory_stall`: 0.1 % to 100 %.
    pub memory_stall: Field<Share>,
    /// `cpu_stall`: 0.1 % to 100 %.
    pub cpu_stall: Field<Share>,
    /// `waiting_sessions`: 0.1 to 1,000, in thousandths.
    pub waiting_sessions: Field<u32>,
    /// `dirty_debt`: 10 ms to 60 s.
    pub dirty_debt: Field<Duration>,
    /// `above_usual`: 1.0 to 100, in tenths.
    pub above_usual: Field<u16>,
    /// `floor`: 64 KiB/s or more.
    pub floor: Field<Rate>,
    /// `stretch`: 1 to 100.
    pub stretch: Field<NonZeroU16>,
    /// `pause_budget`: up to 12 h.
    pub pause_budget: Field<Duration>,
    /// `lock_wait_max`: 1 s to 12 h; `None` is `"unlimited"`.
    pub lock_wait_max: Field<Option<Duration>>,
    /// `deadline`: 1 s to 7 days, or a time of day; `None` is `"none"`.
    pub deadline: Field<Option<Deadline>>,
    /// `on_conflict`
    pub on_conflict: Field<OnConflict>,
    /// `[governor.probes.NAME]`
    pub probes: Vec<Named<ProbeKeys>>,
}

impl GovernorKeys {
    /// Reads `[governor]`.
    pub fn read(r: &mut Reader<'_>) -> GovernorKeys {
        const MODES: &[(&str, Mode)] = &[("on", Mode::On), ("sense-only", Mode::SenseOnly), ("off", Mode::Off)];
        const PROFILES: &[(&str, Profile)] =
            &[("gentle", Profile::Gentle), ("balanced", Profile::Balanced), ("urgent", Profile::Urgent)];
        const CHOICES: &[(&str, OnConflict)] = &[("protect", OnConflict::Protect), ("finish", OnConflict::Finish)];
        const MINUTE: Duration = Duration::from_secs(60);
        const HALF_A_DAY: u64 = 43_200;
        GovernorKeys {
            mode: r.key("mode", value::word(MODES)),
            profile: r.key("profile", value::word(PROFILES)),
            protect: r.key("protect", patterns::protected),
            agents: r.key("agents", value::distinct(value::any_list(patterns::of_units))),
            baseline: r.key("baseline", shapes::span_between(Duration::ZERO, MINUTE)),
            io_stall: r.key("io_stall", numbers::share),
            memory_stall: r.key("memory_stall", numbers::share),
            cpu_stall: r.key("cpu_stall", numbers::share),
            waiting_sessions: r.key("waiting_sessions", numbers::thousandths(100..=1_000_000)),
            dirty_debt: r.key("dirty_debt", shapes::span_between(Duration::from_millis(10), MINUTE)),
            above_usual: r.key("above_usual", numbers::tenths(10..=1000)),
            floor: r.key("floor", limits::keys::rate),
            stretch: r.key("stretch", |value| {
                value::integer(1..=100)(value).map(|times| NonZeroU16::new(times).unwrap_or(NonZeroU16::MIN))
            }),
            pause_budget: r.key("pause_budget", shapes::span(0, HALF_A_DAY)),
            lock_wait_max: r.key("lock_wait_max", value::or_word("unlimited", shapes::span(1, HALF_A_DAY))),
            deadline: r.key("deadline", numbers::deadline),
            on_conflict: r.key("on_conflict", value::word(CHOICES)),
            probes: r.named("probes", ProbeKeys::read),
        }
    }

    /// Takes what is absent for something that could not be read, where a job could be blamed for its absence.
    pub fn doubt(&mut self) {
        self.deadline.doubt();
    }
}
