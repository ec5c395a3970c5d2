//! Starts runs, and waits for the end of those that are under way, whoever started them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::book::Written;
use super::core::restart::Since;
use super::core::words::{Manner, Moment, RunEnd};
use crate::config::policy::Policy;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::fs;
use crate::kernel::lock::{Attempt, Lock};
use crate::ledger::query::RunRow;
use crate::ledger::{Ledger, State};
use crate::run::close;
use crate::run::launch::{self, Starter};
use crate::run::request::{Action, Request, RunDir};

/// So many runs may be waited for.
const BLOCKING: usize = 256;

/// So long one waits for the socket of a run.
const EAR: Duration = Duration::from_secs(60);

/// A client that died may have started a worker that has not begun yet: so long it is waited for.
const LATECOMER: Duration = Duration::from_secs(2);

/// Between two looks, at first.
const LOOK: Duration = Duration::from_millis(100);

/// Between two looks, after a while.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// What is heard of runs.
#[derive(Debug)]
pub enum News {
    /// It can be talked to.
    Hears(String),
    /// It is over.
    Ended(String, RunEnd),
    /// It never began; why.
    NeverBegan(String, String),
}

/// Those who wait for runs.
#[derive(Debug, Clone)]
pub struct Runs {
    state: Arc<Path>,
    news: mpsc::Sender<News>,
    beside: Handle,
}

impl Runs {
    /// What is heard goes into `news`.
    ///
    /// # Errors
    /// When there can be no thread beside the loop's.
    pub fn new(state: PathBuf, news: mpsc::Sender<News>) -> Result<Runs, Failure> {
        let failed =
            |e: &dyn std::error::Error| Failure::new(Exit::Internal, "cannot start a thread for runs").because(e);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING)
            .thread_stack_size(256 * 1024)
            .build()
            .map_err(|e| failed(&e))?;
        let beside = runtime.handle().clone();
        let work = move || runtime.block_on(std::future::pending::<()>());
        std::thread::Builder::new().name("runs".to_owned()).spawn(work).map_err(|e| failed(&e))?;
        Ok(Runs { state: state.into(), news, beside })
    }

    /// Starts a run as soon as it is written down that it is to be.
    pub fn start(&self, run: String, policy: &Policy, manner: Manner, written: Written) {
        let own = self.clone();
        let request = request(run, policy, manner);
        self.spawn(async move {
            written.settled().await;
            let run = request.run.clone();
            match launch::launch(&own.state, &request, Starter::Shared).await {
                Ok(launched) => {
                    let (ear, hears) = (own.clone(), run.clone());
                    let heard = launched.attend(&own.state, move || own_ear(ear, hears)).await;
                    if let Err(failure) = heard {
                        tracing::warn!(JOB = %request.policy.job, RUN = %run, "{}", failure.one_line());
                    }
                    own.report(run).await;
                }
                Err(failure) => own.tell(News::NeverBegan(run, failure.one_line())).await,
            }
        });
    }

    /// Waits for the end of a run that is under way.
    pub fn attend(&self, run: String) {
        let own = self.clone();
        self.spawn(async move {
            tokio::join!(own.hears(&run), own.report(run.clone()));
        });
    }

    /// Takes over a run that a client was to start, when the client has gone: it is under way, over, or was never begun.
    pub fn inherit(&self, run: String) {
        let own = self.clone();
        self.spawn(async move {
            let begun = tokio::time::timeout(LATECOMER, async {
                while row(&own.state, &run).ok().flatten().is_none() && fs::is_dir(RunDir::of(&own.state, &run).path())
                {
                    tokio::time::sleep(LOOK).await;
                }
            });
            begun.await.ok();
            own.report(run).await;
        });
    }

    /// Looks after a run that a client starts from when it has begun, until it ends or the client is `gone`.
    pub fn accompany(&self, run: String, gone: impl Future<Output = ()> + Send + 'static) {
        let own = self.clone();
        self.spawn(async move {
            tokio::select! {
                () = own.begins(&run) => {
                    tokio::join!(own.hears(&run), own.report(run.clone()));
                }
                // The loop hears of that as well, and has it inherited.
                () = gone => {}
            }
        });
    }

    /// Waits until the ledger knows it: from then on a worker is there, or was.
    async fn begins(&self, run: &str) {
        let mut look = LOOK;
        while !matches!(row(&self.state, run), Ok(Some(_))) {
            tokio::time::sleep(look).await;
            look = (look * 2).min(LONGEST_LOOK);
        }
    }

    /// Tells the loop when a run can be talked to; one that cannot within a minute has other worries.
    async fn hears(&self, run: &str) {
        let ear = RunDir::of(&self.state, run).path().join(crate::run::control::SOCKET);
        let appears = async {
            while !fs::exists(&ear) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(EAR, appears).await.is_ok() {
            self.tell(News::Hears(run.to_owned())).await;
        }
    }

    /// Beside the loop, which must not wait for a ledger, a file system or systemd.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.beside.spawn(work));
    }

    async fn wait_for_lock(&self, run: &str) {
        let lock = RunDir::of(&self.state, run).alive();
        let waited = tokio::task::spawn_blocking(move || Lock::wait_until_free(&lock)).await;
        if let Ok(Err(error)) = waited {
            tracing::warn!(RUN = %run, "{}", error.chain());
        }
    }

    /// Closes a run whose worker is gone, and tells how it ended.
    async fn report(&self, run: String) {
        let mut look = LOOK;
        let news = loop {
            self.wait_for_lock(&run).await;
            if let Err(failure) = close::close(&self.state, &run).await {
                tracing::warn!(RUN = %run, "the run could not be closed: {}", failure.one_line());
            }
            match outcome(&self.state, &run) {
                Ok(Since::Ended(end)) => break News::Ended(run, end),
                Ok(Since::NeverBegan) => break News::NeverBegan(run, "its worker vanished before it began".to_owned()),
                // Somebody else closes it at this moment, or the ledger takes nothing now.
                Ok(Since::UnderWay) => {}
                Err(failure) => {
                    tracing::warn!(RUN = %run, "how the run ended cannot be read: {}", failure.one_line());
                }
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LONGEST_LOOK);
        };
        self.tell(news).await;
    }

    async fn tell(&self, news: News) {
        // The loop is gone only when the daemon ends.
        self.news.send(news).await.ok();
    }
}

