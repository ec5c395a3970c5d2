mod many;

use std::path::PathBuf;

use super::entry::{End, Entry, PhaseEnded, PhaseStarted, Published, RunEnded, RunStarted, State, Times, Usage};
use super::query::RunFilter;
use super::writer::Writer;
use super::{Ledger, spool};
use crate::kernel::clock::Stamp;

fn at(us: i64) -> Stamp {
    Stamp { us, offset: 3600 }
}

fn run_started(run: &str, job: &str, us: i64) -> Entry {
    Entry::RunStarted(RunStarted {
        run: run.into(),
        job: job.into(),
        kind: "filesystem".into(),
        action: "backup".into(),
        at: at(us),
        level: "freeze".into(),
        pid: 7,
        boot: "b".into(),
        state: State::Running,
        reason: None,
    })
}

fn run_ended(run: &str, state: State) -> Entry {
    let end = End {
        state,
        at: at(99),
        times: Times { wall: 10, active: 4, waiting: 3, throttled: 2, paused: 1 },
        usage: Usage { read: 1000, written: 400, cpu_us: 5, peak_memory: 6 },
        exit_code: Some(0),
        why: None,
    };
    Entry::RunEnded(RunEnded { run: run.into(), end })
}

fn phase(run: &str, seq: u32, name: &str, read: u64) -> [Entry; 2] {
    let started =
        PhaseStarted { run: run.into(), seq, parent: None, name: name.into(), detail: Some("/etc".into()), at: at(5) };
    let end = End {
        state: State::Ok,
        at: at(6),
        times: Times::default(),
        usage: Usage { read, ..Usage::default() },
        exit_code: Some(0),
        why: None,
    };
    let ended = PhaseEnded { run: run.into(), seq, end };
    [Entry::PhaseStarted(started), Entry::PhaseEnded(ended)]
}

fn published(run: &str, us: i64) -> Entry {
    Entry::Published(Published {
        run: run.into(),
        job: "etc".into(),
        path: PathBuf::from("/b").join(run),
        at: at(us),
        stored: 400,
        plain: 1000,
        verified: "list".into(),
        sequence: 0,
        trusted: true,
    })
}

fn story() -> Vec<Entry> {
    let mut entries = vec![run_started("r1", "etc", 1)];
    entries.extend(phase("r1", 1, "archive", 1000));
    entries.extend([published("r1", 8), run_ended("r1", State::Ok)]);
    entries
}

#[test]
fn what_was_written_twice_stands_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    ledger.apply(&story()).unwrap();
    let once = (
        ledger.runs(&RunFilter::default()).unwrap(),
        ledger.phases("r1").unwrap(),
        ledger.last_good("etc", |_| true).unwrap(),
    );
    ledger.apply(&story()).unwrap();
    let twice = (
        ledger.runs(&RunFilter::default()).unwrap(),
        ledger.phases("r1").unwrap(),
        ledger.last_good("etc", |_| true).unwrap(),
    );
    assert_eq!(once, twice);
    let run = &once.0[0];
    assert_eq!((run.state, run.times.paused, run.usage.written, run.started), (State::Ok, 1, 400, at(1)));
}

#[test]
fn a_final_state_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    ledger.apply(&story()).unwrap();
    ledger.apply(&[run_ended("r1", State::Interrupted)]).unwrap();
    assert_eq!(ledger.runs(&RunFilter::default()).unwrap()[0].state, State::Ok);
}

#[test]
fn filters_narrow_and_the_newest_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    let runs = [("r1", "etc", 1), ("r2", "pg", 2), ("r3", "etc", 3)];
    ledger.apply(&runs.map(|(run, job, us)| run_started(run, job, us))).unwrap();
    let ids = |filter: RunFilter| ledger.runs(&filter).unwrap().into_iter().map(|r| r.run).collect::<Vec<_>>();
    assert_eq!(ids(RunFilter::default()), ["r3", "r2", "r1"]);
    assert_eq!(ids(RunFilter { job: Some("etc".into()), limit: Some(1), ..RunFilter::default() }), ["r3"]);
    assert_eq!(ids(RunFilter { since_us: Some(2), before_us: Some(3), ..RunFilter::default() }), ["r2"]);
    assert!(ids(RunFilter { state: Some(State::Ok), ..RunFilter::default() }).is_empty());
    assert_eq!(ledger.jobs().unwrap(), ["etc", "pg"]);
    let found = |id: &str| ledger.find_run(id).unwrap().len();
    assert_eq!((found("r"), found("r2"), found("%")), (3, 1, 0));
}

#[test]
fn a_broken_or_removed_artifact_is_not_the_last_good_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    ledger.apply(&[published("r1", 1), published("r2", 2), published("r3", 3)]).unwrap();
    let last = |ledger: &Ledger| ledger.last_good("etc", |_| true).unwrap().map(|a| a.run);
    ledger.apply(&[Entry::Verified { path: "/b/r3".into(), at: at(4), good: false }]).unwrap();
    assert_eq!(last(&ledger).as_deref(), Some("r2"));
    assert_eq!(ledger.broken_artifacts().unwrap(), [PathBuf::from("/b/r3")]);
    ledger.apply(&[Entry::Removed { path: "/b/r2".into(), at: at(5) }]).unwrap();
    assert_eq!(last(&ledger).as_deref(), Some("r1"));
    ledger.apply(&[Entry::Verified { path: "/b/r3".into(), at: at(6), good: true }]).unwrap();
    assert_eq!(last(&ledger).as_deref(), Some("r3"));
    let without_r3 = ledger.last_good("etc", |path| !path.ends_with("r3")).unwrap();
    assert_eq!(without_r3.map(|a| a.run).as_deref(), Some("r1"));
}

