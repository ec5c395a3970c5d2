//! What is there when the daemon comes: what it wrote down the last time, and what became of the runs of then.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::DateTime;

use super::core::restart::{Found, Other, Since};
use super::runs;
use crate::failure::Failure;
use crate::kernel::procfs;
use crate::ledger::occasions::Fate;
use crate::ledger::query::RunFilter;
use crate::ledger::{Ledger, State};
use crate::run::close;

/// The action of a run that makes a backup.
const BACKUP: &str = "backup";

/// Looks around. Runs whose worker vanished are closed first.
pub async fn look(state: &Path) -> Result<Found, Failure> {
    if let Err(failure) = close::sweep(state).await {
        // One run that cannot be closed must not keep all others from being scheduled.
        tracing::warn!("earlier runs could not be looked after: {}", failure.one_line());
    }
    let boot = procfs::boot_id(Path::new(procfs::PROC))?;
    let Some(ledger) = Ledger::open_to_read(state)? else { return Ok(Found { boot, ..Found::default() }) };
    let remembered = ledger.remembered()?;
    let mut since = BTreeMap::new();
    for occasion in &remembered.open {
        if let Fate::Started(run) = &occasion.fate {
            let found = runs::outcome(state, run).unwrap_or_else(|failure| {
                // It is waited for, and looked at again.
                tracing::warn!(RUN = %run, "what became of the run cannot be told: {}", failure.one_line());
                Since::UnderWay
            });
            since.insert(run.clone(), found);
        }
    }
    let running = ledger.runs(&RunFilter { state: Some(State::Running), ..RunFilter::default() })?;
    let others = running
        .into_iter()
        .filter(|row| !since.contains_key(&row.run))
        .map(|row| Other { backs_up: row.action == BACKUP, run: row.run, job: row.job })
        .collect();
    let mut last_good = BTreeMap::new();
    for job in ledger.jobs()? {
        if let Some(us) = ledger.last_success(&job)? {
            last_good.insert(job, DateTime::from_timestamp_micros(us).unwrap_or_default());
        }
    }
    Ok(Found { remembered, since, others, last_good, boot })
}

impl Found {
    /// The runs that are under way.
    pub fn under_way(&self) -> impl Iterator<Item = &str> {
        let own = self.since.iter().filter(|(_, since)| **since == Since::UnderWay).map(|(run, _)| run.as_str());
        own.chain(self.others.iter().map(|other| other.run.as_str()))
    }
}
