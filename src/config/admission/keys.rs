//! The keys of `[admission]`, `[retry]` and `[daemon]` as they were typed, each read on its own.

use std::time::Duration;

use toml::Spanned;

use super::{Otherwise, Overlap};
use crate::config::governor::numbers;
use crate::config::name::JobName;
use crate::config::reader::{Field, Reader};
use crate::config::shapes;
use crate::config::value::{self, Read, Refusal, Value};

const DAY: u64 = 86_400;

/// `[admission]`
#[derive(Debug, Clone)]
pub struct AdmissionKeys {
    /// `after`: each name with its place in the file.
    pub after: Field<Vec<Spanned<JobName>>>,
    /// What `[defaults.admission]` has, too.
    pub common: CommonKeys,
}

/// `[defaults.admission]`, and what `[admission]` has of it.
#[derive(Debug, Clone)]
pub struct CommonKeys {
    /// `priority`: 0 to 100.
    pub priority: Field<u8>,
    /// `heavy`
    pub heavy: Field<bool>,
    /// `after_max_age`: 1 min to 366 days.
    pub after_max_age: Field<Duration>,
    /// `max_load`: 0.01 to 1,000, in hundredths; `None` is `"none"`.
    pub max_load: Field<Option<u32>>,
    /// `max_temperature`: 20 to 150 °C; `None` is `"none"`.
    pub max_temperature: Field<Option<u32>>,
    /// `max_wait`: up to 7 days.
    pub max_wait: Field<Duration>,
    /// `otherwise`
    pub otherwise: Field<Otherwise>,
    /// `overlap`
    pub overlap: Field<Overlap>,
}

/// `[retry]`
#[derive(Debug, Clone)]
pub struct RetryKeys {
    /// `limit`: 0 to 100.
    pub limit: Field<u32>,
    /// `delay`: 1 s to 1 day.
    pub delay: Field<Duration>,
    /// `max_delay`: 1 s to 7 days.
    pub max_delay: Field<Duration>,
}

/// `[daemon]`
#[derive(Debug, Clone)]
pub struct DaemonKeys {
    /// `max_running`: 1 to 64.
    pub max_running: Field<u32>,
    /// `catch_up_within`: 1 s to 1 day.
    pub catch_up_within: Field<Duration>,
}

impl AdmissionKeys {
    /// Reads `[admission]`.
    pub fn read(r: &mut Reader<'_>) -> AdmissionKeys {
        AdmissionKeys { after: r.key("after", value::distinct(value::any_list(job_name))), common: CommonKeys::read(r) }
    }
}

impl CommonKeys {
    /// Reads `[defaults.admission]`, or its part of `[admission]`.
    pub fn read(r: &mut Reader<'_>) -> CommonKeys {
        const OTHERWISE: &[(&str, Otherwise)] =
            &[("gently", Otherwise::Gently), ("run", Otherwise::Run), ("skip", Otherwise::Skip)];
        const OVERLAP: &[(&str, Overlap)] =
            &[("skip", Overlap::Skip), ("queue", Overlap::Queue), ("replace", Overlap::Replace)];
        CommonKeys {
            priority: r.key("priority", value::integer(0..=100)),
            heavy: r.key("heavy", value::boolean),
            after_max_age: r.key("after_max_age", shapes::span(60, 366 * DAY)),
            max_load: r.key("max_load", value::or_word("none", numbers::hundredths(1..=100_000))),
            max_temperature: r.key("max_temperature", value::or_word("none", value::integer(20..=150))),
            max_wait: r.key("max_wait", shapes::span(0, 7 * DAY)),
            otherwise: r.key("otherwise", value::word(OTHERWISE)),
            overlap: r.key("overlap", value::word(OVERLAP)),
        }
    }
}

impl RetryKeys {
    /// Reads `[retry]`.
    pub fn read(r: &mut Reader<'_>) -> RetryKeys {
        RetryKeys {
            limit: r.key("limit", value::integer(0..=100)),
            delay: r.key("delay", shapes::span(1, DAY)),
            max_delay: r.key("max_delay", shapes::span(1, 7 * DAY)),
        }
    }
}

impl DaemonKeys {
    /// Reads `[daemon]`.
    pub fn read(r: &mut Reader<'_>) -> DaemonKeys {
        DaemonKeys {
            max_running: r.key("max_running", value::integer(1..=64)),
            catch_up_within: r.key("catch_up_within", shapes::span(1, DAY)),
        }
    }
}

/// The name of a job, whether there is one or not.
fn job_name(value: &Value<'_>) -> Read<Spanned<JobName>> {
    let name = value::text(value)?;
    match name.parse() {
        Ok(name) => Ok(Spanned::new(value.span(), name)),
        Err(error) => Err(vec![Refusal::new(value, format!("must be the name of a job: {error}"))]),
    }
}
