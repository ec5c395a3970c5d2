//! What keys of `[limits]` and `[slice]` have to do with each other, with the kind of the job, and with `[defaults]`.
//!
//! A complaint about a job stands in the job's file, also where the other half of the matter is in `[defaults]`: an error
//! in `govern.toml` would withhold every job.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::keys::{CommonKeys, LimitsKeys};
use super::{Limits, Resource, Slice, SliceLimits, merge};
use crate::config::diagnostic::{Diagnostic, Diagnostics, FileId, Place};
use crate::config::fragment::KindName;
use crate::config::merge::{Merge, first};
use crate::config::policy::Compression;
use crate::config::reader::{Field, Section, Typed};
use crate::config::units::Memory;

/// The kind of a job, as far as it matters here.
#[derive(Debug)]
pub struct Subject<'a> {
    /// What it is, and where that stands.
    pub kind: &'a Typed<KindName>,
    /// Whether it has a target.
    pub stores: bool,
    /// How what it stores is compressed.
    pub compression: Compression,
}

/// The limits of a job.
pub fn limits(merge: &mut Merge<'_>, subject: &Subject<'_>, job: &LimitsKeys, defaults: &LimitsKeys) -> Limits {
    let low = meant_for(subject.kind.value, &defaults.common);
    let layers = [&job.common, &low];
    let file = subject.kind.place.file;
    memory_is_in_order(merge.out, file, &layers);
    warn_of_write_caps(merge.out, file, &layers);
    reads_are_the_jobs_own(merge.out, subject, &job.common);
    caps_have_a_disk(merge.out, subject, &layers);
    let require = [&job.require, &defaults.require];
    if let Some(typed) = first(&require) {
        what_is_required_is_there(merge.out, subject, &layers, typed);
    }
    let Limits { io, write_cap, cpu, memory, pids_max, require: _ } =
        Limits::hygiene(subject.kind.value, subject.compression);
    let built_in = SliceLimits { io, write_cap, cpu, memory, pids_max };
    let SliceLimits { io, write_cap, cpu, memory, pids_max } = merge::common(merge, "limits", &layers, built_in);
    let require = merge.or_default("limits.require", &require, Default::default(), "[]");
    Limits { io, write_cap, cpu, memory, pids_max, require }
}

/// The limits of all runs together.
pub fn slice(out: &mut Diagnostics, section: &Section<CommonKeys>) -> Slice {
    if let Some(place) = &section.place {
        memory_is_in_order(out, place.file, &[&section.keys]);
        warn_of_write_caps(out, place.file, &[&section.keys]);
    }
    let mut merge = Merge { out, settings: Vec::new() };
    let limits = merge::common(&mut merge, "slice", &[&section.keys], SliceLimits::hygiene());
    Slice { limits, settings: merge.settings }
}

/// What is wrong with `[defaults.limits]`, whatever a job makes of it.
pub fn defaults(out: &mut Diagnostics, section: &Section<LimitsKeys>) {
    if let Some(place) = &section.place {
        memory_is_in_order(out, place.file, &[&section.keys.common]);
        warn_of_write_caps(out, place.file, &[&section.keys.common]);
    }
}

/// What of `[defaults]` concerns a kind: a cap on reads cannot reach those of a database server, and is meant for others.
fn meant_for(kind: KindName, defaults: &CommonKeys) -> CommonKeys {
    let mut keys = defaults.clone();
    if kind == KindName::PgDump {
        keys.io_read = Field::Absent;
        keys.io_read_iops = Field::Absent;
    }
    keys
}

/// A limit that does not hold without a word, as the first layer has it that says anything.
#[derive(Debug, Clone, Copy)]
enum Cap<'a> {
    /// Nobody asks for it.
    Off,
    /// What was asked for could not be read.
    Unknown,
    /// It was asked for here.
    On(&'a Place),
}

fn cap<'a, T: 'a>(layers: &[&'a CommonKeys], of: fn(&CommonKeys) -> &Field<Option<T>>) -> Cap<'a> {
    let state = |keys: &&'a CommonKeys| match of(keys) {
        Field::Absent => None,
        Field::Bad => Some(Cap::Unknown),
        Field::Given(Typed { value: None, .. }) => Some(Cap::Off),
        Field::Given(Typed { place, .. }) => Some(Cap::On(place)),
    };
    layers.iter().find_map(state).unwrap_or(Cap::Off)
}

fn read_caps<'a>(layers: &[&'a CommonKeys]) -> [(&'static str, Cap<'a>); 2] {
    [("io_read", cap(layers, |keys| &keys.io_read)), ("io_read_iops", cap(layers, |keys| &keys.io_read_iops))]
}

fn write_caps<'a>(layers: &[&'a CommonKeys]) -> [(&'static str, Cap<'a>); 2] {
    [("io_write", cap(layers, |keys| &keys.io_write)), ("io_write_iops", cap(layers, |keys| &keys.io_write_iops))]
}

/// The first of some caps that was asked for.
fn asked_for<'a>(caps: impl IntoIterator<Item = (&'static str, Cap<'a>)>) -> Option<(&'static str, &'a Place)> {
    caps.into_iter().find_map(|(key, cap)| match cap {
        Cap::On(place) => Some((key, place)),
        Cap::Off | Cap::Unknown => None,
    })
}

