//! What the governor of a run decided: a line a decision.

use super::table::{paint, table};
use crate::human::printable;
use crate::ledger::decisions::DecisionRow;

/// For people.
pub fn render(rows: &[DecisionRow]) -> String {
    if rows.is_empty() {
        return "no decisions: nothing harmed others as far as it was looked at\n".to_owned();
    }
    let mut table = table(&["AT", "DECISION"], &[]);
    for row in rows {
        table.add_row([row.at.rfc3339(), printable(&row.text)]);
    }
    paint(&table, [])
}
