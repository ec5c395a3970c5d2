//! A run as a transient unit of systemd: `govern-JOB-RUN.service` in `govern.slice`.

use std::path::Path;

use super::worker_argv;
use crate::config::policy::Policy;
use crate::kernel::systemd::{Manager, Unit};
use crate::kernel::{self, process};
use crate::run::limits::{self, choose, slice};
use crate::run::request::{Action, Request};

/// All runs are in it.
pub const SLICE: &str = "govern.slice";

/// On top of the payload's grace, so that the worker itself ends the run and writes down how: TERM, grace, KILL, drain.
const STOP_MARGIN_SECONDS: u64 = 60;

/// The variable that says what goes to standard error, in the words of `EnvFilter`: `debug`, `govern::ledger=trace`. A worker needs
/// it before it hears its starter.
pub const LOG_FILTER: &str = "GOVERN_LOG";

/// Starts the worker as a unit; says which, or why there is none.
pub async fn start(state: &Path, request: &Request) -> Result<(Manager, String), String> {
    let manager = Manager::of_this_process()?;
    let unit = describe(state, request)?;
    if let Err(error) = set_slice(&manager, &request.policy).await {
        // The worker finds out which limits are missing, and says so.
        tracing::debug!("{}", error.chain());
    }
    manager.start(&unit).await.map_err(|error| error.chain())?;
    Ok((manager, unit.name))
}

/// The name of a run's unit.
pub fn name(request: &Request) -> String {
    format!("govern-{}-{}.service", request.policy.job, request.run)
}

fn describe(state: &Path, request: &Request) -> Result<Unit, String> {
    let argv = |role| worker_argv(state, request, role).map_err(|failure| failure.one_line());
    let filter = process::variable(LOG_FILTER).map(|value| {
        let mut variable = std::ffi::OsString::from(format!("{LOG_FILTER}="));
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
            // Running, for systemd-run, is when the program executes; before, it says why it could not.
            ("Type", "exec".to_owned()),
            ("Delegate", "yes".to_owned()),
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

/// Brings the slice to the limits of `govern.toml`.
async fn set_slice(manager: &Manager, policy: &Policy) -> kernel::Result<()> {
    let choice = slice::chosen(policy)?;
    let assignments = slice::assignments(&choice, &|property| manager.has_set(SLICE, property));
    manager.set_properties(SLICE, &assignments).await
}

/// What counts among the runs.
fn weights(request: &Request) -> impl Iterator<Item = (&'static str, String)> {
    let usual = limits::hygiene(&request.policy);
    choose::weights(&limits::of_request(request), &usual).into_iter().map(|wish| slice::property(&wish.limit))
}

fn description(action: &Action, job: &str) -> String {
    format!("govern: {} {job}", action.word())
}
