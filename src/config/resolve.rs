//! From what was typed to a policy: `[defaults]` laid under the job, what is built in under both, and the rules that
//! concern several sections.
//!
//! Every rule is checked, whatever the ones before it found. A policy comes out only where none was broken.

use std::path::Path;
use std::time::Duration;

use super::admission;
use super::diagnostic::{Diagnostic, Diagnostics, FileId, Place, quoted};
use super::exclude;
use super::expect;
use super::fragment::{Defaults, JobFile, KindName, Shared};
use super::governor;
use super::kinds;
use super::limits::SliceLimits;
use super::limits::rules::{self, Subject};
use super::merge::{Merge, Setting, first};
use super::name::JobName;
use super::overlap;
use super::policy::{ArtifactPolicy, Compression, IoClass, Kind, Policy, Retention, Supervision, Verify};
use super::reader::{Field, Section};
use super::schedule::{self, MachineZone};

/// The name of a job and where it was given; `None` if it is not allowed, which has been told.
pub fn name(out: &mut Diagnostics, file: FileId, typed: &Field<String>) -> Option<(JobName, Place)> {
    let path = out.path(file).to_owned();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let (text, place, hint) = match typed {
        Field::Bad => return None,
        Field::Given(typed) => {
            let hint = format!("`{}` is allowed", JobName::nearest(&typed.value));
            (typed.value.as_str(), typed.place.clone(), hint)
        }
        Field::Absent => {
            let nearest = JobName::nearest(&stem);
            let hint =
                format!("the name is that of the file: call the file `{nearest}.toml`, or add `name = \"{nearest}\"`");
            (stem.as_ref(), start_of(file), hint)
        }
    };
    match text.parse::<JobName>() {
        Ok(name) => Some((name, place)),
        Err(_) => {
            let rule = "names are at most 64 characters from `a-z`, `0-9` and `-`, and do not start with `-`";
            let message = format!("job name {} is not allowed: {rule}", quoted(text));
            out.push(Diagnostic::error(place, message).hint(hint));
            None
        }
    }
}

/// What `govern.toml` and the machine have for every job.
#[derive(Debug)]
pub struct Machine<'a> {
    /// `[defaults]`
    pub defaults: &'a Defaults,
    /// The limits of all runs together.
    pub slice: &'a SliceLimits,
    /// `[governor]`, checked.
    pub governor: &'a governor::rules::Machine,
    /// The machine's time zone.
    pub zone: &'a MachineZone,
}

/// The policy of a job and how it came about; `None` if something is wrong, which has been told.
pub fn job(
    out: &mut Diagnostics,
    file: FileId,
    name: &JobName,
    typed: &JobFile,
    machine: &Machine<'_>,
) -> Option<(Policy, Vec<Setting>)> {
    let defaults = &machine.defaults.shared;
    let mut merge = Merge { out, settings: Vec::new() };
    match typed.name.given() {
        Some(typed) => drop(merge.typed("name", typed)),
        None => merge.built_in("name", Some(&format!("\"{name}\""))),
    }
    let kind_name = kind_name(&mut merge, file, typed)?;
    let description = merge.optional("description", &[&typed.description]);
    let (job, low) = (&typed.shared, defaults);
    let supervision = supervision(&mut merge, kind_name, typed, low);
    let ninety_days = Duration::from_secs(90 * 86_400);
    let log_keep = merge.or_default("log_keep", &[&job.log_keep, &low.log_keep], Some(ninety_days), "\"90d\"");
    let kind = kind(&mut merge, kind_name, typed);
    let captures = match kind_name {
        KindName::Filesystem | KindName::PgDump => true,
        KindName::Command => !typed.command.keys.capture.is_absent(),
        KindName::Unit => false,
    };
    let artifact = if captures {
        artifact(&mut merge, kind_name, typed, defaults, file).map(Some)
    } else {
        no_artifact(&mut merge, kind_name, typed).then_some(None)
    };
    let compression = artifact.iter().flatten().map(|artifact| artifact.compression).next();
    let subject =
        Subject { kind: typed.kind.given()?, stores: captures, compression: compression.unwrap_or(Compression::None) };
    let limits = rules::limits(&mut merge, &subject, &typed.shared.limits.keys, &defaults.limits.keys);
    let governor = governor::rules::governor(&mut merge, kind_name, &typed.governor.keys, machine.governor);
    let low = machine.defaults;
    let schedule = schedule::merge::schedule(&mut merge, &typed.schedule, &low.schedule.keys, machine.zone);
    let admission = admission::merge::admission(&mut merge, &typed.admission.keys, &low.admission.keys);
    let retry = admission::merge::retry(&mut merge, &typed.shared.retry, &low.shared.retry.keys);
    let (kind, artifact) = (kind?, artifact?);
    if let Kind::Filesystem(filesystem) = &kind {
        no_source_is_left_out(&mut merge, typed, filesystem);
    }
    if let (Kind::Filesystem(filesystem), Some(artifact)) = (&kind, &artifact) {
        target_is_outside(&mut merge, typed, defaults, filesystem, artifact, name);
    }
    let settings = merge.settings;
    let (job, slice) = (name.clone(), machine.slice.clone());
    let policy = Policy {
        job,
        description,
        kind,
        artifact,
        supervision,
        limits,
        governor,
        schedule,
        admission,
        retry,
        slice,
        log_keep,
    };
    Some((policy, settings))
}

