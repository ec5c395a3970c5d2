//! Starting a run, and staying with it.
//!
//! The starter makes the run's directory, starts a worker in a session of its own and listens to it. The run does not depend on
//! the starter: it goes on when the starter is killed. The other way round, the starter notices when the worker vanishes and
//! closes the run.

use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::close;
use super::event::{Event, Order};
use super::request::{Request, RunDir};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::group;
use crate::kernel::process::{self, Child, Spawn, Stream};
use crate::kernel::procfs::Pid;
use crate::kernel::{fs, socket};
use crate::ledger::Ledger;

/// The descriptor a worker finds its starter's stream on.
pub const STARTER_FD: i32 = 3;

/// A run that was started.
pub struct Launched {
    run: String,
    worker: Child,
    words: Lines<BufReader<OwnedReadHalf>>,
    orders: OwnedWriteHalf,
    /// Children this process had before: they are none of the run's.
    elders: Vec<Pid>,
}

/// Makes the run's directory and starts its worker. Runs that lost their worker are closed first.
pub async fn launch(state: &Path, request: &Request) -> Result<Launched, Failure> {
    if let Err(failure) = look_after_earlier(state, request).await {
        // A ledger that cannot be read must not cost the backup: what happens now is spooled.
        tracing::warn!("earlier runs could not be looked after: {}", failure.one_line());
    }
    RunDir::create(state, request)?;
    let elders = group::children()?;
    // What a dead worker leaves becomes ours, and not init's.
    process::adopt_orphans()?;
    let (ours, theirs) = socket::pair()?;
    let argv = [
        process::own_program()?.into_os_string(),
        "--state".into(),
        state.as_os_str().to_owned(),
        "worker".into(),
        (&request.run).into(),
    ];
    let spawn = Spawn {
        argv: argv.into(),
        directory: Some("/".into()),
        stdin: if request.pass_through { Stream::Inherit } else { Stream::Null },
        stdout: if request.pass_through { Stream::Inherit } else { Stream::Null },
        stderr: Stream::Inherit,
        extra: Some((theirs, STARTER_FD)),
        session: true,
        ..Spawn::default()
    };
    let worker = spawn.start()?;
    let (read, orders) = ours.into_split();
    Ok(Launched { run: request.run.clone(), worker, words: BufReader::new(read).lines(), orders, elders })
}

/// Closes runs that lost their worker, and removes logs that are old enough.
async fn look_after_earlier(state: &Path, request: &Request) -> Result<(), Failure> {
    close::sweep(state).await?;
    if let Some(keep) = request.policy.log_keep {
        close::forget_logs(state, request.policy.job.as_str(), keep)?;
    }
    Ok(())
}

impl Launched {
    /// Listens until the run's end, and hands each event on. Ctrl-C cancels, twice kills. Returns the exit code.
    pub async fn follow(mut self, state: &Path, mut heard: impl FnMut(&Event)) -> Result<u8, Failure> {
        let watch =
            |kind| signal(kind).map_err(|e| Failure::new(Exit::Internal, "cannot watch for signals").because(&e));
        let mut interrupts: Signal = watch(SignalKind::interrupt())?;
        let mut terminations: Signal = watch(SignalKind::terminate())?;
        let mut code = None;
        let mut asked = false;
        loop {
            tokio::select! {
                line = self.words.next_line() => {
                    let Ok(Some(line)) = line else { break };
                    let Ok(event) = serde_json::from_str::<Event>(&line) else { continue };
                    if let Event::Ended { code: own, .. } = &event {
                        code = Some(*own);
                    }
                    heard(&event);
                }
                _ = interrupts.recv() => {
                    let order = if asked { Order::Kill } else { Order::Cancel };
                    if !asked {
                        heard(&Event::Note { text: "cancelling; once more ends it at once".to_owned() });
                    }
                    asked = true;
                    self.order(order).await;
                }
                _ = terminations.recv() => self.order(Order::Cancel).await,
            }
        }
        let exit = self.worker.wait().await?;
        if let Some(code) = code {
            return Ok(code);
        }
        // What the worker left has become ours; one that cleared its environment can be found by this alone.
        group::end_adopted(&self.elders).await?;
        if close::close(state, &self.run).await? {
            let what = format!("the worker of run `{}` vanished ({})", self.run, exit.describe());
            return Err(Failure::new(Exit::Internal, what)
                .hint(format!("the run is closed as `interrupted`; `govern log {}` shows how far it was", self.run)));
        }
        // It ended, and this process was too slow to hear it: stopped, or writing to somebody who does not read.
        match ended(state, &self.run)? {
            Some((event, code)) => {
                heard(&event);
                Ok(code)
            }
            // It failed before there was anything to record, and has said why.
            None => {
                fs::remove_tree(RunDir::of(state, &self.run).path())?;
                Ok(exit.code.and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Internal.code()))
            }
        }
    }

    async fn order(&mut self, order: Order) {
        let mut line = serde_json::to_vec(&order).unwrap_or_default();
        line.push(b'\n');
        // A worker that is gone already shows as the end of its words.
        self.orders.write_all(&line).await.ok();
    }
}

/// The end of a run as the ledger has it.
fn ended(state: &Path, run: &str) -> Result<Option<(Event, u8)>, Failure> {
    let Some(ledger) = Ledger::open_to_read(state)? else { return Ok(None) };
    let Some(row) = ledger.find_run(run)?.into_iter().find(|row| row.run == run) else { return Ok(None) };
    let code = row.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Internal.code());
    let event = Event::Ended {
        state: row.state,
        failure: row.reason.map(|reason| Failure::new(Exit::Command(code), reason)),
        code,
        times: row.times,
        usage: row.usage,
        artifact: None,
        by_command: row.action == "exec",
    };
    Ok(Some((event, code)))
}
