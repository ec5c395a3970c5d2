//! A unit of systemd's on the stage: what is done to the payload is done to it, and the programs of the run stay as they are.

use super::{Stage, Stop};
use crate::config::policy::Kind;
use crate::failure::Failure;
use crate::kernel;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::group::Group;
use crate::kernel::procfs::Pid;
use crate::run::governing::Governing;
use crate::run::limits::place::Place;
use crate::run::request::{Action, Request, RunDir};
use crate::run::unit::limits;
use crate::run::unit::ward::{Refusal, Ward};

/// What limits are set on now; `None`: there is nothing that the kernel could limit.
pub(super) fn place<'a>(ward: Option<&'a Ward>, group: &'a Group) -> Option<&'a dyn Place> {
    match ward {
        Some(ward) => Some(ward as &dyn Place).filter(|_| ward.is_limitable() && ward.cgroup().exists()),
        None => group.cgroup().map(|cgroup| cgroup as &dyn Place),
    }
}

impl Stage {
    /// Takes charge of the unit that a job is about, if it is about one.
    pub async fn take_charge(&mut self, request: &Request, run_dir: &RunDir) -> Result<(), Failure> {
        if let (Kind::Unit(unit), Action::Backup) = (&request.policy.kind, &request.action) {
            let ward = Ward::take(&unit.name, run_dir).await?;
            self.recorder.log().line("", &ward.describe()).await;
            self.ward = Some(ward);
        }
        Ok(())
    }

    /// The cgroup that the unit in charge has while it runs.
    pub fn unit_group(&self) -> Option<&Cgroup> {
        self.ward.as_ref().map(Ward::cgroup)
    }

    /// Stops the payload, or lets it go on.
    pub(super) fn hold_still(&self, still: bool) -> kernel::Result<()> {
        match (&self.ward, still) {
            (Some(ward), still) => {
                ward.stand_still(still);
                Ok(())
            }
            (None, true) => self.group.pause(),
            (None, false) => self.group.resume(),
        }
    }

    /// Kills all of the payload; `known` are programs of it that somebody waits for.
    pub(super) async fn kill(&self, known: &[Pid]) -> kernel::Result<()> {
        if let Some(ward) = &self.ward {
            ward.kill();
        }
        let known: Vec<Pid> = known.iter().copied().chain(self.helpers()).collect();
        self.group.kill(&known).await
    }

    /// Programs of this process that are none of the payload's, and that somebody waits for.
    pub(super) fn helpers(&self) -> Vec<Pid> {
        self.governing.iter().flat_map(Governing::pids).chain(self.ward.as_ref().map(Ward::pid)).collect()
    }

    /// Whether all of the payload stands still.
    pub(super) fn stands_still(&self) -> kernel::Result<bool> {
        match &self.ward {
            Some(ward) => ward.stands_still(),
            None => self.group.is_paused(),
        }
    }

    /// What systemd has refused meanwhile is told, and not asked for again; once the unit runs, whether its limits hold.
    pub(super) async fn see_to_unit(&mut self) -> kernel::Result<()> {
        let Some(ward) = &self.ward else { return Ok(()) };
        if let Some(Refusal { of_pause, why }) = ward.refusal() {
            let why = why.chain();
            if of_pause {
                self.cannot_pause = true;
                self.recorder.note(&format!("no authority: the unit cannot be stopped: {why}")).await;
                self.go_on()?;
            } else {
                self.powerless = true;
                let line = format!("no authority: {why}; from now on the unit can only be stopped");
                self.recorder.note(&line).await;
            }
        }
        self.see_its_limits().await
    }

    async fn see_its_limits(&mut self) -> kernel::Result<()> {
        let Some(ward) = self.ward.as_ref().filter(|_| !self.unit_seen) else { return Ok(()) };
        // systemd sets them before the first program is in it.
        if !ward.is_limitable() || ward.cgroup().members().map_or(true, |members| members.is_empty()) {
            return Ok(());
        }
        let unmet = limits::check(ward, &self.in_force);
        self.unit_seen = true;
        for unmet in &unmet {
            self.tell(unmet).await;
        }
        match unmet.iter().any(|unmet| unmet.resource.is_some_and(|resource| self.required.contains(&resource))) {
            true if self.stopped.is_none() => self.stop(Stop::NotLimited),
            _ => Ok(()),
        }
    }
}
