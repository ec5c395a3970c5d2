//! `[governor]` of the machine and of a job, checked and laid over each other.
//!
//! What is wrong in `govern.toml` is told once, not for every job; what a job makes of it is told in the job's file.

use std::collections::BTreeMap;

use super::keys::GovernorKeys;
use super::probes::rules::{self as probes, Checked};
use super::{Governor, OnConflict, merge};
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::fragment::KindName;
use crate::config::merge::{Merge, first};
use crate::config::reader::Field;

/// `[governor]` of `govern.toml`, checked.
#[derive(Debug, Clone)]
pub struct Machine {
    keys: GovernorKeys,
    probes: BTreeMap<String, Checked>,
}

/// The governor of the machine.
pub fn machine(out: &mut Diagnostics, keys: &GovernorKeys) -> Machine {
    Machine { keys: keys.clone(), probes: probes::all(out, &keys.probes) }
}

/// The governor of a run without a policy of its own.
pub fn without_a_job(out: &mut Diagnostics, kind: KindName, machine: &Machine) -> Governor {
    let mut merge = Merge { out, settings: Vec::new() };
    let governor = merge::layers(&mut merge, kind, &[&machine.keys]);
    with_probes(&mut merge, governor, machine.probes.clone())
}

/// The governor of a job.
pub fn governor(merge: &mut Merge<'_>, kind: KindName, job: &GovernorKeys, machine: &Machine) -> Governor {
    warn_of_nothing_to_decide(merge.out, job, &machine.keys);
    let governor = merge::layers(merge, kind, &[job, &machine.keys]);
    let mut probes = machine.probes.clone();
    probes.extend(self::probes::all(merge.out, &job.probes));
    with_probes(merge, governor, probes)
}

fn with_probes(merge: &mut Merge<'_>, mut governor: Governor, probes: BTreeMap<String, Checked>) -> Governor {
    for checked in probes.into_values() {
        merge.settings.extend(checked.settings);
        governor.probes.push(checked.probe);
    }
    governor
}

/// Without a deadline there is never a conflict.
fn warn_of_nothing_to_decide(out: &mut Diagnostics, job: &GovernorKeys, machine: &GovernorKeys) {
    let layers = merge::fields(&[job, machine], |keys| &keys.deadline);
    let unknown = layers.iter().any(|field| matches!(field, Field::Bad));
    let there_is_one = first(&layers).is_some_and(|typed| typed.value.is_some());
    let finish = job.on_conflict.given().filter(|typed| typed.value == OnConflict::Finish);
    if let Some(typed) = finish.filter(|_| !unknown && !there_is_one) {
        let message = "`on_conflict` decides nothing: the job has no deadline";
        let warning = Diagnostic::warning(typed.place.clone(), message);
        out.push(warning.hint("add a `deadline` such as `\"06:30\"` or `\"90m\"`, or leave `on_conflict` out"));
    }
}
