//! The limits of the payload: laid down before the first program, lifted behind the last.

use std::time::Instant;

use super::ward::place;
use super::{Stage, Stop};
use crate::config::limits::Resource;
use crate::config::policy::Policy;
use crate::failure::Failure;
use crate::kernel;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::group::Group;
use crate::ledger::entry::LimitState;
use crate::run::limits::enforce::InForce;
use crate::run::limits::guard::{Guard, News};
use crate::run::limits::proof::Verdict;
use crate::run::limits::{self, Unmet, choose, enforce, ground, slice};
use crate::run::request::Request;
use crate::run::unit;

impl Stage {
    /// Puts the limits of a policy in force. What cannot be had is told; where the policy requires it, that is the failure the
    /// run ends with.
    pub async fn lay_down_limits(&mut self, request: &Request) -> Result<(), Failure> {
        let (policy, limits) = (&request.policy, limits::of_request(request));
        let usual = limits::hygiene(policy);
        let work = limits::work(&request.action);
        let ground = match &self.ward {
            Some(ward) => ground::survey_unit(policy, &limits, work, ward.is_limitable())?,
            None => ground::survey(policy, &limits, work, &self.group)?,
        };
        let choice = choose::choose(&limits, &usual, &ground);
        let (in_force, mut unmet) = match (&self.ward, self.group.cgroup()) {
            (Some(ward), _) => unit::limits::enforce(ward, choice).await,
            (None, Some(cgroup)) => enforce::enforce(cgroup, choice),
            (None, None) => (enforce::InForce::default(), choice.unmet),
        };
        unmet.extend(match (&self.ward, &self.group) {
            (Some(ward), _) => slice::without(policy, &format!("unit `{}` is in another slice", ward.name))?,
            (None, Group::Cgroup(enclosure)) if enclosure.in_unit => {
                above(&enclosure.cgroup, policy, &choose::weights(&limits, &usual))
            }
            (None, _) => slice::without(policy, "this run is no unit in `govern.slice`")?,
        });
        self.recorder.log().line("", &format!("limits in force: {}", in_force.describe())).await;
        for limit in in_force.caps.iter().flat_map(|(_, limits)| limits) {
            self.recorder.limit(&limit.to_string(), LimitState::Unproven, None).await;
        }
        self.guard = Guard::new(&in_force, Instant::now());
        self.in_force = in_force;
        self.required = limits.require.clone();
        self.settle_for(&unmet).await
    }

    /// Tells what cannot be had. The first of it that the policy requires is the failure.
    async fn settle_for(&self, unmet: &[Unmet]) -> Result<(), Failure> {
        for unmet in unmet {
            self.tell(unmet).await;
        }
        let required = unmet.iter().find_map(|u| Some((u, u.resource.filter(|r| self.required.contains(r))?)));
        match required {
            Some((unmet, resource)) => Err(limits::missing(unmet, resource)),
            None => Ok(()),
        }
    }

    pub(super) async fn tell(&self, unmet: &Unmet) {
        if !unmet.typed {
            return self.recorder.log().line("", &unmet.to_string()).await;
        }
        self.recorder.note(&unmet.to_string()).await;
        self.recorder.limit(&unmet.what, LimitState::Unmet, Some(&unmet.why)).await;
    }

    /// Between two programs the payload's cgroup is empty, and somebody may have removed it. It is made anew, with its limits; where
    /// that cannot be, the run goes on with signals alone, unless the policy requires more.
    pub(super) async fn look_after_group(&mut self) -> Result<(), Failure> {
        let Group::Cgroup(enclosure) = &self.group else { return Ok(()) };
        if enclosure.cgroup.exists() || self.ward.is_some() {
            return Ok(());
        }
        let path = enclosure.cgroup.path().display().to_string();
        self.recorder.note(&format!("the payload's cgroup `{path}` was removed by somebody")).await;
        let unmet = match enclosure.cgroup.create_again() {
            Ok(()) => {
                let (in_force, unmet) = enforce::enforce_again(&enclosure.cgroup, &self.in_force);
                self.guard = Guard::new(&in_force, Instant::now());
                self.in_force = in_force;
                self.actuator.forget();
                unmet
            }
            Err(error) => {
                let lost = enforce::lost(&self.in_force, &error);
                self.in_force = InForce::default();
                self.guard = Guard::new(&self.in_force, Instant::now());
                self.group = Group::Descendants { reason: error.chain() };
                self.recorder.note(&format!("the run goes on without a cgroup: {}", error.chain())).await;
                lost
            }
        };
        self.settle_for(&unmet).await
    }

    /// Looks whether the caps hold. One that does not is an alarm, and where the policy requires it, the end of the run.
    pub(super) async fn guard_limits(&mut self) -> kernel::Result<()> {
        let Some(place) = place(self.ward.as_ref(), &self.group) else { return Ok(()) };
        let news = match self.guard.look(place.cgroup(), Instant::now()) {
            Ok(news) => news,
            // A unit has ended before the run knows of it.
            Err(error) if error.is_gone() && self.ward.is_some() => return Ok(()),
            Err(error) => return self.lost_sight(&error).await,
        };
        for News { limit, verdict } in news {
            let what = limit.to_string();
            match verdict {
                Verdict::Unproven(_) => {}
                Verdict::Proven => {
                    self.recorder.log().line("", &format!("`{what}` is proven")).await;
                    self.recorder.limit(&what, LimitState::Proven, None).await;
                }
                Verdict::Disproved(why) => {
                    self.recorder.note(&format!("`{what}` does not hold: {why}")).await;
                    self.recorder.limit(&what, LimitState::Disproved, Some(&why.to_string())).await;
                    // What the governor has set is not what the policy requires.
                    if self.in_force.caps.iter().any(|(_, limits)| limits.contains(&limit)) {
                        self.end_if_required()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The counters cannot be read: nothing can be proven any more, which is said once.
    async fn lost_sight(&mut self, error: &kernel::Error) -> kernel::Result<()> {
        self.guard = Guard::new(&InForce::default(), Instant::now());
        self.recorder.note(&format!("whether the caps hold can no longer be seen: {}", error.chain())).await;
        self.end_if_required()
    }

    /// What puts away what the run had begun is not ended for a cap.
    fn end_if_required(&mut self) -> kernel::Result<()> {
        match self.required.contains(&Resource::Io) && self.stopped.is_none() && !self.clearing_up {
            true => self.stop(Stop::NotLimited),
            false => Ok(()),
        }
    }
}

/// What systemd was to set on the unit and its slice, and did not.
fn above(payload: &Cgroup, policy: &Policy, weights: &[choose::Wish]) -> Vec<Unmet> {
    let Some(unit) = payload.parent() else { return vec![] };
    let mut unmet = enforce::check(&unit, weights);
    match (unit.parent(), slice::chosen(policy)) {
        (Some(slice_group), Ok(choice)) => {
            unmet.extend(slice::check(&slice_group, &choice));
            unmet.extend(choice.unmet);
        }
        (_, Err(error)) => unmet.push(Unmet {
            resource: None,
            what: "the limits of all runs together".to_owned(),
            why: error.chain(),
            hint: None,
            typed: true,
        }),
        (None, Ok(_)) => {}
    }
    unmet
}
