//! The worker: one process that executes one run, in a session of its own.
//!
//! It holds two locks as long as it lives: `alive` in the run's directory, which tells everybody that the run is not over, and
//! the job's, which keeps a second run out. Both go with the process, however it ends.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::backup::Done;
use super::control::{Asked, Control};
use super::event::{Event, Order};
use super::launch::unit;
use super::meter::{Meter, Mode};
use super::phase::{Conclusion, Ending};
use super::recorder::Recorder;
use super::request::{Action, Request, RunDir, job_lock};
use super::stage::{Stage, Stop};
use super::{backup, governing, restore, verify};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::group::Group;
use crate::kernel::lock::{Attempt, Lock};
use crate::kernel::procfs::Pid;
use crate::kernel::{fs, process, socket};
use crate::ledger::State;
use crate::ledger::entry::{Times, Usage};

/// Executes a run whose directory lies there; `starter` hears everything from the beginning, and `remark` says what is to be
/// known of the unit it is, or is not. Returns the exit code; a failure is one before the run's records were begun.
pub async fn work(state: &Path, run: &str, starter: &UnixStream, remark: Option<String>) -> Result<u8, Failure> {
    let run_dir = RunDir::of(state, run);
    let request = run_dir.request()?;
    let Attempt::Held(_alive) = Lock::attempt(&run_dir.alive())? else {
        return Err(Failure::new(Exit::Internal, format!("run `{run}` has a worker already")));
    };
    process::adopt_orphans()?;
    let caller = socket::peer_process(starter);
    let meter = Meter::start(Mode::Waiting, Instant::now());
    let mut recorder = Recorder::start(&request, state, &run_dir, meter)?;
    let starter = starter.try_clone();
    let starter = starter.map_err(|e| Failure::new(Exit::Internal, "cannot listen to the starter").because(&e))?;
    let (mut control, orders) = Control::start(&recorder, socket::adopt(starter)?);
    obey_signals(&control)?;
    let _job_lock = match admit(state, &request)? {
        Admission::Granted(lock) => lock,
        Admission::Refused(why) => {
            let code = refuse(recorder, &request, &why).await;
            control.farewell().await;
            // Nothing of a run that never was is worth keeping but its entry in the ledger.
            fs::remove_tree(run_dir.path())?;
            return Ok(code);
        }
    };
    let group = Group::create(&format!("govern-{run}"), &unit::name(&request));
    if let Some(cgroup) = group.cgroup() {
        fs::create_file(&run_dir.cgroup(), cgroup.path().as_os_str().as_encoded_bytes())?;
    }
    let mut explanation = group.explain();
    if let Some(remark) = remark {
        explanation.push_str(&format!("; {remark}"));
    }
    if let Some(peer) = request.peer {
        explanation.push_str(&format!("; asked for over ssh by {peer}"));
    }
    recorder.run_started(request.asked_at, group.level().word(), &explanation, None).await;
    control.listen(&recorder, &run_dir);
    let mut supervision = request.policy.supervision.clone();
    if matches!(request.action, Action::Restore { .. }) {
        // Pace and time limit of the nightly backup are not meant for the hour when it is needed; `govern throttle` can set a
        // pace.
        (supervision.rate, supervision.timeout) = (None, None);
    }
    let mut stage = Stage::new(recorder, run, group, supervision, orders);
    let done = perform(&mut stage, &request, state, caller).await;
    let code = conclude(stage, &request, done).await;
    control.farewell().await;
    Ok(code)
}

/// Tells the starter of a failure that no record tells of.
pub fn apologise(mut starter: &UnixStream, failure: &Failure) -> std::io::Result<()> {
    let line = serde_json::to_string(&never_began(State::Failed, failure.clone()))?;
    starter.write_all(format!("{line}\n").as_bytes())
}

/// The last event of a run that did nothing.
fn never_began(state: State, failure: Failure) -> Event {
    let code = failure.code;
    let (times, usage) = (Times::default(), Usage::default());
    Event::Ended { state, failure: Some(failure), code, times, usage, artifact: None, by_command: false }
}

enum Admission {
    Granted(Option<Lock>),
    Refused(String),
}

