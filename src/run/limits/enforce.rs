//! Putting limits in force: each is written and read back; what the kernel refuses is told.

use super::Unmet;
use super::choose::{Cap, Choice, Wish, resource};
use crate::config::limits::Resource;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::limit::Limit;

/// What holds for a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InForce {
    /// Limits of the group as a whole.
    pub limits: Vec<Limit>,
    /// Caps on devices: what is capped, and the limits that do it. More than one where the disks below had to be taken.
    pub caps: Vec<(Cap, Vec<Limit>)>,
}

impl InForce {
    /// `memory.high 134217728, io.max 254:16 rbps=5000000`.
    pub fn describe(&self) -> String {
        let all: Vec<String> =
            self.limits.iter().chain(self.caps.iter().flat_map(|(_, l)| l)).map(Limit::to_string).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    }
}

/// Sets what was chosen; says what is in force and what is not.
pub fn enforce(cgroup: &Cgroup, choice: Choice) -> (InForce, Vec<Unmet>) {
    let mut in_force = InForce::default();
    let mut unmet = choice.unmet;
    for Wish { limit, typed } in choice.set {
        match cgroup.set(&limit) {
            Ok(_) => in_force.limits.push(limit),
            Err(error) => unmet.push(Unmet {
                resource: resource(&limit),
                what: format!("`{limit}`"),
                why: error.chain(),
                hint: None,
                typed,
            }),
        }
    }
    for cap in choice.caps {
        match set_cap(cgroup, &cap) {
            Ok(limits) => in_force.caps.push((cap, limits)),
            Err(why) => unmet.push(Unmet {
                resource: Some(Resource::Io),
                what: format!("`{}` on {}", cap.limit(), cap.target.describe()),
                why,
                hint: None,
                typed: true,
            }),
        }
    }
    (in_force, unmet)
}

/// On the device itself; where the kernel refuses that, on those below it.
fn set_cap(cgroup: &Cgroup, cap: &Cap) -> Result<Vec<Limit>, String> {
    let top = cap.limit();
    let Err(refused) = cgroup.set(&top) else { return Ok(vec![top]) };
    let below = cap.below();
    if below.is_empty() {
        return Err(refused.chain());
    }
    for limit in &below {
        cgroup.set(limit).map_err(|error| format!("{}; {}", refused.chain(), error.chain()))?;
    }
    Ok(below)
}

/// Sets on a new group what was in force on the one before.
pub fn enforce_again(cgroup: &Cgroup, before: &InForce) -> (InForce, Vec<Unmet>) {
    let set = before.limits.iter().map(|limit| Wish { limit: *limit, typed: true }).collect();
    let caps = before.caps.iter().map(|(cap, _)| cap.clone()).collect();
    enforce(cgroup, Choice { set, caps, unmet: vec![] })
}

/// Everything that was in force and went with its group.
pub fn lost(before: &InForce, why: &crate::kernel::Error) -> Vec<Unmet> {
    let caps = before.caps.iter().flat_map(|(_, limits)| limits);
    let all = before.limits.iter().chain(caps).map(|limit| (resource(limit), format!("`{limit}`")));
    let freezer = (Some(Resource::Freeze), "the freezer".to_owned());
    let unmet = |(resource, what)| Unmet { resource, what, why: why.chain(), hint: None, typed: true };
    all.chain([freezer]).map(unmet).collect()
}

/// Looks whether limits that somebody else set are in force on a group; says which are not.
pub fn check(cgroup: &Cgroup, wishes: &[Wish]) -> Vec<Unmet> {
    let unmet = |wish: &Wish, why| Unmet {
        resource: resource(&wish.limit),
        what: format!("`{}` of `{}`", wish.limit, cgroup.path().display()),
        why,
        hint: None,
        typed: wish.typed,
    };
    let look = |wish: &Wish| match cgroup.holds(&wish.limit) {
        Ok(None) => None,
        Ok(Some(other)) => Some(unmet(wish, format!("it is `{}`", other.trim()))),
        Err(error) => Some(unmet(wish, error.chain())),
    };
    wishes.iter().filter_map(look).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::kernel::block::Number;
    use crate::kernel::block::device::Lower;
    use crate::kernel::block::kind::Kind;
    use crate::kernel::block::target::Target;
    use crate::kernel::cgroup::limit::IoKey;

    const TOP: Number = Number { major: 253, minor: 0 };
    const DISK: Number = Number { major: 254, minor: 0 };

    fn cap() -> Cap {
        let lower = Lower { device: DISK, name: "vda".to_owned(), share: NonZeroU32::MIN };
        let target = Target {
            device: TOP,
            name: "dm-0".to_owned(),
            kind: Kind::Disk,
            share: NonZeroU32::MIN,
            below: vec![lower],
            holds: vec![],
            warnings: vec![],
        };
        Cap { key: IoKey::ReadBytes, value: 5_000_000, target }
    }

    fn group(files: &[(&str, &str)]) -> (tempfile::TempDir, Cgroup) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let group = Cgroup::at(dir.path().to_path_buf());
        (dir, group)
    }

    #[test]
    fn what_the_kernel_refuses_is_told_and_the_rest_is_in_force() {
        let (_dir, group) = group(&[("memory.high", "max\n")]);
        let wish = |limit| Wish { limit, typed: true };
        let set = vec![wish(Limit::MemoryHigh(Some(1 << 27))), wish(Limit::PidsMax(Some(64)))];
        let (in_force, unmet) = enforce(&group, Choice { set, caps: vec![cap()], unmet: vec![] });
        assert_eq!(in_force.describe(), "memory.high 134217728");
        let told: Vec<&str> = unmet.iter().map(|unmet| unmet.what.as_str()).collect();
        assert_eq!(told[0], "`pids.max 64`");
        assert!(told[1].starts_with("`io.max 253:0 rbps=5000000` on "), "{told:?}");
    }

    #[test]
    fn what_was_in_force_is_set_again_or_told_as_lost() {
        let (_dir, group) = group(&[("io.max", "")]);
        let (before, unmet) = enforce(&group, Choice { caps: vec![cap()], ..Choice::default() });
        assert!(unmet.is_empty());
        assert_eq!(enforce_again(&group, &before), (before.clone(), vec![]));
        let error = crate::kernel::Error::about("create cgroup", "/g", std::io::Error::from_raw_os_error(30));
        let lost = lost(&before, &error);
        assert_eq!(lost.iter().map(|u| u.resource).collect::<Vec<_>>(), [Some(Resource::Io), Some(Resource::Freeze)]);
    }

    #[test]
    fn limits_that_somebody_else_set_are_looked_at() {
        let (_dir, group) = group(&[("cpu.weight", "100\n")]);
        let wish = |weight| Wish { limit: Limit::CpuWeight(weight), typed: false };
        assert!(check(&group, &[wish(100)]).is_empty());
        assert_eq!(check(&group, &[wish(10)])[0].why, "it is `100`");
    }
}
