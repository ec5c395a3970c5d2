//! `govern follow UNIT [FILE]` (hidden): the program of a unit's phase. It starts the unit, waits for its end, prints what it wrote to
//! the journal, and ends with its code.
//!
//! It is a process of the payload's, so that nothing of this keeps whoever supervises waiting. TERM ends the unit, as its own file says.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::backup::unit;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::systemd::Manager;
use crate::kernel::systemd::control;
use crate::kernel::systemd::service::Service;
use crate::kernel::{fs, process};
use crate::run::plan;

/// Between two looks at a unit that has just been asked to start.
const LOOK_SOON: Duration = Duration::from_millis(100);

/// Between two looks at one whose end systemd does not tell.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// So many lines of the journal are copied, the newest: the journal has all of them.
const JOURNAL_LINES: u32 = 10_000;

/// What became of a unit that was to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It has not begun.
    Before,
    /// It is at work.
    AtWork,
    /// It has done what it does.
    Over,
}

/// How far a unit is; `ours` is the start that is followed. A unit that has ended without a failure is soon forgotten by systemd, its
/// start and all: only while it works is it sure to be known.
fn progress(ours: Option<&str>, now: &Service) -> Progress {
    match ours {
        None => Progress::Before,
        Some(ours) if now.invocation.as_deref() == Some(ours) && now.is_at_work() => Progress::AtWork,
        Some(_) => Progress::Over,
    }
}

/// How a unit has ended: its code, and in words. `started` is what systemd said of the start.
fn end(ours: &str, now: &Service, started: &Result<(), Failure>) -> (u8, String) {
    match started {
        // It is still known.
        _ if now.invocation.as_deref() == Some(ours) => (now.exit_code(), now.describe_end()),
        Ok(()) => (0, "result success".to_owned()),
        // What systemd said was of the first try, and it keeps what has failed in mind.
        Err(_) if now.restarts() => (0, "result success".to_owned()),
        Err(failure) => (Exit::Failed.code(), failure.one_line()),
    }
}

/// Follows a unit from its start to its end; `record` is where the number of this start is written down. Returns its exit code.
///
/// # Errors
/// When it cannot be started, or systemd does not answer.
pub async fn follow(name: &str, record: Option<&Path>) -> Result<u8, Failure> {
    let (manager, before) = unit::look(name, &mut async |tool| plan::ask(None, tool).await).await?;
    unit::suits(name, &before)?;
    unit::is_idle(name, &before)?;
    obey_term(&manager, &before.id)?;
    let (started, ours) = start(&manager, &before, record).await?;
    let Some(ours) = ours else {
        let why = match started {
            Err(failure) => failure.one_line(),
            Ok(()) => "a `Condition` of its file does not hold, or it ended before it could be seen".to_owned(),
        };
        say(&format!("unit `{name}` was not started: {why}"));
        return Ok(Exit::Failed.code());
    };
    let mut starts = vec![ours];
    let last = until_the_end(&manager, &before, &mut starts, record).await?;
    for start in &starts {
        show_journal(&manager, start).await;
    }
    let (code, how) = end(starts.last().map(String::as_str).unwrap_or_default(), &last, &started);
    // The last line is what a failure of the phase says.
    say(&format!("unit `{name}` has ended: {how}"));
    Ok(code)
}

/// Has it started, and waits for what systemd says of that, which for most is their end; says which start it was, if there was one.
async fn start(
    manager: &Manager,
    before: &Service,
    record: Option<&Path>,
) -> Result<(Result<(), Failure>, Option<String>), Failure> {
    let since = Stamp::now();
    // One that remains active would be waited for until somebody stops it.
    let call = manager.starting(&before.id, !before.remains);
    let mut started = std::pin::pin!(control::run(call, "start unit", &before.id, |_| ()));
    let done = tokio::select! {
        done = &mut started => done,
        ours = first_sight(manager, before) => {
            let ours = ours?;
            note(record, &ours)?;
            return Ok((started.await.map_err(Failure::from), Some(ours)));
        }
    };
    // A short one may have ended before anybody looked.
    let ours = match manager.service(&before.id).await?.invocation {
        Some(now) if before.invocation.as_ref() != Some(&now) => Some(now),
        _ => in_the_journal(manager, &before.id, since).await,
    };
    Ok((done.map_err(Failure::from), ours))
}

/// Waits until there is another start of it than the last.
async fn first_sight(manager: &Manager, before: &Service) -> Result<String, Failure> {
    loop {
        let now = manager.service(&before.id).await?;
        if let Some(now) = now.invocation.filter(|now| before.invocation.as_ref() != Some(now)) {
            return Ok(now);
        }
        tokio::time::sleep(LOOK_SOON).await;
    }
}

fn note(record: Option<&Path>, ours: &str) -> Result<(), Failure> {
    record.map_or(Ok(()), |path| Ok(fs::replace_volatile(path, ours.as_bytes())?))
}

/// The last start of a unit that systemd wrote down since a moment. Without a journal there is none.
async fn in_the_journal(manager: &Manager, unit: &str, since: Stamp) -> Option<String> {
    let said = process::capture(manager.reading_starts(unit, since)).await.ok()?;
    last_start(&String::from_utf8_lossy(&said.stdout))
}

/// The start that the last of some journal entries in JSON tells of.
fn last_start(entries: &str) -> Option<String> {
    let of = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        // One that was skipped has an empty one.
        Some(entry.get("INVOCATION_ID")?.as_str().filter(|id| !id.is_empty())?.to_owned())
    };
    entries.lines().rev().find_map(of)
}

