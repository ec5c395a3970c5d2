//! Answers the question how things stand, for all clients together and without the scheduling loop.
//!
//! Invariants: the ledger is asked at most once in [`FRESH`], however many ask; at most two threads are at it, one of which may be
//! stuck at a disk that does not answer: then answers go on without a look at the artifacts, and say so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
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
use crate::run::close;

/// While somebody asks, runs that lost their worker and their starter are closed so often: the daemon waits for those of its jobs alone.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

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
    swept: Option<Instant>,
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
                let sweep = now.swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY);
                if sweep {
                    now.swept = Some(Instant::now());
                }
                now.looking = Some(self.gather(facts, Look { at_disks: true, sweep }));
                self.patience
            }
        };
        if let Some(looking) = &mut now.looking
            && let Ok(done) = tokio::time::timeout(patience, looking).await
        {
            now.looking = None;
            return done.unwrap_or_else(|e| Err(stopped(&e)));
        }
        let mut snapshot = self.gather(facts, Look::default()).await.unwrap_or_else(|e| Err(stopped(&e)))?;
        if let Some(daemon) = &mut snapshot.daemon {
            daemon.troubles.push(NO_LOOK.to_owned());
        }
        Ok(snapshot)
    }

    fn gather(&self, facts: &Arc<Facts>, look: Look) -> JoinHandle<Gathered> {
        let (state, facts) = (self.state.clone(), Arc::clone(facts));
        let runtime = Handle::current();
        spawn_blocking(move || {
            if look.sweep
                && let Err(failure) = runtime.block_on(close::sweep(&state))
            {
                tracing::warn!("runs that lost their worker cannot be closed: {}", failure.one_line());
            }
            let plans = Plans { daemon: &facts.daemon, agenda: &facts.agenda, holds: &facts.holds };
            let policies: Vec<&Policy> = facts.policies.jobs.iter().map(AsRef::as_ref).collect();
            let governor = facts.policies.governor.as_ref();
            gather(&state, &policies, governor, Some(&plans), |artifact| !look.at_disks || still_good(artifact))
        })
    }
}

/// What is done besides reading the ledger.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    /// Whether artifacts lie where they should.
    at_disks: bool,
    /// Runs that lost their worker are closed.
    sweep: bool,
}

fn stopped(error: &tokio::task::JoinError) -> Failure {
    Failure::new(Exit::Internal, "the status could not be gathered").because(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::daemon::facts::InForce;
    use crate::kernel::clock::Stamp;
    use crate::report::snapshot::Daemon;

    fn desk(state: PathBuf) -> Desk {
        let daemon = Daemon {
            pid: 1,
            since: Stamp::now(),
            version: "0.1.0".to_owned(),
            running: 0,
            max_running: 1,
            troubles: vec![],
        };
        let facts = Facts { policies: Arc::new(InForce::default()), daemon, agenda: BTreeMap::new(), holds: vec![] };
        let (_, facts) = watch::channel(Arc::new(facts));
        Desk::new(state, facts, Duration::from_millis(20))
    }

    #[tokio::test]
    async fn whoever_asks_at_once_gets_the_same_answer() {
        let dir = tempfile::tempdir().unwrap();
        let desk = desk(dir.path().to_path_buf());
        let (one, two) = (desk.snapshot().await.unwrap(), desk.snapshot().await.unwrap());
        assert!(Arc::ptr_eq(&one, &two));
    }

    #[tokio::test]
    async fn a_disk_that_does_not_answer_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let desk = desk(dir.path().to_path_buf());
        let (answers, stuck) = std::sync::mpsc::channel::<()>();
        let looking = spawn_blocking(move || {
            stuck.recv().ok();
            Err(Failure::new(Exit::Failed, "too late"))
        });
        desk.now.lock().await.looking = Some(looking);
        let troubles = |snapshot: Arc<Snapshot>| snapshot.daemon.clone().unwrap().troubles;
        assert_eq!(troubles(desk.snapshot().await.unwrap()), [NO_LOOK]);
        drop(answers);
        // As soon as it answers it is asked anew; what came too late is not shown.
        let looked = async {
            loop {
                tokio::time::sleep(FRESH).await;
                match desk.snapshot().await {
                    Ok(snapshot) if troubles(snapshot.clone()).is_empty() => return,
                    Ok(_) => {}
                    Err(failure) => panic!("{failure}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), looked).await.unwrap();
    }
}
