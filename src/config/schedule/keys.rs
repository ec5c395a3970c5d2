//! The keys of `[schedule]` as they were typed, each read on its own.

use std::ops::Range;
use std::time::Duration;

use toml::de::DeValue;

use crate::config::diagnostic::quoted;
use crate::config::reader::{Field, Reader};
use crate::config::shapes;
use crate::config::units::Span;
use crate::config::value::{self, Read, Refusal, Value};
use crate::schedule::{Missed, Trigger, Zone, every, window};

/// `[schedule]`
#[derive(Debug, Clone)]
pub struct ScheduleKeys {
    /// `cron`: five fields, a nickname, or `@reboot`; one or several. Never empty.
    pub cron: Field<Vec<Trigger>>,
    /// `every`: whole seconds, 1 min to 366 days.
    pub every: Field<Duration>,
    /// `between`
    pub between: Field<Vec<window::Span>>,
    /// `blackouts`
    pub blackouts: Field<Vec<window::Span>>,
    /// What `[defaults.schedule]` has, too.
    pub common: CommonKeys,
}

/// `[defaults.schedule]`, and what `[schedule]` has of it.
#[derive(Debug, Clone)]
pub struct CommonKeys {
    /// `zone`
    pub zone: Field<Zone>,
    /// `jitter`: whole seconds, up to 24 h.
    pub jitter: Field<Duration>,
    /// `missed`
    pub missed: Field<Missed>,
}

impl ScheduleKeys {
    /// Reads `[schedule]`.
    pub fn read(r: &mut Reader<'_>) -> ScheduleKeys {
        ScheduleKeys {
            cron: r.key("cron", value::filled(value::distinct(value::one_or_list(trigger)))),
            every: r.key("every", whole_seconds(every::PERIODS.start().as_secs()..=every::PERIODS.end().as_secs())),
            between: r.key("between", value::distinct(value::one_or_list(span))),
            blackouts: r.key("blackouts", value::distinct(value::one_or_list(span))),
            common: CommonKeys::read(r),
        }
    }
}

impl CommonKeys {
    /// Reads `[defaults.schedule]`, or its part of `[schedule]`.
    pub fn read(r: &mut Reader<'_>) -> CommonKeys {
        const MISSED: &[(&str, Missed)] = &[("none", Missed::None), ("one", Missed::One), ("all", Missed::All)];
        CommonKeys {
            zone: r.key("zone", zone),
            jitter: r.key("jitter", whole_seconds(0..=86_400)),
            missed: r.key("missed", value::word(MISSED)),
        }
    }
}

/// What makes a job due. The caret points at the field that is wrong.
fn trigger(value: &Value<'_>) -> Read<Trigger> {
    let text = value::line(value)?;
    text.parse().map_err(|error: crate::schedule::crontab::BadExpression| {
        let refusal = Refusal::new(value, format!("is no schedule: {}", error.text)).hint(error.hint);
        vec![Refusal { span: inside(value, &text, error.span), ..refusal }]
    })
}

/// Where a part of a text stands in the file. A text that is written with escapes is pointed at as a whole.
fn inside(value: &Value<'_>, text: &str, part: Range<usize>) -> Range<usize> {
    let whole = value.span();
    if whole.len() != text.len() + 2 || part.is_empty() {
        return whole;
    }
    let start = whole.start + 1;
    start + part.start..start + part.end
}

/// A part of a week.
fn span(value: &Value<'_>) -> Read<window::Span> {
    let text = value::line(value)?;
    text.parse().map_err(|error: window::BadSpan| {
        vec![Refusal::new(value, format!("is no part of a week: {error}")).hint(error.hint())]
    })
}

/// A time zone by its name.
fn zone(value: &Value<'_>) -> Read<Zone> {
    const EXPECTED: &str = "a time zone such as `Europe/Berlin`";
    let DeValue::String(text) = value.get_ref() else { return value::wrong_type(value, EXPECTED) };
    text.parse().map_err(|_| {
        let refusal = Refusal::new(value, format!("must be {EXPECTED}, not {}", quoted(text)));
        vec![match Zone::nearest(text) {
            Some(near) => refusal.hint(format!("did you mean `{near}`?")),
            None => refusal.hint("its name in the IANA database: `timedatectl list-timezones` lists them"),
        }]
    })
}

/// A duration in whole seconds.
fn whole_seconds(range: std::ops::RangeInclusive<u64>) -> impl Fn(&Value<'_>) -> Read<Duration> {
    move |value| {
        let length = shapes::span(*range.start(), *range.end())(value)?;
        if length.subsec_nanos() == 0 {
            return Ok(length);
        }
        Err(vec![Refusal::new(value, format!("must be whole seconds, not `{}`", Span(length)))])
    }
}
