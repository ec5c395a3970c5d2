//! What the keys of a probe have to do with each other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::keys::ProbeKeys;
use super::targets::{self, Asked};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place, quoted};
use crate::config::governor::{Probe, Share, Threshold};
use crate::config::merge::{Merge, Setting};
use crate::config::name::JobName;
use crate::config::reader::{Field, Named, Typed};
use crate::config::units::Span;

/// A request that takes longer is felt.
const FELT: Duration = Duration::from_millis(500);
/// With less to spare a small burst is refused.
const NEARLY_ALL: Share = Share(8000);
const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(2);
/// A probe that fails for so long is absent; one that asks seldom may fail three times.
const ABSENT: Duration = Duration::from_secs(60);

/// A probe that is sound, and where its values came from.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The probe.
    pub probe: Probe,
    /// Where each value came from, in the order of the keys.
    pub settings: Vec<Setting>,
}

/// The sound ones of some probes, by name. What is wrong with the others has been told.
pub fn all(out: &mut Diagnostics, probes: &[Named<ProbeKeys>]) -> BTreeMap<String, Checked> {
    let checked = probes.iter().filter_map(|named| {
        name_is_allowed(out, named);
        let mut merge = Merge { out, settings: Vec::new() };
        let probe = probe(&mut merge, named)?;
        Some((named.name.clone(), Checked { probe, settings: merge.settings }))
    });
    checked.collect()
}

/// A name as jobs have: it stands in the log and in the ledger.
fn name_is_allowed(out: &mut Diagnostics, named: &Named<ProbeKeys>) {
    if named.name.parse::<JobName>().is_err() {
        let rule = "names are at most 64 characters from `a-z`, `0-9` and `-`, and do not start with `-`";
        let message = format!("name of a probe {} is not allowed: {rule}", quoted(&named.name));
        let hint = format!("`{}` is allowed", JobName::nearest(&named.name));
        out.push(Diagnostic::error(named.place.clone(), message).hint(hint));
    }
}

/// What a target is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Time,
    Share,
    Count,
}

impl Measure {
    fn of(asked: Asked) -> Measure {
        match asked {
            Asked::Http | Asked::Tcp | Asked::Postgres | Asked::Command => Measure::Time,
            Asked::Memcached | Asked::PhpFpm => Measure::Share,
            Asked::Connections => Measure::Count,
        }
    }

    /// Times what is usual goes with everything.
    fn fits(self, threshold: Threshold) -> bool {
        match threshold {
            Threshold::Time(_) => self == Measure::Time,
            Threshold::Share(_) => self == Measure::Share,
            Threshold::Count(_) => self == Measure::Count,
            Threshold::Usual(_) => true,
        }
    }

    fn described(self) -> &'static str {
        match self {
            Measure::Time => "a time such as `\"500ms\"`",
            Measure::Share => "a share such as `\"80%\"`",
            Measure::Count => "a number such as `500`",
        }
    }
}

fn probe(merge: &mut Merge<'_>, named: &Named<ProbeKeys>) -> Option<Probe> {
    let keys = &named.keys;
    let path = format!("governor.probes.{}", named.name);
    let at = |key: &str| format!("{path}.{key}");
    let (asked, place) = targets::asked(merge, named)?;
    let target = targets::target(merge, &path, asked, keys)?;
    let interval = merge.or_default(&at("interval"), &[&keys.interval], INTERVAL, &text(Span(INTERVAL)));
    let timeout = merge.or_default(&at("timeout"), &[&keys.timeout], TIMEOUT, &text(Span(TIMEOUT)));
    let throttle = throttle(merge, &path, keys, (asked, &place), timeout);
    let pause = merge.optional(&at("pause"), &[&keys.pause]);
    thresholds_are_sound(merge, keys, (asked, &place), throttle, timeout);
    let absent = ABSENT.max(interval.saturating_mul(3));
    let absent_after = merge.or_default(&at("absent_after"), &[&keys.absent_after], absent, &text(Span(absent)));
    absent_is_longer_than_a_turn(merge, keys, interval);
    let target = targets::connected(merge, &path, target, keys)?;
    let name = named.name.clone();
    Some(Probe { name, target, interval, timeout, throttle: throttle?, pause, absent_after })
}

