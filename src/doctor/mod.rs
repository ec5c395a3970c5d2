//! What this machine has of what backups need, and what is missing.
//!
//! ```text
//! requirement (what there could be) ─▶ finding (met, missed, unknown) ◀─ machine, cgroups, state, disks, tools, postgres,
//!                                                │                       policies, jobs
//!                                     render (a screen), serde (`--json`)
//! ```
//!
//! Invariants: every statement is what the machine said just now, or what came of trying it; nothing is left behind; what cannot be
//! looked at is `unknown`, never a guess.

mod cgroups;
mod disks;
pub mod finding;
pub mod jobs;
mod machine;
mod policies;
mod postgres;
pub mod render;
pub mod requirement;
mod state;
mod tools;

use std::path::Path;

use serde::Serialize;

use crate::backup::inspect::{Inspection, inspect};
use crate::config::policy::{Kind, Policy, Verify};
use crate::config::{Dirs, Loaded};
use crate::failure::Failure;
use crate::kernel::account::Account;
use crate::kernel::block::Roots;
use crate::kernel::systemd;
use crate::run::backup::payload_account;
use crate::run::{plan, probe};

use cgroups::Cgroups;
use finding::{Finding, worst};
use jobs::JobReport;
use machine::{Machine, Systemd};

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What the program ends with.
    pub exit: u8,
    /// What is met and what is missed, in the order of the areas.
    pub findings: Vec<Finding>,
    /// What will hold each job.
    pub jobs: Vec<JobReport>,
}

/// A job that is looked at.
struct Subject<'a> {
    policy: &'a Policy,
    /// The account of its payload, `None` for this process's own; or why there is none.
    account: Result<Option<Account>, Failure>,
    /// Its PostgreSQL server, where it has one and there is somebody to ask it.
    inspection: Option<Inspection>,
}

impl<'a> Subject<'a> {
    async fn meet(policy: &'a Policy) -> Subject<'a> {
        let account = payload_account(policy.supervision.user.as_deref());
        let inspection = match (&policy.kind, &account) {
            (Kind::PgDump(kind), Ok(account)) => {
                let verify = policy.artifact.as_ref().map_or(Verify::None, |artifact| artifact.verify);
                let user = policy.supervision.user.as_deref();
                let ask = &mut async |tool| plan::ask(account.as_ref(), tool).await;
                Some(inspect(kind, verify, user, "doctor", ask).await)
            }
            _ => None,
        };
        Subject { policy, account, inspection }
    }
}

/// Looks at the machine, and at these jobs of it; without names, at all of them.
pub async fn examine(dirs: &Dirs, loaded: &Loaded, names: &[String]) -> Report {
    let asked = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let policies: Vec<&Policy> =
        loaded.jobs.iter().map(|job| &job.policy).filter(|policy| asked(policy.job.as_str())).collect();
    let mut subjects = vec![];
    for policy in &policies {
        subjects.push(Subject::meet(policy).await);
    }
    let probe = probe::ask(dirs, &policies).await;
    let roots = Roots::default();
    let machine = Machine::look(&roots, Systemd::look(Path::new(systemd::RUN)).await);
    let slice = loaded.slice.as_ref().map(|slice| &slice.limits);
    let mut findings = machine.findings(&probe, slice);
    findings.push(state::finding(&dirs.state));
    let cgroups = machine.cgroups.as_ref().ok().and_then(Cgroups::mount);
    findings.extend(disks::findings(&disks::look(&roots, cgroups)));
    findings.extend(tools::findings(&subjects).await);
    findings.extend(subjects.iter().flat_map(postgres::findings));
    findings.extend(policies::findings(loaded, &dirs.config, &asked));
    let mut jobs = vec![];
    for subject in &subjects {
        // What cannot be told of its disks shows with its paths.
        let disks = disks::of_job(&roots, cgroups, subject.policy).unwrap_or_default();
        let (report, found) = jobs::examine(subject, &disks, &probe, &dirs.state).await;
        jobs.push(report);
        findings.extend(found);
    }
    Report { exit: worst(&findings).code(), findings, jobs }
}
