//! Any program.

use std::collections::BTreeMap;
use std::path::Path;

use super::dialect::Dialect;
use super::tool::{Item, Prepared, Tool};
use crate::config::policy::Command;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::fs;

/// Looks for the program and its directory. `search` is the PATH it will be looked up in.
pub fn prepare(policy: &Command, search: Option<&std::ffi::OsStr>) -> Result<Prepared, Failure> {
    let program = policy.argv.first().map(String::as_str).unwrap_or_default();
    // A relative path is meant from where the program will start, and that is how the kernel will look it up.
    let start = policy.directory.as_deref().unwrap_or(Path::new("/"));
    let named = if program.contains('/') { start.join(program) } else { program.into() };
    if fs::find_program(named.as_os_str(), search).is_none() {
        return Err(Failure::new(Exit::NotStarted, format!("command `{program}` was not found"))
            .hint("give its full path, or install it"));
    }
    if let Some(directory) = policy.directory.as_deref().filter(|d| !fs::is_dir(d)) {
        return Err(Failure::new(Exit::Unavailable, format!("directory `{}` does not exist", directory.display()))
            .hint("correct `directory` in `[command]`"));
    }
    Ok(Prepared { items: vec![item(policy)], versions: BTreeMap::new() })
}

/// The one piece of work of a command.
fn item(policy: &Command) -> Item {
    let env = policy.env.iter().map(|(key, value)| (key.into(), Some(value.into()))).collect();
    Item {
        phase: "command",
        label: policy.argv.first().cloned().unwrap_or_default(),
        file: policy.capture.clone(),
        tool: Tool {
            argv: policy.argv.iter().map(Into::into).collect(),
            env,
            directory: policy.directory.clone().unwrap_or_else(|| "/".into()),
            dialect: Dialect::Command { success: policy.success_codes.clone(), warning: policy.warning_codes.clone() },
            own_rights: false,
        },
        reader: None,
        properties: BTreeMap::new(),
        left_out: vec![],
        remark: None,
    }
}
