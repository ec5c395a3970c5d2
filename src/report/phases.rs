//! `govern log --phases`: where the time of a run went.

use super::style;
use super::table::{paint, table};
use crate::human::{bytes, duration};
use crate::ledger::State;
use crate::ledger::query::{PhaseRow, RunRow};

/// For people.
pub fn render(run: &RunRow, phases: &[PhaseRow]) -> String {
    let heads = [
        "PHASE",
        "STARTED",
        "STATE",
        "WALL",
        "ACTIVE",
        "WAITING",
        "THROTTLED",
        "PAUSED",
        "READ",
        "WROTE",
        "CPU",
        "MEMORY",
        "NOTE",
    ];
    let mut table = table(&heads, &[3, 4, 5, 6, 7, 8, 9, 10, 11]);
    let time = |us: u64| if us == 0 { "-".to_owned() } else { duration(us) };
    let size = |count: u64| if count == 0 { "-".to_owned() } else { bytes(count) };
    for phase in phases {
        let indent = if phase.parent.is_some() { "  " } else { "" };
        let title = phase.detail.as_ref().map_or_else(|| phase.name.clone(), |d| format!("{} {d}", phase.name));
        table.add_row([
            format!("{indent}{title}"),
            phase.started.date_time().format("%H:%M:%S%.3f").to_string(),
            phase.state.to_string(),
            duration(phase.times.wall),
            time(phase.times.active),
            time(phase.times.waiting),
            time(phase.times.throttled),
            time(phase.times.paused),
            size(phase.usage.read),
            size(phase.usage.written),
            time(phase.usage.cpu_us),
            size(phase.usage.peak_memory),
            phase.message.clone().unwrap_or_default(),
        ]);
    }
    let painted = paint(&table, State::ALL.map(|s| (s.word().to_owned(), style(s))));
    let state = style(run.state);
    let mut text = format!(
        "run {} of job {} ({}, level {}): {state}{}{state:#} after {}, began {}\n",
        run.run,
        run.job,
        run.action,
        run.level,
        run.state,
        duration(run.times.wall),
        run.started
    );
    if let Some(reason) = &run.reason {
        text.push_str(&format!("{reason}\n"));
    }
    format!("{text}\n{painted}")
}
