//! Entries the database could not take, as JSON lines in the run's directory, until somebody merges them.

use std::io::Write;
use std::path::Path;

use super::{Entry, Ledger, Result};
use crate::kernel::{Error as KernelError, fs};

/// The name of the spool in a run's directory.
pub const FILE: &str = "spool.jsonl";

/// Appends entries and makes them durable.
pub fn append(run_dir: &Path, entries: &[Entry]) -> Result<()> {
    let path = run_dir.join(FILE);
    let failed = |e: std::io::Error| KernelError::path("write", &path, e);
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, entry).map_err(|e| failed(e.into()))?;
        text.push(b'\n');
    }
    let mut file = fs::open_append(&path)?;
    file.write_all(&text).and_then(|()| file.sync_data()).map_err(failed)?;
    Ok(())
}

/// Merges a spool into the ledger and removes it. A last line that was cut off by a crash is left out. Without a spool
/// nothing happens.
pub fn merge(ledger: &mut Ledger, run_dir: &Path) -> Result<usize> {
    let path = run_dir.join(FILE);
    let Some(text) = fs::read_text_lossy(&path)? else { return Ok(0) };
    let entries: Vec<Entry> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    ledger.apply(&entries)?;
    fs::remove_tree(&path)?;
    Ok(entries.len())
}
