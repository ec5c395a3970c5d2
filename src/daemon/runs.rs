//! Starts runs, and waits for the end of those that are under way, whoever started them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
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

/// A client that died may have started a worker that has not begun yet: so long it is waited for.
const LATECOMER: Duration = Duration::from_secs(2);

/// Between two looks for that.
const LOOK: Duration = Duration::from_millis(100);

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
}

impl Runs {
    /// What is heard goes into `news`.
    pub fn new(state: PathBuf, news: mpsc::Sender<News>) -> Runs {
        Runs { state: state.into(), news }
    }

    /// Starts a run as soon as it is written down that it is to be.
    pub fn start(&self, run: String, policy: &Policy, manner: Manner, written: Written) {
        let own = self.clone();
        let request = request(run, policy, manner);
        tokio::spawn(async move {
            written.settled().await;
            let run = request.run.clone();
            match launch::launch(&own.state, &request, Starter::Shared).await {
                Ok(launched) => {
                    let (news, hears) = (own.news.clone(), run.clone());
                    let heard = launched.attend(&own.state, move || drop(news.try_send(News::Hears(hears)))).await;
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
        tokio::spawn(async move {
            own.wait_for_lock(&run).await;
            own.report(run).await;
        });
    }

    /// Takes over a run that a client was to start, when the client has gone: it is under way, over, or was never begun.
    pub fn inherit(&self, run: String) {
        let own = self.clone();
        tokio::spawn(async move {
            let begun = tokio::time::timeout(LATECOMER, async {
                while row(&own.state, &run).ok().flatten().is_none() && fs::is_dir(RunDir::of(&own.state, &run).path())
                {
                    tokio::time::sleep(LOOK).await;
                }
            });
            begun.await.ok();
            own.wait_for_lock(&run).await;
            own.report(run).await;
        });
    }

    /// Tells the loop when a run that a client starts can be talked to.
    pub fn await_ear(&self, run: String, gone: impl Future<Output = ()> + Send + 'static) {
        let own = self.clone();
        tokio::spawn(async move {
            let dir = RunDir::of(&own.state, &run);
            let ear = dir.path().join(crate::run::control::SOCKET);
            let appears = async {
                while !fs::exists(&ear) {
                    tokio::time::sleep(LOOK).await;
                }
            };
            tokio::select! {
                () = appears => own.tell(News::Hears(run)).await,
                () = gone => {}
            }
        });
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
        if let Err(failure) = close::close(&self.state, &run).await {
            tracing::warn!(RUN = %run, "the run could not be closed: {}", failure.one_line());
        }
        let found = outcome(&self.state, &run);
        let news = match found {
            Ok(Since::Ended(end)) => News::Ended(run, end),
            // Somebody else closes it at this moment.
            Ok(Since::UnderWay) => {
                tokio::time::sleep(LOOK).await;
                return Box::pin(self.report(run)).await;
            }
            Ok(Since::NeverBegan) => News::NeverBegan(run, "its worker vanished before it began".to_owned()),
            Err(failure) => {
                tracing::warn!(RUN = %run, "how the run ended cannot be read: {}", failure.one_line());
                let end = RunEnd { state: State::Interrupted, code: Exit::Internal.code(), at: moment(Stamp::now()) };
                News::Ended(run, end)
            }
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

fn row(state: &Path, run: &str) -> Result<Option<RunRow>, Failure> {
    let Some(ledger) = Ledger::open_to_read(state)? else { return Ok(None) };
    Ok(ledger.find_run(run)?.into_iter().find(|row| row.run == run))
}

fn end(row: &RunRow) -> RunEnd {
    let code = row.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Internal.code());
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
