//! How an artifact is checked: what is read back, and by whom.

use super::manifest::{File, Manifest};
use super::tool::Tool;
use super::{filesystem, pg_dump};
use crate::config::policy::Verify;

/// The program that reads a file of an artifact from a pipe, if it is to be listed and has one.
pub fn reader(manifest: &Manifest, file: &File, verify: Verify, run: &str) -> Option<Tool> {
    if verify != Verify::List {
        return None;
    }
    match (file.phase.as_str(), &manifest.pg_dump) {
        ("archive", _) => Some(filesystem::list_tool()),
        ("dump", Some(policy)) => Some(pg_dump::list_tool(policy, run)),
        _ => None,
    }
}

/// The word for it in manifest, ledger and policy.
pub fn word(verify: Verify) -> &'static str {
    match verify {
        Verify::None => "none",
        Verify::Hash => "hash",
        Verify::List => "list",
    }
}