/// `memory_max` is where the job is killed, `memory_high` where it begins to wait.
fn memory_is_in_order(out: &mut Diagnostics, file: FileId, layers: &[&CommonKeys]) {
    let limit = |of: fn(&CommonKeys) -> &Field<Option<Memory>>| {
        let fields: Vec<_> = layers.iter().map(|keys| of(keys)).collect();
        first(&fields).and_then(|typed| typed.value.map(|memory| (memory, &typed.place)))
    };
    let (Some((high, high_at)), Some((max, max_at))) =
        (limit(|keys| &keys.memory_high), limit(|keys| &keys.memory_max))
    else {
        return;
    };
    if max.partial_cmp(&high) != Some(Ordering::Less) {
        return;
    }
    let message = format!("`memory_max` (`{max}`) is below `memory_high` (`{high}`)");
    let (at, other, key) =
        if max_at.file == file { (max_at, high_at, "memory_high") } else { (high_at, max_at, "memory_max") };
    // Both in `[defaults]`: told there.
    if at.file == file {
        let error = Diagnostic::error(at.clone(), message).also(other.clone(), format!("`{key}` is set here"));
        out.push(error.hint("a job shall wait before it is killed: raise `memory_max`, or lower `memory_high`"));
    }
}

/// Whether such a cap has a chance is known when the run starts; that somebody may have to decide can be said now.
fn warn_of_write_caps(out: &mut Diagnostics, file: FileId, layers: &[&CommonKeys]) {
    let decided = layers.iter().any(|keys| !keys.write_cap.is_absent());
    let Some((key, place)) = asked_for(write_caps(layers)).filter(|(_, place)| place.file == file && !decided) else {
        return;
    };
    let warning =
        Diagnostic::warning(place.clone(), format!("`{key}` is not set on a file system that others write to"));
    out.push(warning.hint(
        "its journal would make them wait: accept that with `write_cap = \"accept-journal-stalls\"`, or say that you know with `write_cap = \"refuse\"`",
    ));
}

/// The server reads for pg_dump, and is no process of the job.
fn reads_are_the_jobs_own(out: &mut Diagnostics, subject: &Subject<'_>, job: &CommonKeys) {
    if subject.kind.value != KindName::PgDump {
        return;
    }
    for (key, cap) in read_caps(&[job]) {
        let Cap::On(place) = cap else { continue };
        let error = Diagnostic::error(place.clone(), format!("`{key}` does nothing for a job of kind `pg_dump`"));
        let error = error.also(subject.kind.place.clone(), "the server reads, outside of the job");
        out.push(error.hint("use `rate`, at the top of the file: the server waits for a pump that keeps a pace"));
    }
}

/// A cap is set on disks. Those of sources and target are known; what a command or a unit reads is not.
fn caps_have_a_disk(out: &mut Diagnostics, subject: &Subject<'_>, layers: &[&CommonKeys]) {
    let paths: Vec<_> = layers.iter().map(|keys| &keys.io_paths).collect();
    let unknown = paths.iter().any(|field| matches!(field, Field::Bad));
    let named = first(&paths).is_some_and(|typed| !typed.value.is_empty());
    let kind = subject.kind.value;
    if !matches!(kind, KindName::Command | KindName::Unit) || unknown || named {
        return;
    }
    let writes = write_caps(layers).into_iter().filter(|_| !subject.stores);
    let Some((key, place)) = asked_for(read_caps(layers).into_iter().chain(writes)) else { return };
    let message = format!("`{key}` needs `io_paths` in a job of kind `{}`", kind.as_str());
    let error = in_the_jobs_file(subject, place, message, "is set here");
    out.push(error.hint(format!(
        "name paths on the disks that it uses, such as `io_paths = [\"/srv\"]`, or write `{key} = \"unlimited\"`"
    )));
}

/// What is required must be something.
fn what_is_required_is_there(
    out: &mut Diagnostics,
    subject: &Subject<'_>,
    layers: &[&CommonKeys],
    require: &Typed<BTreeSet<Resource>>,
) {
    let caps = read_caps(layers).into_iter().chain(write_caps(layers));
    for resource in &require.value {
        let hint = match resource {
            Resource::Io if caps.clone().all(|(_, cap)| matches!(cap, Cap::Off)) => match subject.kind.value {
                KindName::PgDump => "set `io_write`, or leave it out of `require`: only a cap can be in force",
                _ => "set `io_read` or `io_write`, or leave it out of `require`: only a cap can be in force",
            },
            Resource::Memory if memory_is_unlimited(layers) => {
                "set `memory_high` or `memory_max`, or leave it out of `require`"
            }
            // A weight is always set, and to freeze needs no limit.
            Resource::Io | Resource::Memory | Resource::Cpu | Resource::Freeze => continue,
        };
        let message = format!("`require` names `{}`, and the job sets no limit on it", resource.as_str());
        out.push(in_the_jobs_file(subject, &require.place, message, "is required here").hint(hint));
    }
}

/// Whether there is neither `memory_high`, which there is without a word, nor `memory_max`.
fn memory_is_unlimited(layers: &[&CommonKeys]) -> bool {
    let fields: Vec<_> = layers.iter().map(|keys| &keys.memory_high).collect();
    let lifted = first(&fields).is_some_and(|typed| typed.value.is_none());
    lifted && matches!(cap(layers, |keys| &keys.memory_max), Cap::Off)
}

/// An error at a place, or at the kind of the job if the place is in another file.
fn in_the_jobs_file(subject: &Subject<'_>, place: &Place, message: String, label: &str) -> Diagnostic {
    if place.file == subject.kind.place.file {
        return Diagnostic::error(place.clone(), message);
    }
    Diagnostic::error(subject.kind.place.clone(), message).also(place.clone(), label)
}
