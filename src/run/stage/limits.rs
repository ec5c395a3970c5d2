//! The limits of the payload: laid down before the first program, lifted behind the last.

use super::Stage;
use crate::config::limits::Limits;
use crate::config::policy::Policy;
use crate::failure::Failure;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::group::Group;
use crate::run::limits::{self, Unmet, choose, enforce, ground, slice};

impl Stage {
    /// Puts the limits of a policy in force. What cannot be had is told; where the policy requires it, that is the failure the
    /// run ends with.
    pub async fn lay_down_limits(&mut self, policy: &Policy, limits: &Limits) -> Result<(), Failure> {
        let usual = limits::hygiene(&policy.kind);
        let ground = ground::survey(policy, limits, &self.group)?;
        let choice = choose::choose(limits, &usual, &ground);
        let (in_force, mut unmet) = match self.group.cgroup() {
            Some(cgroup) => enforce::enforce(cgroup, choice),
            None => (enforce::InForce::default(), choice.unmet),
        };
        if let Group::Cgroup(enclosure) = &self.group
            && enclosure.in_unit
        {
            unmet.extend(above(&enclosure.cgroup, policy, &choose::weights(limits, &usual)));
        }
        self.recorder.log().line("", &format!("limits in force: {}", in_force.describe())).await;
        self.in_force = in_force;
        for unmet in &unmet {
            self.tell(unmet).await;
        }
        let required = unmet.iter().find_map(|u| Some((u, u.resource.filter(|r| limits.require.contains(r))?)));
        match required {
            Some((unmet, resource)) => Err(limits::missing(unmet, resource)),
            None => Ok(()),
        }
    }

    async fn tell(&self, unmet: &Unmet) {
        match unmet.typed {
            true => self.recorder.note(&unmet.to_string()).await,
            false => self.recorder.log().line("", &unmet.to_string()).await,
        }
    }
}

/// What systemd was to set on the unit and its slice, and did not.
fn above(payload: &Cgroup, policy: &Policy, weights: &[choose::Wish]) -> Vec<Unmet> {
    let Some(unit) = payload.parent() else { return vec![] };
    let mut unmet = enforce::check(&unit, weights);
    if let (Some(slice_group), Ok(choice)) = (unit.parent(), slice::chosen(policy)) {
        unmet.extend(slice::check(&slice_group, &choice));
        unmet.extend(choice.unmet);
    }
    unmet
}
