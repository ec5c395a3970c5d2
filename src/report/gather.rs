//! Brings together what is shown: the ledger, what the runs under way say of themselves, the machine, and what the daemon plans.

use std::collections::BTreeMap;
use std::path::Path;

use super::machine;
use super::snapshot::{Agenda, Daemon, Hold, Snapshot};
use super::status;
use crate::config::governor::Governor;
use crate::config::policy::Policy;
use crate::failure::Failure;
use crate::kernel::block::Roots;
use crate::kernel::clock::Stamp;
use crate::ledger::State;
use crate::run::request::RunDir;

/// What the daemon plans.
#[derive(Debug, Clone, Copy)]
pub struct Plans<'a> {
    /// The daemon itself.
    pub daemon: &'a Daemon,
    /// What is to come for each job.
    pub agenda: &'a BTreeMap<String, Agenda>,
    /// Pauses and paces ordered by hand that are in force.
    pub holds: &'a [Hold],
}

/// How everything stands now. Without `plans` there is no daemon. `lies_there` looks whether what the ledger knows as a good artifact
/// is one still.
///
/// # Errors
/// When the ledger cannot be read.
pub fn gather(
    state: &Path,
    policies: &[&Policy],
    governor: Option<&Governor>,
    plans: Option<&Plans<'_>>,
    lies_there: impl Fn(&Path) -> bool,
) -> Result<Snapshot, Failure> {
    let at = Stamp::now();
    let mut jobs = status::gather(state, policies, lies_there, at)?;
    for row in &mut jobs {
        row.agenda = plans.and_then(|plans| plans.agenda.get(&row.job).cloned());
    }
    let under_way = jobs.iter().filter_map(|row| row.last_run.as_ref()).filter(|run| run.state == State::Running);
    let groups = machine::groups(under_way.map(|run| RunDir::of(state, &run.run).cgroup()));
    let protect = governor.and_then(|governor| governor.protect.as_deref());
    Ok(Snapshot {
        at,
        daemon: plans.map(|plans| plans.daemon.clone()),
        machine: machine::look(&Roots::default(), protect, &groups),
        holds: plans.map(|plans| plans.holds.to_vec()).unwrap_or_default(),
        jobs,
    })
}
