//! Entries the database could not take, as JSON lines in the run's directory, until somebody merges them.

use std::path::Path;

use super::{Entry, Ledger, Result};
use crate::kernel::{Error as KernelError, fs};

/// The name of the spool in a run's directory.
pub const FILE: &str = "spool.jsonl";

/// Appends entries and makes them durable: all of them, or none.
pub fn append(run_dir: &Path, entries: &[Entry]) -> Result<()> {
    let path = run_dir.join(FILE);
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, entry).map_err(|e| KernelError::path("write", &path, e))?;
        text.push(b'\n');
    }
    Ok(fs::append_lines_durable(&path, &text)?)
}

/// Merges a spool into the ledger and removes it. Lines that cannot be understood, such as one that was cut off by a crash, are
/// left out with a warning. Without a spool nothing happens.
pub fn merge(ledger: &mut Ledger, run_dir: &Path) -> Result<usize> {
    let path = run_dir.join(FILE);
    let Some(text) = fs::read_text_lossy(&path)? else { return Ok(0) };
    let (entries, lost) = understood(&text);
    ledger.apply(&entries)?;
    if lost > 0 {
        tracing::warn!("`{}`: {lost} of its lines could not be understood and are left out", path.display());
    }
    fs::remove_tree(&path)?;
    Ok(entries.len())
}

/// The entries of a spool, and how many of its lines are none.
pub(super) fn understood(text: &str) -> (Vec<Entry>, usize) {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let entries: Vec<Entry> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let lost = lines.len() - entries.len();
    (entries, lost)
}