#[test]
fn artifacts_have_the_order_of_their_publication_whatever_the_clock_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    let numbered = |run: &str, us, sequence, trusted| {
        let Entry::Published(published) = published(run, us) else { unreachable!() };
        Entry::Published(Published { sequence, trusted, ..published })
    };
    let last = |ledger: &Ledger| ledger.last_good("etc", |_| true).unwrap().map(|a| a.run);
    ledger.apply(&[published("old", 7), numbered("ahead", 900, 1, true), numbered("now", 8, 2, true)]).unwrap();
    assert_eq!(last(&ledger).as_deref(), Some("now"));
    assert_eq!((ledger.last_sequence("etc").unwrap(), ledger.last_sequence("pg").unwrap()), (2, 0));
    ledger.apply(&[numbered("doubtful", 9, 3, false)]).unwrap();
    assert_eq!(last(&ledger).as_deref(), Some("now"), "what is suspect does not count");
    assert_eq!(ledger.artifacts_of("doubt").unwrap(), [PathBuf::from("/b/doubtful")]);
    ledger.apply(&[Entry::Accepted { path: "/b/doubtful".into() }]).unwrap();
    assert_eq!(last(&ledger).as_deref(), Some("doubtful"));
}

#[test]
fn the_estimate_is_that_of_the_last_good_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    ledger.apply(&story()).unwrap();
    ledger.apply(&[run_started("r2", "etc", 50)]).unwrap();
    ledger.apply(&phase("r2", 1, "archive", 5)).unwrap();
    ledger.apply(&[run_ended("r2", State::Failed)]).unwrap();
    assert_eq!(ledger.expected_bytes("etc", "archive", Some("/etc")).unwrap(), Some(1000));
    assert_eq!(ledger.expected_bytes("etc", "archive", None).unwrap(), None);
}

#[test]
fn a_spool_is_merged_once_and_a_torn_line_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    std::fs::create_dir(&run_dir).unwrap();
    spool::append(&run_dir, &story()).unwrap();
    let path = run_dir.join(spool::FILE);
    let mut text = std::fs::read(&path).unwrap();
    text.extend(b"{\"run_ended\":{\"run\":\"r1");
    let (entries, lost) = spool::understood(std::str::from_utf8(&text).unwrap());
    assert_eq!((entries.len(), lost), (story().len(), 1));
    std::fs::write(&path, text).unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    assert_eq!(spool::merge(&mut ledger, &run_dir).unwrap(), story().len());
    assert_eq!(spool::merge(&mut ledger, &run_dir).unwrap(), 0);
    assert_eq!(ledger.runs(&RunFilter::default()).unwrap()[0].state, State::Ok);
}

#[test]
fn a_torn_line_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let [first, rest @ ..] = &story()[..] else { unreachable!() };
    spool::append(dir.path(), std::slice::from_ref(first)).unwrap();
    let path = dir.path().join(spool::FILE);
    let mut text = std::fs::read(&path).unwrap();
    text.extend(b"{\"phase_started\":{\"run\":");
    std::fs::write(&path, text).unwrap();
    spool::append(dir.path(), rest).unwrap();
    let mut ledger = Ledger::open(dir.path()).unwrap();
    assert_eq!(spool::merge(&mut ledger, dir.path()).unwrap(), story().len());
}

#[tokio::test]
async fn what_the_ledger_refuses_waits_in_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    std::fs::create_dir(&run_dir).unwrap();
    // A directory where the database should be: nothing can be written into it, by root neither.
    std::fs::create_dir(dir.path().join(super::FILE)).unwrap();
    let writer = Writer::start(dir.path(), &run_dir);
    for entry in story() {
        writer.send(entry);
    }
    writer.settle().await.unwrap();
    assert!(run_dir.join(spool::FILE).exists());
    std::fs::remove_dir(dir.path().join(super::FILE)).unwrap();
    writer.send(run_started("r9", "etc", 9));
    writer.settle().await.unwrap();
    drop(writer);
    let ledger = Ledger::open(dir.path()).unwrap();
    assert_eq!(ledger.runs(&RunFilter::default()).unwrap().len(), 2);
    assert!(!run_dir.join(spool::FILE).exists());
}

#[tokio::test]
async fn what_can_be_written_nowhere_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    std::fs::create_dir(&run_dir).unwrap();
    std::fs::create_dir(dir.path().join(super::FILE)).unwrap();
    std::fs::create_dir(run_dir.join(spool::FILE)).unwrap();
    let writer = Writer::start(dir.path(), &run_dir);
    writer.send(run_started("r1", "etc", 1));
    let trouble = writer.settle().await.unwrap_err();
    assert!(trouble.contains(spool::FILE), "{trouble}");
}

#[test]
fn nobody_waits_for_the_thread_of_a_blocked_disk() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    std::fs::create_dir(&run_dir).unwrap();
    // Who reads a pipe that nobody writes into waits as on a disk that does not answer.
    nix::unistd::mkfifo(&run_dir.join(spool::FILE), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let writer = Writer::start(dir.path(), &run_dir);
    writer.send(run_started("r1", "etc", 1));
    let (dropped, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(writer);
        dropped.send(()).unwrap();
    });
    told.recv_timeout(std::time::Duration::from_secs(180)).unwrap();
}