/// How the payload is run. A unit is run by systemd: what is said of accounts, priorities and paces is for programs that govern starts.
fn supervision(merge: &mut Merge<'_>, kind: KindName, typed: &JobFile, low: &Shared) -> Supervision {
    let job = &typed.shared;
    let programs = kind != KindName::Unit;
    let user = if programs { merge.optional("user", &[&job.user, &low.user]) } else { None };
    let timeout = merge.or_default("timeout", &[&job.timeout, &low.timeout], None, "\"unlimited\"");
    let grace = merge.or_default("grace", &[&job.grace, &low.grace], Duration::from_secs(30), "\"30s\"");
    if !programs {
        typed.kind.given().into_iter().for_each(|kind| kinds::what_systemd_does(merge, &kind.place, job));
        return Supervision { user, timeout, grace, nice: 0, io_class: IoClass::None, rate: None };
    }
    Supervision {
        user,
        timeout,
        grace,
        nice: merge.or_default("nice", &[&job.nice, &low.nice], 19, "19"),
        io_class: merge.or_default("io_class", &[&job.io_class, &low.io_class], IoClass::Idle, "\"idle\""),
        rate: merge.or_default("rate", &[&job.rate, &low.rate], None, "\"unlimited\""),
    }
}

fn start_of(file: FileId) -> Place {
    Place { file, span: 0..0 }
}

/// The kind, and no section of another.
fn kind_name(merge: &mut Merge<'_>, file: FileId, typed: &JobFile) -> Option<KindName> {
    let sections = [
        (KindName::Filesystem, &typed.filesystem.place),
        (KindName::PgDump, &typed.pg_dump.place),
        (KindName::Command, &typed.command.place),
        (KindName::Unit, &typed.unit.place),
    ];
    let Some(kind) = typed.kind.given() else {
        if typed.kind.is_absent() {
            let likely = sections.iter().find(|(_, place)| place.is_some()).map(|(kind, _)| kind.as_str());
            let hint = match likely {
                Some(kind) => format!("add `kind = \"{kind}\"` at the top of the file"),
                None => {
                    "add `kind = \"filesystem\"`, `\"pg_dump\"`, `\"command\"` or `\"unit\"` at the top of the file"
                        .to_owned()
                }
            };
            merge.out.push(Diagnostic::error(start_of(file), "the job has no `kind`").hint(hint));
        }
        return None;
    };
    for (other, place) in sections.iter().filter(|(other, _)| *other != kind.value) {
        let Some(place) = place else { continue };
        let (other, this) = (other.as_str(), kind.value.as_str());
        let error = Diagnostic::error(place.clone(), format!("section `[{other}]` is not for a job of kind `{this}`"));
        let error = error.also(kind.place.clone(), "says the kind");
        merge.out.push(error.hint(format!("remove the section, or write `kind = \"{other}\"`")));
    }
    Some(merge.typed("kind", kind))
}

