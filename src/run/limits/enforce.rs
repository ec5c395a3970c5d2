//! Putting limits in force: each is written and read back; what the kernel refuses is told.

use super::Unmet;
use super::choose::{Cap, Choice, Wish, resource};
use crate::config::limits::Resource;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::limit::{IoKey, Limit};

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

    /// Takes the caps on writing away, so that what is still on its way to the disk gets there.
    pub fn let_writes_go(&self, cgroup: &Cgroup) {
        for limit in self.caps.iter().flat_map(|(_, limits)| limits) {
            if let Limit::Io { device, key: key @ (IoKey::WriteBytes | IoKey::WriteOps), .. } = *limit {
                // The group is about to be removed, and the cap with it.
                cgroup.set(&Limit::Io { device, key, cap: None }).ok();
            }
        }
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
                resource: resource(limit.controller()),
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

/// Looks whether limits that somebody else set are in force on a group; says which are not.
pub fn check(cgroup: &Cgroup, wishes: &[Wish]) -> Vec<Unmet> {
    let unmet = |wish: &Wish, why| Unmet {
        resource: resource(wish.limit.controller()),
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