/// One run of a job at a time.
fn admit(state: &Path, request: &Request) -> Result<Admission, Failure> {
    if !request.exclusive {
        return Ok(Admission::Granted(None));
    }
    let path = job_lock(state, request.policy.job.as_str());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory, 0o700)?;
    }
    match Lock::attempt(&path)? {
        Attempt::Held(mut lock) => {
            lock.note(&format!("run {}, pid {}", request.run, process::own_pid()))?;
            Ok(Admission::Granted(Some(lock)))
        }
        Attempt::Busy(holder) => {
            Ok(Admission::Refused(format!("job `{}` is busy: {holder} is under way", request.policy.job)))
        }
    }
}

async fn refuse(mut recorder: Recorder, request: &Request, why: &str) -> u8 {
    recorder.run_started(request.asked_at, "none", "", Some(why)).await;
    let failure = Failure::new(Exit::NotNow, why).hint("wait for it, or `govern cancel` it");
    recorder.tell(&never_began(State::Skipped, failure));
    Exit::NotNow.code()
}

async fn perform(stage: &mut Stage, request: &Request, state: &Path, caller: Option<Pid>) -> Result<Done, Failure> {
    stage.take_charge(request, &RunDir::of(state, &request.run)).await?;
    stage.lay_down_limits(request).await?;
    stage
        .phase("wait", None, async |stage, _| {
            if let Some(governing) = governing::begin(request, stage.group(), stage.unit_group(), state, caller).await {
                // A command is somebody's own line: it does not begin later than without us.
                stage.give_way_to_others(governing, request.action == Action::Backup).await;
            }
            stage.recorder.meter().switch(Mode::Active, Instant::now());
            Ok((Ending::ok(), ()))
        })
        .await?;
    match &request.action {
        Action::Backup | Action::Exec => backup::run(stage, request, state).await,
        Action::Verify { run } => verify::run(stage, request, run.as_deref()).await,
        Action::Restore { run, wish } => restore::run(stage, request, run.as_deref(), wish).await,
    }
}

async fn conclude(stage: Stage, request: &Request, done: Result<Done, Failure>) -> u8 {
    let stopped = stage.stopped();
    let (recorder, cleared) = stage.close().await;
    if let Err(error) = cleared {
        recorder.note(&Failure::from(error).one_line()).await;
    }
    let conclusion = match done {
        Ok(done) => succeeded(done),
        Err(failure) => {
            let state = match stopped {
                Some(Stop::Cancelled | Stop::GaveWay) => State::Cancelled,
                // Nothing was tried: somebody else is at it.
                None if failure.code == Exit::NotNow.code() => State::Skipped,
                Some(Stop::TimedOut | Stop::NotLimited) | None => State::Failed,
            };
            Conclusion { state, code: failure.code, failure: Some(failure), artifact: None, by_command: false }
        }
    };
    let code = conclusion.code;
    if let Err(trouble) = recorder.run_ended(conclusion).await {
        tracing::error!("the end of run {} could not be recorded: {trouble}", request.run);
    }
    code
}

fn succeeded(done: Done) -> Conclusion {
    let artifact = done.artifact.map(|path| path.display().to_string());
    if let Some(suspicion) = done.suspicion {
        let (state, code) = (State::Suspect, suspicion.code);
        return Conclusion { state, code, failure: Some(suspicion), artifact, by_command: false };
    }
    let of = |state, exit: Exit, why: Option<String>, by_command| Conclusion {
        state,
        failure: why.map(|why| Failure::new(exit, why)),
        code: exit.code(),
        artifact,
        by_command,
    };
    match (done.command, done.warning) {
        (Some((code, why)), _) => of(if code == 0 { State::Ok } else { State::Failed }, Exit::Command(code), why, true),
        (None, Some(why)) => of(State::Warning, Exit::Warning, Some(why), false),
        (None, None) => of(State::Ok, Exit::Ok, None, false),
    }
}

/// TERM and INT cancel, as somebody at the keyboard would.
fn obey_signals(control: &Control) -> Result<(), Failure> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals =
            signal(kind).map_err(|e| Failure::new(Exit::Internal, "cannot watch for signals").because(&e))?;
        let orders: mpsc::Sender<Asked> = control.orders();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let (answer, _) = oneshot::channel();
                orders.send(Asked { order: Order::Cancel, answer }).await.ok();
            }
        });
    }
    Ok(())
}