fn kind(merge: &mut Merge<'_>, kind: KindName, typed: &JobFile) -> Option<Kind> {
    fn section<T>(merge: &mut Merge<'_>, kind: KindName, typed: &JobFile, section: &Section<T>) -> Option<Place> {
        if section.place.is_none()
            && let Some(typed) = typed.kind.given()
        {
            let name = kind.as_str();
            let example = match kind {
                KindName::Filesystem => "sources = [\"/etc\"]",
                KindName::PgDump => "databases = \"all\"",
                KindName::Command => "argv = [\"/usr/local/bin/program\"]",
                KindName::Unit => "name = \"borgmatic.service\"",
            };
            let error =
                Diagnostic::error(typed.place.clone(), format!("a job of kind `{name}` needs a section `[{name}]`"));
            merge.out.push(error.hint(format!("add `[{name}]` with `{example}`")));
        }
        section.place.clone()
    }
    match kind {
        KindName::Filesystem => {
            let place = section(merge, kind, typed, &typed.filesystem)?;
            kinds::filesystem(merge, &place, &typed.filesystem.keys).map(Kind::Filesystem)
        }
        KindName::PgDump => {
            let place = section(merge, kind, typed, &typed.pg_dump)?;
            kinds::pg_dump(merge, &place, &typed.pg_dump.keys).map(Kind::PgDump)
        }
        KindName::Command => {
            let place = section(merge, kind, typed, &typed.command)?;
            kinds::command(merge, &place, &typed.command.keys).map(Kind::Command)
        }
        KindName::Unit => {
            let place = section(merge, kind, typed, &typed.unit)?;
            kinds::unit(merge, &place, &typed.unit.keys).map(Kind::Unit)
        }
    }
}

fn artifact(
    merge: &mut Merge<'_>,
    kind: KindName,
    typed: &JobFile,
    defaults: &Shared,
    file: FileId,
) -> Option<ArtifactPolicy> {
    let (job, low) = (&typed.shared.artifact.keys, &defaults.artifact.keys);
    if job.target.is_absent() && low.target.is_absent() {
        let capture = typed.command.keys.capture.given().map(|typed| &typed.place);
        let kind_place = typed.kind.given().map(|typed| &typed.place);
        let place = typed.shared.artifact.place.as_ref().or(capture).or(kind_place).cloned();
        let message = match kind {
            KindName::Command => "a command with `capture` needs `target` in `[artifact]`".to_owned(),
            _ => format!("a job of kind `{}` needs `target` in `[artifact]`", kind.as_str()),
        };
        let hint = "add `[artifact]` with `target = \"/backup\"`, or set it for all jobs in `[defaults.artifact]` of `govern.toml`";
        merge.out.push(Diagnostic::error(place.unwrap_or_else(|| start_of(file)), message).hint(hint));
    }
    let target = merge.optional("artifact.target", &[&job.target, &low.target]);
    let zstd = Compression::Zstd { level: 3 };
    let compression = merge.or_default("artifact.compression", &[&job.compression, &low.compression], zstd, "\"zstd\"");
    let verify = verify(merge, kind, &job.verify, &low.verify);
    let min_free = merge.optional("artifact.min_free", &[&job.min_free, &low.min_free]);
    let expect = expect::expect(merge, kind, verify, &typed.shared.expect.keys, &defaults.expect.keys);
    let retention = retention(merge, typed, defaults);
    Some(ArtifactPolicy { target: target?, compression, verify, min_free, expect, retention })
}

/// The output of a command is of no known shape, so it can be hashed and not listed. `list` from `[defaults]` is meant
/// for the other kinds, and no error here.
fn verify(merge: &mut Merge<'_>, kind: KindName, job: &Field<Verify>, low: &Field<Verify>) -> Verify {
    if kind != KindName::Command {
        return merge.or_default("artifact.verify", &[job, low], Verify::List, "\"list\"");
    }
    if let Some(typed) = job.given()
        && typed.value == Verify::List
    {
        let error = Diagnostic::error(typed.place.clone(), "`verify` must be `none` or `hash` for a command");
        merge.out.push(error.hint("`list` needs an archive or a dump that govern has made itself"));
    }
    let layers: &[&Field<Verify>] = match low.given() {
        Some(typed) if typed.value == Verify::List => &[job],
        _ => &[job, low],
    };
    merge.or_default("artifact.verify", layers, Verify::Hash, "\"hash\"")
}

