//! What this machine has of what backups need, and what is missing.
//!
//! ```text
//! requirement (what there could be) ─▶ finding (met, missed, unknown) ◀─ machine, cgroups, disks, tools, postgres, jobs
//!                                                │
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
use finding::{Finding, Severity, worst};
use jobs::JobReport;
use machine::{Machine, Systemd};
use requirement::Requirement;

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

/// Looks at the machine, and at these jobs of it; without names, at all of them.
pub async fn examine(dirs: &Dirs, loaded: &Loaded, names: &[String]) -> Report {
    let asked = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let policies: Vec<&Policy> =
        loaded.jobs.iter().map(|job| &job.policy).filter(|policy| asked(policy.job.as_str())).collect();
    let accounts: Vec<Result<Option<Account>, Failure>> =
        policies.iter().map(|policy| payload_account(policy.supervision.user.as_deref())).collect();
    let probe = probe::ask(dirs, &policies).await;
    let roots = Roots::default();
    let machine = Machine::look(&roots, Systemd::look(Path::new(systemd::RUN)).await);
    let slice = loaded.slice.as_ref().map(|slice| &slice.limits);
    let mut findings = machine.findings(&probe, slice);
    findings.push(state::finding(&dirs.state));
    let cgroups = machine.cgroups.as_ref().ok().and_then(Cgroups::mount);
    findings.extend(disks::findings(&disks::look(&roots, cgroups)));
    let mut inspections = vec![];
    for (policy, account) in policies.iter().zip(&accounts) {
        if let (Kind::PgDump(kind), Ok(account)) = (&policy.kind, account) {
            let verify = policy.artifact.as_ref().map_or(Verify::None, |artifact| artifact.verify);
            let user = policy.supervision.user.as_deref();
            let ask = &mut async |tool| plan::ask(account.as_ref(), tool).await;
            inspections.push((*policy, inspect(kind, verify, user, "doctor", ask).await));
        }
    }
    findings.extend(tools::findings(&policies, &inspections).await);
    findings.extend(inspections.iter().flat_map(|(policy, inspection)| of_server(policy, inspection)));
    findings.extend(policies.iter().zip(&accounts).filter_map(|(policy, account)| unasked(policy, account)));
    findings.extend(refused(loaded, &dirs.config, &asked));
    let mut jobs = vec![];
    for (policy, account) in policies.iter().zip(&accounts) {
        // What cannot be told of its disks shows with its paths.
        let disks = disks::of_job(&roots, cgroups, policy).unwrap_or_default();
        let (report, found) = jobs::examine(policy, &disks, account, &probe, &dirs.state).await;
        jobs.push(report);
        findings.extend(found);
    }
    Report { exit: worst(&findings).code(), findings, jobs }
}

fn of_server(policy: &Policy, inspection: &Inspection) -> Vec<Finding> {
    let Kind::PgDump(kind) = &policy.kind else { return vec![] };
    postgres::findings(kind, inspection).into_iter().map(|finding| finding.about(policy.job.to_string())).collect()
}

/// A server that cannot be asked, since nobody can be the one who asks.
fn unasked(policy: &Policy, account: &Result<Option<Account>, Failure>) -> Option<Finding> {
    let failure = account.as_ref().err().filter(|_| matches!(policy.kind, Kind::PgDump(_)))?;
    Some(Finding::unknown(Requirement::Server, Severity::Needed, failure.one_line()).about(policy.job.to_string()))
}

/// Policies with errors, and a configuration that keeps all of them from being known.
fn refused(loaded: &Loaded, config: &Path, asked: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let told = |lines: Vec<String>| {
        let more = lines.len().saturating_sub(1);
        let first = lines.into_iter().next().unwrap_or_default();
        let seen = if more > 0 { format!("{first} (and {more} more)") } else { first };
        Finding::missed(Requirement::Policy, Severity::Needed, seen)
    };
    let of_jobs = loaded.refused.iter().filter(|(name, _)| asked(name));
    let mut findings: Vec<Finding> =
        of_jobs.map(|(name, _)| told(loaded.why_refused(name).error_lines()).about(name)).collect();
    if findings.is_empty() && loaded.slice.is_none() && !loaded.missing {
        findings.push(told(loaded.why_no_slice().error_lines()));
    }
    if loaded.missing {
        let seen = format!("there is no configuration directory `{}`", config.display());
        let fix = "create it with a file for each job in `jobs/`, or name another with `--config DIR`";
        findings.push(Finding::missed(Requirement::Policy, Severity::Note, seen).fix(fix));
    }
    findings
}