/// TERM ends the unit; the program goes on until that is done.
fn obey_term(manager: &Manager, unit: &str) -> Result<(), Failure> {
    let failed = |e| Failure::new(Exit::Internal, "cannot watch for signals").because(&e);
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let (manager, unit) = (manager.clone(), unit.to_owned());
    tokio::spawn(async move {
        while term.recv().await.is_some() {
            say(&format!("unit `{unit}` is stopped"));
            manager.let_go_on(&unit).await;
            if let Err(error) = manager.end(&unit).await {
                say(&error.chain());
            }
        }
    });
    Ok(())
}

/// Looks until it has done what it does: one that remains active, or that systemd starts again, has not when its start returns. Each
/// time systemd starts it again is one more of `starts`.
async fn until_the_end(
    manager: &Manager,
    before: &Service,
    starts: &mut Vec<String>,
    record: Option<&Path>,
) -> Result<Service, Failure> {
    loop {
        let now = manager.service(&before.id).await?;
        if let Some(again) = next_try(before, starts, &now) {
            note(record, &again)?;
            starts.push(again);
        }
        if progress(starts.last().map(String::as_str), &now) != Progress::AtWork {
            return Ok(now);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Another start of a unit that systemd starts again by itself.
fn next_try(before: &Service, starts: &[String], now: &Service) -> Option<String> {
    let again = now.invocation.clone().filter(|_| before.restarts())?;
    (!starts.contains(&again) && before.invocation.as_ref() != Some(&again)).then_some(again)
}

/// Prints what it wrote. Without a journal there is nothing to print.
async fn show_journal(manager: &Manager, invocation: &str) {
    let call = manager.reading_journal(invocation, JOURNAL_LINES);
    let shown = match call.start() {
        Ok(child) => child.wait().await.map(|exit| (!exit.success()).then(|| exit.describe())),
        Err(error) => Err(error),
    };
    match shown {
        Ok(None) => {}
        Ok(Some(how)) => say(&format!("what it wrote to the journal is not shown: journalctl ended with {how}")),
        Err(error) => say(&format!("what it wrote to the journal is not shown: {}", error.chain())),
    }
}

/// A line for the log of the run.
fn say(line: &str) {
    // Nobody may be listening any more.
    writeln!(std::io::stderr(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(invocation: &str, active: &str, sub: &str) -> Service {
        Service::parse(&format!("Id=b.service\nInvocationID={invocation}\nActiveState={active}\nSubState={sub}\n"))
    }

    #[test]
    fn how_far_a_unit_is() {
        let ours = |active, sub| progress(Some("2"), &seen("2", active, sub));
        assert_eq!(progress(None, &seen("1", "failed", "failed")), Progress::Before);
        for (active, sub) in [("activating", "start"), ("activating", "auto-restart"), ("deactivating", "stop-post")] {
            assert_eq!(ours(active, sub), Progress::AtWork);
        }
        for (active, sub) in [("active", "exited"), ("inactive", "dead"), ("failed", "failed")] {
            assert_eq!(ours(active, sub), Progress::Over);
        }
        // systemd has forgotten it, or somebody else has started it again.
        assert_eq!(progress(Some("2"), &seen("", "inactive", "dead")), Progress::Over);
        assert_eq!(progress(Some("2"), &seen("3", "activating", "start")), Progress::Over);
    }

    #[test]
    fn the_end_of_one_that_is_forgotten_is_what_its_start_came_to() {
        let failed = || Err(Failure::new(Exit::Failed, "cannot start unit `b.service`"));
        let known = Service { result: "exit-code".to_owned(), ..seen("2", "failed", "failed") };
        assert_eq!(end("2", &known, &failed()), (1, "result exit-code".to_owned()));
        let forgotten = seen("", "inactive", "dead");
        assert_eq!(end("2", &forgotten, &Ok(())).0, 0);
        assert_eq!(end("2", &forgotten, &failed()).0, 1);
    }

    #[test]
    fn one_that_is_started_again_goes_on() {
        let before = Service { restart: "on-failure".to_owned(), ..seen("1", "failed", "failed") };
        let starts = ["2".to_owned()];
        let next = |before: &Service, invocation| next_try(before, &starts, &seen(invocation, "activating", "start"));
        assert_eq!(next(&before, "3").as_deref(), Some("3"));
        assert_eq!([next(&before, "1"), next(&before, "2"), next(&before, "")], [None, None, None]);
        let once = Service { restart: "no".to_owned(), ..before.clone() };
        assert_eq!(next(&once, "3"), None, "that is somebody else's");
        let forgotten = Service { restart: "on-failure".to_owned(), ..seen("", "inactive", "dead") };
        assert_eq!(end("2", &forgotten, &Err(Failure::new(Exit::Failed, "the first try"))).0, 0);
    }

    #[test]
    fn a_start_is_found_in_the_journal() {
        let entries =
            "{\"MESSAGE\":\"Starting\",\"INVOCATION_ID\":\"1\"}\n{\"INVOCATION_ID\":\"2\"}\n{\"MESSAGE\":\"Queued\"}\n";
        assert_eq!(last_start(entries).as_deref(), Some("2"));
        for odd in ["", "{", "{}", "[1]", "{\"INVOCATION_ID\":[1]}", "{\"INVOCATION_ID\":\"\"}"] {
            assert_eq!(last_start(odd), None, "{odd}");
        }
    }
}
