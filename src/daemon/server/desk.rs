//! Answers the question how things stand, for all clients together and without the scheduling loop.
//!
//! Invariants: the ledger is asked at most once in [`FRESH`], however many ask; at most two threads are at it, one of which may be
//! stuck at a disk that does not answer: then answers go on without a look at the artifacts, and say so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::backup::artifact::still_good;
use crate::config::policy::Policy;
use crate::daemon::facts::Facts;
use crate::daemon::protocol::Answer;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::gather::{Plans, gather};
use crate::report::snapshot::Snapshot;

/// An answer is good for so long, unless the facts changed.
const FRESH: Duration = Duration::from_millis(250);

/// What is shown while the disks of artifacts do not answer.
const NO_LOOK: &str = "a disk with artifacts does not answer: the last good ones are told from the ledger";

/// Where clients are answered.
#[derive(Debug)]
pub struct Desk {
    state: PathBuf,
    facts: watch::Receiver<Arc<Facts>>,
    patience: Duration,
    now: Mutex<Now>,
}

type Gathered = Result<Snapshot, Failure>;

/// What is at hand, and what is being looked for.
#[derive(Debug, Default)]
struct Now {
    kept: Option<(Instant, Arc<Facts>, Arc<Snapshot>)>,
    looking: Option<JoinHandle<Gathered>>,
}

impl Desk {
    /// For the daemon of this state directory. So long disks are waited for: `patience`.
    pub fn new(state: PathBuf, facts: watch::Receiver<Arc<Facts>>, patience: Duration) -> Desk {
        Desk { state, facts, patience, now: Mutex::default() }
    }

    /// How things stand; of these jobs only, if any are named.
    pub async fn status(&self, jobs: &[String]) -> Answer {
        match self.snapshot().await.and_then(|snapshot| snapshot.only(jobs)) {
            Ok(snapshot) => Answer::Status(Box::new(snapshot)),
            Err(failure) => Answer::Refused { failure },
        }
    }

    /// One at a time: whoever waited finds the answer of the one before.
    async fn snapshot(&self) -> Result<Arc<Snapshot>, Failure> {
        let mut now = self.now.lock().await;
        let facts = Arc::clone(&self.facts.borrow());
        if let Some((at, of, snapshot)) = &now.kept
            && at.elapsed() < FRESH
            && Arc::ptr_eq(of, &facts)
        {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = Arc::new(self.fresh(&mut now, &facts).await?);
        now.kept = Some((Instant::now(), facts, Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    async fn fresh(&self, now: &mut Now, facts: &Arc<Facts>) -> Gathered {
        let patience = match &now.looking {
            // It was waited for already.
            Some(stuck) if !stuck.is_finished() => Duration::ZERO,
            // What came too late is too old.
            _ => {
                now.looking = Some(self.gather(facts, true));
                self.patience
            }
        };
        if let Some(looking) = &mut now.looking
            && let Ok(done) = tokio::time::timeout(patience, looking).await
        {
            now.looking = None;
            return done.unwrap_or_else(|e| Err(stopped(&e)));
        }
        let mut snapshot = self.gather(facts, false).await.unwrap_or_else(|e| Err(stopped(&e)))?;
        if let Some(daemon) = &mut snapshot.daemon {
            daemon.troubles.push(NO_LOOK.to_owned());
        }
        Ok(snapshot)
    }

    fn gather(&self, facts: &Arc<Facts>, look: bool) -> JoinHandle<Gathered> {
        let (state, facts) = (self.state.clone(), Arc::clone(facts));
        spawn_blocking(move || {
            let plans = Plans { daemon: &facts.daemon, agenda: &facts.agenda, holds: &facts.holds };
            let policies: Vec<&Policy> = facts.policies.jobs.iter().map(AsRef::as_ref).collect();
            let governor = facts.policies.governor.as_ref();
            gather(&state, &policies, governor, Some(&plans), |artifact| !look || still_good(artifact))
        })
    }
}

fn stopped(error: &tokio::task::JoinError) -> Failure {
    Failure::new(Exit::Internal, "the status could not be gathered").because(error)
}
