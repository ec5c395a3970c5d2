//! The state directory: whether a run could be written down there.

use std::path::Path;

use super::finding::Finding;
use super::requirement::Requirement;
use crate::backup::trust;
use crate::failure::Failure;
use crate::human::bytes;
use crate::kernel::fs;
use crate::ledger::Ledger;

/// Met where runs of this account can be written down. Nothing is created.
pub fn finding(state: &Path) -> Finding {
    match look(state) {
        Ok(seen) => Finding::met(Requirement::State, seen),
        Err(failure) => Finding::failed(Requirement::State, &failure),
    }
}

fn look(state: &Path) -> Result<String, Failure> {
    // Where it is missing the first run makes it.
    let there = state.ancestors().find(|directory| fs::exists(directory)).unwrap_or(Path::new("/"));
    fs::probe_write(there)?;
    let free = bytes(fs::space(there)?.free);
    if there != state {
        return Ok(format!("`{}`, which the first run makes; {free} free", state.display()));
    }
    trust::check(&fs::canonical(state)?)?;
    Ledger::open_to_read(state)?;
    Ok(format!("`{}`; {free} free", state.display()))
}
