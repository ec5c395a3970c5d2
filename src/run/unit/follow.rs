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
use crate::kernel::fs;
use crate::kernel::systemd::Manager;
use crate::kernel::systemd::control;
use crate::kernel::systemd::service::Service;
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

/// How far a unit is, from what it was before and is now.
fn progress(before: &Service, now: &Service) -> Progress {
    match (now.invocation == before.invocation, now.is_at_work()) {
        (true, _) => Progress::Before,
        (false, true) => Progress::AtWork,
        (false, false) => Progress::Over,
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
    let started = start(&manager, &before, record).await;
    let end = until_the_end(&manager, &before).await?;
    if progress(&before, &end) == Progress::Before {
        let failure = Failure::new(Exit::Failed, format!("unit `{name}` was not started"));
        return Err(match started {
            Err(error) => failure.caused_by(error.one_line()),
            // systemd takes it for done: a condition of its file was not met.
            Ok(()) => failure
                .caused_by("a `Condition` or `Assert` of its file does not hold")
                .hint(format!("systemctl status {name}")),
        });
    }
    if let Some(invocation) = &end.invocation {
        show_journal(&manager, invocation).await;
    }
    // The last line is what a failure of the phase says.
    say(&format!("unit `{name}` has ended: {}", end.describe_end()));
    Ok(end.exit_code())
}

/// Has it started, and waits for what systemd says of that.
async fn start(manager: &Manager, before: &Service, record: Option<&Path>) -> Result<(), Failure> {
    // One that remains active would be waited for until somebody stops it.
    let started = control::run(manager.starting(&before.id, !before.remains), "start unit", &before.id);
    let (mut started, mut noted) = (std::pin::pin!(started), std::pin::pin!(note_start(manager, before, record)));
    tokio::select! {
        done = &mut started => {
            // A short one may have ended before anybody looked.
            if progress(before, &manager.service(&before.id).await?) != Progress::Before {
                noted.await?;
            }
            Ok(done?)
        }
        noted = &mut noted => {
            noted?;
            Ok(started.await?)
        }
    }
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

/// Writes down which start of the unit is ours, as soon as there is one.
async fn note_start(manager: &Manager, before: &Service, record: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = record else { return Ok(()) };
    loop {
        let now = manager.service(&before.id).await?;
        if let (Progress::AtWork | Progress::Over, Some(invocation)) = (progress(before, &now), &now.invocation) {
            return Ok(fs::replace_volatile(path, invocation.as_bytes())?);
        }
        tokio::time::sleep(LOOK_SOON).await;
    }
}

/// Looks until it has done what it does: one that remains active, or that systemd starts again, has not when its start returns.
async fn until_the_end(manager: &Manager, before: &Service) -> Result<Service, Failure> {
    loop {
        let now = manager.service(&before.id).await?;
        if progress(before, &now) != Progress::AtWork {
            return Ok(now);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
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
        let before = seen("1", "failed", "failed");
        assert_eq!(progress(&before, &before), Progress::Before);
        assert_eq!(progress(&before, &seen("1", "inactive", "dead")), Progress::Before);
        assert_eq!(progress(&before, &seen("2", "activating", "start")), Progress::AtWork);
        assert_eq!(progress(&before, &seen("2", "activating", "auto-restart")), Progress::AtWork);
        assert_eq!(progress(&before, &seen("2", "deactivating", "stop-post")), Progress::AtWork);
        for (active, sub) in [("active", "exited"), ("inactive", "dead"), ("failed", "failed")] {
            assert_eq!(progress(&before, &seen("2", active, sub)), Progress::Over);
        }
        assert_eq!(progress(&seen("", "inactive", "dead"), &seen("1", "inactive", "dead")), Progress::Over);
    }
}
