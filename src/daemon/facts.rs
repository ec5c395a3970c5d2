//! What the scheduling loop lets others see. It is published whenever it changed, and read without asking the loop: a client costs
//! the schedule nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::core::words::Plans;
use crate::config::governor::Governor;
use crate::config::policy::Policy;
use crate::report::snapshot::{Agenda, Daemon, Hold};

/// How the schedule stands.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The policies in force.
    pub policies: Arc<InForce>,
    /// The daemon itself.
    pub daemon: Daemon,
    /// What is to come for each job.
    pub agenda: BTreeMap<String, Agenda>,
    /// Pauses and paces ordered by hand that are in force.
    pub holds: Vec<Hold>,
}

/// The policies that count: as they were read last, and of a file with errors as it was before.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    /// Of the jobs.
    pub jobs: Vec<Arc<Policy>>,
    /// How a run without a policy gives way; `None` where that could never be read.
    pub governor: Option<Governor>,
}

impl InForce {
    /// Those of the plans.
    pub fn of(plans: &Plans, governor: Option<Governor>) -> InForce {
        InForce { jobs: plans.jobs.values().map(|plan| plan.policy.clone()).collect(), governor }
    }
}
