//! One job: what it needs, and what will hold it.

mod limits;
mod paths;

use std::path::Path;

use serde::Serialize;

pub use limits::Actuator;

use super::Subject;
use super::finding::{Finding, Severity};
use super::requirement::Requirement;
use crate::config::policy::Kind;
use crate::failure::Failure;
use crate::kernel::account::{self, Account};
use crate::kernel::block::disk::Disk;
use crate::kernel::cgroup::controller::Controller;
use crate::run::limits::Unmet;
use crate::run::probe::{Probe, Tried};

/// What will hold a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobReport {
    /// Its name.
    pub job: String,
    /// Its kind.
    pub kind: &'static str,
    /// The level of enforcement; `None`: it could not be found out.
    pub level: Option<&'static str>,
    /// What can be done to it while it runs.
    pub actuators: Vec<Actuator>,
    /// The limits that were set and read back on a group like its own.
    pub in_force: Vec<String>,
    /// The limits that were not.
    pub not_in_force: Vec<Unmet>,
    /// Why some devices take no cap, whether the policy has one or not.
    pub uncapped: Vec<Unmet>,
}

/// Looks at a job. `disks` are those under its paths.
pub(super) async fn examine(
    subject: &Subject<'_>,
    disks: &[Disk],
    probe: &Result<Probe, Failure>,
    state: &Path,
) -> (JobReport, Vec<Finding>) {
    let Subject { policy, account, .. } = subject;
    let mut findings = vec![Finding::met(Requirement::Policy, "no errors"), of_account(account)];
    if let Kind::Filesystem(kind) = &policy.kind {
        findings.extend(paths::sources(policy, kind, account.as_ref().ok().and_then(Option::as_ref)).await);
    }
    if let Some(artifact) = &policy.artifact {
        findings.push(paths::target(policy, artifact));
        findings.push(paths::space(policy, artifact, state));
    }
    let mut report = JobReport {
        job: policy.job.to_string(),
        kind: policy.kind.name(),
        level: None,
        actuators: vec![],
        in_force: vec![],
        not_in_force: vec![],
        uncapped: vec![],
    };
    match probe {
        Ok(probe) => {
            let none = Tried::default();
            let tried = probe.jobs.iter().find(|tried| tried.job == report.job).unwrap_or(&none);
            findings.push(limits::level(probe));
            findings.extend(limits::limits(policy, tried));
            findings.extend(limits::weight(policy, disks));
            findings.extend(limits::caps(policy, tried));
            let has = |controller| probe.group.as_ref().is_ok_and(|group| group.controllers.contains(&controller));
            findings.extend(paths::written_back(policy, has(Controller::Io), has(Controller::Memory)));
            report.level = Some(probe.level.word());
            report.actuators = limits::actuators(policy, probe, tried);
            report.in_force.clone_from(&tried.in_force);
            report.not_in_force.clone_from(&tried.unmet);
            report.uncapped.clone_from(&tried.uncapped);
        }
        Err(failure) => findings.push(Finding::unknown(Requirement::Level, Severity::Wanted, failure.one_line())),
    }
    let findings = findings.into_iter().map(|finding| finding.about(&report.job)).collect();
    (report, findings)
}

fn of_account(account: &Result<Option<Account>, Failure>) -> Finding {
    match account {
        Ok(Some(account)) => Finding::met(Requirement::Account, format!("`{}` (uid {})", account.name, account.uid)),
        Ok(None) => {
            let own = account::name_of(account::own_uid());
            Finding::met(Requirement::Account, format!("`{own}`, who starts it"))
        }
        Err(failure) => Finding::failed(Requirement::Account, failure),
    }
}