/// What became of a run. One that never began is made to never begin: its directory goes while its lock is held, so a worker on its way
/// finds nothing to lock.
pub fn outcome(state: &Path, run: &str) -> Result<Since, Failure> {
    let dir = RunDir::of(state, run);
    let held = match fs::is_dir(dir.path()) {
        true => match Lock::attempt(&dir.alive())? {
            Attempt::Busy(_) => return Ok(Since::UnderWay),
            Attempt::Held(lock) => Some(lock),
        },
        false => None,
    };
    match row(state, run)? {
        Some(row) if row.state == State::Running => Ok(Since::UnderWay),
        Some(row) => Ok(Since::Ended(end(&row))),
        None => {
            if held.is_some() {
                fs::remove_tree(dir.path())?;
            }
            Ok(Since::NeverBegan)
        }
    }
}

/// It can be talked to from now on.
fn own_ear(runs: Runs, run: String) {
    let telling = runs.clone();
    runs.spawn(async move { telling.tell(News::Hears(run)).await });
}

fn row(state: &Path, run: &str) -> Result<Option<RunRow>, Failure> {
    let Some(ledger) = Ledger::open_to_read(state)? else { return Ok(None) };
    Ok(ledger.find_run(run)?.into_iter().find(|row| row.run == run))
}

fn end(row: &RunRow) -> RunEnd {
    // One that was turned away at the door has no code of its own.
    let without = if row.state == State::Skipped { Exit::NotNow } else { Exit::Internal };
    let code = row.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(without.code());
    RunEnd { state: row.state, code, at: moment(row.ended.unwrap_or(row.started)) }
}

fn moment(stamp: Stamp) -> Moment {
    DateTime::from_timestamp_micros(stamp.us).unwrap_or_default()
}

fn request(run: String, policy: &Policy, manner: Manner) -> Request {
    let mut policy = policy.clone();
    if manner == Manner::Gently {
        policy.governor = policy.governor.gently();
    }
    Request {
        run,
        action: Action::Backup,
        policy,
        asked_at: Stamp::now(),
        exclusive: true,
        pass_through: false,
        peer: None,
    }
}
