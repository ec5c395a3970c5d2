//! What the scheduling loop lets others see. It is published whenever it changed, and read without asking the loop: a client costs
//! the schedule nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Loaded;
use crate::report::snapshot::{Agenda, Daemon, Hold};

/// How the schedule stands.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The policies in force.
    pub policies: Arc<Loaded>,
    /// The daemon itself.
    pub daemon: Daemon,
    /// What is to come for each job.
    pub agenda: BTreeMap<String, Agenda>,
    /// Pauses and paces ordered by hand that are in force.
    pub holds: Vec<Hold>,
}
