//! What every command needs: where things are, and how to wait for them.

use std::future::Future;
use std::path::PathBuf;

use crate::config::fragment::KindName;
use crate::config::governor::{Governor, Profile};
use crate::config::limits::SliceLimits;
use crate::config::value::nearest;
use crate::config::{Dirs, Job, Loaded, load};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{account, fs, terminal};

/// Where things are.
#[derive(Debug, Clone)]
pub struct Context {
    /// Configuration and state.
    pub dirs: Dirs,
}

impl Context {
    /// From the flags, and what the environment says.
    pub fn new(config: Option<PathBuf>, state: Option<PathBuf>) -> Result<Context, Failure> {
        let found = Dirs::find(account::is_root(), |name| std::env::var_os(name), config, state)
            .map_err(|e| Failure::new(Exit::Usage, e.to_string()).hint(e.hint()))?;
        // A worker has another working directory than its starter.
        Ok(Context { dirs: Dirs { config: fs::absolute(&found.config)?, state: fs::absolute(&found.state)? } })
    }

    /// The policies, with all that is wrong with them.
    pub fn policies(&self) -> Loaded {
        load(&self.dirs.config)
    }

    /// The job of this name. Errors in other files are none of its business.
    pub fn job(&self, name: &str) -> Result<Job, Failure> {
        let loaded = self.policies();
        if let Some(job) = loaded.job(name) {
            return Ok(job.clone());
        }
        let refused = loaded.why_refused(name);
        if refused.has_errors() {
            super::output::diagnostics(&refused);
            return Err(Failure::new(Exit::Config, format!("the policy of job `{name}` has errors")));
        }
        if loaded.missing {
            return Err(Failure::new(
                Exit::Config,
                format!("there is no configuration directory `{}`", self.dirs.config.display()),
            )
            .hint("create it with a file for each job in `jobs/`, or name another with `--config DIR`"));
        }
        if !loaded.jobs.is_empty() || loaded.diagnostics.is_empty() {
            let names: Vec<&str> = loaded.jobs.iter().map(|j| j.policy.job.as_str()).collect();
            let near = nearest(name, names.iter().copied());
            return Err(Failure::new(Exit::Usage, format!("there is no job `{name}`")).hint(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => {
                    format!("there are no files in `{}`", self.dirs.config.join("jobs").display())
                }
                None => format!("there are: {}", names.join(", ")),
            }));
        }
        super::output::diagnostics(&loaded.diagnostics);
        Err(Failure::new(Exit::Config, format!("job `{name}` cannot be run")))
    }

    /// Whether a job of this name has a policy, be it one with errors.
    pub fn has_policy(&self, name: &str) -> bool {
        let loaded = self.policies();
        loaded.job(name).is_some() || loaded.refused.iter().any(|(refused, _)| refused == name)
    }

    /// What the machine has for a run without a policy: the limits of all runs together, and the governor. Errors in
    /// `govern.toml` are told: a mistyped limit must not become "no limit".
    pub fn machine(&self) -> Result<(SliceLimits, Governor), Failure> {
        let loaded = self.policies();
        match loaded.slice.as_ref().zip(loaded.governor.as_ref()) {
            Some((slice, governor)) => Ok((slice.limits.clone(), governor.clone())),
            None if loaded.missing => {
                Ok((SliceLimits::hygiene(), Governor::of_profile(Profile::Balanced, KindName::Command)))
            }
            None => {
                super::output::diagnostics(&loaded.why_no_slice());
                Err(Failure::new(
                    Exit::Config,
                    "what the machine says for all runs is not known: `govern.toml` cannot be used",
                ))
            }
        }
    }

    /// Whether to draw for people on standard error.
    pub fn stderr_is_terminal(&self) -> bool {
        terminal::stderr_is_terminal()
    }
}

/// Runs something to its end on this thread.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Relayed output of a payload is written by these threads: one for each stream is all there ever is.
        .max_blocking_threads(2)
        .thread_stack_size(256 * 1024)
        .build()
        .map_err(|e| Failure::new(Exit::Internal, "cannot start the runtime").because(&e))?;
    let result = runtime.block_on(work);
    // A thread that is stuck writing to a caller who does not read must not keep the program.
    runtime.shutdown_background();
    result
}
