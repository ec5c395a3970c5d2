//! Starting a run, and staying with it.
//!
//! The starter makes the run's directory, starts a worker and listens to it. Where systemd runs, the worker is a transient unit of
//! its own, so that systemd keeps the payload together and ends it with the worker; else it is a child in a session of its own. In
//! either case the run does not depend on the starter: it goes on when the starter is killed. The other way round, the starter
//! notices when the worker vanishes and sees to it that the run is closed.

pub mod unit;

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::close;
use super::event::{Event, Order};
use super::greeting::{Greeting, STARTER};
use super::request::{Request, RunDir};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::group;
use crate::kernel::process::{self, Child, Spawn, Stream};
use crate::kernel::procfs::Pid;
use crate::kernel::systemd::Manager;
use crate::kernel::{fs, socket};
use crate::ledger::{Ledger, State};

/// How often one looks whether a worker that has not come yet is still on its way.
const LOOK: Duration = Duration::from_millis(500);

/// A run that was started.
pub struct Launched {
    run: String,
    worker: Worker,
    words: Lines<BufReader<OwnedReadHalf>>,
    orders: OwnedWriteHalf,
}

/// What the worker is to its starter.
enum Worker {
    /// A unit: systemd looks after it.
    Unit(Manager, String),
    /// A child.
    Child {
        child: Child,
        /// Children this process had before: they are none of the run's.
        elders: Vec<Pid>,
    },
}

/// Who starts a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// A program for this run alone. What the run leaves behind when its worker dies comes to it, and it puts an end to that.
    Own,
    /// One that starts other runs as well: what one of them leaves behind cannot be told from the others' by whose child it is.
    Shared,
}

/// Makes the run's directory and starts its worker. Runs that lost their worker are closed first.
pub async fn launch(state: &Path, request: &Request, starter: Starter) -> Result<Launched, Failure> {
    if let Err(failure) = look_after_earlier(state, request).await {
        // A ledger that cannot be read must not cost the backup: what happens now is spooled.
        tracing::warn!("earlier runs could not be looked after: {}", failure.one_line());
    }
    let run_dir = RunDir::create(state, request)?;
    let begun = begin(state, request, &run_dir, starter).await;
    if begun.is_err() {
        // A worker that comes after all finds nobody, and nothing.
        fs::remove_tree(run_dir.path())?;
    }
    begun
}

async fn begin(state: &Path, request: &Request, run_dir: &RunDir, starter: Starter) -> Result<Launched, Failure> {
    let door = socket::listen(run_dir.path(), STARTER)?;
    let (worker, remark) = match unit::start(state, request).await {
        Ok((manager, name)) => {
            let ends = "its unit ends with the user's last session (`loginctl enable-linger` keeps it)";
            let remark = (!manager.lingers()).then(|| ends.to_owned());
            (Worker::Unit(manager, name), remark)
        }
        Err(why) => (start_child(state, request, starter)?, Some(format!("no unit of its own: {why}"))),
    };
    let stream = worker.arrival(&door).await?;
    Greeting::of_this_process(remark).send(&stream, request.pass_through)?;
    fs::remove_tree(&run_dir.path().join(STARTER))?;
    let (read, orders) = socket::adopt(stream)?.into_split();
    Ok(Launched { run: request.run.clone(), worker, words: BufReader::new(read).lines(), orders })
}

/// The command line of a worker.
fn worker_argv(state: &Path, request: &Request, role: &str) -> Result<Vec<std::ffi::OsString>, Failure> {
    let program = process::own_program()?.into_os_string();
    Ok(vec![program, "--state".into(), state.into(), role.into(), (&request.run).into()])
}

fn start_child(state: &Path, request: &Request, starter: Starter) -> Result<Worker, Failure> {
    let elders = group::children()?;
    if starter == Starter::Own {
        // What a dead worker leaves becomes ours, and not init's.
        process::adopt_orphans()?;
    }
    let spawn = Spawn {
        argv: worker_argv(state, request, "worker")?,
        directory: Some("/".into()),
        stderr: Stream::Inherit,
        session: true,
        ..Spawn::default()
    };
    Ok(Worker::Child { child: spawn.start()?, elders })
}

impl Worker {
    /// Waits for the worker to come to the door; an error if it never will.
    async fn arrival(&self, door: &UnixListener) -> Result<std::os::unix::net::UnixStream, Failure> {
        let gone = |how: &str| Failure::new(Exit::Internal, format!("the worker ended before it began ({how})"));
        loop {
            tokio::select! {
                stream = socket::accept(door) => return Ok(stream?),
                exit = self.exit() => return Err(gone(&exit?.describe())),
                () = tokio::time::sleep(LOOK) => {
                    // A manager that does not answer says nothing about the worker.
                    if let Worker::Unit(manager, name) = self
                        && matches!(manager.is_alive(name).await, Ok(false))
                    {
                        return Err(gone("systemd").hint(format!("`journalctl -u {name}` says why")));
                    }
                }
            }
        }
    }

    /// The end of a child; a unit's is not heard of here.
    async fn exit(&self) -> crate::kernel::Result<process::Exit> {
        match self {
            Worker::Child { child, .. } => child.wait().await,
            Worker::Unit(..) => std::future::pending().await,
        }
    }

    /// Waits for its end; says how it ended.
    async fn end(&self, state: &Path, run: &str) -> Result<String, Failure> {
        match self {
            Worker::Unit(_, name) => {
                close::wait_for_worker(state, run).await?;
                Ok(format!("unit `{name}` ended"))
            }
            Worker::Child { child, .. } => Ok(child.wait().await?.describe()),
        }
    }
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
        let how = self.worker.end(state, &self.run).await?;
        if let Some(code) = code {
            return Ok(code);
        }
        if let Worker::Child { elders, .. } = &self.worker {
            // What it left has become ours; one that cleared its environment can be found by this alone.
            group::end_adopted(elders).await?;
        }
        match self.last_word(state).await? {
            Some((Event::Ended { state: State::Interrupted, .. }, _)) => {
                let what = format!("the worker of run `{}` vanished ({how})", self.run);
                Err(Failure::new(Exit::Internal, what).hint(format!(
                    "the run is closed as `interrupted`; `govern log {}` shows how far it was",
                    self.run
                )))
            }
            // It ended, and this process was too slow to hear it: stopped, or writing to somebody who does not read.
            Some((event, code)) => {
                heard(&event);
                Ok(code)
            }
            // It vanished before there was anything to record.
            None => {
                fs::remove_tree(RunDir::of(state, &self.run).path())?;
                Err(Failure::new(Exit::Internal, format!("the worker vanished before it began ({how})")))
            }
        }
    }

    /// Waits until the worker is gone, and listens to nothing. `hears` is called when the run can be talked to.
    pub async fn attend(mut self, state: &Path, hears: impl FnOnce()) -> Result<(), Failure> {
        let mut hears = Some(hears);
        while let Ok(Some(line)) = self.words.next_line().await {
            if matches!(serde_json::from_str(&line), Ok(Event::PhaseBegun { .. }))
                && let Some(hears) = hears.take()
            {
                hears();
            }
        }
        self.worker.end(state, &self.run).await.map(drop)
    }

    /// How the run ended as the ledger has it, after it was closed: by this process, or by another one that is at it right now.
    async fn last_word(&self, state: &Path) -> Result<Option<(Event, u8)>, Failure> {
        loop {
            close::close(state, &self.run).await?;
            match ended(state, &self.run)? {
                Some((Event::Ended { state: State::Running, .. }, _)) => tokio::time::sleep(LOOK).await,
                word => return Ok(word),
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
