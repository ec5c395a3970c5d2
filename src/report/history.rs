//! `govern history`: a line a run.

use super::style;
use super::table::{paint, table};
use crate::human::{bytes, duration};
use crate::ledger::State;
use crate::ledger::query::RunRow;

/// For people.
pub fn render(runs: &[RunRow]) -> String {
    let heads = ["RUN", "JOB", "ACTION", "STARTED", "STATE", "TOOK", "READ", "WROTE", "WHY"];
    let mut table = table(&heads, &[5, 6, 7]);
    for run in runs {
        table.add_row([
            run.run.clone(),
            run.job.clone(),
            run.action.clone(),
            run.started.short(),
            run.state.to_string(),
            duration(run.times.wall),
            bytes(run.usage.read),
            bytes(run.usage.written),
            run.reason.clone().unwrap_or_default(),
        ]);
    }
    paint(&table, State::ALL.map(|s| (s.word().to_owned(), style(s))))
}
