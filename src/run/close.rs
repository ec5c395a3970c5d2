//! Ends the records of runs whose worker vanished, and what is left of their payloads.
//!
//! A run is over when the ledger says so. One that is `running` there while nobody holds its `alive` lock has lost its worker:
//! to kill -9, to a power cut. It is closed as `interrupted`, with its last sign of life, by whoever notices first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::heartbeat::{self, Beat};
use super::log;
use super::meter;
use super::request::{self, MARK, RunDir};
use super::unit::record::Record;
use crate::backup::artifact::Store;
use crate::backup::manifest::Manifest;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::error::ENOENT;
use crate::kernel::lock::{Attempt, Lock};
use crate::kernel::systemd::Manager;
use crate::kernel::{fs, group, procfs};
use crate::ledger::entry::{End, Entry, PhaseEnded, Published, RunEnded, State, Times};
use crate::ledger::query::RunFilter;
use crate::ledger::{Ledger, spool};

/// So long a lock is waited for whose holder is dead.
const HEIR: Duration = Duration::from_secs(2);

/// The state of a process that has ended and was not waited for (proc_pid_stat(5)).
const ZOMBIE: char = 'Z';

/// Between two looks whether a worker is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Closes every run that lost its worker; says which.
pub async fn sweep(state: &Path) -> Result<Vec<String>, Failure> {
    merge_spools(state)?;
    let Some(ledger) = Ledger::open_to_read(state)? else { return Ok(vec![]) };
    let open = ledger.runs(&RunFilter { state: Some(State::Running), ..RunFilter::default() })?;
    drop(ledger);
    let mut closed = Vec::new();
    for run in open {
        if close(state, &run.run).await? {
            closed.push(run.run);
        }
    }
    Ok(closed)
}

/// Merges what workers that are gone could not write into the ledger. Such a run may not even have its beginning there, and so
/// is found by its spool.
fn merge_spools(state: &Path) -> Result<(), Failure> {
    let runs = state.join("runs");
    if !fs::is_dir(&runs) {
        return Ok(());
    }
    for path in fs::list(&runs)?.into_iter().filter(|path| fs::exists(&path.join(spool::FILE))) {
        let Attempt::Held(_alive) = Lock::attempt(&path.join(request::ALIVE))? else { continue };
        let merged = Ledger::open(state).and_then(|mut ledger| spool::merge(&mut ledger, &path));
        if let Err(error) = merged {
            // It stays where it is, for the next one who comes by.
            tracing::warn!("`{}` cannot be merged: {}", path.display(), Failure::from(error).one_line());
            break;
        }
    }
    Ok(())
}