/// Without `[retention]` everything stays; with it, something must be kept by a rule.
fn retention(merge: &mut Merge<'_>, typed: &JobFile, defaults: &Shared) -> Option<Retention> {
    let (job, low) = (&typed.shared.retention.keys, &defaults.retention.keys);
    let rules = [
        [&job.keep_last, &low.keep_last],
        [&job.keep_daily, &low.keep_daily],
        [&job.keep_weekly, &low.keep_weekly],
        [&job.keep_monthly, &low.keep_monthly],
    ];
    let keeps = rules.iter().any(|layers| first(layers).is_some_and(|typed| typed.value > 0));
    match &typed.shared.retention.place {
        None if !keeps => return None,
        Some(place) if !keeps && rules.iter().flatten().all(|field| !matches!(field, Field::Bad)) => {
            let hint = "set one of `keep_last`, `keep_daily`, `keep_weekly`, `keep_monthly`, or remove the section to keep everything";
            merge.out.push(Diagnostic::error(place.clone(), "`[retention]` keeps nothing").hint(hint));
            return None;
        }
        _ => {}
    }
    Some(Retention {
        keep_last: merge.or_default("retention.keep_last", &[&job.keep_last, &low.keep_last], 0, "0"),
        keep_daily: merge.or_default("retention.keep_daily", &[&job.keep_daily, &low.keep_daily], 0, "0"),
        keep_weekly: merge.or_default("retention.keep_weekly", &[&job.keep_weekly, &low.keep_weekly], 0, "0"),
        keep_monthly: merge.or_default("retention.keep_monthly", &[&job.keep_monthly, &low.keep_monthly], 0, "0"),
        minimum: merge.or_default("retention.minimum", &[&job.minimum, &low.minimum], 1, "1"),
    })
}

/// A command that keeps no output has nothing to put anywhere, and what a unit makes is its own affair.
fn no_artifact(merge: &mut Merge<'_>, kind: KindName, typed: &JobFile) -> bool {
    let typed = &typed.shared;
    let sections =
        [("artifact", &typed.artifact.place), ("expect", &typed.expect.place), ("retention", &typed.retention.place)];
    let mut clear = true;
    for (name, place) in sections {
        let Some(place) = place else { continue };
        clear = false;
        let (message, hint) = match kind {
            KindName::Unit => (
                format!("section `[{name}]` is not for a job of kind `unit`"),
                "remove the section: where its backups go, and how many stay, the unit knows itself",
            ),
            _ => (
                format!("section `[{name}]` needs a command with `capture`"),
                "set `capture` in `[command]` to keep its standard output, or remove the section",
            ),
        };
        merge.out.push(Diagnostic::error(place.clone(), message).hint(hint));
    }
    clear
}

/// A run would refuse it, and sees links besides. It is no error here: what was saved so far must come back with this policy, too.
fn no_source_is_left_out(merge: &mut Merge<'_>, typed: &JobFile, filesystem: &super::policy::Filesystem) {
    let keys = &typed.filesystem.keys;
    let (Some(sources), Some(patterns)) = (keys.sources.given(), keys.exclude.given()) else { return };
    for source in &filesystem.sources {
        let Some(pattern) = exclude::of_source(source, &filesystem.exclude) else { continue };
        let message = format!(
            "pattern {} leaves out source {} itself: no run of this job begins",
            quoted(pattern),
            quoted(&source.to_string_lossy())
        );
        let warning =
            Diagnostic::warning(patterns.place.clone(), message).also(sources.place.clone(), "is to be saved");
        merge.out.push(warning.hint(format!(
            "write the pattern from the root of the machine: `{}/NAME`",
            source.to_string_lossy().trim_end_matches('/')
        )));
    }
}

fn target_is_outside(
    merge: &mut Merge<'_>,
    typed: &JobFile,
    defaults: &Shared,
    filesystem: &super::policy::Filesystem,
    artifact: &ArtifactPolicy,
    name: &JobName,
) {
    let Some(source) = overlap::of(filesystem, artifact, name) else { return };
    let target = first(&[&typed.shared.artifact.keys.target, &defaults.artifact.keys.target]);
    let (Some(target), Some(sources)) = (target, typed.filesystem.keys.sources.given()) else { return };
    let show = |path: &Path| quoted(&path.to_string_lossy());
    // The directory of this job when the target itself holds other things that are to be backed up.
    let own = artifact.target.join(name.as_str());
    let left_out = if artifact.target.starts_with(source) { &artifact.target } else { &own };
    let message = format!("artifacts in {} would lie inside source {}", show(&own), show(source));
    let error = Diagnostic::error(sources.place.clone(), message).also(target.place.clone(), "artifacts go here");
    merge.out.push(error.hint(format!("exclude it: `exclude = [\"{}\"]`", left_out.display())));
}