/// From where on the run is throttled. How many sockets are too many nobody can know.
fn throttle(
    merge: &mut Merge<'_>,
    path: &str,
    keys: &ProbeKeys,
    (asked, place): (Asked, &Place),
    timeout: Duration,
) -> Option<Threshold> {
    let usual = match Measure::of(asked) {
        Measure::Time => Some(Threshold::Time(FELT.min(timeout))),
        Measure::Share => Some(Threshold::Share(NEARLY_ALL)),
        Measure::Count => None,
    };
    if usual.is_none() && keys.throttle.is_absent() {
        let error = Diagnostic::error(place.clone(), format!("a probe with `{}` needs `throttle`", asked.key()));
        merge.out.push(error.hint("add the number that is too many, such as `throttle = 500`, or `throttle = \"3x\"`"));
    }
    let path = format!("{path}.throttle");
    match usual {
        Some(usual) => Some(merge.or_default(&path, &[&keys.throttle], usual, &text(usual))),
        None => merge.optional(&path, &[&keys.throttle]),
    }
}

fn thresholds_are_sound(
    merge: &mut Merge<'_>,
    keys: &ProbeKeys,
    (asked, place): (Asked, &Place),
    throttle: Option<Threshold>,
    timeout: Duration,
) {
    let measure = Measure::of(asked);
    let typed = |field: &Field<Threshold>| field.given().cloned();
    let mut fit = true;
    for (key, typed) in [("throttle", typed(&keys.throttle)), ("pause", typed(&keys.pause))] {
        let Some(Typed { value, place: at, .. }) = typed else { continue };
        if !measure.fits(value) {
            fit = false;
            let message = format!("`{key}` must be {} here, not `{value}`", measure.described());
            let error = Diagnostic::error(at, message).also(place.clone(), "is what is measured");
            merge.out.push(error.hint("a multiple of what is usual, such as `\"3x\"`, goes with every probe"));
        } else if let Threshold::Time(time) = value
            && time > timeout
        {
            let message = format!("`{key}` (`{value}`) is above `timeout` (`{}`)", Span(timeout));
            let error = Diagnostic::error(at, message);
            merge.out.push(
                error.hint(format!("an answer that takes longer than `timeout` is none: raise it, or lower `{key}`")),
            );
        }
    }
    let order = throttle.zip(keys.pause.given()).filter(|_| fit && !matches!(keys.throttle, Field::Bad));
    if let Some((throttle, pause)) = order
        && is_below(pause.value, throttle)
    {
        let message = format!("`pause` (`{}`) is below `throttle` (`{throttle}`)", pause.value);
        let error = Diagnostic::error(pause.place.clone(), message);
        let error = match keys.throttle.given() {
            Some(typed) => error.also(typed.place.clone(), "a run is slowed from here on"),
            None => error,
        };
        merge.out.push(error.hint("a run is slowed before it is stopped: raise `pause`, or lower `throttle`"));
    }
}

/// Thresholds in different units cannot be compared.
fn is_below(one: Threshold, other: Threshold) -> bool {
    match (one, other) {
        (Threshold::Time(one), Threshold::Time(other)) => one < other,
        (Threshold::Share(one), Threshold::Share(other)) => one < other,
        (Threshold::Count(one), Threshold::Count(other)) => one < other,
        (Threshold::Usual(one), Threshold::Usual(other)) => one < other,
        (Threshold::Time(_) | Threshold::Share(_) | Threshold::Count(_) | Threshold::Usual(_), _) => false,
    }
}

fn absent_is_longer_than_a_turn(merge: &mut Merge<'_>, keys: &ProbeKeys, interval: Duration) {
    let Some(typed) = keys.absent_after.given().filter(|typed| typed.value < interval) else { return };
    let message = format!("`absent_after` (`{}`) is shorter than `interval` (`{}`)", Span(typed.value), Span(interval));
    let error = Diagnostic::error(typed.place.clone(), message);
    merge.out.push(error.hint("one failure would be enough to ignore the probe: raise `absent_after`"));
}

/// A text in TOML.
fn text(value: impl std::fmt::Display) -> String {
    format!("\"{value}\"")
}