/// Waits until the worker of a run is gone, however it ended, and nobody is closing the run.
pub async fn wait_for_worker(state: &Path, run: &str) -> Result<(), Failure> {
    let run_dir = RunDir::of(state, run);
    loop {
        match Lock::attempt(&run_dir.alive()) {
            Ok(Attempt::Busy(_)) => tokio::time::sleep(LOOK_AGAIN).await,
            Ok(Attempt::Held(_)) => return Ok(()),
            // A run that was refused leaves no directory.
            Err(error) if error.errno() == Some(ENOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Tries to take the lock of a run. A worker that was killed while it made a child leaves the lock with that child until it has become
/// another program: that is waited for.
async fn attempt(state: &Path, run_dir: &RunDir, run: &str) -> Result<Attempt, Failure> {
    let mut patience = HEIR;
    loop {
        let attempt = Lock::attempt(&run_dir.alive())?;
        if matches!(attempt, Attempt::Held(_)) || patience.is_zero() || !worker_is_gone(state, run)? {
            return Ok(attempt);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        patience = patience.saturating_sub(LOOK_AGAIN);
    }
}

/// Whether the process that the ledger knows as the worker of a run is no more, or only waits to be buried.
fn worker_is_gone(state: &Path, run: &str) -> Result<bool, Failure> {
    let Some(ledger) = Ledger::open_to_read(state)? else { return Ok(false) };
    let row = ledger.find_run(run)?.into_iter().find(|row| row.run == run && row.state == State::Running);
    let proc = Path::new(procfs::PROC);
    Ok(row.is_some_and(|row| procfs::stat(proc, row.pid).is_none_or(|stat| stat.state == ZOMBIE)))
}

/// Closes one run if it lost its worker. Called twice, or for a run that is over, it does nothing.
pub async fn close(state: &Path, run: &str) -> Result<bool, Failure> {
    let run_dir = RunDir::of(state, run);
    if !fs::is_dir(run_dir.path()) {
        return close_records(state, &run_dir, run, None);
    }
    let Attempt::Held(_alive) = attempt(state, &run_dir, run).await? else { return Ok(false) };
    let_go_of_unit(&run_dir).await;
    let cgroup = fs::read_text_if_any(&run_dir.cgroup())?.map(PathBuf::from);
    group::end_leftovers(cgroup.as_deref(), &format!("{MARK}={run}")).await?;
    close_records(state, &run_dir, run, heartbeat::last(&run_dir.heartbeat()))
}

/// Nothing of a unit stays frozen or limited. What systemd refuses is told, and keeps no record open.
async fn let_go_of_unit(run_dir: &RunDir) {
    let record = match Record::read(run_dir) {
        Ok(Some(record)) => record,
        Ok(None) => return,
        Err(failure) => return tracing::warn!("{}", failure.one_line()),
    };
    let undone = match Manager::of_this_process() {
        Ok(manager) => record.undo(&manager, run_dir).await.map_err(|error| error.chain()),
        Err(why) => Err(why),
    };
    match undone {
        Ok(true) => tracing::warn!("unit `{}` is let go: it goes on, or has ended, without limits", record.unit),
        Ok(false) => {}
        Err(why) => tracing::error!("unit `{}` may still be stopped or limited: {why}", record.unit),
    }
}

fn close_records(state: &Path, run_dir: &RunDir, run: &str, beat: Option<Beat>) -> Result<bool, Failure> {
    let mut ledger = Ledger::open(state)?;
    spool::merge(&mut ledger, run_dir.path())?;
    let Some(row) = ledger.find_run(run)?.into_iter().find(|r| r.run == run && r.state == State::Running) else {
        return Ok(false);
    };
    let phases = ledger.phases(run)?;
    let last_known = phases.iter().flat_map(|p| [Some(p.started), p.ended]).flatten().chain([row.started]).max();
    let at = beat.as_ref().map(|b| b.at).max(last_known).unwrap_or(row.started);
    let reason = match &beat {
        Some(_) => format!("the worker vanished; its last sign of life was at {at}"),
        None => format!("the worker vanished without a sign of life; the last entry was at {at}"),
    };
    let end =
        |times, usage| End { state: State::Interrupted, at, times, usage, exit_code: None, why: Some(reason.clone()) };
    let mut entries = vec![];
    for phase in phases.iter().filter(|phase| phase.state == State::Running) {
        let begun = beat.as_ref().and_then(|b| Some((b, b.phases.iter().find(|p| p.seq == phase.seq)?)));
        let times = match begun {
            Some((beat, begun)) => meter::between(&begun.times, &beat.times),
            // It began after the last beat: only wall time is known.
            None => wall_only(at.since(phase.started)),
        };
        let (run, seq) = (run.to_owned(), phase.seq);
        entries.push(Entry::PhaseEnded(PhaseEnded { run, seq, end: end(times, phase.usage) }));
    }
    entries.extend(published(run_dir, run));
    let times = beat.as_ref().map_or_else(|| wall_only(at.since(row.started)), |b| b.times);
    let usage = beat.as_ref().map_or(row.usage, |b| b.usage);
    entries.push(Entry::RunEnded(RunEnded { run: run.to_owned(), end: end(times, usage) }));
    ledger.apply(&entries)?;
    if fs::is_dir(run_dir.path()) {
        log::append(&run_dir.log(), &format!("run {run} of job {} interrupted: {reason}; closed afterwards", row.job))?;
    }
    tracing::warn!(job = row.job, run, state = State::Interrupted.word(), "{reason}");
    Ok(true)
}

/// The artifact, if the worker vanished between giving it its name and telling the ledger: it is whole all the same.
fn published(run_dir: &RunDir, run: &str) -> Option<Entry> {
    let request = run_dir.request().ok()?;
    let store = Store::new(&request.policy.artifact?.target, &request.policy.job);
    let path = store.published(run);
    let manifest = Manifest::read(&path).ok()?;
    Some(Entry::Published(Published {
        run: run.to_owned(),
        job: manifest.job.clone(),
        path,
        at: manifest.started_at,
        stored: manifest.stored_bytes(),
        plain: manifest.plain_bytes(),
        verified: manifest.verified.clone(),
        sequence: manifest.sequence,
        trusted: manifest.is_good(),
    }))
}

/// Without a beat nothing is known of waiting and pauses.
fn wall_only(wall: u64) -> Times {
    Times { wall, active: wall, ..Times::default() }
}

/// Removes directories of runs that ended longer ago than `keep`; their entries in the ledger stay.
pub fn forget_logs(state: &Path, job: &str, keep: Duration) -> Result<usize, Failure> {
    let Some(ledger) = Ledger::open_to_read(state)? else { return Ok(0) };
    let oldest = Stamp::now().us.saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX));
    let old = ledger.runs(&RunFilter {
        job: Some(job.to_owned()),
        before_us: Some(oldest),
        limit: Some(1000),
        ..RunFilter::default()
    })?;
    let mut removed = 0;
    for run in old.iter().filter(|r| r.state != State::Running) {
        let run_dir = RunDir::of(state, &run.run);
        if fs::is_dir(run_dir.path()) {
            fs::remove_tree(run_dir.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}
