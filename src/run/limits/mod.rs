//! The limits of a run: which are possible here, which are in force, and whether they hold.
//!
//! ```text
//! policy ─┬─▶ choose (a pure function) ─▶ enforce (written and read back) ─▶ guard (proof while the run reads and writes)
//! ground ─┘                                                                   what cannot be had: Unmet
//! ```
//!
//! Invariants: a limit that the policy asks for is in force, or the log says why not; one that is in force and turns out not to
//! hold is an alarm; where the policy requires it, the run ends.

pub mod choose;
pub mod enforce;
pub mod ground;
pub mod guard;
pub mod place;
pub mod proof;
pub mod slice;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::ground::Work;
use crate::config::fragment::KindName;
use crate::config::limits::{CpuLimits, Limits, Resource, WriteCap};
use crate::config::policy::{Compression, Kind, Policy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::request::{Action, Request};

/// A limit that is asked for and not in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// What of the machine it is about; `None` for the number of processes, which no policy can insist on.
    pub resource: Option<Resource>,
    /// The limit, in the words of the kernel or of the policy.
    pub what: String,
    /// Why it is not in force.
    pub why: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Somebody typed it: worth a line on the screen. What is only hygiene is left to the log.
    pub typed: bool,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not in force: {}: {}", self.what, self.why)
    }
}

/// The limits of what a request asks for: those of the policy; of a restore, only the hygiene of the page cache and the
/// processors. Caps of the nightly backup are not meant for the hour when it is needed.
pub fn of_request(request: &Request) -> Limits {
    let limits = request.policy.limits.clone();
    match request.action {
        Action::Restore { .. } => Limits {
            io: Default::default(),
            cpu: CpuLimits { max: None, ..limits.cpu },
            write_cap: WriteCap::Refuse,
            require: Default::default(),
            ..limits
        },
        Action::Backup | Action::Exec | Action::Verify { .. } => limits,
    }
}

/// What a run of this action reads.
pub fn work(action: &Action) -> Work {
    match action {
        Action::Verify { .. } | Action::Restore { .. } => Work::Check,
        Action::Backup | Action::Exec => Work::Backup,
    }
}

/// What stands without a word in a policy like this one.
pub fn hygiene(policy: &Policy) -> Limits {
    let kind = match policy.kind {
        Kind::Filesystem(_) => KindName::Filesystem,
        Kind::PgDump(_) => KindName::PgDump,
        Kind::Command(_) => KindName::Command,
        Kind::Unit(_) => KindName::Unit,
    };
    Limits::hygiene(kind, policy.artifact.as_ref().map_or(Compression::None, |artifact| artifact.compression))
}

/// The failure of a run that may not go on without a limit.
pub fn missing(unmet: &Unmet, resource: Resource) -> Failure {
    let what = format!("`{}` is required and not in force: {}", resource.as_str(), unmet.what);
    let failure = Failure::new(Exit::Unavailable, what).caused_by(unmet.why.clone());
    let hint = format!(
        "take \"{}\" out of `require` to run without it; `govern doctor` says what is missing",
        resource.as_str()
    );
    failure.hint(unmet.hint.clone().unwrap_or(hint))
}
