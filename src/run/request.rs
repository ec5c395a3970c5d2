//! What a run was asked to do, and where its files lie.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::backup::restore::Wish;
use crate::backup::trust;
use crate::config::policy::Policy;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::fs;

/// A run, as it was asked for. It is written into the run's directory and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The run's id.
    pub run: String,
    /// What is to be done.
    pub action: Action,
    /// The job, as its policy stood then.
    pub policy: Policy,
    /// When it was asked for.
    pub asked_at: Stamp,
    /// Refuse while another run of the job is under way. Off for `govern exec` without a name.
    pub exclusive: bool,
    /// The payload's streams are the caller's (`govern exec`); else they go to the log alone.
    pub pass_through: bool,
    /// Who asked for it over ssh, if somebody did.
    #[serde(default)]
    pub peer: Option<IpAddr>,
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// What the policy says.
    Backup,
    /// A command without a policy file.
    Exec,
    /// Checks an artifact again: of this run, or the newest.
    Verify {
        /// The beginning of a run's id.
        run: Option<String>,
    },
    /// Brings an artifact back: of this run, or the newest.
    Restore {
        /// The beginning of a run's id.
        run: Option<String>,
        /// What and where to.
        wish: Wish,
    },
}

impl Action {
    /// The word used in the ledger and the log.
    pub fn word(&self) -> &'static str {
        match self {
            Action::Backup => "backup",
            Action::Exec => "exec",
            Action::Verify { .. } => "verify",
            Action::Restore { .. } => "restore",
        }
    }
}

/// An id for a run that begins now: sorts by time, differs by chance. `20261123T042000Z-4f7a9c`. The six digits keep twenty runs that begin in one second
/// apart in all but one of 100,000 cases.
pub fn new_id(now: Stamp) -> String {
    // The hasher's keys are the standard library's source of randomness; an id must differ, it need not be secret.
    use std::hash::{BuildHasher, Hasher};
    let noise = std::hash::RandomState::new().build_hasher().finish();
    format!("{}-{:06x}", now.compact_utc(), noise & 0xff_ffff)
}

/// The directory of one run: `STATE/runs/RUN/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// The directory of a run below a state directory.
    pub fn of(state: &Path, run: &str) -> RunDir {
        RunDir { path: state.join("runs").join(run) }
    }

    /// Creates it with the request in it.
    pub fn create(state: &Path, request: &Request) -> Result<RunDir, Failure> {
        let dir = RunDir::of(state, &request.run);
        fs::create_dir_all(&state.join("runs"), 0o700).map_err(|e| no_state(state, &e))?;
        // Locks, requests and sockets lie there: whoever could put a link there could have this account write elsewhere.
        trust::check(&fs::canonical(state)?)?;
        fs::create_dir(&dir.path, 0o700).map_err(|e| no_state(state, &e))?;
        let text = serde_json::to_string(request)
            .map_err(|e| Failure::new(Exit::Internal, "cannot write the request").because(&e))?;
        fs::create_file(&dir.path.join("request.json"), text.as_bytes()).map_err(|e| no_state(state, &e))?;
        Ok(dir)
    }

    /// What the run was asked to do.
    pub fn request(&self) -> Result<Request, Failure> {
        let path = self.path.join("request.json");
        let text = fs::read_text(&path)?;
        serde_json::from_str(&text).map_err(|e| {
            Failure::new(Exit::Internal, format!("`{}` is not a request of this program", path.display())).because(&e)
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock its worker holds as long as it lives.
    pub fn alive(&self) -> PathBuf {
        self.path.join(ALIVE)
    }

    /// The readable log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The last sign of life.
    pub fn heartbeat(&self) -> PathBuf {
        self.path.join("heartbeat.json")
    }

    /// What is to be taken back from the unit that the run governs, if it does.
    pub fn unit(&self) -> PathBuf {
        self.path.join("unit.json")
    }

    /// Which start of that unit was the run's.
    pub fn invocation(&self) -> PathBuf {
        self.path.join("invocation")
    }

    /// Where the payload's cgroup is, if it has one.
    pub fn cgroup(&self) -> PathBuf {
        self.path.join("cgroup")
    }
}

fn no_state(state: &Path, error: &crate::kernel::Error) -> Failure {
    let what = format!("state directory `{}` cannot be written", state.display());
    match error.errno() {
        Some(crate::kernel::error::ENOSPC) => {
            Failure::new(Exit::Failed, what).because(&error.source).hint("make room on its file system")
        }
        _ => Failure::new(Exit::NoPermission, what)
            .because(&error.source)
            .hint("run as root, or choose another with `--state DIR`"),
    }
}

/// The lock that only one run of a job holds.
pub fn job_lock(state: &Path, job: &str) -> PathBuf {
    state.join("locks").join(job)
}

/// The name of the lock a worker holds in its run's directory as long as it lives.
pub const ALIVE: &str = "alive";

/// The variable every process of a payload carries, so that it can be found after its worker vanished.
pub const MARK: &str = "GOVERN_RUN";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time() {
        let early = new_id(Stamp { us: 1_795_407_600_000_000, offset: 3600 });
        let late = new_id(Stamp { us: 1_795_407_601_000_000, offset: 0 });
        assert!(early < late);
        assert!(early.starts_with("20261123T042000Z-"), "{early}");
    }
}
