//! The limits of a unit: properties that systemd puts in force when it starts, and that are looked at once it runs.

use super::ward::Ward;
use crate::kernel::cgroup::limit::Limit;
use crate::kernel::systemd::Manager;
use crate::kernel::systemd::control::property;
use crate::run::limits::Unmet;
use crate::run::limits::choose::{Choice, Wish, resource};
use crate::run::limits::enforce::InForce;

/// Without it the unit's cgroup has no `io.stat` and no `io.max` before the first cap.
const COUNT_IO: (&str, &str) = ("IOAccounting", "yes");

/// Sets what was chosen on a unit that does not run yet; says what systemd has taken and what not.
pub async fn enforce(ward: &Ward, choice: Choice) -> (InForce, Vec<Unmet>) {
    let (manager, unit) = (ward.manager(), ward.name.as_str());
    let mut in_force = InForce::default();
    let mut unmet = choice.unmet;
    if !ward.is_limitable() {
        return (in_force, unmet);
    }
    if let Err(error) = manager.set_properties(unit, &[(COUNT_IO.0, COUNT_IO.1.to_owned())]).await {
        let what = "the count of what it reads and writes".to_owned();
        unmet.push(Unmet { resource: None, what, why: error.chain(), hint: None, typed: false });
    }
    for Wish { limit, typed } in choice.set {
        match set(manager, unit, &[limit]).await {
            Ok(()) => in_force.limits.push(limit),
            Err(why) => unmet.push(refused(&limit, why, typed)),
        }
    }
    for cap in choice.caps {
        // systemd takes the disk below a device that has just one, so that one is what is looked for.
        let below = cap.below();
        let limits = if below.is_empty() { vec![cap.limit()] } else { below };
        match set(manager, unit, &limits).await {
            Ok(()) => in_force.caps.push((cap, limits)),
            Err(why) => unmet.push(refused(&cap.limit(), why, true)),
        }
    }
    (in_force, unmet)
}

async fn set(manager: &Manager, unit: &str, limits: &[Limit]) -> Result<(), String> {
    let properties: Vec<(&str, String)> = limits.iter().map(property).collect();
    manager.set_properties(unit, &properties).await.map_err(|error| error.chain())
}

fn refused(limit: &Limit, why: String, typed: bool) -> Unmet {
    Unmet { resource: resource(limit), what: format!("`{limit}`"), why, hint: None, typed }
}

/// What the kernel holds otherwise, now that the unit runs.
pub fn check(ward: &Ward, in_force: &InForce) -> Vec<Unmet> {
    let limits = in_force.limits.iter().chain(in_force.caps.iter().flat_map(|(_, limits)| limits));
    let unmet = |limit: &Limit| match ward.cgroup().holds(limit) {
        Ok(None) => None,
        Ok(Some(other)) => Some(refused(limit, format!("it is `{}`", other.trim()), true)),
        Err(error) => Some(refused(limit, error.chain(), true)),
    };
    limits.filter_map(unmet).collect()
}
