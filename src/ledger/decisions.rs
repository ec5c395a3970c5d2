//! What governors decided, and what is usual for others.

use rusqlite::Row;
use serde::Serialize;

use super::{Ledger, Result};
use crate::kernel::clock::Stamp;
use crate::kernel::clock::as_rfc3339;

/// A decision as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionRow {
    /// Number within the run, from 1.
    pub seq: u32,
    /// When.
    #[serde(serialize_with = "as_rfc3339::serialize")]
    pub at: Stamp,
    /// `throttle`, `ease`, `free`, `pause`, `resume`, `hurry`, `give up`.
    pub word: String,
    /// False: it was only recorded.
    pub enforced: bool,
    /// The signal it rests on, if it does on one.
    pub signal: Option<String>,
    /// Whose that is.
    pub unit: Option<String>,
    /// Its value, in the unit of the signal.
    pub value: Option<f64>,
    /// What it was held against.
    pub threshold: Option<f64>,
    /// All of it, for people.
    pub text: String,
}

impl Ledger {
    /// What the governor of a run decided, in order.
    pub fn decisions(&self, run: &str) -> Result<Vec<DecisionRow>> {
        self.sql("read decisions", |c| {
            if !c.table_exists(None, "decisions")? {
                return Ok(vec![]);
            }
            let columns = "seq, at_us, at_offset, word, enforced, signal, unit, value, threshold, text";
            c.prepare(&format!("SELECT {columns} FROM decisions WHERE run = ?1 ORDER BY seq"))?
                .query_map([run], decision_row)?
                .collect()
        })
    }

    /// What is usual for others, seen at `since` (µs since 1970) or later: unit, signal, value.
    pub fn usual(&self, since: i64) -> Result<Vec<(String, String, f64)>> {
        self.sql("read what is usual", |c| {
            if !c.table_exists(None, "usual")? {
                return Ok(vec![]);
            }
            c.prepare("SELECT unit, signal, value FROM usual WHERE at_us >= ?1")?
                .query_map([since], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })
    }
}

fn decision_row(row: &Row<'_>) -> rusqlite::Result<DecisionRow> {
    Ok(DecisionRow {
        seq: row.get("seq")?,
        at: Stamp { us: row.get("at_us")?, offset: row.get("at_offset")? },
        word: row.get("word")?,
        enforced: row.get("enforced")?,
        signal: row.get("signal")?,
        unit: row.get("unit")?,
        value: row.get("value")?,
        threshold: row.get("threshold")?,
        text: row.get("text")?,
    })
}
