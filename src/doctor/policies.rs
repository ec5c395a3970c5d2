//! Policies with errors, and a configuration that keeps all of them from being known.

use std::path::Path;

use super::finding::{Finding, Severity};
use super::requirement::Requirement;
use crate::config::Loaded;

/// What keeps jobs from being run. `asked` says which jobs are of interest.
pub fn findings(loaded: &Loaded, config: &Path, asked: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let of_jobs = loaded.refused.iter().filter(|(name, _)| asked(name));
    let mut findings: Vec<Finding> =
        of_jobs.map(|(name, _)| refused(loaded.why_refused(name).error_lines()).about(name)).collect();
    if loaded.missing {
        let seen = format!("there is no configuration directory `{}`", config.display());
        let fix = "create it with a file for each job in `jobs/`, or name another with `--config DIR`";
        findings.push(Finding::missed(Requirement::Policy, Severity::Note, seen).fix(fix));
    } else if findings.is_empty() && loaded.slice.is_none() {
        findings.push(refused(loaded.why_no_slice().error_lines()));
    }
    findings
}

/// The first error, and how many more there are.
fn refused(errors: Vec<String>) -> Finding {
    let more = errors.len().saturating_sub(1);
    let first = errors.into_iter().next().unwrap_or_default();
    let seen = if more > 0 { format!("{first} (and {more} more)") } else { first };
    Finding::missed(Requirement::Policy, Severity::Needed, seen)
}
