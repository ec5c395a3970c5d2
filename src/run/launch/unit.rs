//! A run as a transient unit of systemd: `govern-JOB-RUN.service` in `govern.slice`.

use std::ffi::OsString;
use std::path::Path;

use super::worker_argv;
use crate::config::policy::Policy;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::systemd::{Manager, Unit, control};
use crate::kernel::{self, process};
use crate::run::limits::choose::Wish;
use crate::run::limits::{self, choose, slice};
use crate::run::request::{Action, Request};

/// All runs are in it.
pub const SLICE: &str = "govern.slice";

/// Running, for systemd-run, is when the program executes; before, it says why it could not.
const EXECUTES: (&str, &str) = ("Type", "exec");

/// The unit's cgroup is ours to divide.
const DELEGATED: (&str, &str) = ("Delegate", "yes");

/// On top of the payload's grace, so that the worker itself ends the run and writes down how: TERM, grace, KILL, drain.
const STOP_MARGIN_SECONDS: u64 = 60;

/// The variable that says what goes to standard error, in the words of `EnvFilter`: `debug`, `govern::ledger=trace`. A worker needs
/// it before it hears its starter.
pub const LOG_FILTER: &str = "GOVERN_LOG";

/// How long a probe may take before systemd ends it.
const PROBE_LIMIT: &str = "60s";

/// Starts the worker as a unit; says which, or why there is none.
pub async fn start(state: &Path, request: &Request) -> Result<(Manager, String), String> {
    let manager = Manager::of_this_process()?;
    let unit = describe(state, request)?;
    if let Err(error) = set_slice(&manager, &request.policy).await {
        // The worker finds out which limits are missing, and says so.
        tracing::debug!("{}", error.chain());
    }
    if let Err(error) = manager.start(&unit).await {
        // It may be there all the same, and there must not be two workers.
        manager.stop(&unit.name).await;
        return Err(error.chain());
    }
    Ok((manager, unit.name))
}

/// Runs a probe to its end as a unit of this name that differs from a run's in nothing that a probe looks at; says what it printed,
/// or why there is no such unit.
pub async fn probe(name: String, argv: Vec<OsString>, weights: &[Wish]) -> Result<String, String> {
    let manager = Manager::of_this_process()?;
    let properties = [property(EXECUTES), property(DELEGATED), ("RuntimeMaxSec", PROBE_LIMIT.to_owned())];
    let unit = Unit {
        name,
        description: "govern: a look at what runs find here".to_owned(),
        slice: SLICE.to_owned(),
        argv,
        afterwards: vec![],
        environment: vec![],
        properties: properties.into_iter().chain(weights.iter().map(|wish| control::property(&wish.limit))).collect(),
    };
    manager.output_of(&unit).await.map_err(|error| error.chain())
}

/// The name of a run's unit.
pub fn name(request: &Request) -> String {
    format!("govern-{}-{}.service", request.policy.job, request.run)
}

fn describe(state: &Path, request: &Request) -> Result<Unit, String> {
    let argv = |role| worker_argv(state, request, role).map_err(|failure| failure.one_line());
    let filter = process::variable(LOG_FILTER).map(|value| {
        let mut variable = OsString::from(format!("{LOG_FILTER}="));
        variable.push(value);
        variable
    });
    let stop_seconds = request.policy.supervision.grace.as_secs() + STOP_MARGIN_SECONDS;
    Ok(Unit {
        name: name(request),
        description: description(&request.action, request.policy.job.as_str()),
        slice: SLICE.to_owned(),
        argv: argv("worker")?,
        afterwards: argv("closed")?,
        environment: filter.into_iter().collect(),
        properties: vec![
            property(EXECUTES),
            property(DELEGATED),
            // Only the worker hears the stop, and cancels: it thaws the payload and gives it its grace. What is left when the
            // worker has ended is killed.
            ("KillMode", "mixed".to_owned()),
            ("TimeoutStopSec", format!("{stop_seconds}s")),
            // A payload that runs out of its own memory limit fails; its worker writes that down.
            ("OOMPolicy", "continue".to_owned()),
        ]
        .into_iter()
        .chain(weights(request))
        .collect(),
    })
}

/// Brings the slice to the limits of `govern.toml`. What holds already is not set again: it would cost
/// each run a call of systemd.
async fn set_slice(manager: &Manager, policy: &Policy) -> kernel::Result<()> {
    let choice = slice::chosen(policy)?;
    let cgroup = manager.cgroup_of(SLICE).await?;
    let others = cgroup.as_ref().is_some_and(Cgroup::has_children);
    let assignments = slice::assignments(&choice, &|property| manager.has_set(SLICE, property), others);
    let nothing_to_take_back = assignments.iter().all(|(_, value)| !value.is_empty());
    if nothing_to_take_back && cgroup.is_some_and(|cgroup| slice::check(&cgroup, &choice).is_empty()) {
        return Ok(());
    }
    manager.set_properties(SLICE, &assignments).await
}

fn property((key, value): (&'static str, &str)) -> (&'static str, String) {
    (key, value.to_owned())
}

/// What counts among the runs.
fn weights(request: &Request) -> impl Iterator<Item = (&'static str, String)> {
    let usual = limits::hygiene(&request.policy);
    choose::weights(&limits::of_request(request), &usual).into_iter().map(|wish| control::property(&wish.limit))
}

fn description(action: &Action, job: &str) -> String {
    format!("govern: {} {job}", action.word())
}
