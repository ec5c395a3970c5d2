//! Looks what lies under the jobs: the lowest disks. One look at a time, for a file system that does not answer keeps its thread for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::plans;
use crate::config::policy::Policy;

/// The lowest disks of each job.
pub type Disks = BTreeMap<String, BTreeSet<String>>;

/// So long file systems are waited for. One that does not answer is nobody's disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who looks.
#[derive(Debug, Clone, Default)]
pub struct DiskFinder {
    at_work: Arc<AtomicBool>,
}

impl DiskFinder {
    /// The disks of these jobs, as far as their file systems answer in time; none while an earlier look has not come to its end.
    pub async fn look(&self, policies: Vec<Policy>) -> Disks {
        let mut disks = Disks::new();
        if self.at_work.swap(true, Ordering::AcqRel) {
            return disks;
        }
        let (found, mut answers) = mpsc::channel(policies.len().max(1));
        let at_work = self.at_work.clone();
        let work = tokio::task::spawn_blocking(move || {
            for policy in &policies {
                let answer = (policy.job.to_string(), plans::disks_of(policy));
                if found.try_send(answer).is_err() {
                    break;
                }
            }
            at_work.store(false, Ordering::Release);
        });
        let all = async {
            while let Some((job, of_job)) = answers.recv().await {
                disks.insert(job, of_job);
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("a file system does not answer: of some jobs it is not known on which disks they work");
        }
        drop(work);
        disks
    }
}
