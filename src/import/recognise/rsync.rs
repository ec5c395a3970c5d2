//! `rsync`: a command whose disks are known.

use super::options::{self, Argument, Spec};
use super::{Task, place, stem};
use crate::import::draft::Draft;

/// rsync(1): options with a value; `--name=value` needs no list.
const SPEC: Spec = Spec {
    flags: None,
    valued: "efTBM@",
    long: None,
    long_valued: &[
        "rsh",
        "exclude",
        "include",
        "exclude-from",
        "include-from",
        "filter",
        "files-from",
        "bwlimit",
        "link-dest",
        "copy-dest",
        "compare-dest",
        "backup-dir",
        "suffix",
        "log-file",
        "log-file-format",
        "timeout",
        "contimeout",
        "port",
        "password-file",
        "max-size",
        "min-size",
        "max-delete",
        "temp-dir",
        "partial-dir",
        "chmod",
        "chown",
        "rsync-path",
        "out-format",
        "info",
        "debug",
        "address",
        "modify-window",
        "block-size",
        "compress-level",
        "skip-compress",
        "iconv",
        "usermap",
        "groupmap",
        "remote-option",
        "protocol",
        "stop-after",
    ],
};

/// A command with the disks of its local ends.
pub fn recognise(task: &Task<'_>) -> Option<Draft> {
    let operands: Vec<_> = options::read(task.arguments(), SPEC)?
        .into_iter()
        .filter_map(|argument| if let Argument::Operand(word) = argument { Some(word) } else { None })
        .collect();
    let (target, sources) = operands.split_last().filter(|(_, sources)| !sources.is_empty())?;
    let local = sources.iter().chain([target]).filter_map(|word| task.path(word));
    let first = sources.iter().find_map(|word| task.path(word));
    let named = first.or_else(|| place::absolute(target.text()?, task.base));
    let name = named.map_or_else(|| "rsync".to_owned(), |path| format!("rsync-{}", stem(&path)));
    let local: Vec<_> = local.collect();
    let (argv, log) = task.argv()?;
    let mut draft = task.command(name, argv).on_disks(local).warning(24, "files vanished while it ran");
    draft.changes.extend(log);
    Some(draft)
}
