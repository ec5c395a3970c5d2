//! Files and directories, as the rest of the program reads them.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};

/// The whole of a text file; bytes that are no UTF-8 are an error.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| Error::path("read", path, e))
}

/// The entries of a directory as full paths, sorted by name.
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let wrap = |e| Error::path("list", path, e);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(wrap)? {
        entries.push(entry.map_err(wrap)?.path());
    }
    entries.sort();
    Ok(entries)
}
