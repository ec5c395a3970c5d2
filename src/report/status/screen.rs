//! `govern status` for people: the daemon, the machine, a line a job, and what is ordered by hand.

use super::{JobStatus, doing, minute};
use crate::human::{bytes, count, duration, printable};
use crate::kernel::clock::Stamp;
use crate::ledger::State;
use crate::report::snapshot::{Daemon, Held, Hold, Snapshot};
use crate::report::table::{paint_within, shortened, table};
use crate::report::{machine, style};

/// Longest reason of an end, in characters; `govern log` has all of it.
const LONGEST: usize = 80;

/// The screen. `now` is what ages are counted from; notes are cut at `width` columns, where that is given.
pub fn render(snapshot: &Snapshot, now: Stamp, width: Option<usize>) -> String {
    let mut text = match &snapshot.daemon {
        Some(daemon) => about(daemon),
        None => "no daemon: nothing starts by itself\n".to_owned(),
    };
    text.extend(snapshot.machine.as_ref().map(|machine| format!("{}\n", machine::line(machine))));
    text.push('\n');
    text.push_str(&jobs(&snapshot.jobs, now, width));
    if !snapshot.holds.is_empty() {
        text.push('\n');
        text.extend(snapshot.holds.iter().map(|hold| format!("{}\n", held(hold, now))));
    }
    text
}

/// `daemon 4711 (0.1.0) since 2026-11-23 05:29: 1 of at most 2 runs under way`
fn about(daemon: &Daemon) -> String {
    let mut text = format!(
        "daemon {} ({}) since {}: {} of at most {} under way\n",
        daemon.pid,
        daemon.version,
        minute(daemon.since),
        daemon.running,
        count(usize::try_from(daemon.max_running).unwrap_or(usize::MAX), "run", "runs"),
    );
    text.extend(daemon.troubles.iter().map(|trouble| format!("trouble: {}\n", printable(trouble))));
    text
}

fn jobs(rows: &[JobStatus], now: Stamp, width: Option<usize>) -> String {
    if rows.is_empty() {
        return "no job has a policy, and none ever ran\n".to_owned();
    }
    let mut table = table(&["JOB", "STATE", "LAST RUN", "TOOK", "LAST GOOD", "NEXT", "NOTE"], &[3]);
    for row in rows {
        let run = row.last_run.as_ref();
        let agenda = row.agenda.as_ref();
        let dash = || "-".to_owned();
        let took = match (run, &row.now) {
            (Some(run), Some(beat)) if run.state == State::Running => duration(beat.times.wall),
            (Some(run), _) if run.state != State::Skipped => duration(run.times.wall),
            _ => dash(),
        };
        table.add_row([
            row.job.clone(),
            run.map_or_else(|| "never run".to_owned(), |r| r.state.to_string()),
            run.map_or_else(dash, |r| r.started.short()),
            took,
            row.last_good.as_ref().map_or_else(dash, |a| format!("{} ago", duration(now.since(a.published)))),
            match agenda {
                Some(agenda) if agenda.queued.is_some() => "now".to_owned(),
                Some(agenda) => agenda.next.map_or_else(dash, minute),
                None => dash(),
            },
            note(row, now),
        ]);
    }
    paint_within(&table, State::ALL.map(|state| (state.word().to_owned(), style(state))), width)
}

fn note(row: &JobStatus, now: Stamp) -> String {
    let parts = [story(row, now), limits(row), agenda(row)];
    printable(&parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; "))
}

/// Limits that do not hold.
fn limits(row: &JobStatus) -> String {
    let trouble = row.limits.iter().filter(|limit| limit.state.is_trouble());
    let named: Vec<String> = trouble.map(|limit| format!("{} {}", limit.what, limit.state.word())).collect();
    named.join(", ")
}

/// What it is doing, or why it ended as it did.
fn story(row: &JobStatus, now: Stamp) -> String {
    if let Some(doing) = &row.doing {
        return doing::line(doing, now);
    }
    let reason = row.last_run.as_ref().and_then(|r| r.reason.clone()).unwrap_or_default();
    shortened(&reason, LONGEST)
}

/// What the daemon has in mind for it.
fn agenda(row: &JobStatus) -> String {
    let Some(agenda) = &row.agenda else { return String::new() };
    let mut parts = vec![];
    parts.extend(agenda.queued.as_ref().map(|queued| format!("waits since {}: {}", minute(queued.since), queued.why)));
    let retry = agenda.retry.as_ref();
    parts.extend(retry.map(|retry| format!("attempt {} at {}: {}", retry.attempt, minute(retry.at), retry.why)));
    parts.extend(agenda.skipped.clone());
    parts.join("; ")
}

/// `all jobs: paused until 2026-11-23 07:29 (1 h 59 min)`
fn held(hold: &Hold, now: Stamp) -> String {
    let what = match hold.what {
        Held::Paused => "paused".to_owned(),
        Held::Pace(Some(rate)) => format!("at most {}/s", bytes(rate)),
        Held::Pace(None) => "no limit to its pace".to_owned(),
    };
    let who = hold.job.as_ref().map_or_else(|| "all jobs".to_owned(), |job| format!("job {}", printable(job)));
    format!("{who}: {what} until {}, for another {}", minute(hold.until), duration(hold.until.since(now)))
}
