//! The limits of all runs together: properties of `govern.slice`, which systemd owns.

use super::Unmet;
use super::choose::{Choice, Wish, choose};
use super::ground::{Ground, Work};
use crate::config::limits::{Limits, SliceLimits};
use crate::config::policy::Policy;
use crate::kernel::Result;
use crate::kernel::cgroup::controller::Controller;
use crate::kernel::cgroup::limit::Limit;
use crate::kernel::procfs;
use crate::kernel::systemd::control::{LIMITS, property};
use std::collections::BTreeSet;
use std::path::Path;

/// What holds for the slice while a job of this policy runs.
///
/// # Errors
/// When /proc cannot be read.
pub fn chosen(policy: &Policy) -> Result<Choice> {
    let limits = as_of_a_job(&policy.slice);
    let ground = Ground {
        // What systemd cannot do it says by itself.
        controllers: Some(BTreeSet::from(Controller::ALL)),
        memory: procfs::memory_total(Path::new(procfs::PROC))?,
        ..Ground::bare()
    };
    let ground = ground.with_devices(policy, &limits, Work::Backup);
    Ok(choose(&limits, &as_of_a_job(&SliceLimits::hygiene()), &ground))
}

/// The two differ in what only a job has.
fn as_of_a_job(slice: &SliceLimits) -> Limits {
    let SliceLimits { io, write_cap, cpu, memory, pids_max } = slice.clone();
    Limits { io, write_cap, cpu, memory, pids_max, require: BTreeSet::new() }
}

/// The assignments that bring a slice to what was chosen. `set` are the properties that somebody has set until the next boot,
/// which is how a limit that stood in `govern.toml` at an earlier run is known: those that are not wanted any more are taken
/// back, unless other runs are `under_way`: theirs is the slice, too, and a list of devices holds their disks. What an
/// administrator wrote into a unit file is not touched.
pub fn assignments(choice: &Choice, set: &dyn Fn(&str) -> bool, under_way: bool) -> Vec<(&'static str, String)> {
    let wanted: Vec<(&'static str, String)> = choice
        .set
        .iter()
        .map(|wish| property(&wish.limit))
        .chain(choice.caps.iter().map(|cap| property(&cap.limit())))
        .collect();
    let mut all = vec![];
    for name in LIMITS {
        let values: Vec<&(&str, String)> = wanted.iter().filter(|(key, _)| key == name).collect();
        // Lists of devices grow with each assignment; an empty one clears them.
        let is_list = name.starts_with("IO") && *name != "IOWeight";
        if !under_way && (is_list || values.is_empty()) && (set(name) || !values.is_empty()) {
            all.push((*name, String::new()));
        }
        all.extend(values.into_iter().cloned());
    }
    all
}

/// What is missing where the payload is not in the slice, and why it is not: all that somebody asked for.
///
/// # Errors
/// When /proc cannot be read.
pub fn without(policy: &Policy, why: &str) -> Result<Vec<Unmet>> {
    let Choice { set, caps, .. } = chosen(policy)?;
    let limits = set.iter().filter(|wish| wish.typed).map(|wish| wish.limit).chain(caps.iter().map(|cap| cap.limit()));
    let unmet = |limit: Limit| Unmet {
        resource: None,
        what: format!("`{limit}` of all runs together"),
        why: why.to_owned(),
        hint: None,
        typed: true,
    };
    Ok(limits.map(unmet).collect())
}

/// As [`super::enforce::check`], for the slice. systemd puts a cap on the disk below where there is just one, so a cap is looked for
/// on any device of its stack.
pub fn check(cgroup: &crate::kernel::cgroup::Cgroup, choice: &Choice) -> Vec<Unmet> {
    let mut unmet = super::enforce::check(cgroup, &choice.set);
    let holds = |limit: &Limit| matches!(cgroup.holds(limit), Ok(None));
    for cap in choice.caps.iter().filter(|cap| !holds(&cap.limit()) && !cap.below().iter().any(holds)) {
        unmet.extend(super::enforce::check(cgroup, &[Wish { limit: cap.limit(), typed: true }]));
    }
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(limits: &[Limit]) -> Choice {
        Choice { set: limits.iter().map(|limit| Wish { limit: *limit, typed: true }).collect(), ..Choice::default() }
    }

    #[test]
    fn what_is_wanted_is_set_and_what_was_wanted_is_taken_back() {
        let choice = choice(&[Limit::CpuWeight(10), Limit::MemoryHigh(Some(1 << 30))]);
        let fresh = assignments(&choice, &|_| false, false);
        assert_eq!(fresh, [("CPUWeight", "10".to_owned()), ("MemoryHigh", "1073741824".to_owned())]);
        let again = assignments(&choice, &|name| ["TasksMax", "CPUWeight", "IOReadIOPSMax"].contains(&name), false);
        assert_eq!(
            again,
            [
                ("CPUWeight", "10".to_owned()),
                ("IOReadIOPSMax", String::new()),
                ("MemoryHigh", "1073741824".to_owned()),
                ("TasksMax", String::new()),
            ]
        );
        assert_eq!(assignments(&choice, &|_| true, true), fresh, "nothing is taken from others that are under way");
    }
}
